#include "tools/pipeline.h"

#include <algorithm>
#include <cerrno>

#include "tools/mount.h"

namespace benchfs::tools {

bool Pipeline::finish_write(Slot& slot, WriteEnd& to, std::uint64_t& moved, Progress& progress) {
  slot.state = Slot::State::kFree;
  if (!to.finish_write(slot.piece)) {
    return false;
  }
  moved += slot.piece.length;
  progress.add(slot.piece.length);
  return true;
}

void Pipeline::abandon(ReadEnd& from, WriteEnd& to) {
  const int saved = errno;
  for (Slot& slot : slots_) {
    if (slot.piece.request != nullptr && slot.state == Slot::State::kReading) {
      from.finish_read(slot.piece);
    } else if (slot.piece.request != nullptr && slot.state == Slot::State::kWriting) {
      to.finish_write(slot.piece);
    }
    slot.state = Slot::State::kFree;
  }
  errno = saved;
}

Pipeline::Outcome Pipeline::run(ReadEnd& from, WriteEnd& to, std::uint64_t size_max,
                                std::uint64_t& moved, Progress& progress, const Extras& extras) {
  // The slots are used in turn, and so the pieces keep their order: half of them read ahead while
  // what the other half read is written.
  constexpr std::size_t kAhead = kPieces / 2;
  std::size_t begun = 0;                // Pieces whose read was begun.
  std::size_t passed = 0;               // Pieces that were read, and whose write was begun.
  std::uint64_t offset = extras.begin;  // Of the next piece.
  bool at_end = false;
  const auto slot_of = [this](std::size_t piece) -> Slot& { return slots_[piece % kPieces]; };
  const auto fail = [&](Outcome outcome) {
    abandon(from, to);
    return outcome;
  };

  while (true) {
    if (was_interrupted()) {
      return fail(Outcome::kInterrupted);
    }
    while (!at_end && begun - passed < kAhead && offset < size_max) {
      Slot& slot = slot_of(begun);
      if (slot.state == Slot::State::kWriting && !finish_write(slot, to, moved, progress)) {
        return fail(Outcome::kWriteFailed);
      }
      if (slot.memory == nullptr) {
        slot.memory = std::make_unique<std::byte[]>(kPieceBytes);
      }
      slot.piece = Piece{.data = slot.memory.get(),
                         .length = static_cast<std::size_t>(
                             std::min<std::uint64_t>(kPieceBytes, size_max - offset)),
                         .offset = static_cast<off_t>(offset)};
      if (!from.begin_read(slot.piece)) {
        return fail(Outcome::kReadFailed);
      }
      slot.state = Slot::State::kReading;
      offset += slot.piece.length;
      ++begun;
    }
    if (passed == begun) {
      break;
    }
    Slot& slot = slot_of(passed++);
    const std::size_t wanted = slot.piece.length;
    const bool was_read = from.finish_read(slot.piece);
    slot.state = Slot::State::kFree;
    if (!was_read) {
      return fail(was_interrupted() ? Outcome::kInterrupted : Outcome::kReadFailed);
    }
    if (at_end) {
      continue;  // The file grew meanwhile: this does not follow on what came before it.
    }
    at_end = slot.piece.length < wanted;
    if (slot.piece.length == 0) {
      continue;
    }
    if (extras.digest != nullptr) {
      extras.digest->add({slot.piece.data, slot.piece.length});
    }
    if (!to.begin_write(slot.piece)) {
      return fail(Outcome::kWriteFailed);
    }
    slot.state = Slot::State::kWriting;
  }
  // In the order of the pieces, which is not that of the slots: a pipe takes them as they come.
  for (std::size_t piece = passed - std::min(passed, kPieces); piece < passed; ++piece) {
    Slot& slot = slot_of(piece);
    if (slot.state == Slot::State::kWriting && !finish_write(slot, to, moved, progress)) {
      return fail(was_interrupted() ? Outcome::kInterrupted : Outcome::kWriteFailed);
    }
  }
  return Outcome::kDone;
}

}  // namespace benchfs::tools
