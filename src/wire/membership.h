#pragma once

// How servers and clients hear that a server has started again: requests about the servers of the
// session. Any server answers them about any server, as far as it has heard.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "wire/header.h"

namespace benchfs::wire {

/// One server of the session, as it is published; see session/session_file.h.
struct ServerEntry {
  ServerId server{};
  std::uint64_t incarnation = 0;  ///< 1 or more; of two entries the higher one is right.
  std::string address;            ///< Of its UCX worker: opaque bytes.
  std::string host;
  std::uint32_t pid = 0;
  std::uint64_t capacity_bytes = 0;
  std::string store_directory;
  std::uint64_t started_ns = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& server& incarnation& address& host& pid& capacity_bytes& store_directory& started_ns;
  }
};

/// An encoded ServerEntry is not larger.
inline constexpr std::size_t kServerEntryBytesMax = 64 * 1024;

/// What the server asked knows of `server`. kStale: the session has no such server.
struct GetServerRequest {
  static constexpr Op kOp = Op::kGetServer;
  using Reply = ServerEntry;
  ServerId server{};
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& server;
  }
};

struct JoinReply {
  /// Of all servers, by ServerId: so the joiner sees of which others it has to hear more.
  std::vector<std::uint64_t> incarnations;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& incarnations;
  }
};

/// A server that has started again tells another one: the payload is its encoded ServerEntry.
/// Servers only, and each for itself: kPermission. kProtocol: an entry that makes no sense.
struct JoinRequest {
  static constexpr Op kOp = Op::kJoin;
  using Reply = JoinReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

}  // namespace benchfs::wire
