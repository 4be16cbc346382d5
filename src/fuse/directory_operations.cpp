// Operations on open directories.

#include <memory>
#include <vector>

#include <sys/stat.h>

#include "fuse/directory_stream.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

/// "." and ".." come first; the names follow, each with the position behind it as its offset.
constexpr off_t kDots = 2;

/// What ".." leads to is the kernel's knowledge; its number in a listing means nothing.
constexpr fuse_ino_t kUnknownNode = 0xffffffff;

DirectoryStream* stream_of(const fuse_file_info* info) noexcept {
  return reinterpret_cast<DirectoryStream*>(info->fh);  // NOLINT(performance-no-int-to-ptr)
}

mode_t type_of(wire::FileType type) noexcept {
  switch (type) {
    case wire::FileType::kDirectory:
      return S_IFDIR;
    case wire::FileType::kSymlink:
      return S_IFLNK;
    default:
      return S_IFREG;
  }
}

void open_directory(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  auto stream = std::make_unique<DirectoryStream>(file_system_of(request).mount(), to_inode(node));
  info->fh = reinterpret_cast<std::uintptr_t>(stream.get());
  if (fuse_reply_open(request, info) == 0) {
    static_cast<void>(stream.release());
  }
}

void release_directory(fuse_req_t request, fuse_ino_t /*node*/, fuse_file_info* info) {
  delete stream_of(info);
  fuse_reply_err(request, 0);
}

/// One entry at `offset`; false at the end.
struct Found {
  const char* name = nullptr;
  fuse_ino_t node = kUnknownNode;
  mode_t type = S_IFDIR;
};
Result<bool> find(DirectoryStream& stream, off_t offset, Found& found) {
  if (offset == 0) {
    found = {.name = ".", .node = to_integer(stream.directory())};
    return true;
  }
  if (offset == 1) {
    found = {.name = ".."};
    return true;
  }
  BENCHFS_TRY(const DirectoryStream::Name* const name,
              stream.at(static_cast<std::size_t>(offset - kDots)));
  if (name != nullptr) {
    found = {
        .name = name->name.c_str(), .node = to_integer(name->inode), .type = type_of(name->type)};
  }
  return name != nullptr;
}

/// Puts into `page`, from `offset` on, what fits, and returns how many bytes that is.
Result<std::size_t> fill(fuse_req_t request, DirectoryStream& stream, off_t offset,
                         std::vector<char>& page) {
  const auto lock = stream.lock();
  if (offset == 0) {
    stream.restart();  // rewinddir(3) sees what has come since.
  }
  std::size_t used = 0;
  for (Found found;; ++offset) {
    const auto is_there = find(stream, offset, found);
    if (!is_there.has_value() && used == 0) {
      return fail(is_there.error());
    }
    if (!is_there.has_value() || !*is_there) {
      return used;  // An error stays: it is told when what is before it has been.
    }
    struct stat attributes {};
    attributes.st_ino = found.node;
    attributes.st_mode = found.type;
    const std::size_t length = fuse_add_direntry(request, page.data() + used, page.size() - used,
                                                 found.name, &attributes, offset + 1);
    if (length > page.size() - used) {
      return used;
    }
    used += length;
  }
}

void read_directory(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  std::vector<char> page(size);
  const auto used = fill(request, *stream_of(info), offset, page);
  // Once it is answered the stream may be gone: the lock of fill() must not be held until then.
  if (!used.has_value()) {
    reply(request, used.error());
    return;
  }
  fuse_reply_buf(request, page.data(), *used);
}

void sync_directory(fuse_req_t request, fuse_ino_t /*node*/, int /*data_only*/,
                    fuse_file_info* /*info*/) {
  client::Context context;
  reply(request, run(request, file_system_of(request).nodes().sync(context)));
}

}  // namespace

void add_directory_operations(fuse_lowlevel_ops& table) {
  table.opendir = open_directory;
  table.readdir = read_directory;
  table.releasedir = release_directory;
  table.fsyncdir = sync_directory;
}

}  // namespace benchfs::fuse
