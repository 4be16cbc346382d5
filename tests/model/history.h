#pragma once

// The operations of all ranks in the order in which they began, of which the last are printed when
// one has gone wrong.
//
// Threading: any thread.

#include <array>
#include <cstdint>
#include <cstdio>
#include <mutex>

namespace benchfs::test {

struct HistoryEntry {
  const char* operation = "";  ///< Static.
  std::uint64_t step = 0;
  std::uint32_t rank = 0;
  std::uint32_t file = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  std::uint64_t part_count = 1;  ///< Extents of a list, or requests in flight.
};

class History {
 public:
  /// Returns the number of the operation, from 0.
  std::uint64_t begin(const HistoryEntry& entry);
  void end(std::uint64_t number, std::uint64_t result);

  std::uint64_t count() const;
  void print_last(std::FILE* out) const;

 private:
  struct Slot {
    HistoryEntry entry;
    bool ended = false;
    std::uint64_t result = 0;
  };
  static constexpr std::size_t kKept = 50;

  mutable std::mutex lock_;
  std::array<Slot, kKept> slots_;
  std::uint64_t count_ = 0;
};

}  // namespace benchfs::test
