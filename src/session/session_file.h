#pragma once

// The session file: all that a process of the job needs to join the servers. One file `session`,
// mode 0600, in the session directory, mode 0700, on every node; published by atomic rename once
// the servers are ready.
//
// Format: an envelope of 32 bytes (magic "BENCHFSS", format version, 0, body length, XXH3-64 of the
// body, little-endian), then the Session as a Boost.Serialization binary archive. What does not
// match the envelope never reaches Boost.
//
// Threading: any thread; calls block on the local file system.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace benchfs::session {

inline constexpr std::uint32_t kFormatVersion = 3;
inline constexpr std::size_t kSecretBytes = 32;
inline constexpr char kFileName[] = "session";
/// Who changes the published session holds a lock on this file of the directory.
inline constexpr char kLockFileName[] = "session.lock";
/// Every server of the node holds a shared lock on this one; see Presence.
inline constexpr char kPresenceFileName[] = "session.servers";

struct Server {
  std::string host;
  std::uint32_t pid = 0;
  std::vector<std::byte> address;  ///< Of its UCX worker.
  std::uint64_t capacity_bytes = 0;
  std::string store_directory;
  /// How often its store was made or recovered: another one, another process, which knows no
  /// connection and no open file of the one before. Never 0, never used twice.
  std::uint64_t incarnation = 1;
  std::uint64_t started_ns = 0;  ///< When this process had begun; since the Unix epoch.
};

struct Session {
  std::uint64_t session_id = 0;
  std::uint64_t epoch = 0;  ///< Rises when all servers start again; not when one of them does.
  std::array<std::byte, kSecretBytes> secret{};
  std::uint64_t created_ns = 0;  ///< Since the Unix epoch.
  std::uint32_t uid = 0;         ///< Who may join.
  std::vector<Server> servers;   ///< Index: ServerId.
};

/// Why a session could not be joined, in words for the user; `error` for the program.
struct SessionError {
  Error error;
  std::string text;
};

std::vector<std::byte> encode(const Session& session);

/// kCorrupt (not such a file, or damaged), kUnsupported (another version).
Result<Session> decode(ConstBytes bytes);

/// Reads and checks `directory`/session. kNotFound (no session there: the servers are not up),
/// kAccess (another user's, or open to others), kCorrupt, kUnsupported, kInvalid (an empty path,
/// not a directory).
tl::expected<Session, SessionError> read_session(const std::string& directory);

/// Creates `directory` (0700) if it is not there. kExists if a session is published there already,
/// kAccess if the directory is another user's or open to others.
tl::expected<void, SessionError> prepare_directory(const std::string& directory);

/// Writes and renames. The directory must be prepared. Overwrites the session of the same id only.
tl::expected<void, SessionError> publish_session(const std::string& directory,
                                                 const Session& session);

/// Takes over from `news` every server that is of a higher incarnation there, and the higher epoch;
/// returns whether that changed anything. In whatever order processes hear of news, and however
/// often, all end with the same servers. Nothing is taken from another session, or from one of
/// another number of servers.
bool merge(Session& into, const Session& news);

/// Merges `news` into the published session, under a lock against others that do the same, by
/// atomic rename; returns what is published then. kNotFound (none is, any more), kStale (another
/// session is), and what reading and publishing say.
tl::expected<Session, SessionError> amend_session(const std::string& directory,
                                                  const Session& news);

/// Held by every server of this node for as long as it lives: so the last one that ends knows that
/// it is the last.
class Presence {
 public:
  /// Takes its part in `directory`. Without one (the log says why) the session counts as used.
  explicit Presence(const std::string& directory);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  /// Gives it up; true if no other server has one.
  bool leave() noexcept;

 private:
  int fd_;
};

/// Removes the published session if it has this id; nothing else in the directory.
void withdraw_session(const std::string& directory, std::uint64_t session_id) noexcept;

}  // namespace benchfs::session
