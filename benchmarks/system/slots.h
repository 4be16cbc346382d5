#pragma once

// Several blocking transfers at once, each slot by a thread of its own; the only slot there is, by
// the caller.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace benchfs::bench {

class Slots {
 public:
  /// Returns how many bytes it were; may throw, which finish() throws on.
  using Transfer = std::function<std::uint64_t()>;

  explicit Slots(unsigned depth);
  /// Waits for what is under way.
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  void begin(unsigned slot, Transfer transfer);
  std::uint64_t finish(unsigned slot);

 private:
  struct Slot {
    std::mutex mutex;
    std::condition_variable changed;
    Transfer transfer;  ///< To be done, while not empty.
    bool stop = false;
    std::uint64_t bytes = 0;
    std::exception_ptr failure;
    std::thread thread;

    void serve();
    void run();
  };
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace benchfs::bench
