#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "session/session_file.h"

namespace benchfs::session {
namespace {

using Failed = tl::unexpected<SessionError>;

Failed failed(Errc code, const char* where, std::string text, int os_code = 0) {
  return Failed(SessionError{Error{.code = code, .os_code = os_code, .where = where}, text});
}

Failed failed_by_errno(const char* where, const std::string& path, const char* doing) {
  const int saved = errno;
  return failed(from_errno(saved), where,
                fmt::format("{}: cannot {}: {}", path, doing, std::strerror(saved)), saved);
}

std::string file_of(const std::string& directory) {
  return directory + "/" + kFileName;
}

/// Closes on destruction.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Nobody but the user may be able to read the secret, or to put another session in its place.
tl::expected<void, SessionError> check_private(const std::string& path, const struct stat& status,
                                               unsigned mode) {
  if (status.st_uid != ::geteuid()) {
    return failed(Errc::kAccess, "session.owner",
                  fmt::format("{}: belongs to uid {}, not to you (uid {})", path, status.st_uid,
                              ::geteuid()));
  }
  if ((status.st_mode & 0777U & ~mode) != 0) {
    return failed(Errc::kAccess, "session.mode",
                  fmt::format("{}: has mode {:04o}, but must not be open to others (chmod {:04o})",
                              path, status.st_mode & 0777U, mode));
  }
  return {};
}

tl::expected<std::vector<std::byte>, SessionError> read_all(int fd, const std::string& path) {
  std::vector<std::byte> bytes;
  std::size_t used = 0;
  while (true) {
    bytes.resize(used + 65536);
    const ssize_t got = ::read(fd, bytes.data() + used, bytes.size() - used);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return failed_by_errno("session.read", path, "read");
    }
    used += static_cast<std::size_t>(got);
    if (got == 0) {
      bytes.resize(used);
      return bytes;
    }
  }
}

bool write_all(int fd, ConstBytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) {
      return false;
    }
    bytes = bytes.subspan(written < 0 ? 0 : static_cast<std::size_t>(written));
  }
  return true;
}

/// How long a change of the session waits for another one; each takes some milliseconds.
constexpr int kLockPausesMax = 500;
constexpr timespec kLockPause = {.tv_sec = 0, .tv_nsec = 10'000'000};

/// Keeps others from changing the published session for as long as it lives.
class SessionLock {
 public:
  explicit SessionLock(const std::string& directory)
      : path_(directory + "/" + kLockFileName),
        file_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
    for (int pauses = 0; file_.get() >= 0 && !held_ && pauses < kLockPausesMax; ++pauses) {
      held_ = ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0;
      if (!held_) {
        ::nanosleep(&kLockPause, nullptr);
      }
    }
  }
  bool held() const noexcept { return held_; }
  /// Takes the file away with the session: who waits for the lock then finds no session.
  void remove() noexcept { ::unlink(path_.c_str()); }

 private:
  std::string path_;
  Descriptor file_;
  bool held_ = false;
};

}  // namespace

tl::expected<Session, SessionError> read_session(const std::string& directory) {
  if (directory.empty()) {
    return failed(Errc::kInvalid, "session.directory",
                  "no session named: set BENCHFS_SESSION or give --session");
  }
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return failed(
          Errc::kNotFound, "session.directory",
          fmt::format("{}: no session here: the servers are not up (benchfs up)", directory),
          ENOENT);
    }
    return failed_by_errno("session.directory", directory, "look at");
  }
  if (!S_ISDIR(status.st_mode)) {
    return failed(Errc::kInvalid, "session.directory",
                  fmt::format("{}: is not a directory; name the session directory", directory));
  }
  if (auto checked = check_private(directory, status, 0700); !checked.has_value()) {
    return Failed(checked.error());
  }
  const std::string path = file_of(directory);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) {
    if (errno == ENOENT) {
      return failed(
          Errc::kNotFound, "session.open",
          fmt::format("{}: no session here: the servers are not up (benchfs up)", directory),
          ENOENT);
    }
    return failed_by_errno("session.open", path, "open");
  }
  if (::fstat(file.get(), &status) != 0) {
    return failed_by_errno("session.open", path, "look at");
  }
  if (auto checked = check_private(path, status, 0600); !checked.has_value()) {
    return Failed(checked.error());
  }
  auto bytes = read_all(file.get(), path);
  if (!bytes.has_value()) {
    return Failed(bytes.error());
  }
  auto session = decode(*bytes);
  if (!session.has_value()) {
    const Error error = session.error();
    const std::string text =
        error.code == Errc::kUnsupported
            ? fmt::format("{}: is a session of format version {}, this program knows {}", path,
                          error.os_code, kFormatVersion)
            : fmt::format("{}: is not a session file, or is damaged", path);
    return failed(error.code, error.where, text);
  }
  return std::move(*session);
}

