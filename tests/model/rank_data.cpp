// The random test's reads and writes, at offsets.

#include <algorithm>

#include <fmt/format.h>

#include "model/rank.h"

namespace benchfs::test {
namespace {

std::uint64_t total_of(std::span<const benchfs::Extent> extents) {
  std::uint64_t total = 0;
  for (const benchfs::Extent& extent : extents) {
    total += extent.length;
  }
  return total;
}

std::uint64_t first_of(std::span<const benchfs::Extent> extents) {
  return extents.empty() ? 0 : extents.front().offset;
}

}  // namespace

void Rank::read_at(Subject& subject, benchfs::File& file) {
  const benchfs::Extent extent = draw_extent(subject);
  std::vector<std::byte> got(extent.length, std::byte{0x5A});
  std::size_t count = 0;
  if (dice_.one_in(3)) {
    const auto pieces = cut(got);
    const std::uint64_t number =
        begin("preadv", subject, extent.offset, extent.length, pieces.size());
    count = benchfs::detail::check_count(benchfs_preadv(file.get(), pieces.data(),
                                                        static_cast<int>(pieces.size()),
                                                        static_cast<off_t>(extent.offset)));
    end(number, count);
  } else {
    const std::uint64_t number = begin("pread", subject, extent.offset, extent.length);
    count = file.read(got, extent.offset);
    end(number, count);
  }
  check_count(subject, {&extent, 1}, count);
  const benchfs::Extent found{extent.offset, count};
  got.resize(count);
  check_bytes(subject, {&found, 1}, got, subject.model.read(extent.offset, count));
}

void Rank::write_at(Subject& subject, benchfs::File& file) {
  const benchfs::Extent extent = draw_extent(subject);
  auto bytes = draw_content(subject, extent.offset, extent.length);
  if (dice_.one_in(3)) {
    const auto pieces = cut(bytes);
    const std::uint64_t number =
        begin("pwritev", subject, extent.offset, extent.length, pieces.size());
    const std::size_t count = benchfs::detail::check_count(
        benchfs_pwritev(file.get(), pieces.data(), static_cast<int>(pieces.size()),
                        static_cast<off_t>(extent.offset)));
    check_equal(subject, "the count of pwritev", count, extent.length);
    end(number, count);
  } else {
    const std::uint64_t number = begin("pwrite", subject, extent.offset, extent.length);
    file.write(bytes, extent.offset);
    end(number, extent.length);
  }
  note_written(subject, bytes, extent.offset);
}

void Rank::read_list(Subject& subject, benchfs::File& file) {
  const auto extents = draw_extents(subject, true);
  std::vector<std::byte> got(total_of(extents), std::byte{0x5A});
  const auto pieces = cut(got);
  const std::uint64_t number =
      begin("read_list", subject, first_of(extents), got.size(), extents.size());
  const std::size_t count = file.read_list(pieces, extents);
  end(number, count);
  check_count(subject, extents, count);
  check_bytes(subject, extents, got, expected(subject, extents));
}

void Rank::write_list(Subject& subject, benchfs::File& file) {
  const auto extents = draw_extents(subject, false);
  std::vector<std::byte> bytes;
  for (const benchfs::Extent& extent : extents) {
    const auto part = draw_content(subject, extent.offset, extent.length);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  const auto pieces = cut(bytes);
  const std::uint64_t number =
      begin("write_list", subject, first_of(extents), bytes.size(), extents.size());
  file.write_list(pieces, extents);
  end(number, bytes.size());
  std::span<const std::byte> left = bytes;
  for (const benchfs::Extent& extent : extents) {
    note_written(subject, left.first(extent.length), extent.offset);
    left = left.subspan(extent.length);
  }
}

void Rank::read_async(Subject& subject, benchfs::File& file) {
  const auto parts = draw_parts(subject);
  const std::uint64_t number =
      begin("pread_begin", subject, first_of(parts), total_of(parts), parts.size());
  std::vector<std::vector<std::byte>> buffers;
  std::vector<benchfs::Request> requests;
  for (const benchfs::Extent& part : parts) {
    buffers.emplace_back(part.length, std::byte{0x5A});
    requests.push_back(file.read_async(buffers.back(), part.offset));
  }
  for (std::size_t i = parts.size(); i-- > 0;) {
    const std::size_t count = requests[i].wait();
    const benchfs::Extent found{parts[i].offset, count};
    check_count(subject, {&parts[i], 1}, count);
    buffers[i].resize(count);
    check_bytes(subject, {&found, 1}, buffers[i], subject.model.read(found.offset, count));
  }
  end(number, total_of(parts));
}

void Rank::write_async(Subject& subject, benchfs::File& file) {
  const auto parts = draw_parts(subject);
  const std::uint64_t number =
      begin("pwrite_begin", subject, first_of(parts), total_of(parts), parts.size());
  std::vector<std::vector<std::byte>> buffers;
  std::vector<benchfs::Request> requests;
  for (const benchfs::Extent& part : parts) {
    buffers.push_back(draw_content(subject, part.offset, part.length));
    requests.push_back(file.write_async(buffers.back(), part.offset));
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto count = requests[i].test();
    while (!count.has_value()) {
      count = requests[i].test();
    }
    check_equal(subject, "the count of a request", *count, parts[i].length);
    note_written(subject, buffers[i], parts[i].offset);
  }
  end(number, total_of(parts));
}

void Rank::sync(Subject& subject, benchfs::File& file) {
  const std::uint64_t number = begin("fsync", subject);
  file.sync();
  end(number);
}

void Rank::check_size(Subject& subject, benchfs::File& file) {
  const bool by_name = dice_.one_in(2);
  const std::uint64_t number = begin(by_name ? "stat" : "fstat", subject);
  const auto size =
      by_name
          ? static_cast<std::uint64_t>(world_.session_of(draw_rank()).stat(subject.path).st_size)
          : file.size();
  end(number, size);
  const Bounds bounds = bounds_of(subject);
  if (size < bounds.low_bytes || size > bounds.high_bytes) {
    world_.fail(fmt::format("file {}: the size is {}, and should be {} to {}", subject.id, size,
                            bounds.low_bytes, bounds.high_bytes));
  }
}

}  // namespace benchfs::test
