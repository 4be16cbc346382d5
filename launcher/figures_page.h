#pragma once

// `benchfs top` and `benchfs report` as people and as programs read them. Pure.

#include <string>

#include "launcher/figures.h"

namespace benchfs::launcher {

enum class Emphasis {
  kNone,
  kTerminal,  ///< What stands out is in reverse video.
};

/// One screen: servers and their total, then kinds of requests, then what stands out and why.
std::string top_page(const Figures& figures, Emphasis emphasis);

/// One page about the time since the servers have started.
std::string report_page(const Figures& figures);

/// One object in one line, ended by a newline. Sizes are bytes, times nanoseconds; a server that
/// did not answer has its trouble and no figures. With `devices` for a report.
std::string figures_json(const Figures& figures);

/// "850 ns", "12.3 us", "4.0 ms", "1.20 s"; "-" for 0.
std::string format_latency(std::uint64_t ns);

}  // namespace benchfs::launcher
