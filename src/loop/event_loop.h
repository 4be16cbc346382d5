#pragma once

// One thread, one loop. A turn: every source progresses (submits, once, what the last turn queued,
// and collects what has completed), due timers expire, what is ready runs. When turns find nothing
// for a while, the loop sleeps in the kernel until a source or a timer has something.
//
// Batching comes from the turn alone: what one turn queued goes out together when the next one
// begins, which is at once. Nothing waits for a batch to fill.
//
// Threading: everything here belongs to the thread that runs the loop. (The client library lets one
// thread at a time be that thread, under a lock.)

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loop/timer_queue.h"

struct pollfd;

namespace benchfs::loop {

/// Something outside that makes progress: the UCX worker, the io_uring ring, a simulated network.
class Source {
 public:
  virtual ~Source() = default;

  /// Submits what was queued since the last call and collects what has completed; never blocks, and
  /// handles a bounded number of events. Completions resume nobody: they post() to the loop.
  /// Returns whether anything happened, or more is to be done at once.
  virtual bool progress() noexcept = 0;

  /// Called before the loop sleeps. Returns false if there is work already, so that it must not.
  /// After true, event_fd() becomes readable when there is work. Must not post().
  virtual bool arm() noexcept = 0;

  /// A descriptor for poll(2), the same for the life of the source.
  virtual int event_fd() const noexcept = 0;
};

/// Waits until one of the descriptors is readable or the time is over. Real: poll(2). Simulated:
/// the clock moves.
class Sleeper {
 public:
  virtual ~Sleeper() = default;
  /// `timeout_ns` is UINT64_MAX for "no limit". May return early.
  virtual void sleep(std::span<const int> fds, std::uint64_t timeout_ns) noexcept = 0;
};

class PollSleeper final : public Sleeper {
 public:
  PollSleeper();
  ~PollSleeper() override;
  void sleep(std::span<const int> fds, std::uint64_t timeout_ns) noexcept override;

 private:
  std::vector<pollfd> polled_;  ///< Kept, so that sleeping allocates nothing.
};

/// Coroutines resumed in one turn at the most; the rest waits for the next one, in order.
inline constexpr std::size_t kResumesPerTurnMax = 1024;

/// Of the turns that find nothing, one after the other, every so many look at the clock, which
/// takes as long as the rest of such a turn. So timers expire late by some empty turns at the most.
inline constexpr std::uint32_t kTurnsPerLook = 8;

/// While a source has work that it cannot do now, and nothing else happens, the loop goes on
/// turning for so long. Then it pauses between two turns, for a part of the time that it has waited
/// by then: a wait gets longer by this part at the most, and by the shortest pause.
inline constexpr std::uint64_t kPatienceNs = 50'000;
inline constexpr std::uint64_t kPauseDivisor = 4;
inline constexpr std::uint64_t kPauseNsMin = 20'000;
inline constexpr std::uint64_t kPauseNsMax = 1'000'000;
/// Asking such a source takes system calls. So while it is patient the loop asks after 1, 2, 4, ...
/// looks at the clock, up to this.
inline constexpr std::uint32_t kLooksPerArmMax = 8;

struct LoopOptions {
  /// How long turns without work go on before the loop sleeps. 0: sleeps at once.
  std::uint64_t spin_ns = 30'000;
};

/// What the loop did, for status and benchmarks.
struct LoopCounters {
  std::uint64_t turns = 0;
  std::uint64_t sleeps = 0;
  std::uint64_t resumed = 0;
};

class EventLoop {
 public:
  /// Borrows both; they outlive the loop.
  EventLoop(Clock& clock, Sleeper& sleeper, LoopOptions options = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Borrows `source` until remove_source(). Sources progress in the order in which they were
  /// added. Neither may be called from a source's progress(). The loop dies after its last source
  /// has left.
  void add_source(Source& source);
  void remove_source(Source& source) noexcept;

  /// Resumes `waiter` in a coming part of this turn (if a source or timer calls) or in a later one
  /// (if a coroutine calls), in the order of the calls, each once.
  void post(std::coroutine_handle<> waiter);

  Clock& clock() noexcept { return clock_; }
  /// The clock's time. During a turn it stands still from the first time that somebody asks: a turn
  /// is short, and asking is a good part of what a small request costs. Who waits without turns
  /// asks clock().
  std::uint64_t now_ns() noexcept;

  /// Awaitable: goes to the end of the ready queue. For loops that may run long.
  struct YieldOp {
    EventLoop& loop;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) const { loop.post(waiter); }
    void await_resume() const noexcept {}
  };
  YieldOp yield() noexcept { return YieldOp{*this}; }

