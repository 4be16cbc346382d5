#pragma once

// Files that all clients read, write, cut and sync at the same time.
//
// Threading: the world's thread.

#include <memory>
#include <vector>

#include "sim/file_model.h"
#include "sim/user.h"

namespace benchfs::sim {

class SharedFiles {
 public:
  explicit SharedFiles(const Plan& plan) : plan_(plan) {}

  /// Makes the files, and syncs them.
  coro::Task<void> set_up(User& user);
  /// One worker: random operations until `until_ns`, or as many as the plan has.
  coro::Task<void> work(User& user, Chance chance, const std::uint64_t& until_ns);
  /// Everything must be what the models say, and no call may fail.
  coro::Task<void> verify(User& user);

  void power_cut(ServerId server);

 private:
  struct File {
    std::string path;
    std::unique_ptr<FileModel> model;
  };
  struct Worker;

  coro::Task<void> write(Worker& worker, std::size_t index);
  coro::Task<void> read(Worker& worker, std::size_t index);
  coro::Task<void> read_range(User& user, User::FilePointer handle, FileModel& model,
                              std::uint64_t offset, std::uint64_t size);
  coro::Task<void> truncate(Worker& worker, std::size_t index);
  coro::Task<void> stat(Worker& worker, std::size_t index);
  coro::Task<void> fsync(Worker& worker, std::size_t index);
  coro::Task<void> step(Worker& worker);

  const Plan plan_;
  std::vector<File> files_;
};

}  // namespace benchfs::sim
