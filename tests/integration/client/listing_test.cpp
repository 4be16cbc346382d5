// Goal: a name that is there all the time is in every listing, also while what it names is
// replaced. Method: threads rename new files over one name, as programs do that replace a
// checkpoint, and others list its directory meanwhile; each thread has joined the live session
// $BENCHFS_SESSION for itself.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <benchfs/benchfs.h>
#include <fcntl.h>
#include <gtest/gtest.h>

namespace {

constexpr int kListers = 3;
constexpr int kListingsOfEach = 400;
constexpr int kMovers = 3;

constexpr char kDirectory[] = "/replaced";
constexpr char kName[] = "current";

std::string below(const std::string& name) {
  return std::string(kDirectory) + "/" + name;
}

void make(benchfs_mount* mount, const std::string& path) {
  benchfs_file* const file = benchfs_open(mount, path.c_str(), O_CREAT | O_WRONLY, 0644, nullptr);
  ASSERT_NE(file, nullptr) << benchfs_error_text();
  ASSERT_EQ(benchfs_close(file), 0) << benchfs_error_text();
}

/// How often the name is in one listing.
int count_listed(benchfs_mount* mount) {
  benchfs_dir* const directory = benchfs_opendir(mount, kDirectory);
  EXPECT_NE(directory, nullptr) << benchfs_error_text();
  int count = 0;
  benchfs_dirent entry;
  int more = -1;
  while (directory != nullptr && (more = benchfs_readdir(directory, &entry)) == 1) {
    if (std::string(entry.name) == kName) {
      ++count;
      EXPECT_TRUE(S_ISREG(entry.attributes.st_mode));
    }
  }
  EXPECT_EQ(more, 0) << benchfs_error_text();
  EXPECT_EQ(benchfs_closedir(directory), 0);
  return count;
}

TEST(Listing, HasANameThatIsReplacedMeanwhile) {
  benchfs_mount* const mount = benchfs_mount_open(nullptr);
  ASSERT_NE(mount, nullptr) << benchfs_error_text();
  ASSERT_EQ(benchfs_mkdir(mount, kDirectory, 0755), 0) << benchfs_error_text();
  make(mount, below(kName));
  std::atomic<bool> over = false;
  std::vector<std::thread> movers;
  for (int i = 0; i < kMovers; ++i) {
    movers.emplace_back([&over, i] {
      benchfs_mount* const own = benchfs_mount_open(nullptr);
      ASSERT_NE(own, nullptr) << benchfs_error_text();
      for (int round = 0; !over.load(); ++round) {
        // Of several names, so that inodes come from all servers.
        const std::string next = below("next" + std::to_string(i) + std::to_string(round % 7));
        make(own, next);
        ASSERT_EQ(benchfs_rename(own, next.c_str(), below(kName).c_str()), 0)
            << benchfs_error_text();
      }
      EXPECT_EQ(benchfs_mount_close(own), 0);
    });
  }
  std::atomic<int> wrong = 0;
  std::vector<std::thread> listers;
  for (int i = 0; i < kListers; ++i) {
    listers.emplace_back([&wrong] {
      benchfs_mount* const own = benchfs_mount_open(nullptr);
      ASSERT_NE(own, nullptr) << benchfs_error_text();
      for (int round = 0; round < kListingsOfEach; ++round) {
        wrong += count_listed(own) == 1 ? 0 : 1;
      }
      EXPECT_EQ(benchfs_mount_close(own), 0);
    });
  }
  for (std::thread& lister : listers) {
    lister.join();
  }
  over = true;
  for (std::thread& mover : movers) {
    mover.join();
  }
  EXPECT_EQ(wrong.load(), 0) << "of " << kListers * kListingsOfEach << " listings";
  EXPECT_EQ(benchfs_unlink(mount, below(kName).c_str()), 0) << benchfs_error_text();
  EXPECT_EQ(benchfs_rmdir(mount, kDirectory), 0) << benchfs_error_text();
  EXPECT_EQ(benchfs_mount_close(mount), 0);
}

}  // namespace
