// Goal: what only chfs.h has does what it promises. Method: as shared_test.cpp.

#include <map>
#include <set>

#include "integration/compat/interfaces.h"

namespace benchfs::test {
namespace {

class ChfsTest : public Place<Chfs> {};

struct Names {
  std::map<std::string, struct stat> seen;
  std::size_t wanted = SIZE_MAX;
};

int note(void* names, const char* name, const struct stat* status, off_t /*offset*/) {
  auto& all = *static_cast<Names*>(names);
  EXPECT_TRUE(all.seen.emplace(name, *status).second) << name << " comes twice";
  return all.seen.size() == all.wanted ? 1 : 0;
}

TEST_F(ChfsTest, TellsItsServersAndWhetherItIsThere) {
  EXPECT_EQ(chfs_initialized(), 1);
  EXPECT_GE(chfs_size(), 1);
  EXPECT_EQ(chfs_term_without_sync(), 0);
  EXPECT_EQ(chfs_initialized(), 0);
  EXPECT_EQ(chfs_size(), 0);
}

TEST_F(ChfsTest, WhatTunesChfsChangesNothing) {
  chfs_set_buf_size(1 << 20);
  chfs_set_async_access(1);
  chfs_set_rdma_thresh(1);
  chfs_set_rpc_timeout_msec(1);
  chfs_set_node_list_cache_timeout(1);
  chfs_set_stagein_buf_size(1);
  const int fd = chfs_create(path("file").c_str(), 0, 0664);
  ASSERT_GE(fd, 0);
  const auto bytes = content(0, 100);
  EXPECT_EQ(chfs_write(fd, bytes.data(), 100), 100);
  // No buffer keeps it: others see it before close, fsync or sync.
  EXPECT_TRUE(holds<Chfs>(path("file"), bytes));
  chfs_sync();
  EXPECT_EQ(chfs_close(fd), 0);
  EXPECT_EQ(chfs_open(path("file").c_str(), CHFS_O_CACHE), fd);
}

TEST_F(ChfsTest, StageInIsNotSupported) {
  EXPECT_TRUE(fails_with(ENOTSUP, [&] { return chfs_stagein(path("file").c_str()); }));
}

TEST_F(ChfsTest, TruncateCutsAndExtendsWithZeros) {
  const std::string file = path("file");
  const auto bytes = content(0, 100'000);
  const int fd = chfs_create_chunk_size(file.c_str(), 0, 0664, 3902);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(chfs_pwrite(fd, bytes.data(), bytes.size(), 0), 100'000);
  ASSERT_EQ(chfs_close(fd), 0);
  EXPECT_EQ(chfs_truncate(file.c_str(), 5000), 0);
  auto expected = content(0, 5000);
  EXPECT_TRUE(holds<Chfs>(file, expected));
  EXPECT_EQ(chfs_truncate(file.c_str(), 20'000), 0);
  expected.resize(20'000);
  EXPECT_TRUE(holds<Chfs>(file, expected));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return chfs_truncate(file.c_str(), -1); }));
  EXPECT_TRUE(fails_with(ENOENT, [&] { return chfs_truncate(path("absent").c_str(), 0); }));
  EXPECT_TRUE(fails_with(EISDIR, [&] { return chfs_truncate(directory_.c_str(), 0); }));
}

TEST_F(ChfsTest, LinksAreSeenThemselvesAndFollowedByOpen) {
  const std::string target = path("target");
  const std::string link = path("link");
  ASSERT_TRUE(put<Chfs>(target, content(0, 1000)));
  ASSERT_EQ(chfs_symlink(target.c_str(), link.c_str()), 0);
  struct stat status {};
  ASSERT_EQ(chfs_stat(link.c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  std::string said(target.size() + 5, '#');
  EXPECT_EQ(chfs_readlink(link.c_str(), said.data(), said.size()), static_cast<int>(target.size()));
  EXPECT_EQ(said, target + "#####");
  EXPECT_EQ(chfs_readlink(link.c_str(), said.data(), 3), 3);
  EXPECT_TRUE(holds<Chfs>(link, content(0, 1000)));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return chfs_readlink(target.c_str(), said.data(), 5); }));
  EXPECT_TRUE(
      fails_with(ENOENT, [&] { return chfs_readlink(path("no").c_str(), said.data(), 5); }));
  EXPECT_TRUE(fails_with(EEXIST, [&] { return chfs_symlink("x", link.c_str()); }));
  EXPECT_EQ(chfs_unlink(link.c_str()), 0);
  EXPECT_TRUE(holds<Chfs>(target, content(0, 1000)));
}

TEST_F(ChfsTest, ReaddirTellsEveryNameOnceWithItsAttributes) {
  for (int i = 0; i < 300; ++i) {
    const int fd = chfs_create(path("f" + std::to_string(i)).c_str(), 0, 0640);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(chfs_write(fd, "abc", static_cast<std::size_t>(i % 4)), i % 4);
    ASSERT_EQ(chfs_close(fd), 0);
  }
  ASSERT_EQ(chfs_mkdir(path("d").c_str(), 0750), 0);
  ASSERT_EQ(chfs_symlink("anything", path("l").c_str()), 0);
  Names names;
  EXPECT_EQ(chfs_readdir(directory_.c_str(), &names, note), 0);
  EXPECT_EQ(names.seen.size(), 302U);
  EXPECT_EQ(names.seen["f7"].st_size, 3);
  EXPECT_EQ(names.seen["f7"].st_mode, S_IFREG | 0640U);
  EXPECT_TRUE(S_ISDIR(names.seen["d"].st_mode));
  EXPECT_EQ(names.seen["d"].st_mode & CHFS_S_IFREP, 0U);
  EXPECT_TRUE(S_ISLNK(names.seen["l"].st_mode));

  Names few;
  few.wanted = 7;
  EXPECT_EQ(chfs_readdir(directory_.c_str(), &few, note), 0);
  EXPECT_EQ(few.seen.size(), 7U);
  EXPECT_TRUE(fails_with(ENOENT, [&] { return chfs_readdir(path("no").c_str(), &few, note); }));
  EXPECT_TRUE(fails_with(ENOTDIR, [&] { return chfs_readdir(path("f1").c_str(), &few, note); }));
  EXPECT_TRUE(fails_with(EINVAL, [&] { return chfs_readdir(path("d").c_str(), &few, nullptr); }));
}

int remove_it(void* directory, const char* name, const struct stat* /*status*/, off_t /*offset*/) {
  const std::string path = *static_cast<std::string*>(directory) + "/" + name;
  EXPECT_EQ(chfs_unlink(path.c_str()), 0) << errno;
  return 0;
}

TEST_F(ChfsTest, FillersMayCallTheLibrary) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(put<Chfs>(path(std::to_string(i)), {}));
  }
  EXPECT_EQ(chfs_readdir(directory_.c_str(), &directory_, remove_it), 0);
  EXPECT_EQ(chfs_rmdir(directory_.c_str()), 0);
}

/// Walks as a parallel find does: each index goes into the directories that it was told of.
void walk(const std::string& directory, int index, std::multiset<std::string>& found) {
  Names names;
  ASSERT_EQ(chfs_readdir_index(directory.c_str(), index, &names, note), 0);
  for (const auto& [name, status] : names.seen) {
    std::string below = directory;
    below.append("/").append(name);
    found.insert(below);
    if (S_ISDIR(status.st_mode)) {
      walk(below, index, found);
    }
  }
}

TEST_F(ChfsTest, SharesTogetherAreTheWholeTreeOnce) {
  std::multiset<std::string> expected;
  for (int d = 0; d < 4; ++d) {
    const std::string below = path("d" + std::to_string(d));
    ASSERT_EQ(chfs_mkdir(below.c_str(), 0755), 0);
    expected.insert(below);
    for (int f = 0; f < 10; ++f) {
      const std::string file = below + "/f" + std::to_string(f);
      ASSERT_TRUE(put<Chfs>(file, {}));
      expected.insert(file);
    }
  }
  for (const std::string& begin : {directory_, directory_ + "/", "." + directory_}) {
    std::multiset<std::string> found;
    for (int index = 0; index < chfs_size(); ++index) {
      walk(begin, index, found);
    }
    EXPECT_EQ(found.size(), expected.size()) << begin;
    if (begin == directory_) {
      EXPECT_EQ(found, expected);
    }
  }
  Names names;
  EXPECT_TRUE(fails_with(EINVAL, [&] { return chfs_readdir_index("/", -1, &names, note); }));
  EXPECT_TRUE(
      fails_with(EINVAL, [&] { return chfs_readdir_index("/", chfs_size(), &names, note); }));
}

}  // namespace
}  // namespace benchfs::test
