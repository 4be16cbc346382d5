#include "model/history.h"

#include <algorithm>

#include <fmt/format.h>

namespace benchfs::test {

std::uint64_t History::begin(const HistoryEntry& entry) {
  const std::lock_guard guard(lock_);
  slots_[count_ % kKept] = {.entry = entry, .ended = false, .result = 0};
  return count_++;
}

void History::end(std::uint64_t number, std::uint64_t result) {
  const std::lock_guard guard(lock_);
  if (number + kKept >= count_) {  // Else its place has gone to a later one.
    slots_[number % kKept].ended = true;
    slots_[number % kKept].result = result;
  }
}

std::uint64_t History::count() const {
  const std::lock_guard guard(lock_);
  return count_;
}

void History::print_last(std::FILE* out) const {
  const std::lock_guard guard(lock_);
  for (std::uint64_t i = count_ - std::min<std::uint64_t>(count_, kKept); i < count_; ++i) {
    const Slot& slot = slots_[i % kKept];
    const HistoryEntry& entry = slot.entry;
    const std::string result = slot.ended ? fmt::format("{}", slot.result) : "not ended";
    fmt::print(out, "  {:>8} step {} rank {} file {} {} offset {} length {} parts {} -> {}\n", i,
               entry.step, entry.rank, entry.file, entry.operation, entry.offset_bytes,
               entry.length_bytes, entry.part_count, result);
  }
}

}  // namespace benchfs::test
