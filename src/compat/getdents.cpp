#include "compat/getdents.h"

#include <cstring>

#include <dirent.h>

#include "compat/calls.h"

namespace benchfs::compat {
namespace {

// The system's struct linux_dirent64 is known to glibc by another name.
static_assert(offsetof(dirent64, d_ino) == 0 && offsetof(dirent64, d_off) == 8 &&
              offsetof(dirent64, d_reclen) == 16 && offsetof(dirent64, d_type) == 18 &&
              offsetof(dirent64, d_name) == 19);

constexpr std::size_t kAlignment = 8;

/// Bytes of the record of a name of `name_bytes`, with its NUL.
constexpr std::size_t record_bytes(std::size_t name_bytes) {
  return (offsetof(dirent64, d_name) + name_bytes + 1 + kAlignment - 1) / kAlignment * kAlignment;
}

/// Writes the record of `entry`; 0 if there is no room.
std::size_t put_record(const benchfs_dirent& entry, off_t position, char* out, std::size_t room) {
  const std::size_t name_bytes = std::strlen(entry.name);
  const std::size_t size = record_bytes(name_bytes);
  if (size > room) {
    return 0;
  }
  dirent64 record{};
  record.d_ino = entry.attributes.st_ino;
  record.d_off = position;
  record.d_reclen = static_cast<unsigned short>(size);
  record.d_type = static_cast<unsigned char>(IFTODT(entry.attributes.st_mode));
  std::memcpy(record.d_name, entry.name, name_bytes);
  std::memcpy(out, &record, size);
  return size;
}

/// Has the next name in `directory.next`: 1; 0 at the end, -1 on an error.
int have_next(const Visit& visit, Directory& directory) {
  if (directory.has_next) {
    return 1;
  }
  if (directory.is_at_end) {
    return 0;
  }
  if (directory.listing == nullptr) {
    struct stat status {};
    if (stat_directory(visit, directory, &status) != 0) {
      return -1;
    }
    directory.listing = benchfs_opendir(visit->mount, directory.path.c_str());
    if (directory.listing == nullptr) {
      return -1;
    }
  }
  const int more = benchfs_readdir(directory.listing, &directory.next);
  directory.has_next = more > 0;
  directory.is_at_end = more == 0;
  return more;
}

}  // namespace

ssize_t getdents(Library& library, int fd, void* records, std::size_t size_bytes) {
  const Visit visit(library);
  if (!visit) {
    return -1;
  }
  const DescriptorUse descriptor(visit, fd);
  if (!descriptor) {
    return -1;
  }
  if (descriptor->directory == nullptr || records == nullptr) {
    errno = descriptor->directory == nullptr ? ENOTDIR : EFAULT;
    return -1;
  }
  Directory& directory = *descriptor->directory;
  const std::lock_guard lock(directory.mutex);
  std::size_t filled = 0;
  int more = have_next(visit, directory);
  while (more > 0) {
    const std::size_t put = put_record(directory.next, directory.position + 1,
                                       static_cast<char*>(records) + filled, size_bytes - filled);
    if (put == 0) {
      break;
    }
    filled += put;
    directory.position += 1;
    directory.has_next = false;
    more = have_next(visit, directory);
  }
  if (filled == 0 && more != 0) {
    errno = more > 0 ? EINVAL : errno;
    return -1;
  }
  // An error behind what was filled comes again, and is told, when the next names are asked for.
  return static_cast<ssize_t>(filled);
}

}  // namespace benchfs::compat
