#include "tools/stager.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <thread>

#include <xxhash.h>

#include "tools/console.h"
#include "tools/stage_filter.h"

namespace benchfs::tools {
namespace {

/// Files of one call, which the library shares out over the servers.
constexpr std::size_t kBatchFilesMax = 1024;
constexpr std::uint64_t kBatchBytesMax = 128ULL << 20;
/// Batches and large files that wait.
constexpr std::size_t kWaitingMax = 8;
/// How often a file is copied that changes meanwhile.
constexpr int kAttemptsMax = 3;
/// Of what was staged in, so much may wait for a sync, or so long.
constexpr std::size_t kPendingMax = 20'000;
constexpr std::chrono::seconds kSettleInterval{5};

constexpr std::string_view kTemporaryPrefix = ".benchfs-stage";

std::uint64_t ns_of(const timespec& time) {
  return time.tv_sec < 0 ? 0
                         : static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t size_of(const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

void StagePace::take(std::uint64_t bytes) {
  if (rate_ == 0) {
    return;
  }
  std::chrono::steady_clock::time_point turn;
  {
    const std::lock_guard lock(mutex_);
    turn = std::max(next_, std::chrono::steady_clock::now());
    next_ = turn + std::chrono::nanoseconds(static_cast<std::int64_t>(
                       static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_)));
  }
  while (!was_interrupted() && std::chrono::steady_clock::now() < turn) {
    std::this_thread::sleep_until(
        std::min(turn, std::chrono::steady_clock::now() + std::chrono::milliseconds(100)));
  }
}

std::uint64_t StagePace::piece_max(std::uint64_t wanted) const {
  return rate_ == 0 ? wanted : std::min(wanted, std::max<std::uint64_t>(rate_ / 4, 1 << 20));
}

Stager::Stager(const StageOptions& options, Sides sides, const StageManifest& manifest,
               StageLog& log, std::uint64_t run, Progress::Style style)
    : options_(options),
      sides_(sides),
      manifest_(manifest),
      log_(log),
      run_(run),
      progress_(style),
      pace_(options.rate),
      workers_(options.jobs) {}

bool Stager::begin() {
  if (is_in() && benchfs_stage_sync(sides_.mount, &era_) != 0) {
    complain("cannot begin: {}", benchfs_error_text());
    return false;
  }
  return true;
}

void Stager::fail(const std::string& shown, std::string reason) {
  complain("cannot stage {}: {}", in_quotes(shown), reason);
  const std::lock_guard lock(mutex_);
  report_.failed.push_back({.path = shown, .reason = std::move(reason)});
}

void Stager::fail_errno(const char* doing, const std::string& shown) {
  const Failure failure = last_failure();
  std::string reason = fmt::format("{}: {}", doing, errno_text(failure.error));
  if (!failure.detail.empty()) {
    reason += " (" + failure.detail + ")";
  }
  fail(shown, std::move(reason));
}

bool Stager::is_own_name(const std::string& name) const {
  return name.starts_with(kTemporaryPrefix);
}

std::string Stager::temporary(const std::string& path, unsigned number) const {
  const std::string name = last_name(path);
  return joined_path(parent_path(path),
                     fmt::format("{}.{:016x}.{:016x}.a{}.part", kTemporaryPrefix, run_,
                                 XXH3_64bits(name.data(), name.size()), number));
}

Stager::There Stager::look_at(const std::string& directory) {
  There there;
  if (!options_.resume && !options_.newer) {
    return there;
  }
  std::vector<Entry> entries;
  if (!sides_.to.list(directory, entries)) {
    fail_errno("cannot read the destination's directory", sides_.to.shown(directory));
  }
  for (const Entry& entry : entries) {
    if (!is_own_name(entry.name)) {
      there.emplace(entry.name, entry.attributes);
      continue;
    }
    // What an earlier run has left half done.
    const bool ours = std::any_of(manifest_.runs().begin(), manifest_.runs().end(), [&](auto run) {
      return entry.name.starts_with(fmt::format("{}.{:016x}.", kTemporaryPrefix, run));
    });
    if (ours && entry.name.ends_with(".part")) {
      sides_.to.remove(joined_path(directory, entry.name));
    }
  }
  return there;
}

void Stager::stage(const std::string& from, const std::string& to, const std::string& relative,
                   const struct stat& status) {
  if (S_ISDIR(status.st_mode)) {
    stage_directory(from, to, relative, status);
    return;
  }
  Job job{.from = from, .to = to, .relative = relative, .status = status};
  if (S_ISLNK(status.st_mode)) {
    stage_link(job);
    return;
  }
  struct stat there {};
  stage_file(std::move(job), sides_.to.status(to, there) ? &there : nullptr);
}

void Stager::stage_directory(const std::string& from, const std::string& to,
                             const std::string& relative, const struct stat& status) {
  if (!sides_.to.make_directory(to)) {
    const int error = errno;
    struct stat there {};
    if (error != EEXIST || !sides_.to.target_status(to, there) || !S_ISDIR(there.st_mode)) {
      errno = error;
      fail_errno("cannot make the directory", sides_.to.shown(to));
      return;
    }
  }
  directories_.push_back({.path = to, .like = status});
  stage_below(from, to, relative);
}

void Stager::stage_below(const std::string& from, const std::string& to,
                         const std::string& relative) {
  std::vector<Entry> entries;
  if (!sides_.from.list(from, entries)) {
    fail_errno("cannot read the directory", sides_.from.shown(from));
  }
  const There there = look_at(to);
  const StageFilter filter{.include = options_.include, .exclude = options_.exclude};
  for (const Entry& entry : entries) {
    if (was_interrupted()) {
      return;
    }
    const mode_t mode = entry.attributes.st_mode;
    Job job{.from = joined_path(from, entry.name),
            .to = joined_path(to, entry.name),
            .relative = relative.empty() ? entry.name : relative + "/" + entry.name,
            .status = entry.attributes};
    if (is_own_name(entry.name) || !filter.admits(job.relative, S_ISDIR(mode))) {
      continue;
    }
    if (S_ISDIR(mode)) {
      stage_directory(job.from, job.to, job.relative, job.status);
    } else if (S_ISLNK(mode)) {
      stage_link(job);
    } else {
      const auto found = there.find(entry.name);
      stage_file(std::move(job), found == there.end() ? nullptr : &found->second);
    }
  }
}

void Stager::stage_link(const Job& job) {
  std::string target;
  if (!sides_.from.read_link(job.from, target)) {
    fail_errno("cannot read the link", job);
    return;
  }
  if (!sides_.to.make_link(job.to, temporary(job.to, 0), target, job.status)) {
    const int error = errno;
    sides_.to.remove(temporary(job.to, 0));
    errno = error;
    fail_errno("cannot make the link", job);
    return;
  }
  const std::lock_guard lock(mutex_);
  ++report_.links;
}

bool Stager::is_complete(const Job& job, const struct stat* there) const {
  const StagedFile* const known = options_.resume ? manifest_.find(job.relative) : nullptr;
  return known != nullptr && there != nullptr && S_ISREG(there->st_mode) &&
         known->size == size_of(job.status) && known->mtime_ns == ns_of(job.status.st_mtim) &&
         known->ctime_ns == ns_of(job.status.st_ctim) && size_of(*there) == known->size &&
         ns_of(there->st_mtim) == known->mtime_ns;
}

void Stager::stage_file(Job job, const struct stat* there) {
  if (!S_ISREG(job.status.st_mode)) {
    fail(job, "it is neither a file nor a directory nor a link");
    return;
  }
  if (is_complete(job, there)) {
    if (options_.verify) {
      const StagedFile known = *manifest_.find(job.relative);
      workers_.submit_bounded([this, job, known] { check_again(job, known); }, kWaitingMax * 8);
      return;
    }
    const std::lock_guard lock(mutex_);
    ++report_.complete;
    return;
  }
  if (options_.newer && there != nullptr && ns_of(there->st_mtim) >= ns_of(job.status.st_mtim)) {
    const std::lock_guard lock(mutex_);
    ++report_.older;
    return;
  }
  const std::uint64_t small_max = is_in() && options_.chunk_size != 0
                                      ? 0  // Of another layout than servers give by themselves.
                                      : BENCHFS_STAGE_FILE_MAX;
  progress_.expect(size_of(job.status));
  if (size_of(job.status) <= small_max && !(is_in() && options_.stripe_count != 0)) {
    add_to_batch(std::move(job));
  } else {
    workers_.submit_bounded([this, job = std::move(job)] { run_alone(job); }, kWaitingMax);
  }
}

void Stager::add_to_batch(Job job) {
  batch_bytes_ += size_of(job.status);
  batch_.push_back(std::move(job));
  if (batch_.size() >= kBatchFilesMax || batch_bytes_ >= pace_.piece_max(kBatchBytesMax)) {
    submit_batch();
  }
}

void Stager::submit_batch() {
  batch_bytes_ = 0;
  if (!batch_.empty()) {
    workers_.submit_bounded([this, batch = std::exchange(batch_, {})] { run_batch(batch); },
                            kWaitingMax);
  }
}

void Stager::run_batch(Batch batch) {
  for (int attempt = 1; !batch.empty() && !was_interrupted(); ++attempt) {
    std::vector<benchfs_stage_item> items(batch.size());
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      items[i].inside = inside(batch[i]).c_str();
      items[i].outside = outside(batch[i]).c_str();
      items[i].inode = batch[i].status.st_ino;
      items[i].size = size_of(batch[i].status);
      bytes += items[i].size;
    }
    progress_.begin(batch.front().relative);
    pace_.take(bytes);
    const auto direction = is_in() ? BENCHFS_STAGE_IN : BENCHFS_STAGE_OUT;
    if (benchfs_stage_files(sides_.mount, direction, items.data(), items.size(), run_,
                            options_.verify ? 1 : 0) != 0) {
      for (const Job& job : batch) {
        fail_errno("cannot ask the servers", job);
      }
      return;
    }
    take_results(batch, items, attempt == kAttemptsMax);
  }
  settle(/*last=*/false);
}

void Stager::take_results(Batch& batch, std::vector<benchfs_stage_item>& items, bool last) {
  Batch again;
  Batch alone;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Job& job = batch[i];
    const benchfs_stage_item& item = items[i];
    if (item.error == 0) {
      progress_.add(item.copied_size);
      progress_.end(0);
      done(job, {.size = item.copied_size,
                 .mtime_ns = item.mtime_ns,
                 .ctime_ns = item.ctime_ns,
                 .sum = item.sum});
    } else if (item.error == EFBIG) {
      alone.push_back(std::move(job));
    } else if (item.error == ESTALE && !last && sides_.from.status(job.from, job.status) &&
               S_ISREG(job.status.st_mode)) {
      again.push_back(std::move(job));
    } else {
      progress_.end(size_of(job.status));
      fail(job, item.error == ESTALE ? "it changes while it is being copied"
                : item.error == EIO && options_.verify
                    ? "the copy is not what was written, or cannot be read"
                    : errno_text(item.error));
    }
  }
  for (const Job& job : alone) {
    run_alone(job);
  }
  batch = std::move(again);
}

void Stager::done(const Job& job, const StagedFile& file) {
  if (is_in()) {
    const std::lock_guard lock(mutex_);
    pending_.emplace_back(job, file);
    return;
  }
  write_log(StageManifest::line_of_file(job.relative, file));
  const std::lock_guard lock(mutex_);
  ++report_.files;
  report_.bytes += file.size;
}

void Stager::write_log(const std::string& lines) {
  const std::lock_guard lock(mutex_);
  if (!log_.add(lines) && !std::exchange(log_failed_, true)) {
    const int error = errno;
    complain("cannot write the manifest: {}; --resume will copy again what it does not name",
             errno_text(error));
    report_.failed.push_back({.path = "manifest", .reason = errno_text(error)});
  }
}

void Stager::settle(bool last) {
  if (!is_in()) {
    return;
  }
  const std::lock_guard one_at_a_time(settling_);
  std::vector<std::pair<Job, StagedFile>> settling;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!last && pending_.size() < kPendingMax && now - settled_ < kSettleInterval) {
      return;
    }
    settled_ = now;
    settling = std::exchange(pending_, {});
  }
  if (settling.empty() && !last) {
    return;
  }
  std::uint64_t era = 0;
  const bool synced = benchfs_stage_sync(sides_.mount, &era) == 0;
  if (!synced || era != era_) {
    const std::string reason =
        synced ? "a server has started again before it was synced" : benchfs_error_text();
    era_ = synced ? era : era_;
    for (const auto& [job, file] : settling) {
      fail(job, reason);
    }
    return;
  }
  std::string lines;
  for (const auto& [job, file] : settling) {
    lines += StageManifest::line_of_file(job.relative, file);
  }
  if (!lines.empty()) {
    write_log(lines);
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [job, file] : settling) {
    ++report_.files;
    report_.bytes += file.size;
  }
}

StageReport Stager::finish() {
  submit_batch();
  workers_.wait();
  // Last, since what was put into them has changed their times.
  for (auto made = directories_.rbegin(); made != directories_.rend(); ++made) {
    if (!sides_.to.set_attributes(made->path, made->like) ||
        !sides_.to.sync_directory(made->path)) {
      fail_errno("cannot finish the directory", sides_.to.shown(made->path));
    } else {
      ++report_.directories;
    }
  }
  settle(/*last=*/true);
  if (!log_.sync()) {
    complain("cannot write the manifest: {}", errno_text(errno));
  }
  report_.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  progress_.finish(report_.failed.empty() && !was_interrupted());
  return report_;
}

}  // namespace benchfs::tools
