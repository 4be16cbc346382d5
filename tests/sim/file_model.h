#pragma once

// What one file may hold, byte for byte, and how long it may be, given what has been asked for and
// answered so far. Knows which values a byte can have had while a read was under way, and refuses
// every other one.
//
// For each byte the writes that may be its value now are kept: a write that was answered takes the
// place of all that had ended before it began; one that failed may have happened, until its time is
// over, or not. A power cut brings back whatever has been replaced since the last fsync. What a
// read has seen is then known.
//
// A truncate is a write of zeros from there on.
//
// Threading: the world's thread.

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "placement/placement.h"
#include "sim/world.h"

namespace benchfs::sim {

/// How long what has failed may still happen: a request's deadline, then a server that stands still
/// in the middle of it, and its drive.
inline constexpr std::uint64_t kLateNs = 40 * kNsPerSec;

/// The byte of write `write_id` at `offset` of its file; 0 is the write of zeros.
std::byte pattern_byte(std::uint64_t write_id, std::uint64_t offset) noexcept;
void fill_pattern(std::uint64_t write_id, std::uint64_t offset, Bytes out) noexcept;

/// How an operation ended, for what it may have done.
enum class Ended {
  kDone,
  kMaybe,  ///< It failed: all, a part or nothing of it was done, or will be within kLateNs.
};

class FileModel {
 public:
  /// `striping.file` may be none: then the file's bytes are on any server.
  FileModel(World& world, std::string name, placement::Striping striping, bool power_cuts);

  const std::string& name() const noexcept { return name_; }
  const placement::Striping& striping() const noexcept { return striping_; }

  /// A number for a write's pattern, and whoever ends it.
  std::uint64_t begin_write(std::uint64_t offset, std::uint64_t size);
  std::uint64_t begin_truncate(std::uint64_t size);
  void end(std::uint64_t id, Ended how);

  struct Look;
  using LookHandle = std::list<Look>::iterator;
  /// Somebody begins to look at the file: a read, a stat, an fsync. End each.
  LookHandle begin_look();
  void give_up(LookHandle look) { looks_.erase(look); }
  /// A read of `data` at `offset` told `count` bytes below the end of the file.
  void end_read(LookHandle look, std::uint64_t offset, ConstBytes data, std::uint64_t count);
  void end_stat(LookHandle look, std::uint64_t size);
  /// All that was answered before it began is on the drives, also if power failed since `told_ns`,
  /// when its handle was opened or heard of that last.
  void end_fsync(LookHandle look, std::uint64_t told_ns);

  /// Power failed at a server.
  void power_cut(ServerId server);
  /// A bit has turned over: reads may fail with EIO.
  bool holds_data_on(ServerId server) const;

  /// What it has been long at the most.
  std::uint64_t size_max() const noexcept { return high_; }
  /// The size, if it is certain.
  std::optional<std::uint64_t> certain_size() const;
  std::string describe(std::uint64_t offset) const;

  struct Look {
    std::uint64_t began_ns = 0;
    std::uint64_t low = 0;  ///< Of the sizes that the file can have had since then.
    std::uint64_t high = 0;
    bool quiet = true;  ///< Nothing that changes the size was under way.
  };

 private:
  struct Version {
    std::uint64_t id = 0;
    std::uint64_t invoked_ns = 0;
    std::uint64_t over_ns = kNever;
    bool definite = false;  ///< It has happened between these.
    bool shaky = false;     ///< Power failed meanwhile.
    std::uint64_t superseded_ns = kNever;
    std::uint64_t revived_ns = 0;  ///< The power cut that may have brought it back; 0: none.
    std::uint64_t superseded_before_ns = kNever;
  };
  using Versions = std::vector<Version>;
  using Segments = std::map<std::uint64_t, Versions>;  ///< By first byte, up to the next.

  struct Change {
    std::uint64_t id = 0;
    bool truncate = false;
    std::uint64_t offset = 0;
    std::uint64_t end = 0;  ///< Size, for a truncate.
    std::uint64_t invoked_ns = 0;
    std::uint64_t over_ns = kNever;
    bool shaky = false;
  };

  Segments::iterator split(std::uint64_t offset);
  void add_version(Segments::iterator from, std::uint64_t end, std::uint64_t id);
  void supersede(Versions& versions, const Version& by) const;
  void prune(Versions& versions);
  std::uint64_t oldest_look_ns() const;
  bool on_server(std::uint64_t begin, std::uint64_t end, ServerId server) const;
  std::uint64_t last_cut_ns(std::uint64_t begin, std::uint64_t end) const;

  void check_piece(const Look& look, Segments::iterator segment, std::uint64_t begin,
                   ConstBytes data);
  void learn(const Look& look, std::uint64_t begin, std::uint64_t end,
             const std::vector<std::uint64_t>& matched);
  void may_be_done_again(const Change& change, ServerId server);
  void settle_size(const Change& change);
  void sizes_changed();
  void drop_old_changes();
  void say(const std::string& text) const;

  World& world_;
  const std::string name_;
  const placement::Striping striping_;
  const bool power_cuts_;
  Segments segments_;
  std::list<Look> looks_;
  std::list<Change> changes_;  ///< Those under way, and those that something under way overlaps.
  std::uint64_t low_ = 0;      ///< Bounds of the size.
  std::uint64_t high_ = 0;
  std::uint64_t durable_low_ = 0;  ///< Of the sizes since the last fsync began.
  std::uint64_t durable_high_ = 0;
  std::uint64_t synced_ns_ = 0;  ///< When the last fsync that succeeded began.
  std::map<ServerId, std::uint64_t> cut_ns_;
};

}  // namespace benchfs::sim
