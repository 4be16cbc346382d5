#pragma once

// What servers that start together do about the stores that they find: begin a new session, go on
// with the old one, or refuse. Nothing is ever taken away because of what is found.
//
// Pure. Threading: any.

#include <cstdint>
#include <string>
#include <vector>

namespace benchfs::server {

/// What one server found where its store will be. Travels from server to server as it is encoded
/// by the wire's codec.
struct FoundStore {
  std::string directory;
  std::string host;
  bool is_there = false;
  std::uint64_t session_id = 0;
  std::uint16_t server = 0;
  std::uint16_t server_count = 0;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& directory& host& is_there& session_id& server& server_count;
  }
};

struct StartPlan {
  enum class Kind {
    kNewSession,
    kGoOn,    ///< With the session `session_id`, whose stores these all are.
    kRefuse,  ///< `text` names the directory and says what to do.
  };
  Kind kind = Kind::kRefuse;
  std::uint64_t session_id = 0;
  std::string text;
};

/// `found` by server, at least one. All servers come to the same plan.
StartPlan plan_start(const std::vector<FoundStore>& found);

}  // namespace benchfs::server
