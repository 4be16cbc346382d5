// easy, hard and random: the bytes of large files.

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "pipeline.h"
#include "run.h"

namespace benchfs::bench {

namespace {

constexpr std::uint64_t kLayTransferBytes = std::uint64_t{1} << 20;
constexpr auto kNever = Clock::time_point::max();

/// A file that is about to be streamed through, and how.
struct Transfers {
  FileSpec spec;
  PipelineOptions pipeline;
  std::uint64_t limit;  ///< Transfers of this rank at the most.
};

std::string easy_path(const Run& run, int rank) {
  return fmt::format("{}/easy.{}", run.directory, rank);
}
std::string hard_path(const Run& run) {
  return run.directory + "/hard";
}
std::string random_path(const Run& run, int rank) {
  return fmt::format("{}/random.{}", run.directory, rank);
}

/// Writes: as much as fits before the stonewall, then as much as the fastest rank has, then a sync.
/// `done` is told how many transfers each rank has made.
PhaseResult write_phase(Run& run, const std::string& phase, const Transfers& what,
                        std::uint64_t& done) {
  Pipeline pipeline(what.pipeline);
  return measure(run, phase, [&](Tally& tally) {
    run.progress.begin(phase, what.limit);
    const Clock::time_point start = Clock::now();
    const auto file = run.backend.open(what.spec);
    done = pipeline.run(*file, 0, what.limit, run.deadline(), tally, run.progress);
    if (run.options.seconds > 0) {
      tally.stonewall_operations = done;
      tally.stonewall_s = std::chrono::duration<double>(Clock::now() - start).count();
      done = pipeline.run(*file, done, run.job.max(done), kNever, tally, run.progress);
    }
    file->sync();
    file->close();
  });
}

PhaseResult read_phase(Run& run, const std::string& phase, const Transfers& what,
                       Clock::time_point deadline) {
  Pipeline pipeline(what.pipeline);
  return measure(run, phase, [&](Tally& tally) {
    run.progress.begin(phase, what.limit);
    const auto file = run.backend.open(what.spec);
    const std::uint64_t size_bytes = file->size_bytes();
    if (size_bytes != what.spec.size_bytes) {
      tally.found_wrong(fmt::format("{}: its size is {}, not {}", what.spec.path, size_bytes,
                                    what.spec.size_bytes));
    }
    pipeline.run(*file, 0, what.limit, deadline, tally, run.progress);
    file->close();
  });
}

Transfers easy_job(const Run& run, int rank, Access access, std::uint64_t transfers) {
  const std::uint64_t bytes = run.options.transfer_bytes;
  const bool writes = access != Access::kRead;
  return {.spec = {.path = easy_path(run, rank),
                   .access = access,
                   .sharing = Sharing::kOwn,
                   .size_bytes = transfers * bytes},
          .pipeline = {.name = easy_path(run, rank),
                       .direction = writes ? Direction::kWrite : Direction::kRead,
                       .transfer_bytes = bytes,
                       .depth = run.options.depth,
                       .check = run.options.check,
                       .place =
                           [=](std::uint64_t i) {
                             return Place{.offset = i * bytes,
                                          .stream = {.kind = FileKind::kEasy, .rank = rank}};
                           }},
          .limit = transfers};
}

/// Segment s of the shared file holds one piece of every rank, in order of the ranks.
Transfers hard_job(const Run& run, int rank, Access access, std::uint64_t segments) {
  const auto ranks = static_cast<std::uint64_t>(run.job.size);
  const bool writes = access != Access::kRead;
  return {.spec = {.path = hard_path(run),
                   .access = access,
                   .sharing = Sharing::kShared,
                   .size_bytes = segments * ranks * kHardTransferBytes},
          .pipeline = {.name = hard_path(run),
                       .direction = writes ? Direction::kWrite : Direction::kRead,
                       .transfer_bytes = kHardTransferBytes,
                       .depth = run.options.depth,
                       .check = run.options.check,
                       .place =
                           [=](std::uint64_t i) {
                             const std::uint64_t piece =
                                 i * ranks + static_cast<std::uint64_t>(rank);
                             return Place{.offset = piece * kHardTransferBytes,
                                          .stream = {.kind = FileKind::kHard, .rank = rank}};
                           }},
          .limit = segments};
}

/// Blocks of a file in an order that has nothing to do with their places; the same for the same
/// seed.
std::vector<std::uint32_t> shuffled_blocks(std::uint64_t count, std::uint64_t seed) {
  if (count > std::numeric_limits<std::uint32_t>::max()) {
    throw Failure("--random-size: more than 2^32 blocks of 4096 bytes");
  }
  std::vector<std::uint32_t> blocks(count);
  std::iota(blocks.begin(), blocks.end(), 0U);
  std::mt19937_64 random(seed);
  std::shuffle(blocks.begin(), blocks.end(), random);
  return blocks;
}

std::vector<std::uint32_t> written_order(std::uint64_t count, int rank) {
  return shuffled_blocks(count, 2 * static_cast<std::uint64_t>(rank));
}

std::uint64_t random_blocks(const Run& run) {
  return run.options.random_size_bytes / kRandomTransferBytes;
}

FileSpec random_spec(const Run& run, int rank, Access access) {
  return {.path = random_path(run, rank),
          .access = access,
          .sharing = Sharing::kOwn,
          .size_bytes = random_blocks(run) * kRandomTransferBytes};
}

/// The file as it is before anything random happens to it: generation 0 throughout, on the drive.
/// Not timed.
void lay_random_file(Run& run) {
  const FileSpec spec = random_spec(run, run.job.rank, Access::kCreate);
  const Stream stream{.kind = FileKind::kRandom, .rank = run.job.rank};
  const std::uint64_t whole = spec.size_bytes / kLayTransferBytes;
  const auto file = run.backend.open(spec);
  Tally tally;
  const auto lay = [&](std::uint64_t transfer_bytes, std::uint64_t from, std::uint64_t count) {
    Pipeline pipeline({.name = spec.path,
                       .direction = Direction::kWrite,
                       .transfer_bytes = transfer_bytes,
                       .depth = run.options.depth,
                       .check = Check::kEvery,
                       .place = [=](std::uint64_t i) {
                         return Place{.offset = from + i * transfer_bytes, .stream = stream};
                       }});
    pipeline.run(*file, 0, count, kNever, tally, run.progress);
  };
  lay(kLayTransferBytes, 0, whole);
  const std::uint64_t rest = spec.size_bytes - whole * kLayTransferBytes;
  lay(kRandomTransferBytes, whole * kLayTransferBytes, rest / kRandomTransferBytes);
  file->sync();
  file->close();
  if (tally.wrong != 0) {
    throw Failure(tally.first_wrong);
  }
}

}  // namespace

PhaseResult write_easy(Run& run) {
  const std::uint64_t transfers = run.options.size_bytes / run.options.transfer_bytes;
  return write_phase(run, "easy-write", easy_job(run, run.job.rank, Access::kCreate, transfers),
                     run.contents.easy_transfers);
}

PhaseResult read_easy(Run& run) {
  Transfers what = easy_job(run, run.other_rank(), Access::kRead, run.contents.easy_transfers);
  if (run.options.backend == "hdf5") {
    what.spec.size_bytes =
        run.options.size_bytes / run.options.transfer_bytes * run.options.transfer_bytes;
  }
  return read_phase(run, "easy-read", what, kNever);
}

PhaseResult write_hard(Run& run) {
  // Whoever comes first makes the file; the ranks of a session, a directory or CHFS open it one by
  // one.
  if (run.job.rank == 0 && run.backend.has_names()) {
    const auto file = run.backend.open({.path = hard_path(run),
                                        .access = Access::kCreate,
                                        .sharing = Sharing::kOwn,
                                        .size_bytes = 0});
    file->close();
  }
  run.job.barrier();
  const std::uint64_t segments = run.options.hard_size_bytes / kHardTransferBytes;
  return write_phase(run, "hard-write", hard_job(run, run.job.rank, Access::kCreate, segments),
                     run.contents.hard_segments);
}

PhaseResult read_hard(Run& run) {
  Transfers what = hard_job(run, run.other_rank(), Access::kRead, run.contents.hard_segments);
  if (run.options.backend == "hdf5") {
    what.spec.size_bytes = run.options.hard_size_bytes / kHardTransferBytes * kHardTransferBytes *
                           static_cast<std::uint64_t>(run.job.size);
  }
  return read_phase(run, "hard-read", what, kNever);
}

PhaseResult write_random(Run& run) {
  lay_random_file(run);
  const auto order =
      std::make_shared<std::vector<std::uint32_t>>(written_order(random_blocks(run), run.job.rank));
  const Stream stream{.kind = FileKind::kRandom, .rank = run.job.rank, .generation = 1};
  const Transfers what{
      .spec = random_spec(run, run.job.rank, Access::kUpdate),
      .pipeline = {.name = random_path(run, run.job.rank),
                   .direction = Direction::kWrite,
                   .transfer_bytes = kRandomTransferBytes,
                   .depth = run.options.depth,
                   .check = run.options.check,
                   .place =
                       [=](std::uint64_t i) {
                         return Place{.offset = (*order)[i % order->size()] * kRandomTransferBytes,
                                      .stream = stream};
                       }},
      .limit = run.options.operations};
  return write_phase(run, "random-write", what, run.contents.random_writes);
}

PhaseResult read_random(Run& run) {
  const int rank = run.other_rank();
  const std::uint64_t count = random_blocks(run);
  const auto written = written_order(count, rank);
  const auto generation = std::make_shared<std::vector<unsigned>>(count, 0U);
  for (std::uint64_t i = 0; i < std::min(count, run.contents.random_writes); ++i) {
    (*generation)[written[i]] = 1;
  }
  const auto order = std::make_shared<std::vector<std::uint32_t>>(
      shuffled_blocks(count, 2 * static_cast<std::uint64_t>(run.job.rank) + 1));
  const Transfers what{.spec = random_spec(run, rank, Access::kRead),
                       .pipeline = {.name = random_path(run, rank),
                                    .direction = Direction::kRead,
                                    .transfer_bytes = kRandomTransferBytes,
                                    .depth = run.options.depth,
                                    .check = run.options.check,
                                    .place =
                                        [=](std::uint64_t i) {
                                          const std::uint32_t block = (*order)[i % count];
                                          return Place{
                                              .offset = block * kRandomTransferBytes,
                                              .stream = {.kind = FileKind::kRandom,
                                                         .rank = rank,
                                                         .generation = (*generation)[block]}};
                                        }},
                       .limit = run.options.operations};
  return read_phase(run, "random-read", what, run.deadline());
}

}  // namespace benchfs::bench
