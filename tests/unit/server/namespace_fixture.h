#pragma once

// Some servers' namespaces and two users of them, for tests of single operations.

#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/handlers/namespace.h"
#include "support/fake_user.h"

namespace benchfs::test {

inline constexpr std::uint32_t kReadWrite = wire::kOpenRead | wire::kOpenWrite;
inline constexpr std::uint32_t kCreate = kReadWrite | wire::kOpenCreate;
inline constexpr std::uint32_t kCreateNew = kCreate | wire::kOpenExclusive;

template <typename T>
Errc code_of(const Result<T>& result) {
  return result.has_value() ? Errc{} : result.error().code;
}

class NamespaceService : public testing::TestWithParam<std::uint16_t> {
 protected:
  NamespaceService() : cluster_(GetParam(), 2, 11 * GetParam()) {}

  template <typename T>
  T run(coro::Task<T> task) {
    return cluster_.run(std::move(task));
  }
  wire::OpenReply make_file(const std::string& name, std::uint32_t flags = kCreateNew) {
    auto opened = run(alice_.open(key_of(kRootInode, name), flags));
    BENCHFS_ASSERT(opened.has_value());
    return *opened;
  }
  InodeId make_directory(const std::string& name, InodeId parent = kRootInode) {
    auto made = run(alice_.mkdir(key_of(parent, name)));
    BENCHFS_ASSERT(made.has_value());
    return made->attributes.inode;
  }
  InodeId make_closed_file(const wire::EntryKey& key) {
    auto opened = run(alice_.open(key, kCreateNew));
    BENCHFS_ASSERT(opened.has_value());
    EXPECT_EQ(code_of(run(alice_.close(*opened))), Errc{});
    return opened->entry.attributes.inode;
  }
  /// A name in `parent` that is placed on `server`.
  std::string name_on(ServerId server, InodeId parent, const std::string& prefix) {
    for (int i = 0;; ++i) {
      std::string name = prefix + std::to_string(i);
      if (cluster_.server_of(key_of(parent, name)) == server) {
        return name;
      }
    }
  }

  /// As a client's data path does: `size` bytes into the store of the chunk's server.
  void write(const wire::OpenReply& opened, std::uint64_t offset_bytes, std::size_t size) {
    const wire::Attributes& file = opened.entry.attributes;
    const placement::Striping striping{.file = file.inode,
                                       .chunk_bytes = file.layout.chunk_bytes,
                                       .stripe_count = file.layout.stripe_count,
                                       .server_count = cluster_.server_count()};
    BENCHFS_ASSERT(offset_bytes % file.layout.chunk_bytes + size <= file.layout.chunk_bytes);
    FakeServer& server =
        cluster_.server(placement::chunk_server(striping, offset_bytes / file.layout.chunk_bytes));
    const std::vector<store::Piece> pieces{{.offset_bytes = offset_bytes, .size_bytes = size}};
    io::PoolBuffer buffer = server.pool->try_acquire(size);
    std::memset(buffer.bytes().data(), 'x', size);
    auto writing = server.store.write(file.inode, pieces, std::move(buffer));
    ASSERT_TRUE(run(std::move(writing)).has_value());
  }
  std::uint64_t stored_file_count() {
    std::uint64_t count = 0;
    for (const auto& server : cluster_.servers) {
      count += server->store.usage().file_count;
    }
    return count;
  }
  std::size_t inode_count() {
    std::size_t count = 0;
    for (const auto& server : cluster_.servers) {
      count += server->names->inode_count();
    }
    return count;
  }
  void expect_at_rest(std::size_t inodes) {
    cluster_.settle();
    for (const auto& server : cluster_.servers) {
      EXPECT_EQ(server->names->lock_count(), 0U);
      EXPECT_EQ(server->names->open_count(), 0U);
      EXPECT_EQ(server->names->background_count(), 0U);
    }
    EXPECT_EQ(inode_count(), inodes);
  }

  FakeCluster cluster_;
  FakeUser alice_{cluster_, *cluster_.clients[0]};
  FakeUser bob_{cluster_, *cluster_.clients[1]};
};

}  // namespace benchfs::test
