#pragma once

// A request of the kernel and its answer, which is given once. Includes libfuse's header, and is
// for the files that implement its operations.
//
// Threading: any thread.

#define FUSE_USE_VERSION 314  // NOLINT(cppcoreguidelines-macro-usage): libfuse wants it.

#include <cerrno>
#include <cstdint>

#include <fuse3/fuse_lowlevel.h>

#include "base/error.h"
#include "base/ids.h"
#include "base/result.h"
#include "client/c_handles.h"
#include "fuse/file_system.h"

namespace benchfs::fuse {

inline FileSystem& file_system_of(fuse_req_t request) {
  return *static_cast<FileSystem*>(fuse_req_userdata(request));
}

/// Node numbers are inode ids; the root is 1 in both.
constexpr InodeId to_inode(fuse_ino_t node) noexcept {
  return InodeId{node};
}
static_assert(to_inode(FUSE_ROOT_ID) == kRootInode);

/// Runs a coroutine of the file system to its end.
template <typename T>
T run(fuse_req_t request, coro::Task<T> task) {
  return file_system_of(request).mount().run(std::move(task));
}

/// The errno that a program sees. A server that is gone is EIO: what programs know a broken file
/// system by.
inline int errno_of(const Error& error) noexcept {
  switch (error.code) {
    case Errc::kPeerLost:
    case Errc::kProtocol:
      return EIO;
    case Errc::kCancelled:
      return EINTR;
    default:
      return to_errno(error.code);
  }
}

inline void reply(fuse_req_t request, const Status& status) {
  fuse_reply_err(request, status.has_value() ? 0 : errno_of(status.error()));
}

inline void reply(fuse_req_t request, const Error& error) {
  fuse_reply_err(request, errno_of(error));
}

/// The entry of a lookup or of something new.
inline fuse_entry_param to_entry(fuse_req_t request, const wire::Attributes& attributes) {
  FileSystem& file_system = file_system_of(request);
  file_system.note(attributes);
  fuse_entry_param entry{};
  entry.ino = to_integer(attributes.inode);
  entry.attr = client::to_stat(attributes);
  entry.attr_timeout = file_system.cache_seconds();
  entry.entry_timeout = file_system.cache_seconds();
  return entry;
}

inline void reply_entry(fuse_req_t request, const Result<wire::Attributes>& found) {
  if (!found.has_value()) {
    reply(request, found.error());
    return;
  }
  const fuse_entry_param entry = to_entry(request, *found);
  fuse_reply_entry(request, &entry);
}

inline void reply_attributes(fuse_req_t request, const Result<wire::Attributes>& found) {
  if (!found.has_value()) {
    reply(request, found.error());
    return;
  }
  file_system_of(request).note(*found);
  const struct stat attributes = client::to_stat(*found);
  fuse_reply_attr(request, &attributes, file_system_of(request).cache_seconds());
}

inline OpenFile* open_file_of(const fuse_file_info* info) noexcept {
  return reinterpret_cast<OpenFile*>(info->fh);  // NOLINT(performance-no-int-to-ptr)
}

// The operations, by file.
void add_name_operations(fuse_lowlevel_ops& table);
void add_attribute_operations(fuse_lowlevel_ops& table);
void add_data_operations(fuse_lowlevel_ops& table);
void add_directory_operations(fuse_lowlevel_ops& table);
void add_lock_operations(fuse_lowlevel_ops& table);

}  // namespace benchfs::fuse
