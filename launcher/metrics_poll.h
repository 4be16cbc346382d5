#pragma once

// Asks the servers of a session for their metrics, again and again, in bounded time each.
//
// Threading: the main thread. Asking takes threads, which have ended when ask() returns.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <benchfs/benchfs.h>

#include "launcher/servers.h"
#include "session/session_file.h"
#include "wire/metrics.h"

namespace benchfs::launcher {

struct MetricsAnswer {
  ServerState state = ServerState::kNotAnswering;
  std::string trouble;         ///< Why, unless it is up.
  wire::MetricsReply metrics;  ///< What it said, if it is up.
  std::uint64_t asked_ns = 0;  ///< When the answer came, by a monotonic clock.
};

class MetricsPoll {
 public:
  /// `time_max` is how long one server may take; with more than 64 servers, of which some do not
  /// answer, ask() may take a multiple of it.
  MetricsPoll(std::string session_directory, std::chrono::milliseconds time_max);
  ~MetricsPoll();
  MetricsPoll(const MetricsPoll&) = delete;
  MetricsPoll& operator=(const MetricsPoll&) = delete;

  /// Reads the session again if no server has answered, as another one may be up by now. False if
  /// there is none: trouble() says why.
  bool join();
  const std::string& trouble() const noexcept { return trouble_; }
  const session::Session& session() const noexcept { return session_; }

  /// By server. Requires that join() has succeeded.
  std::vector<MetricsAnswer> ask();

 private:
  struct CloseMount {
    void operator()(benchfs_mount* mount) const noexcept { benchfs_mount_close(mount); }
  };

  const std::string session_directory_;
  const std::chrono::milliseconds time_max_;
  session::Session session_;
  std::unique_ptr<benchfs_mount, CloseMount> mount_;
  std::string trouble_;
  bool none_answered_ = false;
};

}  // namespace benchfs::launcher
