#pragma once

// Assertions for programmer errors. They stay on in release builds: a wrong server stops rather
// than writes a wrong byte. Never assert on what came from a user, a peer or a disk; return an
// Error.

namespace benchfs {

/// Prints `condition` with its place and aborts. Cold; call it through BENCHFS_ASSERT.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace benchfs

#define BENCHFS_ASSERT(condition)          \
  (__builtin_expect(!!(condition), 1) != 0 \
       ? static_cast<void>(0)              \
       : ::benchfs::assertion_failed(#condition, __FILE__, __LINE__))
