#pragma once

// Which start of the kernel this process runs on: the journal tells by it whether there was a power
// failure since the run before.
//
// Threading: any thread; reads a file of the kernel.

#include <string_view>

#include "journal/format.h"

namespace benchfs::server {

/// What the kernel says; not known if it does not, or if it makes no sense.
journal::BootId read_boot_id(const char* path = "/proc/sys/kernel/random/boot_id");

/// "6b29fc40-ca47-1067-b31d-00dd010662da", also with a line feed behind it. Anything else: not
/// known.
journal::BootId parse_boot_id(std::string_view text) noexcept;

}  // namespace benchfs::server
