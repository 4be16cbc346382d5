#pragma once

// Walks a tree and has the servers copy it: many small files with one request, ranges of large ones
// with many. STAGING.md says what is promised.
//
// Threading: the main thread; what it starts has ended when finish() returns.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tools/commands.h"
#include "tools/progress.h"
#include "tools/stage_manifest.h"
#include "tools/stage_place.h"
#include "tools/workers.h"

namespace benchfs::tools {

/// What has become of a staging.
struct StageReport {
  struct Failed {
    std::string path;  ///< As the user would write it: of the source, or of a directory made.
    std::string reason;
  };
  std::uint64_t files = 0;  ///< Copied, and durable at their destination.
  std::uint64_t bytes = 0;  ///< Sizes of these.
  std::uint64_t directories = 0;
  std::uint64_t links = 0;
  std::uint64_t complete = 0;  ///< Left out, as the manifest has them.
  std::uint64_t older = 0;     ///< Left out by --newer.
  std::vector<Failed> failed;
  double seconds = 0;
};

std::string stage_report_json(const StageOptions& options, const StageReport& report);

/// Lets through so many bytes a second.
class StagePace {
 public:
  /// 0: as fast as it goes.
  explicit StagePace(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}
  /// Waits for the turn of `bytes`, or until the command is interrupted.
  void take(std::uint64_t bytes);
  /// The most that should be taken at once.
  std::uint64_t piece_max(std::uint64_t wanted) const;

 private:
  const std::uint64_t rate_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_{};
};

class Stager {
 public:
  struct Sides {
    StagePlace& from;
    StagePlace& to;
    benchfs_mount* mount;
  };

  /// All is borrowed. `manifest` is what earlier runs have done; `log` is where this one writes it.
  Stager(const StageOptions& options, Sides sides, const StageManifest& manifest, StageLog& log,
         std::uint64_t run, Progress::Style style);

  /// Begins: what has been staged in counts from here on. False, with a complaint, if it cannot.
  bool begin();
  /// Stages `from`, whose status is given, to the path `to`; `relative` is that below the
  /// destination, which the manifest and the filters know it by.
  void stage(const std::string& from, const std::string& to, const std::string& relative,
             const struct stat& status);
  /// Waits for all that was begun and makes it durable.
  StageReport finish();

 private:
  /// A file on its way.
  struct Job {
    std::string from;
    std::string to;
    std::string relative;
    struct stat status {};  ///< Of the source.
  };
  struct Directory {
    std::string path;
    struct stat like {};
  };
  using Batch = std::vector<Job>;
  using There = std::map<std::string, struct stat>;

  bool is_in() const noexcept { return options_.direction == StageManifest::Direction::kIn; }
  const std::string& inside(const Job& job) const noexcept { return is_in() ? job.to : job.from; }
  const std::string& outside(const Job& job) const noexcept { return is_in() ? job.from : job.to; }
  /// `shown` is the path as the user would write it.
  void fail(const std::string& shown, std::string reason);
  void fail(const Job& job, std::string reason) {
    fail(sides_.from.shown(job.from), std::move(reason));
  }
  /// With what errno, or the library, says of this thread's last call.
  void fail_errno(const char* doing, const std::string& shown);
  void fail_errno(const char* doing, const Job& job) {
    fail_errno(doing, sides_.from.shown(job.from));
  }

  void stage_directory(const std::string& from, const std::string& to, const std::string& relative,
                       const struct stat& status);
  void stage_below(const std::string& from, const std::string& to, const std::string& relative);
  void stage_link(const Job& job);
  /// A file, of which `there` is what stands at its destination, or null.
  void stage_file(Job job, const struct stat* there);
  bool is_complete(const Job& job, const struct stat* there) const;
  bool is_own_name(const std::string& name) const;
  There look_at(const std::string& directory);
  std::string temporary(const std::string& path, unsigned number) const;

  void add_to_batch(Job job);
  void submit_batch();
  void run_batch(Batch batch);
  /// What has changed while it was copied goes back into `batch`, what is too large is staged
  /// alone.
  void take_results(Batch& batch, std::vector<benchfs_stage_item>& items, bool last);

  // One file alone (stage_alone.cpp).
  struct Alone;
  void run_alone(const Job& job);
  bool copy_alone(Alone& file);
  bool move_ranges(Alone& file);
  bool open_in(Alone& file);
  bool open_out(Alone& file);
  bool publish_in(Alone& file);
  bool publish_out(Alone& file);
  bool verify_alone(Alone& file);
  /// Reads again what an earlier run has done.
  void check_again(const Job& job, const StagedFile& known);

  void done(const Job& job, const StagedFile& file);
  /// What is pending becomes durable, and only then is it told.
  void settle(bool last);
  void write_log(const std::string& lines);

  const StageOptions& options_;
  const Sides sides_;
  const StageManifest& manifest_;
  StageLog& log_;
  const std::uint64_t run_;
  Progress progress_;
  StagePace pace_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::uint64_t era_ = 0;
  std::vector<Directory> directories_;
  Batch batch_;
  std::uint64_t batch_bytes_ = 0;

  std::mutex mutex_;
  StageReport report_;                                     ///< Under mutex_.
  std::vector<std::pair<Job, StagedFile>> pending_;        ///< In: not synced yet. Under mutex_.
  std::chrono::steady_clock::time_point settled_{began_};  ///< Under mutex_.
  std::mutex settling_;                                    ///< Held while the pending are synced.
  bool log_failed_ = false;                                ///< Under mutex_.
  Workers workers_;                                        ///< Last: its threads use what is above.
};

}  // namespace benchfs::tools