  /// Timers; see timer_queue.h for the awaitable (loop::SleepOp) and for callbacks.
  TimerQueue& timers() noexcept { return timers_; }

  /// One turn without sleeping. Returns whether anything happened or is ready to run.
  bool turn() { return turn(Look::kAlways); }

  /// As turn(), for who turns over and over until something happens: looks at the clock, and so for
  /// timers, in a turn that finds work, in the first that finds none, and in every kTurnsPerLook-th
  /// after that.
  bool spin() { return spin(empty_turns_ % kTurnsPerLook == 0 ? Look::kAlways : Look::kIfWorked); }

  /// The time of the last turn, or of what was called outside(). Nothing if nobody has asked for
  /// it; spin() has, whenever it looks and finds nothing.
  std::optional<std::uint64_t> asked_ns() const noexcept { return turn_ns_; }

  /// Calls `work`, which may start coroutines, between two turns: the time stands still in it too.
  template <typename Work>
  void outside(Work work) {
    enter();
    std::move(work)();
    in_turn_ = false;
  }

  /// Turns, and sleeps when idle, until `done` is true; `done` is looked at after each turn.
  void run_until(const bool& done);

  /// One step of run_until: a turn and, if turns have found nothing for spin_ns, at most one sleep.
  /// For callers that must look at something else between (the client's lock, a signal). Does not
  /// sleep beyond `deadline_ns` of the clock.
  void run_once(std::uint64_t deadline_ns);

  const LoopCounters& counters() const noexcept { return counters_; }

 private:
  enum class Look : std::uint8_t { kAlways, kIfWorked };

  void enter() noexcept;
  bool turn(Look look);
  bool spin(Look look);
  std::size_t run_ready();
  void refuse(std::uint64_t now_ns, std::uint64_t until_ns);
  void sleep(std::uint64_t now_ns, std::uint64_t deadline_ns);

  Clock& clock_;
  Sleeper& sleeper_;
  const LoopOptions options_;
  std::vector<Source*> sources_;
  std::vector<int> armed_fds_;  ///< What a sleep waits for; a member so that it allocates once.
  std::vector<std::coroutine_handle<>> ready_;  ///< What was posted since the last swap.
  std::vector<std::coroutine_handle<>>
      running_;  ///< What this turn resumes, from running_next_ on.
  std::size_t running_next_ = 0;
  bool progressing_ = false;  ///< Sources must not come or go meanwhile.
  TimerQueue timers_;
  bool in_turn_ = false;
  std::optional<std::uint64_t> turn_ns_;  ///< What this turn, or the last one, has asked for.
  std::uint32_t empty_turns_ = 0;         ///< In a row, by spin(), since the last work or sleep.
  bool idle_ = false;                     ///< The last turn found nothing.
  std::uint64_t idle_since_ns_ = 0;
  bool refused_ = false;  ///< A source has refused to be armed since the last work or sleep.
  std::uint64_t refused_since_ns_ = 0;
  std::uint32_t looks_per_arm_ = 1;
  std::uint32_t looks_to_arm_ = 0;  ///< Before a source that has refused is asked again.
  LoopCounters counters_;
};

}  // namespace benchfs::loop
