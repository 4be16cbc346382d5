// Goal: joining and leaving keep what the headers promise: a session that is not there is told in a
// sentence, nothing works without one, the variables of the environment count.
// Method: as shared_test.cpp; what is printed is read from a pipe in standard error's place.

#include <algorithm>
#include <cstdlib>

#include "integration/compat/interfaces.h"

namespace benchfs::test {
namespace {

template <typename Fs>
class CompatSessionTest : public testing::Test {
 protected:
  void SetUp() override { session_ = std::getenv("BENCHFS_SESSION"); }
  void TearDown() override {
    Fs::term();
    ::setenv("BENCHFS_SESSION", session_.c_str(), 1);
    ::unsetenv(Fs::kChunkSizeVariable);
    ::unsetenv("XDG_RUNTIME_DIR");
  }
  std::string session_;
};

struct NameOf {
  template <typename Fs>
  static std::string GetName(int /*index*/) {
    return Fs::kName;
  }
};

using Both = testing::Types<Chfs, Finchfs>;
TYPED_TEST_SUITE(CompatSessionTest, Both, NameOf);

TYPED_TEST(CompatSessionTest, NothingWorksWithoutASession) {
  using Fs = TypeParam;
  std::byte one{};
  struct stat status {};
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::create("/a", 0, 0664); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::open("/a", 0); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::close(3); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [&] { return Fs::pread(3, &one, 1, 0); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [&] { return Fs::write(3, &one, 1); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::seek(3, 0, SEEK_SET); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [&] { return Fs::stat("/", &status); }));
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::mkdir("/a", 0755); }));
  EXPECT_EQ(Fs::term(), 0);
  EXPECT_EQ(std::string(Fs::version()).find("benchfs "), 0U);
}

TYPED_TEST(CompatSessionTest, AMissingSessionIsNamedInASentence) {
  using Fs = TypeParam;
  ::setenv("BENCHFS_SESSION", "/nowhere/at-all", 1);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(fails_with(ENOENT, [] { return Fs::init(nullptr); }));
  EXPECT_TRUE(fails_with(ENOENT, [] { return Fs::init("/nowhere/else"); }));
  // Without the variable it is looked for where `benchfs up` puts it.
  ::unsetenv("BENCHFS_SESSION");
  ::setenv("XDG_RUNTIME_DIR", "/nowhere/runtime", 1);
  EXPECT_TRUE(fails_with(ENOENT, [] { return Fs::init(nullptr); }));
  const std::string said = testing::internal::GetCapturedStderr();
  for (const char* name : {"/nowhere/at-all", "/nowhere/else", "/nowhere/runtime/benchfs"}) {
    EXPECT_NE(said.find(name), std::string::npos) << said;
  }
  EXPECT_EQ(said.find(std::string(Fs::kName) + ": "), 0U) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 3);
  EXPECT_TRUE(fails_with(ENOTCONN, [] { return Fs::open("/a", 0); }));
}

TYPED_TEST(CompatSessionTest, JoiningAgainIsNothingAndAnotherSessionIsRefused) {
  using Fs = TypeParam;
  EXPECT_EQ(Fs::init(this->session_.c_str()), 0);
  EXPECT_EQ(Fs::init(nullptr), 0);
  EXPECT_EQ(Fs::init(this->session_.c_str()), 0);
  testing::internal::CaptureStderr();
  EXPECT_TRUE(fails_with(EBUSY, [] { return Fs::init("/another"); }));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("/another"), std::string::npos);
  struct stat status {};
  EXPECT_EQ(Fs::stat("/", &status), 0);
  EXPECT_EQ(Fs::term(), 0);
  EXPECT_TRUE(fails_with(ENOTCONN, [&] { return Fs::stat("/", &status); }));
  EXPECT_EQ(Fs::init(nullptr), 0);
  EXPECT_EQ(Fs::stat("/", &status), 0);
}

TYPED_TEST(CompatSessionTest, AVariableThatIsNoChunkSizeIsRefused) {
  using Fs = TypeParam;
  testing::internal::CaptureStderr();
  for (const char* value : {"64K", "0", "-1", "1e6", " 5"}) {
    ::setenv(Fs::kChunkSizeVariable, value, 1);
    EXPECT_TRUE(fails_with(EINVAL, [] { return Fs::init(nullptr); })) << value;
  }
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find(std::string(Fs::kChunkSizeVariable) + "=64K"),
      std::string::npos);
}

// In a process of its own, as a size that was set stays set.
TYPED_TEST(CompatSessionTest, TheChunkSizeIsTheVariablesUnlessItIsSet) {
  using Fs = TypeParam;
  const auto blksize = [](const std::string& path) {
    struct stat status {};
    EXPECT_TRUE(put<Fs>(path, {}));
    EXPECT_EQ(Fs::stat(path.c_str(), &status), 0);
    EXPECT_EQ(Fs::unlink(path.c_str()), 0);
    return status.st_blksize;
  };
  EXPECT_EQ(run_ranks(1,
                      [&](int /*rank*/) {
                        const std::string path = std::string("/chunk-") + Fs::kName;
                        ::setenv(Fs::kChunkSizeVariable, "131072", 1);
                        ASSERT_EQ(Fs::init(nullptr), 0);
                        EXPECT_EQ(blksize(path), 131072);
                        Fs::set_chunk_size(47008);
                        EXPECT_EQ(blksize(path), 47008);
                        EXPECT_EQ(Fs::term(), 0);
                        ASSERT_EQ(Fs::init(nullptr), 0);
                        EXPECT_EQ(blksize(path), 47008);
                        EXPECT_EQ(Fs::term(), 0);
                      }),
            0);
}

TEST(CompatSessionsTest, BothLibrariesWorkInOneProcess) {
  ASSERT_EQ(chfs_init(nullptr), 0);
  ASSERT_EQ(finchfs_init(nullptr), 0);
  EXPECT_TRUE(put<Chfs>("/both", content(0, 10)));
  EXPECT_TRUE(holds<Finchfs>("/both", content(0, 10)));
  EXPECT_EQ(chfs_term(), 0);
  EXPECT_EQ(chfs_initialized(), 0);
  EXPECT_EQ(finchfs_unlink("/both"), 0);
  EXPECT_EQ(finchfs_term(), 0);
}

}  // namespace
}  // namespace benchfs::test
