#include "model/rank.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <system_error>

#include <fmt/format.h>

namespace benchfs::test {

Rank::Rank(World& world, unsigned rank, std::uint64_t step)
    : world_(world),
      rank_(rank),
      step_(step),
      dice_(mix(world.options().seed) + step * 1'000'003 + rank) {}

// ---- What is drawn
// -------------------------------------------------------------------------------------

benchfs::Extent Rank::draw_extent(const Subject& subject) {
  const std::uint64_t room = area_.end_bytes - area_.begin_bytes;
  const std::uint64_t sizes[] = {16, 4096, 64 << 10, world_.options().transfer_bytes_max};
  const std::uint64_t size = sizes[dice_.below(std::size(sizes))];
  const std::uint64_t length = std::min(dice_.below(size + 1), room);
  std::uint64_t offset = area_.begin_bytes + dice_.below(room - length + 1);
  // At, or a little beside, what the file system cuts at.
  const std::uint64_t units[] = {1, 4096, subject.layout.chunk_size};
  const std::uint64_t unit = units[dice_.below(std::size(units))];
  offset = offset / unit * unit;
  if (unit != 1 && dice_.one_in(2)) {
    offset += dice_.below(17);
    offset -= std::min<std::uint64_t>(offset, 8);
  }
  return {std::clamp(offset, area_.begin_bytes, area_.end_bytes - length), length};
}

std::vector<benchfs::Extent> Rank::draw_extents(const Subject& subject, bool may_overlap) {
  std::vector<benchfs::Extent> extents;
  const std::uint64_t count = 1 + dice_.below(dice_.one_in(4) ? 300 : 20);
  if (may_overlap) {
    for (std::uint64_t i = 0; i < count; ++i) {
      extents.push_back(draw_extent(subject));
      extents.back().length %= 8192;
    }
    return extents;
  }
  std::uint64_t at = draw_extent(subject).offset;
  for (std::uint64_t i = 0; i < count && at < area_.end_bytes; ++i) {
    const std::uint64_t length = std::min(dice_.below(8192), area_.end_bytes - at);
    extents.push_back({at, length});
    at += length + (dice_.one_in(3) ? 0 : dice_.below(3000));
  }
  if (dice_.one_in(3)) {
    for (std::size_t i = extents.size(); i > 1; --i) {
      std::swap(extents[i - 1], extents[dice_.below(i)]);
    }
  }
  return extents;
}

std::vector<benchfs::Extent> Rank::draw_parts(const Subject& subject) {
  const benchfs::Extent whole = draw_extent(subject);
  const std::uint64_t count = 1 + dice_.below(8);
  std::vector<benchfs::Extent> parts;
  std::uint64_t done = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t left = whole.length - done;
    const std::uint64_t length = i + 1 == count ? left : dice_.below(left + 1);
    parts.push_back({whole.offset + done, length});
    done += length;
  }
  return parts;
}

