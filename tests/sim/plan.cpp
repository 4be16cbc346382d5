#include "sim/plan.h"

#include <array>

#include <fmt/format.h>

namespace benchfs::sim {

Plan make_plan(std::uint64_t seed) {
  Chance chance(seed, "plan");
  Plan plan;
  plan.seed = seed;
  plan.server_count = static_cast<std::uint16_t>(chance.between(1, 4));
  plan.client_count = chance.between(1, 4);
  plan.workers_per_client = chance.between(1, 3);
  plan.timeout_ns = chance.between(1, 10) * kNsPerSec;
  plan.server.ring_blocks = std::array<std::uint64_t, 4>{64, 96, 256, 1024}[chance.below(4)];
  plan.server.drive_bytes = (plan.server.ring_blocks + 2) * kBlockBytes + 48 * kMiB;
  plan.server.pool_bytes = chance.percent(20) ? 2 * kMiB : 8 * kMiB;
  plan.small_drive = chance.percent(15);
  if (plan.small_drive) {
    plan.server.drive_bytes = (plan.server.ring_blocks + 2) * kBlockBytes + 3 * kMiB;
  }
  plan.network.eager_bytes_max = std::array<std::size_t, 4>{0, 512, 8192, 65536}[chance.below(4)];
  plan.network.late_percent = chance.below(15);
  plan.network.late_factor = chance.between(1, 300);

  plan.work_ns = chance.between(5, 40) * kNsPerSec;
  plan.operations_max = chance.between(40, 250);
  plan.think_ns_max = chance.percent(60) ? chance.magnitude(300 * kNsPerMs) : 0;
  plan.file_count = chance.between(1, 3);
  plan.chunk_bytes = chance.percent(15)
                         ? chance.between(1000, 100'000)
                         : std::array<std::uint64_t, 3>{4096, 16384, 65536}[chance.below(3)];
  plan.io_bytes_max = std::array<std::uint64_t, 4>{200, 9000, 70'000, 300'000}[chance.below(4)];
  plan.file_bytes_max = plan.io_bytes_max * chance.between(1, 6);
  plan.do_files = chance.percent(85);
  plan.do_logs = chance.percent(50);
  plan.do_names = chance.percent(70);
  plan.do_races = chance.percent(50);
  // Drawn apart, so that what a seed was before there were locks it still is without them.
  plan.do_locks = Chance(seed, "locks").percent(50);

  const auto some = [&chance](std::uint64_t percent, std::uint64_t low_ms, std::uint64_t high_ms) {
    const bool wanted = chance.percent(percent);
    const std::uint64_t mean_ns = chance.between(low_ms, high_ms) * kNsPerMs;
    return wanted ? mean_ns : 0;
  };
  if (chance.percent(10)) {
    return plan;  // Without faults: nothing may fail at all.
  }
  plan.server_kill_ns = some(50, 500, 8000);
  plan.power_cut_ns = some(25, 1500, 10000);
  plan.client_kill_ns = some(35, 500, 8000);
  plan.lose_connection_ns = some(40, 100, 3000);
  plan.partition_ns = some(30, 500, 6000);
  plan.pause_ns = some(30, 500, 6000);
  plan.slow_drive_ns = some(25, 500, 6000);
  plan.checkpoint_ns = some(40, 100, 3000);
  plan.error_per_million = chance.percent(15) ? chance.magnitude(20'000) : 0;
  plan.journal_error_per_million = chance.percent(10) ? chance.magnitude(3'000) : 0;
  if (chance.percent(8)) {
    // What has rotted may be what a recovery would have needed to tell what is there.
    plan.rot_ns = chance.between(300, 3000) * kNsPerMs;
    plan.power_cut_ns = 0;
    plan.server_kill_ns = 0;
    plan.error_per_million = 0;
    plan.journal_error_per_million = 0;
  }
  plan.down_ns_max = chance.magnitude(6 * kNsPerSec);
  if (plan.power_cut_ns > 0) {
    // Only what was synced is promised then, and servers may disagree about the rest.
    Chance names(seed, "names over power cuts");
    plan.do_names = names.percent(60);
    plan.do_races = false;
    plan.do_files = true;
    if (plan.do_names && names.percent(50)) {
      // Nobody else's fsync helps, and power fails soon after a change.
      plan.do_files = plan.do_logs = plan.do_locks = false;
      plan.power_cut_ns = names.between(200, 1000) * kNsPerMs;
      plan.think_ns_max = names.magnitude(30 * kNsPerMs);
    }
    plan.judge_rest = false;
  }
  return plan;
}

std::string Plan::describe() const {
  const auto ms = [](std::uint64_t ns) { return ns / kNsPerMs; };
  return fmt::format(
      "{} servers, {} clients of {} workers, time-out {} ms, ring {} blocks, drive {} KiB, chunks "
      "of "
      "{}, I/O up to {}, {} operations in {} ms, think {} us{}{}{}{}{}; every ms: kill {}, power "
      "{}, "
      "client {}, connection {}, partition {}, pause {}, slow {}, rot {}, checkpoint {}; errors "
      "{}+{} ppm; down {} ms{}",
      server_count, client_count, workers_per_client, ms(timeout_ns), server.ring_blocks,
      server.drive_bytes / kKiB, chunk_bytes, io_bytes_max, operations_max, ms(work_ns),
      think_ns_max / 1000, do_files ? ", files" : "", do_logs ? ", logs" : "",
      do_names ? ", names" : "", do_races ? ", races" : "", do_locks ? ", locks" : "",
      ms(server_kill_ns), ms(power_cut_ns), ms(client_kill_ns), ms(lose_connection_ns),
      ms(partition_ns), ms(pause_ns), ms(slow_drive_ns), ms(rot_ns), ms(checkpoint_ns),
      error_per_million, journal_error_per_million, ms(down_ns_max),
      small_drive ? ", small drive" : "");
}

}  // namespace benchfs::sim
