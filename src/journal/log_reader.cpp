#include "journal/log_reader.h"

#include <algorithm>

#include "base/log.h"
#include "base/units.h"

namespace benchfs::journal {
namespace {

/// Read at once, as long as batches are not larger.
constexpr std::uint64_t kWindowBlocks = kMiB / kBlockBytes;

}  // namespace

LogReader::LogReader(io::Disk& disk, const Anchor& anchor)
    : disk_(disk),
      anchor_(anchor),
      ring_(anchor.ring_blocks),
      position_(anchor.log_begin),
      incarnation_(anchor.log_incarnation),
      memory_(kWindowBlocks * kBlockBytes) {}

/// Of a batch that is the one looked for, and whole: it is believed or the store is refused. To end
/// the log here would lose what was acknowledged.
Status LogReader::check(const BatchHeader& header, ConstBytes bytes) const {
  if (header.incarnation > anchor_.incarnation) {
    log_error(
        "journal: the batch at position {} is of incarnation {}, the anchor of {}: the newest "
        "anchor is broken",
        position_, header.incarnation, anchor_.incarnation);
    return fail(Errc::kCorrupt, "journal.anchor");
  }
  if (!is_canonical(header, bytes)) {
    log_error("journal: the batch at position {} has what this version does not know", position_);
    return fail(Errc::kUnsupported, "journal.batch.reserved");
  }
  if (header.durable_position > position_ || header.blocks > ring_.batch_blocks_max() ||
      header.blocks > ring_.to_ring_end(position_) ||
      position_ + header.blocks - anchor_.log_begin > ring_.blocks()) {
    log_error("journal: the batch at position {} says what cannot be", position_);
    return fail(Errc::kCorrupt, "journal.batch");
  }
  return {};
}

coro::Task<Result<std::optional<BatchView>>> LogReader::next() {
  if (position_ - anchor_.log_begin == ring_.blocks()) {
    co_return std::optional<BatchView>();
  }
  coro::Task<Result<ConstBytes>> reading_first = bytes_at(position_, 1);
  BENCHFS_CO_TRY(const ConstBytes first, reading_first);
  const std::optional<BatchHeader> header = decode_batch_header(first);
  if (!header.has_value() || header->store_id != anchor_.store_id) {
    co_return std::optional<BatchView>();
  }
  if (header->position != position_ || header->incarnation < incarnation_) {
    if (header->position > position_ && checksum_fits(first, header->checksum, header->bytes)) {
      log_error("journal: position {} was looked for and {} is there: the newest anchor is broken",
                position_, header->position);
      co_return fail(Errc::kCorrupt, "journal.anchor");
    }
    co_return std::optional<BatchView>();
  }
  const std::uint64_t left = anchor_.log_begin + ring_.blocks() - position_;
  const std::uint64_t blocks = (header->bytes + kBlockBytes - 1) / kBlockBytes;
  if (blocks > std::min(ring_.to_ring_end(position_), left)) {
    co_return std::optional<BatchView>();  // Its checksum cannot be right.
  }
  coro::Task<Result<ConstBytes>> reading_all = bytes_at(position_, blocks);
  BENCHFS_CO_TRY(const ConstBytes all, reading_all);
  if (!checksum_fits(all, header->checksum, header->bytes)) {
    co_return std::optional<BatchView>();
  }
  BENCHFS_CO_CHECK_NOW(check(*header, all));
  position_ += header->blocks;
  incarnation_ = header->incarnation;
  const BatchView batch = {.header = *header, .bytes = all.first(header->bytes)};
  co_return std::optional<BatchView>(batch);
}

/// Within one lap of the ring.
coro::Task<Result<ConstBytes>> LogReader::bytes_at(std::uint64_t position, std::uint64_t blocks) {
  if (position < window_begin_ || position + blocks > window_end_) {
    const std::uint64_t left = anchor_.log_begin + ring_.blocks() - position;
    const std::uint64_t wanted = std::max(blocks, kWindowBlocks);
    const std::uint64_t count = std::min({wanted, ring_.to_ring_end(position), left});
    if (memory_.bytes().size() < count * kBlockBytes) {
      memory_ = AlignedMemory(count * kBlockBytes);
    }
    window_begin_ = window_end_ = 0;
    // At most a transfer at a time, as all of the drive's users.
    for (std::uint64_t done = 0; done < count;) {
      const std::uint64_t part = std::min(count - done, kWindowBlocks);
      const Bytes into = memory_.bytes().subspan(done * kBlockBytes, part * kBlockBytes);
      io::ReadOp op(disk_, ring_.block_of(position + done) * kBlockBytes, into);
      const Status read = co_await op;
      if (!read.has_value()) {
        log_error("journal: cannot read the log at position {}: {}", position + done,
                  to_string(read.error()));
        co_return fail(read.error());
      }
      done += part;
    }
    window_begin_ = position;
    window_end_ = position + count;
  }
  const std::size_t at = (position - window_begin_) * kBlockBytes;
  co_return ConstBytes(memory_.bytes().subspan(at, blocks * kBlockBytes));
}

}  // namespace benchfs::journal
