// Goal: a mount is told what the environment says, and what makes no sense is refused with a
// sentence that names the variable. Method: tables in place of the environment.

#include "client/options.h"

#include <cstring>

#include <gtest/gtest.h>

namespace benchfs::client {
namespace {

const char* t_session = nullptr;
const char* t_timeout = nullptr;

const char* variable(const char* name) {
  return std::strcmp(name, "BENCHFS_SESSION") == 0   ? t_session
         : std::strcmp(name, "BENCHFS_TIMEOUT") == 0 ? t_timeout
                                                     : nullptr;
}

auto read_with(const char* directory, const char* session, const char* timeout) {
  t_session = session;
  t_timeout = timeout;
  return read_options(directory, variable);
}

TEST(Options, TakesTheDirectoryGivenBeforeTheVariable) {
  EXPECT_EQ(read_with("/a", "/b", nullptr)->session_directory, "/a");
  EXPECT_EQ(read_with(nullptr, "/b", nullptr)->session_directory, "/b");
}

TEST(Options, RefusesToGuessADirectory) {
  const auto none = read_with(nullptr, nullptr, nullptr);
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().find("BENCHFS_SESSION"), std::string::npos);
  EXPECT_FALSE(read_with("", "/b", nullptr).has_value());
  EXPECT_FALSE(read_with(nullptr, "", nullptr).has_value());
}

TEST(Options, ReadsTheTimeout) {
  EXPECT_EQ(read_with("/a", nullptr, nullptr)->timeout_ns, 10 * kNsPerSec);
  EXPECT_EQ(read_with("/a", nullptr, "250ms")->timeout_ns, 250 * kNsPerMs);
  EXPECT_EQ(read_with("/a", nullptr, "3s")->timeout_ns, 3 * kNsPerSec);
}

TEST(Options, RefusesATimeoutThatIsNone) {
  for (const char* const text : {"", "soon", "-1s", "10x", "0s", "1ms", "2000m"}) {
    SCOPED_TRACE(text);
    const auto options = read_with("/a", nullptr, text);
    ASSERT_FALSE(options.has_value());
    EXPECT_NE(options.error().find("BENCHFS_TIMEOUT"), std::string::npos);
  }
}

}  // namespace
}  // namespace benchfs::client
