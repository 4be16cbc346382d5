#include "server/metrics.h"

#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "server/process_usage.h"

namespace benchfs::server {
namespace {

wire::DriveMetrics drive_metrics(const io::DiskMeter& drive, io::DiskOpKind kind) {
  const io::DiskCounters& counters = drive.counters(kind);
  return {.count = counters.count,
          .error_count = counters.error_count,
          .bytes = counters.bytes,
          .latency = wire::to_wire(counters.latency)};
}

void add_requests(const rpc::Dispatcher& dispatcher, wire::MetricsReply& reply) {
  for (std::uint16_t number = 1; number <= wire::kOpLast; ++number) {
    const auto op = static_cast<wire::Op>(number);
    const rpc::OpCounters& counters = dispatcher.counters(op);
    if (counters.count > 0) {
      reply.ops.push_back({.op = op,
                           .count = counters.count,
                           .error_count = counters.error_count,
                           .bytes = counters.bytes,
                           .latency = wire::to_wire(counters.latency)});
    }
  }
  for (std::uint16_t code = 1; code <= kErrcLast; ++code) {
    if (const std::uint64_t count = dispatcher.error_count(static_cast<Errc>(code)); count > 0) {
      reply.errors.push_back({.code = code, .count = count});
    }
  }
  reply.requests_in_flight = dispatcher.running_count();
  reply.requests_in_flight_max = dispatcher.running_max();
}

void add_drive(const io::DiskMeter& drive, wire::MetricsReply& reply) {
  reply.drive_in_flight = drive.in_flight();
  reply.drive_in_flight_max = drive.in_flight_max();
  reply.drive_read = drive_metrics(drive, io::DiskOpKind::kRead);
  reply.drive_write = drive_metrics(drive, io::DiskOpKind::kWrite);
  reply.drive_fsync = drive_metrics(drive, io::DiskOpKind::kFsync);
}

void add_journal(const journal::Journal& journal, wire::MetricsReply& reply) {
  const journal::JournalCounters& counters = journal.counters();
  const journal::JournalUsage usage = journal.usage();
  reply.journal_bytes = counters.record_bytes;
  reply.journal_commits = counters.batches;
  reply.journal_syncs = counters.syncs;
  reply.journal_snapshots = counters.snapshots;
  reply.journal_ring_bytes = usage.ring_bytes;
  reply.journal_ring_used_bytes = usage.ring_used_bytes;
}

}  // namespace

std::string device_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return {};
  }
  const std::string numbers = fmt::format("{}:{}", major(status.st_dev), minor(status.st_dev));
  std::error_code error;
  const auto device = std::filesystem::read_symlink("/sys/dev/block/" + numbers, error);
  return error ? numbers : device.filename().string();
}

wire::MetricsReply Metrics::snapshot() const {
  const store::Usage usage = parts_.store.usage();
  const LiveCounts counts = parts_.counts();
  const ProcessUsage process = process_usage();
  wire::MetricsReply reply;
  reply.server = parts_.self;
  reply.pid = static_cast<std::uint32_t>(::getpid());
  reply.host = facts_.host;
  reply.version = BENCHFS_VERSION;
  reply.disk_backend = facts_.disk_backend;
  reply.store_directory = facts_.store_directory;
  reply.device = facts_.device;
  reply.endpoint = endpoint_;
  reply.read_only = counts.read_only;
  reply.incarnation = parts_.incarnation;
  reply.uptime_ns = parts_.clock.now_ns() - started_ns_;
  reply.capacity_bytes = usage.capacity_bytes;
  reply.used_bytes = usage.used_bytes;
  reply.inode_count = counts.inode_count;
  reply.open_count = counts.open_count;
  reply.client_count = counts.client_count;
  reply.written_bytes = parts_.data.counters().written_bytes;
  reply.read_bytes = parts_.data.counters().read_bytes;
  reply.cpu_ns = process.cpu_ns;
  reply.memory_bytes = process.memory_bytes;
  reply.memory_peak_bytes = process.memory_peak_bytes;
  reply.pool_bytes = parts_.pool.region().size();
  reply.pool_used_bytes = parts_.pool.used_bytes();
  reply.checksum_failures = parts_.store.counters().checksum_failures;
  add_requests(parts_.dispatcher, reply);
  if (parts_.drive != nullptr) {
    add_drive(*parts_.drive, reply);
  }
  if (parts_.journal != nullptr) {
    add_journal(*parts_.journal, reply);
  }
  return reply;
}

}  // namespace benchfs::server
