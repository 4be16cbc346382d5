#include "sim/sim_drive.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "base/limits.h"

namespace benchfs::sim {
namespace {

constexpr std::size_t kSectorBytes = 512;
constexpr std::uint64_t kBytesPerUs = 3'000;  // 3 GB/s.
constexpr char kSnapshotMagic[] = {'B', 'S', 'N', 'P'};

}  // namespace

SimDrive::SimDrive(World& world, std::uint64_t number, DriveOptions options)
    : world_(world), number_(number), options_(options), chance_(world.seed(), "drive", number) {
  BENCHFS_ASSERT(options_.size_bytes % kBlockBytes == 0);
}

SimDrive::Block& SimDrive::durable(std::uint64_t block) {
  Block& bytes = durable_[block];
  if (bytes.empty()) {
    bytes.resize(kBlockBytes);
  }
  return bytes;
}

bool SimDrive::betrays(std::uint64_t every) {
  if (every == 0 || ++temptations_ % every != 0) {
    return false;
  }
  world_.count("treason.drive");
  return true;
}

void SimDrive::read(std::uint64_t offset_bytes, Bytes into, Which which) const {
  for (std::size_t at = 0; at < into.size(); at += kBlockBytes) {
    const std::uint64_t block = (offset_bytes + at) / kBlockBytes;
    const std::size_t size = std::min<std::size_t>(kBlockBytes, into.size() - at);
    const auto cached = cache_.find(block);
    if (cached != cache_.end() && which == Which::kNewest) {
      std::memcpy(into.data() + at, cached->second.back().bytes.data(), size);
    } else if (const auto kept = durable_.find(block); kept != durable_.end()) {
      std::memcpy(into.data() + at, kept->second.data(), size);
    } else {
      std::memset(into.data() + at, 0, size);
    }
  }
}

void SimDrive::keep(const io::DiskOp& op, std::size_t at, std::uint64_t shift_blocks) {
  const std::uint64_t block = (op.offset_bytes() + at) / kBlockBytes + shift_blocks;
  const std::byte* const from = op.data() + at;
  cache_[block].push_back({.number = version_, .bytes = Block(from, from + kBlockBytes)});
  const bool snapshot = std::memcmp(op.data(), kSnapshotMagic, sizeof(kSnapshotMagic)) == 0;
  if (block >= options_.first_data_block && !snapshot) {
    data_blocks_.insert(block);
  } else {
    data_blocks_.erase(block);
  }
}

void SimDrive::keep_some(const io::DiskOp& op) {
  ++version_;
  const std::uint64_t how = chance_.below(3);  // None, all, some.
  for (std::size_t at = 0; at < op.size_bytes(); at += kBlockBytes) {
    if (how == 1 || (how == 2 && chance_.percent(50))) {
      keep(op, at);
    }
  }
}

void SimDrive::make_durable(std::uint64_t up_to_version) {
  for (auto at = cache_.begin(); at != cache_.end();) {
    Versions& versions = at->second;
    std::size_t covered = 0;
    while (covered < versions.size() && versions[covered].number <= up_to_version) {
      ++covered;
    }
    if (covered > 0) {
      durable(at->first) = std::move(versions[covered - 1].bytes);
      versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(covered));
    }
    at = versions.empty() ? cache_.erase(at) : std::next(at);
  }
}

void SimDrive::cut_power() {
  BENCHFS_ASSERT(user_ == nullptr);
  for (const auto& [block, versions] : cache_) {
    settle(block, versions);
  }
  cache_.clear();
}

/// What power failure leaves of a block.
void SimDrive::settle(std::uint64_t block, const Versions& versions) {
  Block& into = durable(block);
  const std::size_t chosen = chance_.below(versions.size() + 1);
  const bool torn = options_.torn_sectors && chance_.percent(20);
  if (chosen < versions.size()) {
    world_.count("fault.lost_block");
  }
  if (torn) {
    world_.count("fault.torn_block");
  }
  for (std::size_t at = 0; at < kBlockBytes; at += kSectorBytes) {
    const std::size_t from = torn ? chance_.below(versions.size() + 1) : chosen;
    if (from > 0) {
      std::memcpy(into.data() + at, versions[from - 1].bytes.data() + at, kSectorBytes);
    }
  }
}

bool SimDrive::rot() {
  std::vector<std::uint64_t> blocks;
  for (const std::uint64_t block : data_blocks_) {
    if (!cache_.contains(block) && durable_.contains(block)) {
      blocks.push_back(block);
    }
  }
  if (blocks.empty()) {
    return false;
  }
  const std::uint64_t block = blocks[chance_.below(blocks.size())];
  Block& bytes = durable_[block];
  bytes[chance_.below(kBlockBytes)] ^= std::byte{1} << static_cast<int>(chance_.below(8));
  world_.note("rot", number_, block);
  return true;
}

