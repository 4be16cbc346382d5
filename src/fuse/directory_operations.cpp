// Operations on open directories.

#include <memory>
#include <span>
#include <vector>

#include <sys/stat.h>

#include "fuse/directory_stream.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

/// "." and ".." come first; the names follow, each with the position behind it as its offset.
constexpr off_t kDots = 2;

/// What ".." leads to is the kernel's knowledge; its number in a listing means nothing.
constexpr InodeId kUnknownNode{0xffffffff};

DirectoryStream* stream_of(const fuse_file_info* info) noexcept {
  return reinterpret_cast<DirectoryStream*>(info->fh);  // NOLINT(performance-no-int-to-ptr)
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

/// How entries are written into a page: their names alone, or what a lookup of each would tell too.
enum class Format { kNames, kLookups };

/// One entry at `offset`; false at the end.
struct Found {
  const char* name = nullptr;
  wire::Attributes attributes;
};
Result<bool> find(DirectoryStream& stream, off_t offset, Found& found) {
  if (offset < kDots) {
    found.name = offset == 0 ? "." : "..";
    found.attributes.type = wire::FileType::kDirectory;
    found.attributes.inode = offset == 0 ? stream.directory() : kUnknownNode;
    return true;
  }
  BENCHFS_TRY(const DirectoryStream::Name* const name,
              stream.at(static_cast<std::size_t>(offset - kDots)));
  if (name != nullptr) {
    found.name = name->name.c_str();
    found.attributes = name->attributes;
  }
  return name != nullptr;
}

/// Writes an entry; its length, also if that is more than there is room for.
std::size_t add(fuse_req_t request, Format format, std::span<char> room, const Found& found,
                off_t offset) {
  if (format == Format::kNames) {
    struct stat attributes {};
    attributes.st_ino = to_integer(found.attributes.inode);
    attributes.st_mode = client::to_stat(found.attributes).st_mode;
    return fuse_add_direntry(request, room.data(), room.size(), found.name, &attributes,
                             offset + 1);
  }
  fuse_entry_param entry{};
  if (offset < kDots) {
    entry.attr = client::to_stat(found.attributes);  // Node 0: no lookup of these.
  } else {
    entry = to_entry(request, found.attributes);
  }
  return fuse_add_direntry_plus(request, room.data(), room.size(), found.name, &entry, offset + 1);
}

/// Puts into `page`, from `offset` on, what fits, and returns how many bytes that is.
Result<std::size_t> fill(fuse_req_t request, Format format, DirectoryStream& stream, off_t offset,
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
    const std::size_t length = add(request, format, std::span(page).subspan(used), found, offset);
    if (length > page.size() - used) {
      return used;
    }
    used += length;
  }
}

void read_page(fuse_req_t request, Format format, std::size_t size, off_t offset,
               const fuse_file_info* info) {
  std::vector<char> page(size);
  const auto used = fill(request, format, *stream_of(info), offset, page);
  // Once it is answered the stream may be gone: the lock of fill() must not be held until then.
  if (!used.has_value()) {
    reply(request, used.error());
    return;
  }
  fuse_reply_buf(request, page.data(), *used);
}

void read_directory(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  read_page(request, Format::kNames, size, offset, info);
}

void read_directory_and_look_up(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size,
                                off_t offset, fuse_file_info* info) {
  read_page(request, Format::kLookups, size, offset, info);
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
  table.readdirplus = read_directory_and_look_up;
  table.releasedir = release_directory;
  table.fsyncdir = sync_directory;
}

}  // namespace benchfs::fuse
