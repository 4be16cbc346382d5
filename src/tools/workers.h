#pragma once

// Threads that do jobs for a command, so that many requests are in flight at once.
//
// Threading: submit() may be called from any thread, also from a job; the rest from the owner's.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace benchfs::tools {

class Workers {
 public:
  using Job = std::function<void()>;

  /// How many a command has unless it is told otherwise: enough to keep several servers busy.
  static constexpr unsigned kCountDefault = 8;
  static constexpr unsigned kCountMax = 64;

  explicit Workers(unsigned count) : count_(count) {}
  /// Waits for all jobs.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Queues a job; those queued first begin first. Threads are started as they are needed.
  void submit(Job job);
  /// As submit(), but waits while more than `waiting_max` jobs have not begun. Not from a job.
  void submit_bounded(Job job, std::size_t waiting_max);
  /// Returns when every job has ended.
  void wait();

 private:
  void run();

  const unsigned count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  std::size_t unfinished_ = 0;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace benchfs::tools
