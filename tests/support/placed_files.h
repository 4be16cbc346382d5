#pragma once

// Files in a live session of which a test knows what server they are on.

#include <cstddef>
#include <cstdint>
#include <string>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>

#include "base/limits.h"
#include "placement/placement.h"
#include "support/live.h"

namespace benchfs::test {

class FilePlacer {
 public:
  explicit FilePlacer(std::uint16_t server_count) : server_count_(server_count) {}

  /// A new file in the root whose name, inode and data all are on `server`; it holds content(0,
  /// size, seed), and has been synced.
  std::string make_file(Session& session, std::uint16_t server, std::size_t size,
                        std::uint64_t seed) {
    for (;;) {
      const std::string path = free_name(server, "on-" + std::to_string(server));
      session.open(path, O_RDWR | O_CREAT | O_EXCL, 0644, {kChunkBytes, 1}).close();
      const placement::Striping striping{.file = InodeId{session.stat(path).st_ino},
                                         .chunk_bytes = kChunkBytes,
                                         .stripe_count = 1,
                                         .server_count = server_count_};
      if (placement::chunk_server(striping, 0) != ServerId{server}) {
        continue;
      }
      auto file = session.open(path, O_RDWR);
      file.write(content(0, size, seed), 0);
      file.sync();
      file.close();
      return path;
    }
  }

  /// A path in the root that no other call has had and whose entry is on `server`.
  std::string free_name(std::uint16_t server, const std::string& prefix) {
    for (;;) {
      const std::string name = prefix + "-" + std::to_string(tried_++);
      if (placement::entry_server(kRootInode, name, server_count_) == ServerId{server}) {
        return "/" + name;
      }
    }
  }

 private:
  static constexpr std::size_t kChunkBytes = 1 << 20;
  const std::uint16_t server_count_;
  int tried_ = 0;
};

}  // namespace benchfs::test
