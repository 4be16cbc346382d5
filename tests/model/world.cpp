#include "model/world.h"

#include <array>
#include <cstdlib>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace benchfs::test {
namespace {

// Sizes of chunks and numbers of servers that meet each other and transfers in every way.
constexpr std::array<benchfs::Layout, 5> kLayouts = {{
    {1 << 20, 0},
    {64 << 10, 0},
    {4096, 2},
    {10'007, 0},
    {300'000, 1},
}};

}  // namespace

World::World(const WorldOptions& options)
    : options_(options), directory_(fmt::format("/fsx-{}", ::getpid())) {
  for (unsigned i = 0; i < options.mount_count; ++i) {
    sessions_.emplace_back();
  }
  sessions_[0].mkdir(directory_);
  // One more than ranks, so that each rank can have a file for itself.
  for (std::uint32_t id = 0; id <= options.rank_count; ++id) {
    Subject subject;
    subject.id = id;
    subject.layout = kLayouts[id % kLayouts.size()];
    subject.path = next_path(subject);
    sessions_[0].open(subject.path, O_WRONLY | O_CREAT | O_EXCL, 0644, subject.layout).close();
    open_handles(subject);
    subjects_.push_back(std::move(subject));
  }
}

std::string World::next_path(Subject& subject) const {
  return fmt::format("{}/file-{}-{}", directory_, subject.id, subject.name_count++);
}

void World::open_handles(Subject& subject) {
  for (unsigned rank = 0; rank < options_.rank_count; ++rank) {
    benchfs::Session& session = session_of(rank);
    subject.plain.push_back({.file = session.open(subject.path, O_RDWR)});
    subject.appending.push_back({.file = session.open(subject.path, O_RDWR | O_APPEND)});
  }
}

void World::close_handles(Subject& subject) {
  for (auto* handles : {&subject.plain, &subject.appending}) {
    for (Handle& handle : *handles) {
      handle.file.close();
    }
    handles->clear();
  }
}

void World::remove_all() {
  for (Subject& subject : subjects_) {
    close_handles(subject);
    sessions_.back().unlink(subject.path);
  }
  subjects_.clear();
  sessions_.front().rmdir(directory_);
}

void World::fail(const std::string& what) {
  static std::mutex only_one;
  only_one.lock();  // For good: other ranks may fail for the same reason.
  fmt::print(stderr, "fsx: {}\nThe last operations, of {}:\n", what, history_.count());
  history_.print_last(stderr);
  fmt::print(stderr,
             "replay: fsx --seed {} --operations {} --ranks {} --mounts {} "
             "--file-bytes {} --transfer-bytes {}\n",
             options_.seed, options_.operation_count, options_.rank_count, options_.mount_count,
             options_.file_bytes_max, options_.transfer_bytes_max);
  std::fflush(stderr);
  // The other ranks are in the middle of something, and static objects are theirs too.
  std::_Exit(1);
}

}  // namespace benchfs::test
