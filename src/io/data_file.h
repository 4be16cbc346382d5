#pragma once

// Makes the file that a store lives in, and chooses how to reach it.
//
// Threading: loop thread, at start: these calls block.

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/buffer_pool.h"
#include "io/disk.h"

namespace benchfs::loop {
class EventLoop;
}

namespace benchfs::io {

enum class DiskBackend : std::uint8_t {
  kAuto,    ///< io_uring; where it is missing or forbidden, POSIX calls in threads. The log tells.
  kUring,   ///< io_uring or nothing.
  kPosix,   ///< POSIX calls in threads.
  kMemory,  ///< No file at all: path and direct do not matter.
};

struct DataFileOptions {
  std::string path;
  std::uint64_t size_bytes = 0;  ///< A positive multiple of kBlockBytes, reserved on the drive.
  DiskBackend backend = DiskBackend::kAuto;
  bool direct = true;  ///< O_DIRECT. A file system without it gets buffered I/O, and the log tells.
};

/// Creates the file, reserves all of its size, locks it against a second user and opens it as a
/// Disk, which reads zeros where nothing was written. `pool` (borrowed, may be null) is registered
/// where the backend can; it outlives the disk, as does `loop`.
///
/// Each error has its text in the log: kBusy (another process uses the file), kExists (it is a
/// leftover; it is never overwritten), kOutOfSpace, kNotFound (no such directory), kAccess,
/// kInvalid (size), kUnsupported (backend kUring where there is none). A file that was created and
/// cannot be used is removed.
Result<std::unique_ptr<Disk>> create_data_file(loop::EventLoop& loop,
                                               const DataFileOptions& options, BufferPool* pool);

/// The same for a file that is there already, whose size must be `size_bytes`. Waits up to 5 s for
/// a process that was killed to let it go. Nothing of it is changed or removed. kBusy, kNotFound,
/// kAccess, kInvalid, kUnsupported; kCorrupt: it is no regular file, or has another size.
Result<std::unique_ptr<Disk>> open_data_file(loop::EventLoop& loop, const DataFileOptions& options,
                                             BufferPool* pool);

}  // namespace benchfs::io
