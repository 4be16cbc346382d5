// Goal: a directory is listed whole, each name once, in little memory however large it is, and from
// any position. Method: 100,000 long names made by several clients at once, listed by the system
// call, with the memory of the mount's process watched; then from positions that were told early.

#include <atomic>
#include <fstream>
#include <thread>
#include <unordered_set>

#include <dirent.h>

#include "fuse/mounted.h"

namespace benchfs::test {
namespace {

constexpr std::size_t kNameCount = 100'000;
constexpr std::size_t kNameLength = 200;
constexpr std::size_t kMakerCount = 12;
constexpr std::size_t kRemovedCount = 5000;
/// What a listing may take: less than the names alone have.
constexpr std::size_t kMemoryMaxKiB = 14U << 10U;
static_assert(kMemoryMaxKiB * 1024 < kNameCount * kNameLength);

std::string name_of(std::size_t number) {
  std::string name = std::to_string(number) + "-";
  return name + std::string(kNameLength - name.size(), static_cast<char>('a' + number % 26));
}

/// A line of /proc/PID/status, in KiB.
std::size_t kib_of(pid_t process, const std::string& line) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string word; file >> word;) {
    if (word == line + ":") {
      std::size_t value = 0;
      file >> value;
      return value;
    }
  }
  ADD_FAILURE() << line << " of process " << process << " is not told";
  return 0;
}

void make_names(const Mounted& world) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> makers;
  for (std::size_t i = 0; i < kMakerCount; ++i) {
    makers.emplace_back([&] {
      Session session = world.join();
      for (std::size_t number = next++; number < kNameCount; number = next++) {
        session.symlink("x", "/d/" + name_of(number));  // The cheapest thing to make.
      }
    });
  }
  for (std::thread& maker : makers) {
    maker.join();
  }
}

TEST(FuseDirectories, OfAnySizeAreListedWholeInLittleMemory) {
  const Mounted world(2);
  world.join().mkdir("/d");
  make_names(world);
  const pid_t process = world.process("a");
  ASSERT_NE(process, 0);
  const std::size_t before_kib = kib_of(process, "VmRSS");

  DIR* const directory = ::opendir(world.at("a", "/d").c_str());
  ASSERT_NE(directory, nullptr);
  std::unordered_set<std::string> seen;
  std::vector<std::pair<long, std::string>> told;  // Every 10,000th, with its position.
  for (long position = ::telldir(directory); const dirent* entry = ::readdir(directory);
       position = ::telldir(directory)) {
    ASSERT_TRUE(seen.insert(entry->d_name).second) << entry->d_name;
    if (seen.size() % 10'000 == 1) {
      told.emplace_back(position, entry->d_name);
    }
  }
  ASSERT_EQ(seen.erase(".") + seen.erase(".."), 2U);
  EXPECT_EQ(seen.size(), kNameCount);
  for (std::size_t number = 0; number < kNameCount; ++number) {
    ASSERT_TRUE(seen.contains(name_of(number))) << number;
  }
  EXPECT_LT(kib_of(process, "VmHWM"), before_kib + kMemoryMaxKiB);

  // Also what is kept no more, in both directions.
  for (const std::size_t i : {std::size_t{0}, std::size_t{7}, std::size_t{3}, told.size() - 1}) {
    ::seekdir(directory, told[i].first);
    const dirent* const entry = ::readdir(directory);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->d_name, told[i].second);
  }
  EXPECT_LT(kib_of(process, "VmHWM"), before_kib + kMemoryMaxKiB);

  // What is removed while it is listed moves nothing else.
  ::rewinddir(directory);
  std::size_t removed = 0;
  while (const dirent* const entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") {
      continue;
    }
    ASSERT_EQ(seen.erase(name), 1U) << name << " is listed twice";
    if (removed < kRemovedCount) {
      ASSERT_EQ(::unlink(world.at("a", "/d/" + name).c_str()), 0);
      ++removed;
    }
  }
  EXPECT_TRUE(seen.empty()) << *seen.begin() << " is not listed";
  ::closedir(directory);
}

TEST(FuseDirectories, BringTheAttributesOfTheirNamesWithACache) {
  const Mounted world(2, {});
  ::mkdir(world.at("a").c_str(), 0755);
  ASSERT_EQ(world.cluster.benchfs({"mount", "--cache", "600s", world.at("a")}).exit_status, 0);
  Session session = world.join();
  constexpr int kFileCount =
      15;  // One page of the kernel, which is all that it is sure to ask for.
  for (int i = 0; i < kFileCount; ++i) {
    auto file = session.open("/f" + std::to_string(i), O_CREAT | O_WRONLY, 0640);
    file.write(content(0, static_cast<std::size_t>(i), 1), 0);
  }
  session.mkdir("/s");
  session.chmod("/s", 02775);
  session.symlink("f7", "/l");
  DIR* const directory = ::opendir(world.at("a").c_str());
  ASSERT_NE(directory, nullptr);
  int count = 0;
  while (::readdir(directory) != nullptr) {
    ++count;
  }
  ::closedir(directory);
  EXPECT_EQ(count, kFileCount + 4);
  // Who asks only now is told otherwise; who was listed is as old as --cache allows.
  for (int i = 0; i < kFileCount; ++i) {
    session.truncate("/f" + std::to_string(i), 1000);
    struct stat seen {};
    ASSERT_EQ(::lstat(world.at("a", "/f" + std::to_string(i)).c_str(), &seen), 0);
    EXPECT_EQ(seen.st_size, i);
    EXPECT_EQ(seen.st_mode, S_IFREG | 0640U);
  }
  session.unlink("/l");
  struct stat seen {};
  ASSERT_EQ(::lstat(world.at("a", "/l").c_str(), &seen), 0);
  EXPECT_TRUE(S_ISLNK(seen.st_mode));
  ASSERT_EQ(::mkdir(world.at("a", "/s/below").c_str(), 0755), 0);
  EXPECT_NE(session.stat("/s/below").st_mode & S_ISGID, 0U) << "the listing told of the bit";
}

}  // namespace
}  // namespace benchfs::test
