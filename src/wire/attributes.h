#pragma once

// What a file or directory is, as it travels and as servers keep it.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/limits.h"

namespace benchfs::wire {

enum class FileType : std::uint8_t { kFile = 1, kDirectory = 2, kSymlink = 3 };

constexpr bool is_file_type(FileType type) noexcept {
  return type == FileType::kFile || type == FileType::kDirectory || type == FileType::kSymlink;
}

/// Bytes of what a symbolic link says, as Linux's PATH_MAX without the NUL.
inline constexpr std::size_t kLinkTargetBytesMax = 4095;

/// How a file is cut and spread. Fixed at creation.
struct Layout {
  std::uint64_t chunk_bytes = kChunkBytesDefault;
  std::uint32_t stripe_count = 0;  ///< 0 in a request: all servers. In an inode: 1 to server count.

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& chunk_bytes& stripe_count;
  }
};

inline constexpr std::uint64_t kChunkBytesMax = std::uint64_t{1} << 40;

struct Attributes {
  InodeId inode = kNoInode;
  FileType type = FileType::kFile;
  std::uint32_t mode = 0;  ///< Permission bits only (07777).
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t link_count = 0;
  std::uint64_t size_bytes = 0;  ///< Of a directory: its number of entries. Of a link: its target.
  std::uint64_t atime_ns = 0;    ///< All since the Unix epoch.
  std::uint64_t mtime_ns = 0;
  std::uint64_t ctime_ns = 0;
  Layout layout;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& inode& type& mode& uid& gid& link_count& size_bytes& atime_ns& mtime_ns& ctime_ns& layout;
  }
};

/// A name in a directory: what entries are keyed and placed by.
struct EntryKey {
  InodeId parent = kNoInode;
  std::string name;

  friend bool operator==(const EntryKey&, const EntryKey&) = default;
  friend auto operator<=>(const EntryKey&, const EntryKey&) = default;

  template <class Archive>
  void serialize(Archive& ar, unsigned) {
    ar& parent& name;
  }
};

/// Whether a component may be the name of an entry: 1 to 255 bytes, no '/' and no NUL, not "." or
/// "..".
bool is_valid_name(const std::string& name) noexcept;

/// Whether a symbolic link may say this: 1 to kLinkTargetBytesMax bytes without NUL.
bool is_valid_link_target(const std::string& target) noexcept;

}  // namespace benchfs::wire