tl::expected<void, SessionError> prepare_directory(const std::string& directory) {
  if (directory.empty()) {
    return failed(Errc::kInvalid, "session.directory",
                  "no session directory named: set BENCHFS_SESSION or give --session");
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return failed_by_errno("session.mkdir", directory, "create the session directory");
  }
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    return failed_by_errno("session.directory", directory, "look at");
  }
  if (!S_ISDIR(status.st_mode)) {
    return failed(Errc::kInvalid, "session.directory",
                  fmt::format("{}: is not a directory", directory));
  }
  if (auto checked = check_private(directory, status, 0700); !checked.has_value()) {
    return checked;
  }
  if (::access(file_of(directory).c_str(), F_OK) == 0) {
    return failed(
        Errc::kExists, "session.exists",
        fmt::format("{}: a session is up here already; stop it with benchfs down, or name "
                    "another directory",
                    directory));
  }
  return {};
}

tl::expected<void, SessionError> publish_session(const std::string& directory,
                                                 const Session& session) {
  const std::string path = file_of(directory);
  if (::access(path.c_str(), F_OK) == 0) {
    const auto there = read_session(directory);
    if (!there.has_value() || there->session_id != session.session_id) {
      return failed(Errc::kExists, "session.exists",
                    fmt::format("{}: another session was published meanwhile", path));
    }
  }
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  const std::vector<std::byte> bytes = encode(session);
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) {
      return failed_by_errno("session.create", temporary, "create");
    }
    if (!write_all(file.get(), bytes) || ::fsync(file.get()) != 0) {
      auto error = failed_by_errno("session.write", temporary, "write");
      ::unlink(temporary.c_str());
      return error;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    auto error = failed_by_errno("session.publish", path, "publish the session");
    ::unlink(temporary.c_str());
    return error;
  }
  return {};
}

bool merge(Session& into, const Session& news) {
  if (into.session_id != news.session_id || into.servers.size() != news.servers.size()) {
    return false;
  }
  bool changed = news.epoch > into.epoch;
  into.epoch = std::max(into.epoch, news.epoch);
  for (std::size_t i = 0; i < into.servers.size(); ++i) {
    if (news.servers[i].incarnation > into.servers[i].incarnation) {
      into.servers[i] = news.servers[i];
      changed = true;
    }
  }
  return changed;
}

tl::expected<Session, SessionError> amend_session(const std::string& directory,
                                                  const Session& news) {
  // Without a session no lock file is made: the directory may not even be ours.
  auto published = read_session(directory);
  if (!published.has_value()) {
    return published;
  }
  const SessionLock lock(directory);
  if (!lock.held()) {
    return failed(Errc::kTimedOut, "session.lock",
                  fmt::format("{}: somebody holds the lock {}", directory, kLockFileName));
  }
  published = read_session(directory);
  if (!published.has_value()) {
    return published;
  }
  if (published->session_id != news.session_id) {
    return failed(Errc::kStale, "session.amend",
                  fmt::format("{}: another session is published here", directory));
  }
  if (merge(*published, news)) {
    const auto written = publish_session(directory, *published);
    if (!written.has_value()) {
      return Failed(written.error());
    }
  }
  return published;
}

void withdraw_session(const std::string& directory, std::uint64_t session_id) noexcept {
  const auto there = read_session(directory);
  if (!there.has_value() || there->session_id != session_id) {
    return;
  }
  SessionLock lock(directory);  // Else who amends it could publish it again.
  ::unlink(file_of(directory).c_str());
  ::unlink((directory + "/" + kPresenceFileName).c_str());
  lock.remove();
}

Presence::Presence(const std::string& directory)
    : fd_(::open((directory + "/" + kPresenceFileName).c_str(),
                 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) {
  if (fd_ < 0 || ::flock(fd_, LOCK_SH | LOCK_NB) != 0) {
    log_warning("{}/{}: cannot be locked: {}", directory, kPresenceFileName, std::strerror(errno));
  }
}

Presence::~Presence() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

bool Presence::leave() noexcept {
  // First gives up the shared lock, then tries for the exclusive one: of several that leave at
  // once, one finds no other.
  return fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) == 0;
}

}  // namespace benchfs::session
