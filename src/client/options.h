#pragma once

// What a mount may be told from outside, read once, when it opens. The only place of the client
// library that looks at the environment:
//
//   BENCHFS_SESSION   the session directory, if the application names none
//   BENCHFS_TIMEOUT   how long a server may take to answer, such as "10s" or "500ms"
//
// Threading: any thread; but the environment must not change meanwhile, as for getenv(3).

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "base/limits.h"
#include "base/units.h"

namespace benchfs::client {

inline constexpr std::uint64_t kTimeoutNsMin = 10 * kNsPerMs;
inline constexpr std::uint64_t kTimeoutNsMax = 3600 * kNsPerSec;
static_assert(kTimeoutNsMin <= kTimeoutNsDefault && kTimeoutNsDefault <= kTimeoutNsMax);

struct Options {
  std::string session_directory;
  std::uint64_t timeout_ns = kTimeoutNsDefault;  ///< For one request, from its sending on.
  std::uint64_t spin_ns_max = 50 * kNsPerUs;     ///< Before a waiting thread sleeps; 0: at once.
  std::uint32_t uid = 0;                         ///< The owner of what this mount creates.
  std::uint32_t gid = 0;
};

/// Where read_options() finds the variables: getenv, or a test's table.
using GetVariable = const char* (*)(const char* name);

/// `session_directory` wins over the variable; nullptr: none given. The error is a sentence for the
/// user, for which EINVAL is the errno.
tl::expected<Options, std::string> read_options(const char* session_directory,
                                                GetVariable get_variable);

/// The same with the process's environment and user.
tl::expected<Options, std::string> read_options(const char* session_directory);

}  // namespace benchfs::client
