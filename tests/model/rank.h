#pragma once

// One rank of the random test during one step: draws operations, does each to the file and to its
// model, and compares.
//
// Threading: one thread. Several ranks work at the same time, on files of their own or on ranges of
// one file that do not overlap.

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "model/pattern.h"
#include "model/world.h"

namespace benchfs::test {

/// Random numbers of one rank in one step: the same for the same seed, whatever other ranks do.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(mix(seed)) {}
  /// 0 to `count` - 1; `count` is not 0.
  std::uint64_t below(std::uint64_t count) { return random_() % count; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::mt19937_64 random_;
};

/// The range of a file in which a rank may act.
struct Area {
  std::uint64_t begin_bytes = 0;
  std::uint64_t end_bytes = 0;
};

class Rank {
 public:
  Rank(World& world, unsigned rank, std::uint64_t step);

  /// Any operation, by any rank's handle: nobody else uses `subject`.
  void work_alone(Subject& subject, std::uint64_t operation_count);

  /// Operations on one's own handle inside `area`: others work in other areas of `subject`.
  void work_in(Subject& subject, Area area, std::uint64_t operation_count);

  /// Appends, while others append. Returns what was appended, in order.
  std::vector<std::vector<std::byte>> append_pieces(Subject& subject, std::uint64_t piece_count);

  /// Compares size and every byte.
  void verify_whole(Subject& subject);

  std::uint64_t written_bytes() const noexcept { return written_bytes_; }
  std::uint64_t read_bytes() const noexcept { return read_bytes_; }

 private:
  /// What a read may find of the end of the file: exactly one size, or if others write any between.
  struct Bounds {
    std::uint64_t low_bytes = 0;
    std::uint64_t high_bytes = 0;
  };

  void work_on_data(Subject& subject);
  void work_on_name(Subject& subject);
  void work_on_size(Subject& subject);

  // On data, by `file`, in area_.
  void read_at(Subject& subject, benchfs::File& file);
  void write_at(Subject& subject, benchfs::File& file);
  void read_list(Subject& subject, benchfs::File& file);
  void write_list(Subject& subject, benchfs::File& file);
  void read_async(Subject& subject, benchfs::File& file);
  void write_async(Subject& subject, benchfs::File& file);
  void sync(Subject& subject, benchfs::File& file);
  void check_size(Subject& subject, benchfs::File& file);

  // On the file as a whole.
  void truncate(Subject& subject);
  void append(Subject& subject);
  void move_position(Subject& subject);
  void reopen(Subject& subject);
  void use_attached(Subject& subject);
  void rename(Subject& subject);
  void replace(Subject& subject);
  void unlink(Subject& subject);

  benchfs::Extent draw_extent(const Subject& subject);
  std::vector<benchfs::Extent> draw_extents(const Subject& subject, bool may_overlap);
  std::vector<benchfs::Extent> draw_parts(const Subject& subject);
  std::vector<iovec> cut(std::span<std::byte> buffer);
  unsigned draw_rank() { return static_cast<unsigned>(dice_.below(world_.options().rank_count)); }
  std::vector<std::byte> draw_content(const Subject& subject, std::uint64_t offset_bytes,
                                      std::size_t length_bytes);

  std::uint64_t begin(const char* operation, const Subject& subject, std::uint64_t offset_bytes = 0,
                      std::uint64_t length_bytes = 0, std::uint64_t part_count = 1);
  void end(std::uint64_t number, std::uint64_t result = 0);

  Bounds bounds_of(const Subject& subject) const;
  void note_written(Subject& subject, std::span<const std::byte> bytes, std::uint64_t offset_bytes);
  /// What the file should hold of `extents`, in order.
  static std::vector<std::byte> expected(const Subject& subject,
                                         std::span<const benchfs::Extent> extents);
  void check_count(const Subject& subject, std::span<const benchfs::Extent> extents,
                   std::uint64_t count);
  void check_bytes(const Subject& subject, std::span<const benchfs::Extent> extents,
                   std::span<const std::byte> got, std::span<const std::byte> want);
  void check_equal(const Subject& subject, const char* what, std::uint64_t got, std::uint64_t want);
  void check_no_name(const std::string& path);

  World& world_;
  const unsigned rank_;
  const std::uint64_t step_;
  Dice dice_;
  Area area_;
  bool alone_ = true;
  std::uint64_t low_bytes_ = 0;  ///< If not alone: how long the file is at least.
  std::uint64_t operation_ = 0;
  std::uint64_t written_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
};

}  // namespace benchfs::test
