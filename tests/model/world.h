#pragma once

// What the random test works on: the session joined several times, and files each with its model.
//
// Ranks are the threads of the test. Rank r works through mount r modulo the number of mounts, so
// that some ranks share a mount and others do not, and has two handles of its own on every file.

#include <cstdint>
#include <string>
#include <vector>

#include <benchfs/benchfs.hpp>

#include "model/history.h"
#include "model/model_file.h"

namespace benchfs::test {

struct WorldOptions {
  std::uint64_t seed = 0;
  std::uint64_t operation_count = 5000;
  unsigned rank_count = 4;
  unsigned mount_count = 3;
  std::uint64_t file_bytes_max = 4 << 20;
  std::uint64_t transfer_bytes_max = 512 << 10;
};

/// An open file and where its own position should be.
struct Handle {
  benchfs::File file;
  std::uint64_t position_bytes = 0;
};

/// One file under test. Of several threads that use it at once each keeps to a range of its own, or
/// one thread has it for itself.
struct Subject {
  std::uint32_t id = 0;
  std::uint32_t name_count = 0;  ///< Names that it has had, so that none comes twice.
  std::string path;
  benchfs::Layout layout{};
  ModelFile model;
  std::vector<Handle> plain;      ///< By rank: O_RDWR.
  std::vector<Handle> appending;  ///< By rank: O_RDWR | O_APPEND.
};

class World {
 public:
  /// Joins $BENCHFS_SESSION and creates the files in a directory of their own.
  explicit World(const WorldOptions& options);

  const WorldOptions& options() const noexcept { return options_; }
  benchfs::Session& session_of(unsigned rank) { return sessions_[rank % sessions_.size()]; }
  std::vector<Subject>& subjects() noexcept { return subjects_; }
  History& history() noexcept { return history_; }

  /// A path that the subject has not had.
  std::string next_path(Subject& subject) const;
  /// Opens the handles of all ranks on the subject's path.
  void open_handles(Subject& subject);
  /// Closes them; a close that fails fails the test.
  void close_handles(Subject& subject);

  /// Removes what the constructor created.
  void remove_all();

  /// Prints what is wrong, how to replay and the last operations, and ends the process with
  /// status 1.
  [[noreturn]] void fail(const std::string& what);

 private:
  const WorldOptions options_;
  std::string directory_;
  std::vector<benchfs::Session> sessions_;
  std::vector<Subject> subjects_;
  History history_;
};

}  // namespace benchfs::test
