#pragma once

// A drive, which outlives the processes that use it, and the Disk of one process on it.
//
// Fault model: operations complete in any order, each after a time of its own. A write that has
// completed is in the drive's cache; an fsync moves what had completed before it was submitted to
// where power failure does not reach.
//   process killed   what has completed stays; of a write in flight each block is there or not.
//   power cut        each block holds any of the versions written since the last fsync that covered
//                    it, or the one of then; some are torn: sectors of different versions.
//   errors           an operation fails with EIO; a write that fails has left any mixture.
//   bit rot          a bit of a block that holds data of files turns over.
//
// Threading: the world's thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "io/disk.h"
#include "sim/process.h"

namespace benchfs::sim {

struct DriveOptions {
  std::uint64_t size_bytes = 0;
  std::uint64_t first_data_block = 0;  ///< Behind the journal's part: where bits may rot.
  std::uint64_t delay_ns_min = 10 * kNsPerUs;
  std::uint64_t delay_ns_max = 300 * kNsPerUs;
  std::uint64_t fsync_ns_max = 3 * kNsPerMs;
  bool torn_sectors = true;
};

class SimDisk;

class SimDrive {
 public:
  SimDrive(World& world, std::uint64_t number, DriveOptions options);
  SimDrive(const SimDrive&) = delete;
  SimDrive& operator=(const SimDrive&) = delete;

  /// Power fails; requires that no process uses the drive.
  void cut_power();
  /// Turns a bit over in a block with data that survived an fsync; false if there is none.
  bool rot();

  const DriveOptions& options() const noexcept { return options_; }

  // What a fault plan changes while processes use the drive.
  std::uint64_t error_per_million = 0;          ///< Reads and writes of the store's blocks.
  std::uint64_t journal_error_per_million = 0;  ///< Reads and writes of the rest, and fsyncs.
  std::uint64_t slow_factor = 1;

  /// How the drive breaks its promises, for mutations; every so many operations, 0: never.
  struct Treason {
    bool ignores_fsync = false;
    bool forgets_when_killed = false;  ///< As if the death of a process were a power cut.
    std::uint64_t lose_journal_write_every = 0;
    std::uint64_t lose_data_write_every = 0;
    std::uint64_t misdirect_every = 0;   ///< The write of data lands a block further.
    std::uint64_t stale_read_every = 0;  ///< A read of data brings what was there before.
  };
  Treason treason;

 private:
  friend class SimDisk;
  using Block = std::vector<std::byte>;
  struct Version {
    std::uint64_t number;
    Block bytes;
  };
  using Versions = std::vector<Version>;  ///< Oldest first.

  enum class Which { kNewest, kOldest };
  void read(std::uint64_t offset_bytes, Bytes into, Which which) const;
  bool betrays(std::uint64_t every);
  void keep(const io::DiskOp& op, std::size_t at, std::uint64_t shift_blocks = 0);
  void keep_some(const io::DiskOp& op);
  void make_durable(std::uint64_t up_to_version);
  void settle(std::uint64_t block, const Versions& versions);
  Block& durable(std::uint64_t block);

  World& world_;
  const std::uint64_t number_;
  const DriveOptions options_;
  Chance chance_;
  std::unordered_map<std::uint64_t, Block> durable_;  ///< Those that were ever written.
  std::map<std::uint64_t, Versions> cache_;           ///< By block.
  std::set<std::uint64_t> data_blocks_;               ///< Written with data of files last.
  std::uint64_t version_ = 0;                         ///< Of the write that completed last.
  std::uint64_t temptations_ = 0;                     ///< Occasions for treason so far.
  SimDisk* user_ = nullptr;
};

/// The drive as one process sees it.
class SimDisk final : public io::Disk {
 public:
  /// Borrows both. One at a time per drive.
  SimDisk(Process& process, SimDrive& drive);
  ~SimDisk() override;

  /// The process died: what is in flight happens in part, and fails; so does all that follows.
  void cut_off();

  void submit(io::DiskOp& op) noexcept override;
  std::uint64_t size_bytes() const noexcept override { return drive_.options_.size_bytes; }
  std::size_t alignment_bytes() const noexcept override { return kBlockBytes; }
  io::DiskTraits traits() const noexcept override { return {.backend = "simulated"}; }

 private:
  struct Pending {
    io::DiskOp* op;
    std::uint64_t seen_version;  ///< Of a submitted fsync: it covers versions up to this.
  };

  void finish(std::uint64_t ticket);
  Status carry_out(const Pending& pending);
  void end(io::DiskOp& op, Status status);
  std::uint64_t delay_ns(const io::DiskOp& op);

  Process& process_;
  SimDrive& drive_;
  std::shared_ptr<SimDisk*> self_;
  std::map<std::uint64_t, Pending> pending_;  ///< By ticket.
  std::uint64_t next_ticket_ = 0;
  bool cut_off_ = false;
};

}  // namespace benchfs::sim
