// Goal: what is mapped privately, for reading or for changes of one's own, holds the file's bytes,
// and those of now when it is mapped anew; what would have to be shared is refused. Method:
// mappings beside what other clients write, byte by byte.

#include <array>
#include <cstring>
#include <utility>

#include <sys/mman.h>

#include "fuse/mounted.h"

namespace benchfs::test {
namespace {

constexpr std::size_t kSize = (4U << 20U) + 1234;  // Ends within a page.
constexpr std::size_t kPage = 4096;

class Mapping {
 public:
  Mapping(int fd, int protection, int flags)
      : bytes_(::mmap(nullptr, kSize, protection, flags, fd, 0)) {}
  ~Mapping() {
    if (bytes_ != MAP_FAILED) {
      ::munmap(bytes_, kSize);
    }
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  std::byte* bytes() const { return static_cast<std::byte*>(bytes_); }
  bool is_there() const { return bytes_ != MAP_FAILED; }

 private:
  void* const bytes_;
};

TEST(FuseMapping, IsTheFileWithZerosBehindItsEnd) {
  const Mounted world(3);
  Session session = world.join();
  const auto bytes = content(0, kSize, 1);
  session.open("/f", O_CREAT | O_WRONLY, 0644).write(bytes, 0);
  const Fd fd(world.at("a", "/f"), O_RDONLY);
  const Mapping mapping(fd, PROT_READ, MAP_PRIVATE);
  ASSERT_TRUE(mapping.is_there()) << errno;
  EXPECT_EQ(std::memcmp(mapping.bytes(), bytes.data(), kSize), 0);
  for (std::size_t at = kSize; at % kPage != 0; ++at) {
    ASSERT_EQ(mapping.bytes()[at], std::byte{0}) << at;
  }
}

TEST(FuseMapping, MadeAnewShowsWhatOthersHaveWritten) {
  const Mounted world(2, {"a", "b"});
  Session session = world.join();
  auto file = session.open("/f", O_CREAT | O_RDWR, 0644);
  const Fd a(world.at("a", "/f"), O_RDWR);
  const Fd b(world.at("b", "/f"), O_RDWR);
  for (unsigned round = 0; round < 6; ++round) {
    const auto bytes = content(0, kSize, round);
    if (round % 3 == 0) {
      file.write(bytes, 0);
    } else {
      ASSERT_EQ(::pwrite(round % 3 == 1 ? a : b, bytes.data(), kSize, 0),
                static_cast<ssize_t>(kSize));
    }
    for (const int fd : {static_cast<int>(a), static_cast<int>(b)}) {
      // As programs do before they map: it is how the kernel learns of the length.
      struct stat status {};
      ASSERT_EQ(::fstat(fd, &status), 0);
      ASSERT_EQ(status.st_size, static_cast<off_t>(kSize));
      const Mapping mapping(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
      ASSERT_TRUE(mapping.is_there()) << errno;
      ASSERT_EQ(std::memcmp(mapping.bytes(), bytes.data(), kSize), 0) << round;
      std::memset(mapping.bytes(), 0, kSize);
    }
    EXPECT_TRUE(holds(session, "/f", kSize, round)) << "what is private is not written back";
  }
}

TEST(FuseMapping, CannotBeShared) {
  const Mounted world(1);
  const Fd fd(world.at("a", "/f"), O_CREAT | O_RDWR);
  ASSERT_EQ(::ftruncate(fd, kSize), 0);
  for (const int protection : {PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE}) {
    for (const int flags : {MAP_SHARED, MAP_SHARED_VALIDATE}) {
      const Mapping mapping(fd, protection, flags);
      EXPECT_FALSE(mapping.is_there()) << protection << " " << flags;
      EXPECT_EQ(errno, ENODEV) << protection << " " << flags;
    }
  }
}

}  // namespace
}  // namespace benchfs::test
