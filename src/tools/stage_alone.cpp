// Staging of one file in ranges.

#include <algorithm>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/console.h"
#include "tools/descriptor.h"
#include "tools/stager.h"

namespace benchfs::tools {
namespace {

/// What one call copies, at the most.
constexpr std::uint64_t kRangeBytes = 256ULL << 20;
constexpr unsigned kAttemptsMax = 3;

struct CloseFile {
  void operator()(benchfs_file* file) const { benchfs_close(file); }
};
struct CloseStage {
  void operator()(benchfs_stage* stage) const { benchfs_stage_close(stage); }
};

std::uint64_t ns_of(const timespec& time) {
  return time.tv_sec < 0 ? 0
                         : static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t size_of(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_size);
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && ns_of(a.st_mtim) == ns_of(b.st_mtim) &&
         ns_of(a.st_ctim) == ns_of(b.st_ctim);
}

}  // namespace

/// One file under way.
struct Stager::Alone {
  const Job& job;
  struct stat before {};  ///< Of the source.
  std::string temporary{};
  std::unique_ptr<benchfs_file, CloseFile> file{};
  Descriptor target{};  ///< Out: the temporary file.
  std::unique_ptr<benchfs_stage, CloseStage> stage{};
  std::uint64_t sum = 0;
  std::uint64_t moved = 0;  ///< Told to the progress.
  const char* doing = "";   ///< What has failed.
  std::string reason{};     ///< Why, if errno does not tell.
  bool made_temporary = false;
};

void Stager::run_alone(const Job& job) {
  if (was_interrupted()) {
    return;
  }
  progress_.begin(job.relative);
  for (unsigned attempt = 1;; ++attempt) {
    Alone file{.job = job};
    file.temporary = temporary(job.to, attempt);
    if (copy_alone(file)) {
      progress_.end(size_of(job.status) - std::min(size_of(job.status), file.moved));
      done(job, {.size = size_of(file.before),
                 .mtime_ns = ns_of(file.before.st_mtim),
                 .ctime_ns = ns_of(file.before.st_ctim),
                 .sum = file.sum});
      settle(/*last=*/false);
      return;
    }
    const Failure failure = last_failure();
    file.stage.reset();
    file.file.reset();
    file.target.close();
    if (file.made_temporary) {
      sides_.to.remove(file.temporary);
    }
    if (was_interrupted()) {
      return;
    }
    if (failure.error == ESTALE && file.reason.empty() && attempt < kAttemptsMax) {
      continue;
    }
    progress_.end(size_of(job.status));
    if (file.reason.empty() && failure.error == ESTALE) {
      file.reason = "it changes while it is being copied, or a server has started again";
    }
    if (file.reason.empty()) {
      file.reason = fmt::format("{}: {}", file.doing, errno_text(failure.error));
      file.reason += failure.detail.empty() ? "" : " (" + failure.detail + ")";
    }
    fail(job, file.reason);
    return;
  }
}

bool Stager::copy_alone(Alone& file) {
  file.doing = "cannot look at it";
  if (!sides_.from.status(file.job.from, file.before)) {
    return false;
  }
  if (!S_ISREG(file.before.st_mode)) {
    file.reason = "it is no file any more";
    return false;
  }
  if (!(is_in() ? open_in(file) : open_out(file)) || !move_ranges(file)) {
    return false;
  }
  file.doing = "cannot finish it";
  if (benchfs_stage_finish(file.stage.get(), &file.sum) != 0) {
    return false;
  }
  struct stat after {};
  if (!sides_.from.status(file.job.from, after)) {
    return false;
  }
  if (!is_same(file.before, after)) {
    errno = ESTALE;
    return false;
  }
  if (options_.verify && !verify_alone(file)) {
    return false;
  }
  file.doing = "cannot put it in place";
  return is_in() ? publish_in(file) : publish_out(file);
}

bool Stager::open_in(Alone& file) {
  file.doing = "cannot make the copy";
  const std::uint64_t chunk_size = options_.chunk_size == 0 ? 1ULL << 20 : options_.chunk_size;
  const benchfs_layout layout{.chunk_size = chunk_size, .stripe_count = options_.stripe_count};
  file.file.reset(benchfs_open(sides_.mount, file.temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC,
                               0600, &layout));
  if (file.file == nullptr) {
    return false;
  }
  file.made_temporary = true;
  file.stage.reset(benchfs_stage_open(file.file.get(), BENCHFS_STAGE_IN, file.job.from.c_str(),
                                      size_of(file.before)));
  return file.stage != nullptr && benchfs_ftruncate(file.file.get(), file.before.st_size) == 0;
}

bool Stager::open_out(Alone& file) {
  file.doing = "cannot open it";
  file.file.reset(
      benchfs_open(sides_.mount, file.job.from.c_str(), O_RDONLY | O_NOFOLLOW, 0, nullptr));
  if (file.file == nullptr) {
    return false;
  }
  file.doing = "cannot make the copy";
  file.target = Descriptor(
      ::open(file.temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.target.valid()) {
    return false;
  }
  file.made_temporary = true;
  if (::ftruncate(file.target.get(), file.before.st_size) != 0) {
    return false;
  }
  file.stage.reset(benchfs_stage_open(file.file.get(), BENCHFS_STAGE_OUT, file.temporary.c_str(),
                                      size_of(file.before)));
  // What it was is looked at again, now that every change from here on is noticed.
  return file.stage != nullptr && sides_.from.status(file.job.from, file.before);
}

bool Stager::move_ranges(Alone& file) {
  file.doing = "cannot copy it";
  const std::uint64_t size = size_of(file.before);
  if (!is_in()) {
    struct stat now {};
    if (::fstat(file.target.get(), &now) == 0 && size_of(now) != size) {
      errno = ESTALE;
      return false;
    }
  }
  for (std::uint64_t at = 0; at < size;) {
    if (was_interrupted()) {
      errno = EINTR;
      return false;
    }
    const std::uint64_t length = std::min(size - at, pace_.piece_max(kRangeBytes));
    pace_.take(length);
    if (benchfs_stage_copy(file.stage.get(), static_cast<off_t>(at), length) < 0) {
      return false;
    }
    progress_.add(length);
    file.moved += length;
    at += length;
  }
  return true;
}

bool Stager::verify_alone(Alone& file) {
  file.doing = "cannot read the copy";
  std::uint64_t found = 0;
  if (benchfs_stage_sum(file.stage.get(), is_in() ? 1 : 0, &found) != 0) {
    return false;
  }
  if (found != file.sum) {
    file.reason = "the copy is not what was written";
  }
  return found == file.sum;
}

bool Stager::publish_in(Alone& file) {
  const bool synced = benchfs_fsync(file.file.get()) == 0;
  file.stage.reset();
  if (!synced || benchfs_close(file.file.release()) != 0) {
    return false;
  }
  return sides_.to.set_attributes(file.temporary, file.before) &&
         sides_.to.rename(file.temporary, file.job.to);
}

bool Stager::publish_out(Alone& file) {
  const int fd = file.target.get();
  const timespec times[2] = {file.before.st_atim, file.before.st_mtim};
  const bool owned = ::fchown(fd, file.before.st_uid, file.before.st_gid) == 0 || errno == EPERM ||
                     errno == EINVAL;
  return owned && ::fchmod(fd, file.before.st_mode & 07777U) == 0 && ::futimens(fd, times) == 0 &&
         ::fsync(fd) == 0 && sides_.to.rename(file.temporary, file.job.to) &&
         sides_.to.sync_directory(parent_path(file.job.to));
}

void Stager::check_again(const Job& job, const StagedFile& known) {
  // Nothing is copied, so the direction only says how the file inside is open.
  const std::unique_ptr<benchfs_file, CloseFile> file(
      benchfs_open(sides_.mount, inside(job).c_str(), O_RDONLY, 0, nullptr));
  std::unique_ptr<benchfs_stage, CloseStage> stage;
  if (file != nullptr) {
    stage.reset(
        benchfs_stage_open(file.get(), BENCHFS_STAGE_OUT, outside(job).c_str(), known.size));
  }
  std::uint64_t found = 0;
  if (stage == nullptr || benchfs_stage_sum(stage.get(), is_in() ? 1 : 0, &found) != 0) {
    fail_errno("cannot read the copy", job);
    return;
  }
  if (found != known.sum) {
    write_log(StageManifest::line_of_loss(job.relative));
    fail(job, fmt::format("{} is not what was copied there; --resume will copy it again",
                          in_quotes(sides_.to.shown(job.to))));
    return;
  }
  const std::lock_guard lock(mutex_);
  ++report_.complete;
}

}  // namespace benchfs::tools
