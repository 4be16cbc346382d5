#pragma once

// What servers did over a time, from what they say at its end and at its beginning, and which of
// them stand out. Pure.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/latency_histogram.h"
#include "launcher/metrics_poll.h"
#include "wire/metrics.h"

namespace benchfs::launcher {

/// Operations of one kind, over the time.
struct OpFigures {
  std::uint64_t count = 0;
  std::uint64_t error_count = 0;
  std::uint64_t bytes = 0;
  LatencyHistogram latency;

  void add(const OpFigures& other) noexcept;
};

inline constexpr std::array<std::string_view, 3> kDriveKinds = {"read", "write", "fsync"};

/// Something of a server that is out of line with the others'.
///
/// Compared are the latencies of each kind of request and of each kind of operation of the drive,
/// with the median of the same figure of the other servers. The median (p50) stands out from three
/// times that on, if it is 100 us more and there were 10 of the kind, and if the mean is twice the
/// others' too: the median alone jumps where small and large ones are mixed. p99 stands out from
/// five times that on, if it is 1 ms more and there were 200. And a drive stands out that has ended
/// nothing although it had something to do, at the beginning and at the end.
struct Outlier {
  std::string what;    ///< "drive.write", "request.write".
  std::string figure;  ///< "p50", "p99", "stalled".
  std::uint64_t own_ns = 0;
  std::uint64_t others_ns = 0;
};

inline constexpr std::uint64_t kMedianCountMin = 10;
inline constexpr std::uint64_t kMedianFactor = 3;
inline constexpr std::uint64_t kMedianExcessNs = 100'000;
inline constexpr std::uint64_t kMeanFactor = 2;
inline constexpr std::uint64_t kTailCountMin = 200;
inline constexpr std::uint64_t kTailFactor = 5;
inline constexpr std::uint64_t kTailExcessNs = 1'000'000;

struct ServerFigures {
  ServerState state = ServerState::kNotAnswering;
  std::string host;
  std::string trouble;        ///< Why it is not up.
  wire::MetricsReply now;     ///< What it said last.
  std::uint64_t time_ns = 0;  ///< That these figures are about.
  bool restarted = false;     ///< It is another process than at the beginning, or was not there.

  std::map<std::string, OpFigures> requests;  ///< By the operation's name.
  std::array<OpFigures, 3> drive;             ///< By kDriveKinds.
  std::uint64_t written_bytes = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t cpu_ns = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t checksum_failures = 0;
  std::map<std::string, std::uint64_t> errors;  ///< Requests answered with one, by its name.
  std::vector<Outlier> outliers;

  bool is_up() const noexcept { return state == ServerState::kUp; }
};

/// What answers() says of all servers that are up, as if they were one.
struct Figures {
  std::string session_directory;
  std::uint64_t wall_ns = 0;  ///< The end of the time, since the Unix epoch.
  std::uint64_t time_ns = 0;  ///< Its length: of the server that has the longest.
  std::vector<ServerFigures> servers;
  ServerFigures total;
};

/// `before`: what the same servers said then, none: it is about the time since each has started.
Figures make_figures(const session::Session& session, const std::vector<MetricsAnswer>& now,
                     const std::vector<MetricsAnswer>& before);

/// All requests but those that ask about the server itself, or wait for others by their nature.
OpFigures all_requests(const ServerFigures& server);

/// A drive of one host, which several servers may share.
struct DeviceFigures {
  std::string host;
  std::string device;
  std::vector<std::size_t> servers;
  std::array<OpFigures, 3> drive;
  std::array<bool, 3> stands_out{};  ///< To one of its servers.
};

std::vector<DeviceFigures> devices_of(const Figures& figures);

}  // namespace benchfs::launcher
