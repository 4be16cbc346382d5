#pragma once

// A program on a client: the calls of the file interface, each watched for its time and its error.
//
// Threading: the world's thread. Coroutines borrow the user until they end.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/file.h"
#include "client/names.h"
#include "sim/cluster.h"

namespace benchfs::sim {

class User {
 public:
  /// Borrows both. `errors_allowed_until_ns`: until then calls may fail as the plan's faults make
  /// them; a pointer, since faults end when the simulation says so.
  User(Cluster& cluster, ClientRun& client, const std::uint64_t& errors_allowed_until_ns)
      : cluster_(cluster), client_(client), errors_allowed_until_ns_(errors_allowed_until_ns) {}

  World& world() noexcept { return cluster_.world(); }
  const Plan& plan() const noexcept { return cluster_.plan(); }
  ClientRun& client() noexcept { return client_; }
  /// The process was killed: what its calls answer means nothing.
  bool dead() const noexcept { return client_.dead(); }

  using FilePointer = std::shared_ptr<client::File>;
  coro::Task<Result<FilePointer>> open(std::string path, std::uint32_t flags,
                                       wire::Layout layout = {});
  coro::Task<Status> close(FilePointer file);
  /// `data` is borrowed until the end.
  coro::Task<Status> write(FilePointer file, std::vector<client::Extent> extents, ConstBytes data);
  /// How many bytes lie below the end of the file.
  coro::Task<Result<std::uint64_t>> read(FilePointer file, std::vector<client::Extent> extents,
                                         Bytes into);
  coro::Task<Status> append(FilePointer file, ConstBytes data);
  coro::Task<Status> truncate(FilePointer file, std::uint64_t size_bytes);
  coro::Task<Status> fsync(FilePointer file);
  coro::Task<Result<wire::Attributes>> stat_open(FilePointer file);
  /// Waits for as long as others hold theirs.
  coro::Task<Result<std::uint64_t>> lock(FilePointer file, client::Extent range, bool shared);
  coro::Task<Status> unlock(FilePointer file, std::uint64_t number);

  coro::Task<Result<wire::Attributes>> stat(std::string path,
                                            client::Follow follow = client::Follow::kYes);
  coro::Task<Status> unlink(std::string path);
  coro::Task<Status> mkdir(std::string path);
  coro::Task<Status> rmdir(std::string path);
  coro::Task<Status> rename(std::string from, std::string to);
  coro::Task<Status> symlink(std::string target, std::string path);
  coro::Task<Result<std::string>> read_link(std::string path);
  /// All names, in the order in which they came.
  coro::Task<Result<std::vector<wire::DirectoryEntry>>> list(std::string path);

  /// Sleeps on the client's clock.
  coro::Task<void> sleep(std::uint64_t ns);

 private:
  /// One call: counts it, and checks how long it took and how it ended.
  class Call {
   public:
    /// `subject`: for the trace.
    Call(User& user, const char* what, std::uint64_t timeouts, std::string subject = {});
    /// `expected`: errors that are an answer, not a failure.
    void end(const Status& status, std::initializer_list<Errc> expected = {});

   private:
    User& user_;
    const char* const what_;
    const std::string subject_;
    const std::uint64_t limit_ns_;
    const std::uint64_t began_ns_;
  };

  bool may_fail_with(Errc code) const;

  Cluster& cluster_;
  ClientRun& client_;
  const std::uint64_t& errors_allowed_until_ns_;
};

}  // namespace benchfs::sim
