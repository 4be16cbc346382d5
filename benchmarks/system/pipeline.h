#pragma once

// Streams transfers through an open file, so many at once.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "run.h"

namespace benchfs::bench {

/// Where one transfer goes, and what its bytes are.
struct Place {
  std::uint64_t offset;
  Stream stream;
};

enum class Direction : std::uint8_t { kWrite, kRead };

struct PipelineOptions {
  std::string name;  ///< Of the file, for messages.
  Direction direction;
  std::uint64_t transfer_bytes;
  unsigned depth;
  Check check;
  std::function<Place(std::uint64_t)> place;  ///< Of transfer number i.
};

class Pipeline {
 public:
  explicit Pipeline(PipelineOptions options);

  /// Does transfers [first, limit), as far as they can be begun before `deadline`; returns the
  /// number of the one that would be next. Latencies are from begin until the transfer is seen to
  /// have ended, which is in order.
  std::uint64_t run(DataFile& file, std::uint64_t first, std::uint64_t limit,
                    Clock::time_point deadline, Tally& tally, Progress& progress);

 private:
  std::span<std::byte> buffer(unsigned slot) const;
  void begin(DataFile& file, std::uint64_t number);
  void finish(DataFile& file, std::uint64_t number, Tally& tally);

  const PipelineOptions options_;
  const std::size_t stride_bytes_;
  std::unique_ptr<std::byte, void (*)(void*)> memory_;
  std::vector<Clock::time_point> begun_;
};

}  // namespace benchfs::bench
