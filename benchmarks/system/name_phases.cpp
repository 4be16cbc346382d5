// md-easy, md-hard and find: many files, their names and sizes.

#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "run.h"

namespace benchfs::bench {

namespace {

constexpr auto kNever = Clock::time_point::max();

std::string easy_directory(const Run& run, int rank) {
  return fmt::format("{}/md-easy/{}", run.directory, rank);
}
std::string easy_name(const Run& run, int rank, std::uint64_t i) {
  return fmt::format("{}/md-easy/{}/f.{}", run.directory, rank, i);
}
std::string hard_name(const Run& run, int rank, std::uint64_t i) {
  return fmt::format("{}/md-hard/f.{}.{}", run.directory, rank, i);
}

/// One file; says in `tally` what is wrong with it.
using Act = std::function<void(std::uint64_t file, Tally& tally)>;

/// Files [first, limit), by as many threads as --depth says, as far as they can be begun before
/// `deadline`.
class Crew {
 public:
  Crew(Run& run, const Act& act) : run_(run), act_(act) {}

  /// Returns the file that would be next.
  std::uint64_t work(std::uint64_t first, std::uint64_t limit, Clock::time_point deadline,
                     Tally& tally) {
    next_ = first;
    limit_ = limit;
    deadline_ = deadline;
    if (run_.options.depth == 1) {
      labour(tally);
      return next_;
    }
    std::vector<std::thread> threads;
    std::vector<Tally> tallies(run_.options.depth);
    for (Tally& one : tallies) {
      threads.emplace_back([this, &one] { try_labour(one); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    for (const Tally& one : tallies) {
      add(one, tally);
    }
    return next_;
  }

 private:
  static void add(const Tally& one, Tally& sum) {
    sum.operations += one.operations;
    sum.bytes += one.bytes;
    sum.first_wrong = sum.wrong == 0 ? one.first_wrong : sum.first_wrong;
    sum.wrong += one.wrong;
    sum.latencies.merge(one.latencies);
  }
  void try_labour(Tally& tally) {
    try {
      labour(tally);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
    }
  }
  void labour(Tally& tally) {
    while (true) {
      const Clock::time_point start = Clock::now();
      std::uint64_t file = 0;
      {
        // A number is given out only if its file will be made, so that what is made has no gaps.
        const std::lock_guard lock(mutex_);
        if (next_ >= limit_ || start >= deadline_ || failure_) {
          return;
        }
        file = next_++;
      }
      act_(file, tally);
      tally.latencies.add_ns(static_cast<std::uint64_t>((Clock::now() - start).count()));
      ++tally.operations;
      run_.progress.at(file);
    }
  }

  Run& run_;
  const Act& act_;
  std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::uint64_t limit_ = 0;
  Clock::time_point deadline_;
  std::exception_ptr failure_;
};

/// Files [0, count) of this rank's share.
PhaseResult over_files(Run& run, const std::string& phase, std::uint64_t count, const Act& act) {
  return measure(run, phase, [&](Tally& tally) {
    run.progress.begin(phase, count);
    Crew(run, act).work(0, count, kNever, tally);
  });
}

/// The same up to the stonewall, and then to where the fastest rank has come. `done` is told how
/// many it were.
PhaseResult create_files(Run& run, const std::string& phase, std::uint64_t& done, const Act& act) {
  const PhaseResult result = measure(run, phase, [&](Tally& tally) {
    run.progress.begin(phase, run.options.files);
    const Clock::time_point start = Clock::now();
    done = Crew(run, act).work(0, run.options.files, run.deadline(), tally);
    if (run.options.seconds > 0) {
      tally.stonewall_operations = done;
      tally.stonewall_s = std::chrono::duration<double>(Clock::now() - start).count();
      done = Crew(run, act).work(done, run.job.max(done), kNever, tally);
    }
  });
  run.contents.names += done * static_cast<std::uint64_t>(run.job.size);
  return result;
}

void expect_size(Run& run, const std::string& path, std::uint64_t expected, Tally& tally) {
  const std::uint64_t size_bytes = run.backend.stat(path);
  if (size_bytes != expected) {
    tally.found_wrong(fmt::format("{}: its size is {}, not {}", path, size_bytes, expected));
  }
}

Stream small_stream(int rank, std::uint64_t file) {
  return {.kind = FileKind::kSmall, .rank = rank, .index = file};
}

/// What a walk has seen.
struct Seen {
  std::uint64_t files = 0;
  std::uint64_t matches = 0;  ///< As IO500's find: of the size of md-hard's files.
};

void walk(Backend& backend, const std::string& path, Seen& seen,
          std::vector<std::string>* directories) {
  std::vector<std::string> below;
  backend.list(path, [&](const Name& name) {
    if (name.is_directory) {
      (directories == nullptr ? below : *directories).push_back(path + "/" + name.name);
      return;
    }
    ++seen.files;
    seen.matches += name.size_bytes == kHardFileBytes ? 1 : 0;
  });
  for (const std::string& directory : below) {
    walk(backend, directory, seen, nullptr);
  }
}

}  // namespace

PhaseResult create_easy(Run& run) {
  if (run.job.rank == 0) {
    run.backend.make_directory(run.directory + "/md-easy");
  }
  run.job.barrier();
  run.backend.make_directory(easy_directory(run, run.job.rank));
  return create_files(run, "md-easy-create", run.contents.easy_files, [&](std::uint64_t i, Tally&) {
    run.backend.create(easy_name(run, run.job.rank, i), {});
  });
}

PhaseResult stat_easy(Run& run) {
  return over_files(run, "md-easy-stat", run.contents.easy_files,
                    [&](std::uint64_t i, Tally& tally) {
                      expect_size(run, easy_name(run, run.other_rank(), i), 0, tally);
                    });
}

PhaseResult remove_easy(Run& run) {
  return over_files(run, "md-easy-remove", run.contents.easy_files, [&](std::uint64_t i, Tally&) {
    run.backend.remove(easy_name(run, run.other_rank(), i));
  });
}

PhaseResult create_hard(Run& run) {
  if (run.job.rank == 0) {
    run.backend.make_directory(run.directory + "/md-hard");
  }
  run.job.barrier();
  return create_files(run, "md-hard-create", run.contents.hard_files,
                      [&](std::uint64_t i, Tally& tally) {
                        std::byte bytes[kHardFileBytes];
                        fill(bytes, small_stream(run.job.rank, i), 0, Check::kEvery);
                        run.backend.create(hard_name(run, run.job.rank, i), bytes);
                        tally.bytes += kHardFileBytes;
                      });
}

PhaseResult stat_hard(Run& run) {
  return over_files(run, "md-hard-stat", run.contents.hard_files,
                    [&](std::uint64_t i, Tally& tally) {
                      expect_size(run, hard_name(run, run.other_rank(), i), kHardFileBytes, tally);
                    });
}

PhaseResult read_small(Run& run) {
  return over_files(
      run, "md-hard-read", run.contents.hard_files, [&](std::uint64_t i, Tally& tally) {
        std::byte bytes[kHardFileBytes + 1];
        const std::string path = hard_name(run, run.other_rank(), i);
        const std::size_t count = run.backend.read(path, bytes);
        tally.bytes += count;
        if (count != kHardFileBytes) {
          tally.found_wrong(fmt::format("{}: {} bytes, not {}", path, count, kHardFileBytes));
        } else if (const auto wrong =
                       compare(std::span(bytes).first(count), small_stream(run.other_rank(), i), 0,
                               Check::kEvery)) {
          tally.found_wrong(fmt::format("{}: byte {} is {:#04x}, not {:#04x}", path, wrong->offset,
                                        wrong->found, wrong->expected));
        }
      });
}

PhaseResult remove_hard(Run& run) {
  return over_files(run, "md-hard-remove", run.contents.hard_files, [&](std::uint64_t i, Tally&) {
    run.backend.remove(hard_name(run, run.other_rank(), i));
  });
}

PhaseResult find(Run& run) {
  Seen all;
  PhaseResult result = measure(run, "find", [&](Tally& tally) {
    // The directories of the first two levels are shared out; rank 0 counts the files that lie
    // beside them.
    Seen seen;
    std::vector<std::string> tops;
    std::vector<std::string> shares;
    walk(run.backend, run.directory, seen, &tops);
    for (const std::string& top : tops) {
      walk(run.backend, top, seen, &shares);
    }
    if (run.job.rank != 0) {
      seen = {};
    }
    for (std::size_t i = 0; i < shares.size(); ++i) {
      if (i % static_cast<std::size_t>(run.job.size) == static_cast<std::size_t>(run.job.rank)) {
        walk(run.backend, shares[i], seen, nullptr);
      }
    }
    tally.operations = seen.files;
    all = {.files = run.job.sum(seen.files), .matches = run.job.sum(seen.matches)};
  });
  const std::uint64_t expected = run.options.expected_files.value_or(run.contents.names);
  if (all.files != expected) {
    result.tally.found_wrong(
        fmt::format("find: {} files below {}, not {}", all.files, run.directory, expected));
  }
  return result;
}

void remove_tree(Backend& backend, const std::string& path) {
  std::vector<Name> names;
  backend.list(path, [&](const Name& name) { names.push_back(name); });
  for (const Name& name : names) {
    const std::string below = path + "/" + name.name;
    if (name.is_directory) {
      remove_tree(backend, below);
    } else {
      backend.remove(below);
    }
  }
  backend.remove_directory(path);
}

}  // namespace benchfs::bench
