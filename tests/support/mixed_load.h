#pragma once

// Work of every kind in a live session, by several threads, while something happens to the servers;
// and the check afterwards that nothing acknowledged is lost. Every file tells by its name what it
// has to hold; what a call that failed may have done is allowed either way, what succeeded is not.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "support/live.h"

namespace benchfs::test {

/// Which calls have ended how.
struct LoadTally {
  std::size_t acknowledged = 0;
  std::map<int, std::size_t> failed{};            ///< By errno.
  std::chrono::steady_clock::duration slowest{};  ///< The call that took longest.

  void add(const LoadTally& other) {
    acknowledged += other.acknowledged;
    slowest = std::max(slowest, other.slowest);
    for (const auto& [code, count] : other.failed) {
      failed[code] += count;
    }
  }
};

/// One thread's files, each with what became of it: the truth as far as the answers tell it.
class LoadWorker {
 public:
  /// `expected`: what calls may fail with.
  LoadWorker(const std::string& session_directory, unsigned number, std::vector<int> expected)
      : session_(session_directory),
        number_(number),
        expected_(std::move(expected)),
        random_(number) {
    session_.mkdir(directory());
  }

  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      one_file(next_++);
    }
  }

  /// Waits until this client reaches all servers, which have not been started again: a connection
  /// that was begun while a link was down takes its time.
  void expect_all_reached() {
    for (int server = 0; server < session_.server_count(); ++server) {
      EXPECT_TRUE(comes_true([&] { return failure_of([&] { session_.ping(server); }).code == 0; },
                             std::chrono::minutes(2)))
          << "server " << server;
    }
  }

  /// When all servers are well.
  void verify() {
    for (const auto& [name, file] : files_) {
      SCOPED_TRACE(name + (file.state == State::kThere ? " is there" : " may be there"));
      check(name, file);
    }
    for (const auto& names : renames_in_doubt_) {
      const bool at_source = failure_of([&] { session_.stat(names.first); }).code == 0;
      const bool at_target = failure_of([&] { session_.stat(names.second); }).code == 0;
      EXPECT_NE(at_source, at_target) << names.first << " has two names, or none";
    }
    std::size_t listed = 0;
    auto listing = session_.list(directory());
    while (const auto entry = listing.next()) {
      ++listed;
      EXPECT_EQ(files_.count(directory() + "/" + entry->name), 1U) << entry->name;
    }
    EXPECT_LE(listed, files_.size());
  }

  /// When all servers are well: everything goes.
  void remove_all() {
    for (const auto& [name, file] : files_) {
      const Failed failed = failure_of([&, path = name] { session_.unlink(path); });
      EXPECT_TRUE(failed.code == 0 || (failed.code == ENOENT && file.state != State::kThere))
          << failed.text;
    }
    files_.clear();
    session_.rmdir(directory());
  }

  /// When no thread is at work.
  const LoadTally& tally() const { return tally_; }

  std::size_t acknowledged_so_far() const { return acknowledged_; }
  std::size_t failed_so_far() const { return failed_; }

 private:
  enum class State { kThere, kGone, kUnknown };
  struct Truth {
    State state = State::kUnknown;
    bool content_known = false;  ///< Its write was acknowledged.
    std::size_t bytes = 0;
    std::uint64_t seed = 0;
  };

  static constexpr std::size_t kLargeBytes = 3 << 20;

  std::string directory() const { return "/worker-" + std::to_string(number_); }

  bool succeeds(const std::function<void()>& call) {
    const Failed failed = failure_of(call);
    tally_.slowest = std::max(tally_.slowest, failed.took);
    if (failed.code == 0) {
      ++tally_.acknowledged;
      ++acknowledged_;
      return true;
    }
    EXPECT_TRUE(std::find(expected_.begin(), expected_.end(), failed.code) != expected_.end())
        << failed.text << " (errno " << failed.code << ")";
    ++tally_.failed[failed.code];
    ++failed_;
    return false;
  }

  void one_file(unsigned i) {
    const std::string name = directory() + "/" + std::to_string(i);
    Truth& truth = files_[name];
    truth.bytes = 1 + random_() % (random_() % 4 == 0 ? kLargeBytes : 20'000);
    truth.seed = std::uint64_t{number_} << 32 | i;
    const auto bytes = content(0, truth.bytes, truth.seed);
    const bool written = succeeds([&] {
      auto file = session_.open(name, O_RDWR | O_CREAT, 0644, {256 * 1024, 3});
      truth.state = State::kThere;
      file.write(bytes, 0);
      truth.content_known = true;
      if (i % 8 == 0) {
        file.sync();
      }
      file.close();
    });
    if (!written) {
      return;
    }
    const unsigned next = random_() % 4;
    if (next == 0) {
      truth.state = State::kUnknown;
      if (succeeds([&] { session_.unlink(name); })) {
        truth.state = State::kGone;
      }
    } else if (next == 1) {
      const std::string other = name + ".renamed";
      files_[other] = truth;
      files_[other].state = State::kUnknown;
      truth.state = State::kUnknown;
      if (succeeds([&] { session_.rename(name, other); })) {
        files_[other].state = State::kThere;
        truth.state = State::kGone;
      } else {
        renames_in_doubt_.emplace_back(name, other);
      }
    }
  }

  void check(const std::string& name, const Truth& file) {
    const Failed missing = failure_of([&] { session_.stat(name); });
    if (missing.code != 0) {
      EXPECT_EQ(missing.code, ENOENT) << missing.text;
      EXPECT_NE(file.state, State::kThere);
      return;
    }
    EXPECT_NE(file.state, State::kGone);
    if (file.content_known) {
      EXPECT_TRUE(holds(session_, name, file.bytes, file.seed));
    }
  }

  Session session_;
  const unsigned number_;
  const std::vector<int> expected_;
  std::mt19937 random_;
  unsigned next_ = 0;
  std::map<std::string, Truth> files_;
  std::vector<std::pair<std::string, std::string>> renames_in_doubt_;
  LoadTally tally_;
  std::atomic<std::size_t> acknowledged_ = 0;
  std::atomic<std::size_t> failed_ = 0;
};

