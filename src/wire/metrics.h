#pragma once

// What a server has done since it started, in numbers: what `benchfs top`, `benchfs report` and the
// metrics endpoint show.

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/latency_histogram.h"
#include "base/limits.h"
#include "wire/header.h"

namespace benchfs::wire {

/// A LatencyHistogram.
struct Latencies {
  std::uint64_t sum_ns = 0;
  std::uint64_t max_ns = 0;
  /// Those that are not empty, by index, each once: the index in the upper 16 bits, the count in
  /// the others.
  std::vector<std::uint64_t> buckets;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& sum_ns& max_ns& buckets;
  }
};

inline constexpr unsigned kBucketCountBits = 48;

Latencies to_wire(const LatencyHistogram& histogram);
/// False, with `histogram` empty, if no histogram has such buckets.
bool from_wire(const Latencies& latencies, LatencyHistogram& histogram);

struct OpMetrics {
  Op op{};
  std::uint64_t count = 0;  ///< Begun.
  std::uint64_t error_count = 0;
  std::uint64_t bytes = 0;  ///< Bulk data of those that succeeded, there and back.
  Latencies latency;        ///< From the arrival of a request until its reply goes out.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& op& count& error_count& bytes& latency;
  }
};

/// One kind of operation of the drive.
struct DriveMetrics {
  std::uint64_t count = 0;
  std::uint64_t error_count = 0;
  std::uint64_t bytes = 0;  ///< Of those that succeeded.
  Latencies latency;        ///< From submission until the server hears of the end.
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& count& error_count& bytes& latency;
  }
};

/// How many requests were answered with an error.
struct ErrorCount {
  std::uint16_t code = 0;  ///< An Errc.
  std::uint64_t count = 0;
  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& code& count;
  }
};

/// Counters are since the start of the process; what starts again in its place begins at 0.
struct MetricsReply {
  ServerId server{};
  std::uint32_t pid = 0;
  std::string host;
  std::string version;
  std::string disk_backend;
  std::string store_directory;
  std::string device;    ///< What the store is on: "nvme0n1p2", or "0:45" where there is none.
  std::string endpoint;  ///< "127.0.0.1:9400" if it serves its metrics by HTTP; else empty.
  bool read_only = false;
  std::uint64_t incarnation = 0;
  std::uint64_t uptime_ns = 0;

  std::uint64_t capacity_bytes = 0;
  std::uint64_t used_bytes = 0;
  std::uint64_t inode_count = 0;
  std::uint64_t open_count = 0;
  std::uint64_t client_count = 0;
  std::uint64_t written_bytes = 0;  ///< Of files, by clients.
  std::uint64_t read_bytes = 0;     ///< The same; holes too.

  std::uint64_t cpu_ns = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t pool_bytes = 0;
  std::uint64_t pool_used_bytes = 0;

  std::uint64_t requests_in_flight = 0;
  std::uint64_t requests_in_flight_max = 0;
  std::uint64_t drive_in_flight = 0;
  std::uint64_t drive_in_flight_max = 0;

  std::uint64_t journal_bytes = 0;    ///< Of records.
  std::uint64_t journal_commits = 0;  ///< Batches of records.
  std::uint64_t journal_syncs = 0;
  std::uint64_t journal_snapshots = 0;
  std::uint64_t journal_ring_bytes = 0;
  std::uint64_t journal_ring_used_bytes = 0;
  std::uint64_t checksum_failures = 0;

  std::vector<OpMetrics> ops;  ///< Those that were asked for, by number.
  DriveMetrics drive_read;
  DriveMetrics drive_write;
  DriveMetrics drive_fsync;
  std::vector<ErrorCount> errors;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& server& pid& host& version& disk_backend& store_directory& device& endpoint& read_only&
        incarnation& uptime_ns;
    ar& capacity_bytes& used_bytes& inode_count& open_count& client_count& written_bytes&
        read_bytes& cpu_ns& memory_bytes& memory_peak_bytes& pool_bytes& pool_used_bytes;
    ar& requests_in_flight& requests_in_flight_max& drive_in_flight& drive_in_flight_max&
        journal_bytes& journal_commits& journal_syncs& journal_snapshots& journal_ring_bytes&
            journal_ring_used_bytes& checksum_failures;
    ar& ops& drive_read& drive_write& drive_fsync& errors;
  }
};

/// Of anyone, of any server.
struct MetricsRequest {
  static constexpr Op kOp = Op::kMetrics;
  using Reply = MetricsReply;
  template <class Archive>
  void serialize(Archive&, unsigned) {}
};

static_assert((kOpLast + 3) * (LatencyHistogram::kBucketCount * 8 + 46) + 16 * kKiB <=
                  kBodyBytesMax,
              "the histograms of all operations fit one reply, however full they are");

}  // namespace benchfs::wire
