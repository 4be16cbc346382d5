// Who may append when: the ring never overflows, and nobody waits for ever.

#include "base/assert.h"
#include "journal/journal_state.h"

namespace benchfs::journal {

Admission::Admission(Journal& journal, std::uint64_t bytes, std::uint32_t records,
                     AdmissionFor what) noexcept
    : journal_(journal), blocks_(blocks_for(bytes, records)), what_(what) {}

Admission::~Admission() {
  BENCHFS_ASSERT(!waiter_);
  if (holds_) {
    Journal::State& state = *journal_.state_;
    state.admitted_blocks -= blocks_;
    state.serve_admissions();
  }
}

bool Admission::await_ready() noexcept {
  Journal::State& state = *journal_.state_;
  if (!state.failed.has_value()) {
    status_ = state.failed;
    return true;
  }
  if (blocks_ > state.ring.batch_blocks_max()) {
    status_ = fail(Errc::kOutOfSpace, "journal.admission");
    return true;
  }
  const bool overtakes = what_ == AdmissionFor::kChange
                             ? state.changes.first != nullptr || state.leaving.first != nullptr
                             : state.leaving.first != nullptr;
  if (overtakes || !state.fits(*this)) {
    return false;
  }
  state.admitted_blocks += blocks_;
  holds_ = true;
  return true;
}

void Admission::await_suspend(std::coroutine_handle<> waiter) noexcept {
  Journal::State& state = *journal_.state_;
  waiter_ = waiter;
  ++state.counters.admissions_waited;
  (what_ == AdmissionFor::kChange ? state.changes : state.leaving).push(*this);
  state.serve_admissions();
}

bool Journal::State::fits(const Admission& admission) const noexcept {
  const std::uint64_t spare = admission.what_ == AdmissionFor::kChange ? ring.set_aside() : 0;
  return ring.fits(open.blocks() + admitted_blocks + admission.blocks_, spare);
}

/// Whether nothing but a shorter log helps: it would not fit if all others gave up theirs.
bool Journal::State::waits_for_ring(const Admission& admission) const noexcept {
  const std::uint64_t spare = admission.what_ == AdmissionFor::kChange ? ring.set_aside() : 0;
  return !ring.fits(admission.blocks_, spare) && admitted_blocks == 0 && open.empty();
}

void Journal::State::serve_first(Admission& admission, Status status) noexcept {
  admission.status_ = status;
  if (status.has_value()) {
    admitted_blocks += admission.blocks_;
    admission.holds_ = true;
  }
  loop.post(std::exchange(admission.waiter_, {}));
}

void Journal::State::serve_admissions() noexcept {
  while (leaving.first != nullptr) {
    if (!failed.has_value() || fits(*leaving.first)) {
      Admission& first = leaving.pop();
      serve_first(first, failed);
    } else if (waits_for_ring(*leaving.first)) {
      // It is asked for by what would make the log shorter.
      Admission& first = leaving.pop();
      serve_first(first, fail(Errc::kOutOfSpace, "journal.leave_log"));
    } else {
      return;
    }
  }
  while (changes.first != nullptr) {
    if (!failed.has_value() || fits(*changes.first)) {
      Admission& first = changes.pop();
      serve_first(first, failed);
    } else if (!waits_for_ring(*changes.first) || checkpointing != nullptr) {
      return;
    } else if (checkpoint_may_start()) {
      start_checkpoint();  // Its end comes back here.
      return;
    } else {
      Admission& first = changes.pop();
      serve_first(first, fail(checkpoint_error));
    }
  }
}

}  // namespace benchfs::journal