/// A thread for each of them, from the beginning to the end of this.
class MixedLoad {
 public:
  MixedLoad(const std::string& session_directory, unsigned thread_count,
            const std::vector<int>& expected = {EIO, EHOSTDOWN, ESTALE}) {
    for (unsigned i = 0; i < thread_count; ++i) {
      workers_.push_back(std::make_unique<LoadWorker>(session_directory, i, expected));
    }
    for (auto& worker : workers_) {
      threads_.emplace_back([this, &worker] { worker->run(stop_); });
    }
  }
  ~MixedLoad() { join(); }
  MixedLoad(const MixedLoad&) = delete;
  MixedLoad& operator=(const MixedLoad&) = delete;

  /// Waits for the calls that are under way.
  LoadTally stop() {
    join();
    LoadTally tally;
    for (const auto& worker : workers_) {
      tally.add(worker->tally());
    }
    std::printf("%zu calls acknowledged", tally.acknowledged);
    for (const auto& [code, count] : tally.failed) {
      std::printf(", %zu failed with errno %d", count, code);
    }
    std::printf("\n");
    return tally;
  }

  std::size_t acknowledged_so_far() const {
    std::size_t sum = 0;
    for (const auto& worker : workers_) {
      sum += worker->acknowledged_so_far();
    }
    return sum;
  }
  std::size_t failed_so_far() const {
    std::size_t sum = 0;
    for (const auto& worker : workers_) {
      sum += worker->failed_so_far();
    }
    return sum;
  }

  /// After stop(), both.
  void expect_all_reached() {
    for (const auto& worker : workers_) {
      worker->expect_all_reached();
    }
  }
  void verify() {
    for (const auto& worker : workers_) {
      worker->verify();
    }
  }
  void remove_all() {
    for (const auto& worker : workers_) {
      worker->remove_all();
    }
  }

 private:
  void join() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
    threads_.clear();
  }

  std::vector<std::unique_ptr<LoadWorker>> workers_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_ = false;
};

}  // namespace benchfs::test
