#pragma once

// How a server learns that its job is over when nobody tells it: whoever should have ended it is
// gone, or never came. The guard of each server looks.
//
//  - The session's directory, or the session that was published in it, is gone.
//  - The Slurm step that the servers were started in has ended: its slurmstepd is gone.
//  - Where Slurm has no step around them, as on the first node of a job whose prolog has started
//    them: the controller says that the job is over, or runs a second time. A controller that does
//    not answer says nothing; a job outlives it.
//
// Threading: main thread of the guard, which has no other.

#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace benchfs::server {

struct WatchSettings {
  std::string session_directory;
  std::string job;                ///< Slurm's number of it; empty: there is none.
  std::uint64_t interval_ns = 0;  ///< Between two questions to the controller; 0: never.
};

/// What a controller has said of a job.
enum class JobState : std::uint8_t { kUnknown, kAlive, kOver };

/// Judges what `squeue --noheader --jobs=N --format=%T|%S` has printed, with what it complained of,
/// and its exit status. `start` is when the job began to run, as squeue prints it; empty as long as
/// that is not known, and then set. Pure.
JobState judge(const std::string& output, int exit_status, std::string& start);

class JobWatch {
 public:
  /// Call in the process that was started, so that what it descends from is still to be seen.
  explicit JobWatch(WatchSettings settings);
  ~JobWatch();
  JobWatch(const JobWatch&) = delete;
  JobWatch& operator=(const JobWatch&) = delete;

  /// Readable when look() has something to see; -1: there is none. May change with every look().
  int step_fd() const noexcept { return step_fd_; }
  int answer_fd() const noexcept { return answer_fd_; }
  /// How long to wait for these at most before the next look().
  int wait_ms() const noexcept;

  /// Why the servers are to end; nothing as long as their job lives. Never waits.
  std::optional<std::string> look();

 private:
  bool session_is_gone();
  bool job_is_over();
  void ask();
  JobState take_answer();
  void forget_question() noexcept;

  WatchSettings settings_;
  int step_fd_ = -1;
  int answer_fd_ = -1;
  pid_t asked_ = -1;
  std::string answer_;
  std::string start_;
  std::uint64_t next_question_ns_ = 0;
  std::uint64_t next_look_ns_ = 0;
  int times_over_ = 0;
  int times_gone_ = 0;
  bool was_published_ = false;
};

}  // namespace benchfs::server
