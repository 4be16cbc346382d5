// Operations on open files.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include <fcntl.h>

#include "client/striper.h"
#include "fuse/open_flags.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

constexpr std::size_t kBufferAlignment = 4096;

/// This thread's memory for what is read, page by page so that the network can register it.
class ReadBuffer {
 public:
  std::byte* of(std::size_t size) {
    if (size > size_) {
      memory_.reset(
          static_cast<std::byte*>(::operator new (size, std::align_val_t{kBufferAlignment})));
      size_ = size;
    }
    return memory_.get();
  }

 private:
  struct Delete {
    void operator()(std::byte* memory) const noexcept {
      ::operator delete (memory, std::align_val_t{kBufferAlignment});
    }
  };
  std::unique_ptr<std::byte, Delete> memory_;
  std::size_t size_ = 0;
};

void open(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  FileSystem& file_system = file_system_of(request);
  client::Context context;
  auto opened = run(request, file_system.nodes().open(context, to_inode(node),
                                                      to_wire_flags(info->flags & ~O_CREAT)));
  if (!opened.has_value()) {
    reply(request, opened.error());
    return;
  }
  OpenFile* const open = file_system.add(std::move(*opened));
  info->fh = reinterpret_cast<std::uintptr_t>(open);
  info->direct_io = 1;  // The kernel keeps no bytes: others may have written others since.
  if (fuse_reply_open(request, info) != 0) {
    // The caller has been interrupted, and the kernel closes nothing.
    static_cast<void>(file_system.close(open));
  }
}

void release(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  FileSystem& file_system = file_system_of(request);
  if (info->flock_release != 0 && file_system.locks().any()) {
    client::Context context;
    const LockOwner owner{.kind = LockOwner::Kind::kFlock, .number = info->lock_owner};
    static_cast<void>(run(request, file_system.locks().end_all(context, to_inode(node), owner)));
  }
  reply(request, file_system.close(open_file_of(info)));
}

/// Every close(2), also of a descriptor that was copied: fcntl's locks of the closer end.
void flush(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  FileSystem& file_system = file_system_of(request);
  Status status;
  if (file_system.locks().any()) {
    client::Context context;
    const LockOwner owner{.kind = LockOwner::Kind::kFcntl, .number = info->lock_owner};
    status = run(request, file_system.locks().end_all(context, to_inode(node), owner));
    if (!status.has_value() && status.error().code == Errc::kNoLock) {
      status = Status();  // What had been lost before is not the close's failure.
    }
  }
  reply(request, status);
}

void read(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size, off_t offset,
          fuse_file_info* info) {
  thread_local ReadBuffer buffer;
  std::byte* const memory = buffer.of(size);
  const iovec iov{.iov_base = memory, .iov_len = size};
  const client::Extent extent{.offset_bytes = static_cast<std::uint64_t>(offset),
                              .size_bytes = size};
  client::Context context;
  const auto count = run(
      request, open_file_of(info)->file->read(context, std::span(&iov, 1), std::span(&extent, 1)));
  if (!count.has_value()) {
    reply(request, count.error());
    return;
  }
  fuse_reply_buf(request, reinterpret_cast<const char*>(memory), *count);
}

/// Before somebody writes who is not root.
Status drop_privileges(fuse_req_t request, fuse_ino_t node) {
  FileSystem& file_system = file_system_of(request);
  const auto mode =
      fuse_req_ctx(request)->uid == 0 ? std::nullopt : file_system.take_privileges(to_inode(node));
  if (!mode.has_value()) {
    return {};
  }
  client::Context context;
  wire::SetAttrRequest change{.inode = to_inode(node)};
  change.mask = wire::kSetMode;
  change.mode = *mode;
  return run(request, file_system.nodes().set_attributes(context, change));
}

void write(fuse_req_t request, fuse_ino_t node, const char* bytes, std::size_t size, off_t offset,
           fuse_file_info* info) {
  const Status dropped = drop_privileges(request, node);
  if (!dropped.has_value()) {
    reply(request, dropped);
    return;
  }
  client::File& file = *open_file_of(info)->file;
  // Straight from where libfuse has received it. (iovec is also for reading, so it is not const.)
  const iovec iov{.iov_base = const_cast<char*>(bytes), .iov_len = size};
  const client::Extent extent{.offset_bytes = static_cast<std::uint64_t>(offset),
                              .size_bytes = size};
  client::Context context;
  const bool appends = (info->flags & O_APPEND) != 0;
  const auto count =
      appends ? run(request, file.write_next(context, iov))
              : run(request, file.write(context, std::span(&iov, 1), std::span(&extent, 1)));
  if (!count.has_value()) {
    reply(request, count.error());
    return;
  }
  fuse_reply_write(request, *count);
}

void sync(fuse_req_t request, fuse_ino_t /*node*/, int /*data_only*/, fuse_file_info* info) {
  client::Context context;
  reply(request, run(request, open_file_of(info)->file->fsync(context)));
}

}  // namespace

void add_data_operations(fuse_lowlevel_ops& table) {
  table.open = open;
  table.release = release;
  table.flush = flush;
  table.read = read;
  table.write = write;
  table.fsync = sync;
}

}  // namespace benchfs::fuse
