#pragma once

// What the server has done since it started, gathered from where it is counted.
//
// Threading: loop thread only.

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "io/buffer_pool.h"
#include "io/disk_meter.h"
#include "journal/journal.h"
#include "rpc/dispatcher.h"
#include "server/handlers/data.h"
#include "store/chunk_store.h"
#include "wire/metrics.h"

namespace benchfs::server {

/// What the server is, fixed at its start.
struct ServerFacts {
  std::string host;
  std::string disk_backend;
  std::string store_directory;
  std::string device{};  ///< What the store is on: device_of().
  bool direct_io = false;
};

/// What other parts of the server know of themselves.
struct LiveCounts {
  std::uint64_t inode_count = 0;
  std::uint64_t open_count = 0;
  std::uint64_t client_count = 0;
  bool read_only = false;
};

/// The block device that holds `path`, as "nvme0n1p2"; "0:45", by its numbers, if it is none.
std::string device_of(const std::string& path);

class Metrics {
 public:
  /// All borrowed.
  struct Parts {
    ServerId self{};
    std::uint64_t incarnation = 0;
    Clock& clock;
    const rpc::Dispatcher& dispatcher;
    const store::ChunkStore& store;
    const io::BufferPool& pool;
    const DataService& data;
    const journal::Journal* journal = nullptr;  ///< nullptr: without its figures.
    const io::DiskMeter* drive = nullptr;       ///< The same.
    std::function<LiveCounts()> counts;
  };

  Metrics(const ServerFacts& facts, Parts parts)
      : facts_(facts), parts_(std::move(parts)), started_ns_(parts_.clock.now_ns()) {}
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Where they are served by HTTP.
  void set_endpoint(std::string address) { endpoint_ = std::move(address); }

  wire::MetricsReply snapshot() const;

 private:
  const ServerFacts facts_;
  const Parts parts_;
  const std::uint64_t started_ns_;
  std::string endpoint_;
};

}  // namespace benchfs::server
