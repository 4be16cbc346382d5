#pragma once

// Listing an open directory in the records of the system.

#include <cstddef>

#include <sys/types.h>

#include "compat/library.h"

namespace benchfs::compat {

/// What finchfs_getdents() promises.
ssize_t getdents(Library& library, int fd, void* records, std::size_t size_bytes);

}  // namespace benchfs::compat
