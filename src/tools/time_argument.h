#pragma once

// Points in time as users of touch and find write them.

#include <optional>
#include <string_view>

#include <time.h>

namespace benchfs::tools {

/// "2026-11-29", "2026-11-29 08:30", "2026-11-29T08:30:05.25Z", "… +0100", "@1700000000.5", "now",
/// "yesterday", "tomorrow", "3 days ago", "-2 hours", "+90 minutes". In the local time zone unless
/// it names another. Months and years are not steps, as they differ in length. Nothing if it is
/// none of these.
std::optional<timespec> parse_time(std::string_view text, const timespec& now);

/// "[[CC]YY]MMDDhhmm[.ss]", as `touch -t` has it.
std::optional<timespec> parse_time_stamp(std::string_view text, const timespec& now);

}  // namespace benchfs::tools
