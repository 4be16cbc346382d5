#include "pipeline.h"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace benchfs::bench {

namespace {

constexpr std::size_t kAlignmentBytes = 4096;  // As O_DIRECT wants it.

std::unique_ptr<std::byte, void (*)(void*)> aligned_memory(std::size_t bytes) {
  void* memory = nullptr;
  if (::posix_memalign(&memory, kAlignmentBytes, bytes) != 0) {
    throw Failure(fmt::format("no memory for buffers of {} bytes", bytes));
  }
  return {static_cast<std::byte*>(memory), &std::free};
}

}  // namespace

Pipeline::Pipeline(PipelineOptions options)
    : options_(std::move(options)),
      stride_bytes_((options_.transfer_bytes + kAlignmentBytes - 1) / kAlignmentBytes *
                    kAlignmentBytes),
      memory_(aligned_memory(stride_bytes_ * options_.depth)),
      begun_(options_.depth) {
  // All of it, before any clock starts: what is not made fresh for each transfer holds something,
  // and is there.
  for (unsigned slot = 0; slot < options_.depth; ++slot) {
    fill(buffer(slot), options_.place(0).stream, slot * options_.transfer_bytes, Check::kEvery);
  }
}

std::span<std::byte> Pipeline::buffer(unsigned slot) const {
  return {memory_.get() + slot * stride_bytes_, options_.transfer_bytes};
}

void Pipeline::begin(DataFile& file, std::uint64_t number) {
  const auto slot = static_cast<unsigned>(number % options_.depth);
  const Place place = options_.place(number);
  if (options_.direction == Direction::kWrite) {
    fill(buffer(slot), place.stream, place.offset, options_.check);
    begun_[slot] = Clock::now();
    file.begin_write(slot, buffer(slot), place.offset);
  } else {
    begun_[slot] = Clock::now();
    file.begin_read(slot, buffer(slot), place.offset);
  }
}

void Pipeline::finish(DataFile& file, std::uint64_t number, Tally& tally) {
  const auto slot = static_cast<unsigned>(number % options_.depth);
  const std::uint64_t bytes = file.finish(slot);
  tally.latencies.add_ns(static_cast<std::uint64_t>((Clock::now() - begun_[slot]).count()));
  ++tally.operations;
  tally.bytes += bytes;
  const Place place = options_.place(number);
  if (bytes != options_.transfer_bytes) {
    tally.found_wrong(fmt::format("{}: {} of {} bytes at offset {}", options_.name, bytes,
                                  options_.transfer_bytes, place.offset));
  } else if (options_.direction == Direction::kRead) {
    if (const auto wrong = compare(buffer(slot), place.stream, place.offset, options_.check)) {
      tally.found_wrong(fmt::format("{}: byte {} is {:#04x}, not {:#04x}", options_.name,
                                    wrong->offset, wrong->found, wrong->expected));
    }
  }
}

std::uint64_t Pipeline::run(DataFile& file, std::uint64_t first, std::uint64_t limit,
                            Clock::time_point deadline, Tally& tally, Progress& progress) {
  std::uint64_t next = first;
  std::uint64_t ended = first;
  while (true) {
    if (next < limit && next - ended < options_.depth) {
      if (Clock::now() < deadline) {
        begin(file, next);
        ++next;
      } else {
        limit = next;
      }
    } else if (ended < next) {
      finish(file, ended, tally);
      ++ended;
      progress.at(ended);
    } else {
      return next;
    }
  }
}

}  // namespace benchfs::bench