std::vector<iovec> Rank::cut(std::span<std::byte> buffer) {
  std::vector<iovec> pieces;
  while (!buffer.empty()) {
    const std::size_t size =
        std::min<std::size_t>(buffer.size(), 1 + dice_.below(dice_.one_in(2) ? 300'000 : 2000));
    pieces.push_back({buffer.data(), size});
    buffer = buffer.subspan(size);
  }
  return pieces;
}

std::vector<std::byte> Rank::draw_content(const Subject& subject, std::uint64_t offset_bytes,
                                          std::size_t length_bytes) {
  std::vector<std::byte> bytes(length_bytes);
  fill_pattern({.file = subject.id, .rank = rank_, .operation = (step_ << 20U) + operation_},
               offset_bytes, bytes);
  return bytes;
}

// ---- What is checked
// -----------------------------------------------------------------------------------

std::uint64_t Rank::begin(const char* operation, const Subject& subject, std::uint64_t offset_bytes,
                          std::uint64_t length_bytes, std::uint64_t part_count) {
  ++operation_;
  return world_.history().begin({.operation = operation,
                                 .step = step_,
                                 .rank = rank_,
                                 .file = subject.id,
                                 .offset_bytes = offset_bytes,
                                 .length_bytes = length_bytes,
                                 .part_count = part_count});
}

void Rank::end(std::uint64_t number, std::uint64_t result) {
  world_.history().end(number, result);
}

Rank::Bounds Rank::bounds_of(const Subject& subject) const {
  if (alone_) {
    const std::uint64_t size = subject.model.size();
    return {.low_bytes = size, .high_bytes = size};
  }
  return {.low_bytes = low_bytes_, .high_bytes = world_.options().file_bytes_max};
}

void Rank::note_written(Subject& subject, std::span<const std::byte> bytes,
                        std::uint64_t offset_bytes) {
  if (!bytes.empty()) {
    subject.model.write(bytes, offset_bytes);
    low_bytes_ = std::max(low_bytes_, offset_bytes + bytes.size());
    written_bytes_ += bytes.size();
  }
}

std::vector<std::byte> Rank::expected(const Subject& subject,
                                      std::span<const benchfs::Extent> extents) {
  std::vector<std::byte> bytes;
  for (const benchfs::Extent& extent : extents) {
    const auto part = subject.model.read(extent.offset, extent.length);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return bytes;
}

void Rank::check_count(const Subject& subject, std::span<const benchfs::Extent> extents,
                       std::uint64_t count) {
  const Bounds bounds = bounds_of(subject);
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  for (const benchfs::Extent& extent : extents) {
    const auto below = [&extent](std::uint64_t end) {
      return end <= extent.offset ? 0 : std::min(extent.length, end - extent.offset);
    };
    low += below(bounds.low_bytes);
    high += below(bounds.high_bytes);
  }
  if (count < low || count > high) {
    world_.fail(
        fmt::format("file {}: a read returned {} bytes, and should {} to {}; the file ends "
                    "between {} and {}",
                    subject.id, count, low, high, bounds.low_bytes, bounds.high_bytes));
  }
  read_bytes_ += count;
}

void Rank::check_bytes(const Subject& subject, std::span<const benchfs::Extent> extents,
                       std::span<const std::byte> got, std::span<const std::byte> want) {
  if (std::equal(got.begin(), got.end(), want.begin(), want.end())) {
    return;
  }
  std::size_t at = 0;
  std::string text;
  for (const benchfs::Extent& extent : extents) {
    for (std::uint64_t i = 0; i < extent.length; ++i, ++at) {
      if (got[at] == want[at]) {
        continue;
      }
      const auto wrong = std::inner_product(got.begin(), got.end(), want.begin(), std::uint64_t{0},
                                            std::plus<>(), std::not_equal_to<>());
      world_.fail(
          fmt::format("file {}: byte {} is {:#04x}, and should be {:#04x}; {} of {} bytes "
                      "are wrong",
                      subject.id, extent.offset + i, static_cast<int>(got[at]),
                      static_cast<int>(want[at]), wrong, got.size()));
    }
  }
}

void Rank::check_equal(const Subject& subject, const char* what, std::uint64_t got,
                       std::uint64_t want) {
  if (got != want) {
    world_.fail(fmt::format("file {}: {} is {}, and should be {}", subject.id, what, got, want));
  }
}

void Rank::check_no_name(const std::string& path) {
  try {
    world_.session_of(draw_rank()).stat(path);
  } catch (const std::system_error& error) {
    if (error.code().value() == ENOENT) {
      return;
    }
    throw;
  }
  world_.fail(fmt::format("{} is still there", path));
}

void Rank::verify_whole(Subject& subject) {
  const std::uint64_t number = begin("verify", subject);
  const benchfs::Extent whole{0, subject.model.size()};
  benchfs::File& file = subject.plain[draw_rank()].file;
  check_equal(subject, "the size", file.size(), whole.length);
  std::vector<std::byte> got(whole.length + 1);
  const std::size_t count = file.read(got, 0);
  check_equal(subject, "the count of bytes", count, whole.length);
  got.resize(whole.length);
  check_bytes(subject, {&whole, 1}, got, subject.model.read(0, whole.length));
  read_bytes_ += count;
  end(number, count);
}

// ---- What is done
// --------------------------------------------------------------------------------------

void Rank::work_on_data(Subject& subject) {
  benchfs::File& file = subject.plain[alone_ ? draw_rank() : rank_].file;
  switch (dice_.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return read_at(subject, file);
    case 4:
    case 5:
    case 6:
    case 7:
      return write_at(subject, file);
    case 8:
    case 9:
      return read_list(subject, file);
    case 10:
    case 11:
      return write_list(subject, file);
    case 12:
      return read_async(subject, file);
    case 13:
      return write_async(subject, file);
    case 14:
      return dice_.one_in(4) ? sync(subject, file) : write_at(subject, file);
    default:
      return check_size(subject, file);
  }
}

void Rank::work_on_size(Subject& subject) {
  switch (dice_.below(8)) {
    case 0:
    case 1:
    case 2:
      return truncate(subject);
    case 3:
    case 4:
    case 5:
      return append(subject);
    default:
      return move_position(subject);
  }
}

void Rank::work_on_name(Subject& subject) {
  switch (dice_.below(8)) {
    case 0:
      return unlink(subject);
    case 1:
      return replace(subject);
    case 2:
    case 3:
      return rename(subject);
    case 4:
    case 5:
      return use_attached(subject);
    default:
      return reopen(subject);
  }
}

void Rank::work_alone(Subject& subject, std::uint64_t operation_count) {
  alone_ = true;
  area_ = {.begin_bytes = 0, .end_bytes = world_.options().file_bytes_max};
  for (std::uint64_t i = 0; i < operation_count; ++i) {
    const std::uint64_t kind = dice_.below(20);
    if (kind < 13) {
      work_on_data(subject);
    } else if (kind < 19) {
      work_on_size(subject);
    } else if (dice_.one_in(4)) {
      work_on_name(subject);
    } else if (dice_.one_in(4)) {
      verify_whole(subject);
    }
  }
}

void Rank::work_in(Subject& subject, Area area, std::uint64_t operation_count) {
  alone_ = false;
  area_ = area;
  for (std::uint64_t i = 0; i < operation_count; ++i) {
    work_on_data(subject);
  }
}

std::vector<std::vector<std::byte>> Rank::append_pieces(Subject& subject,
                                                        std::uint64_t piece_count) {
  // Long enough that no two are alike.
  constexpr std::uint64_t kPieceBytesMin = 16;
  std::vector<std::vector<std::byte>> pieces;
  for (std::uint64_t i = 0; i < piece_count; ++i) {
    const std::uint64_t length = kPieceBytesMin + dice_.below(dice_.one_in(4) ? 40'000 : 2000);
    const std::uint64_t number = begin("append beside others", subject, 0, length);
    pieces.push_back(draw_content(subject, 0, length));
    subject.appending[rank_].file.write_next(pieces.back());
    written_bytes_ += length;
    end(number, length);
  }
  return pieces;
}

}  // namespace benchfs::test
