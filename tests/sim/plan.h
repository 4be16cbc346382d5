#pragma once

// What one seed decides before anything runs: how large the cluster is, what is done in it, and
// which faults there are. Each kind of fault is there in some seeds and not in others, so that
// every pair of kinds is met, and so that one kind does not hide what another would show.

#include <cstdint>
#include <string>

#include "sim/sim_network.h"
#include "sim/sim_server.h"

namespace benchfs::sim {

struct Plan {
  std::uint64_t seed = 0;

  std::uint16_t server_count = 1;
  std::uint64_t client_count = 1;
  std::uint64_t workers_per_client = 1;
  std::uint64_t timeout_ns = 5 * kNsPerSec;
  ServerOptions server;
  NetworkOptions network;

  // Work.
  std::uint64_t work_ns = 30 * kNsPerSec;  ///< Of the world, with faults.
  std::uint64_t operations_max = 400;      ///< Of each worker.
  std::uint64_t think_ns_max = 0;          ///< Between two operations.
  std::uint64_t file_count = 2;
  std::uint64_t chunk_bytes = 64 * kKiB;
  std::uint64_t io_bytes_max = 64 * kKiB;  ///< Of one read or write.
  std::uint64_t file_bytes_max = 512 * kKiB;
  bool do_files = true;   ///< Shared files, overlapping writes.
  bool do_logs = true;    ///< Shared files, appends.
  bool do_names = true;   ///< A tree for each client.
  bool do_races = true;   ///< The same names from all clients.
  bool do_locks = false;  ///< Locks of ranges of the same files.

  // Faults: the mean time between two of a kind; 0: none.
  std::uint64_t server_kill_ns = 0;
  std::uint64_t power_cut_ns = 0;
  std::uint64_t client_kill_ns = 0;
  std::uint64_t lose_connection_ns = 0;
  std::uint64_t partition_ns = 0;
  std::uint64_t pause_ns = 0;
  std::uint64_t slow_drive_ns = 0;
  std::uint64_t rot_ns = 0;
  std::uint64_t checkpoint_ns = 0;  ///< Not a fault; an event that others meet.
  std::uint64_t error_per_million = 0;
  std::uint64_t journal_error_per_million = 0;
  std::uint64_t down_ns_max = 3 * kNsPerSec;  ///< Of a server, between two runs.
  bool judge_rest = true;                     ///< Whether nothing may be left when all was removed.
  bool small_drive = false;                   ///< Writes may find no space.

  bool has_faults() const noexcept {
    return server_kill_ns + power_cut_ns + lose_connection_ns + partition_ns + pause_ns +
               slow_drive_ns + rot_ns + error_per_million + journal_error_per_million >
           0;
  }
  std::string describe() const;
};

Plan make_plan(std::uint64_t seed);

}  // namespace benchfs::sim