// ---- One process's view
// --------------------------------------------------------------------------

SimDisk::SimDisk(Process& process, SimDrive& drive)
    : process_(process), drive_(drive), self_(std::make_shared<SimDisk*>(this)) {
  BENCHFS_ASSERT(drive_.user_ == nullptr);
  drive_.user_ = this;
}

SimDisk::~SimDisk() {
  BENCHFS_ASSERT(pending_.empty());
  *self_ = nullptr;
  if (drive_.user_ == this) {
    drive_.user_ = nullptr;
  }
}

std::uint64_t SimDisk::delay_ns(const io::DiskOp& op) {
  const DriveOptions& options = drive_.options_;
  const std::uint64_t base_ns =
      op.kind() == io::DiskOpKind::kFsync
          ? drive_.chance_.between(options.delay_ns_min, options.fsync_ns_max)
          : drive_.chance_.between(options.delay_ns_min, options.delay_ns_max);
  return (base_ns + op.size_bytes() / kBytesPerUs * kNsPerUs) * drive_.slow_factor;
}

void SimDisk::submit(io::DiskOp& op) noexcept {
  const Status checked = io::check_range(*this, op);
  if (cut_off_ || !checked.has_value()) {
    end(op, cut_off_ ? Status(fail(Errc::kIo, "sim.dead_disk", EIO)) : checked);
    return;
  }
  const std::uint64_t ticket = next_ticket_++;
  pending_.emplace(ticket, Pending{.op = &op, .seen_version = drive_.version_});
  static constexpr const char* kNames[] = {"disk.read", "disk.write", "disk.fsync"};
  drive_.world_.after(delay_ns(op), kNames[static_cast<std::size_t>(op.kind())], drive_.number_,
                      op.offset_bytes(), [self = self_, ticket] {
                        if (*self != nullptr) {
                          (*self)->finish(ticket);
                        }
                      });
}

void SimDisk::finish(std::uint64_t ticket) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) {
    return;  // It was in flight when the process died.
  }
  const Pending pending = found->second;
  pending_.erase(found);
  const Status status = carry_out(pending);
  end(*pending.op, status);
  process_.poke();
}

Status SimDisk::carry_out(const Pending& pending) {
  const io::DiskOp& op = *pending.op;
  const bool is_data = op.kind() != io::DiskOpKind::kFsync &&
                       op.offset_bytes() / kBlockBytes >= drive_.options_.first_data_block;
  if (drive_.chance_.per_million(is_data ? drive_.error_per_million
                                         : drive_.journal_error_per_million)) {
    drive_.world_.count(is_data ? "fault.eio_data" : "fault.eio_journal");
    drive_.world_.note("eio", drive_.number_, op.offset_bytes());
    if (op.kind() == io::DiskOpKind::kWrite) {
      drive_.keep_some(op);
    }
    return fail(Errc::kIo, "sim.disk", EIO);
  }
  switch (op.kind()) {
    case io::DiskOpKind::kRead:
      drive_.read(op.offset_bytes(), Bytes(op.data(), op.size_bytes()),
                  is_data && drive_.betrays(drive_.treason.stale_read_every)
                      ? SimDrive::Which::kOldest
                      : SimDrive::Which::kNewest);
      break;
    case io::DiskOpKind::kWrite:
      if (drive_.betrays(is_data ? drive_.treason.lose_data_write_every
                                 : drive_.treason.lose_journal_write_every)) {
        break;
      }
      ++drive_.version_;
      for (std::size_t at = 0, shift = is_data && drive_.betrays(drive_.treason.misdirect_every);
           at < op.size_bytes(); at += kBlockBytes) {
        if (op.offset_bytes() + at + (shift + 1) * kBlockBytes <= size_bytes()) {
          drive_.keep(op, at, shift);
        }
      }
      break;
    case io::DiskOpKind::kFsync:
      if (!drive_.treason.ignores_fsync) {
        drive_.make_durable(pending.seen_version);
      }
      break;
  }
  return {};
}

void SimDisk::end(io::DiskOp& op, Status status) {
  op.set_status(status);
  op.complete(process_.loop());
}

void SimDisk::cut_off() {
  cut_off_ = true;
  for (const auto& [ticket, pending] : pending_) {
    if (pending.op->kind() == io::DiskOpKind::kWrite) {
      drive_.keep_some(*pending.op);
    }
    end(*pending.op, fail(Errc::kIo, "sim.dead_disk", EIO));
  }
  pending_.clear();
  drive_.user_ = nullptr;
}

}  // namespace benchfs::sim
