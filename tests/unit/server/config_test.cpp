// Goal: a server is told what its options and its file say, and refuses everything else in words
// that name the option. Method: command lines and files as users write them.

#include "server/config.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "base/units.h"
#include "support/temp_dir.h"

namespace benchfs::server {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    ::unsetenv("BENCHFS_SESSION");
    ::unsetenv("BENCHFS_METRICS");
  }

  /// With what is required.
  static ConfigOutcome read(std::vector<std::string> more) {
    more.insert(more.begin(), {"--session", "/s", "--store", "/d"});
    return read_config(more);
  }
  std::string file(const std::string& text) {
    const std::string path = directory_.file("benchfsd.toml");
    std::ofstream(path) << text;
    return path;
  }
  static void expect_refused(const ConfigOutcome& outcome, const std::string& name) {
    EXPECT_FALSE(outcome.go_on);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_NE(outcome.text.find(name), std::string::npos) << outcome.text;
  }

  test::TempDir directory_;
};

TEST_F(ConfigTest, HasDefaultsForAllButSessionAndStore) {
  const auto outcome = read({});
  ASSERT_TRUE(outcome.go_on) << outcome.text;
  EXPECT_EQ(outcome.config.session_directory, "/s");
  EXPECT_EQ(outcome.config.store_directory, "/d");
  EXPECT_EQ(outcome.config.capacity_bytes, 0U);
  EXPECT_EQ(outcome.config.pool_bytes, 64 * kMiB);
  EXPECT_EQ(outcome.config.spin_ns, 30 * kNsPerUs);
  EXPECT_EQ(outcome.config.backend, io::DiskBackend::kAuto);
  EXPECT_FALSE(outcome.config.discard);
}

TEST_F(ConfigTest, TakesEveryOption) {
  const auto outcome =
      read({"--capacity", "1.5G", "--pool", "16M", "--spin", "0", "--backend", "posix", "--log",
            "debug", "--discard", "--temporary", "--make-store"});
  ASSERT_TRUE(outcome.go_on) << outcome.text;
  EXPECT_EQ(outcome.config.capacity_bytes, kGiB + 512 * kMiB);
  EXPECT_EQ(outcome.config.pool_bytes, 16 * kMiB);
  EXPECT_EQ(outcome.config.spin_ns, 0U);
  EXPECT_EQ(outcome.config.backend, io::DiskBackend::kPosix);
  EXPECT_EQ(outcome.config.log_level, LogLevel::kDebug);
  EXPECT_TRUE(outcome.config.discard);
  EXPECT_TRUE(outcome.config.temporary);
  EXPECT_TRUE(outcome.config.make_store);
}

TEST_F(ConfigTest, TheSessionMayComeFromTheEnvironment) {
  ::setenv("BENCHFS_SESSION", "/from/environment", 1);
  const auto outcome = read_config({"--store", "/d"});
  ::unsetenv("BENCHFS_SESSION");
  ASSERT_TRUE(outcome.go_on) << outcome.text;
  EXPECT_EQ(outcome.config.session_directory, "/from/environment");
}

TEST_F(ConfigTest, NamesWhatIsMissing) {
  expect_refused(read_config({"--store", "/d"}), "--session");
  expect_refused(read_config({"--session", "/s"}), "--store");
}

TEST_F(ConfigTest, RefusesUnknownOptionsAndMalformedValues) {
  expect_refused(read({"--capasity", "1G"}), "--capasity");
  expect_refused(read({"stray"}), "stray");
  expect_refused(read({"--capacity", "12Q"}), "12Q");
  expect_refused(read({"--pool", "-1"}), "--pool");
  expect_refused(read({"--pool", "1M"}), "--pool");
  expect_refused(read({"--spin", "5h"}), "5h");
  expect_refused(read({"--backend", "floppy"}), "floppy");
  expect_refused(read({"--log", "loud"}), "loud");
}

TEST_F(ConfigTest, ReadsAFileAndLetsTheCommandLineWin) {
  const std::string path = file("capacity = \"2G\"\npool = \"32M\"\nbackend = \"uring\"\n");
  const auto outcome = read({"--config", path, "--pool", "16M"});
  ASSERT_TRUE(outcome.go_on) << outcome.text;
  EXPECT_EQ(outcome.config.capacity_bytes, 2 * kGiB);
  EXPECT_EQ(outcome.config.pool_bytes, 16 * kMiB);
  EXPECT_EQ(outcome.config.backend, io::DiskBackend::kUring);
}

TEST_F(ConfigTest, MetricsAreOffUnlessSomebodySaysWhere) {
  const auto metrics_of = [](const ConfigOutcome& outcome) {
    return outcome.config.metrics.has_value() ? outcome.config.metrics->text() : "off";
  };
  const std::string path = file("metrics = \"10.0.0.7:9500\"\n");
  EXPECT_EQ(metrics_of(read({})), "off");
  EXPECT_EQ(metrics_of(read({"--metrics", "9400"})), "127.0.0.1:9400");
  EXPECT_EQ(metrics_of(read({"--config", path})), "10.0.0.7:9500");
  // The command line, then the file, then the variable.
  ::setenv("BENCHFS_METRICS", "9600", 1);
  EXPECT_EQ(metrics_of(read({})), "127.0.0.1:9600");
  EXPECT_EQ(metrics_of(read({"--config", path})), "10.0.0.7:9500");
  EXPECT_EQ(metrics_of(read({"--config", path, "--metrics", "0"})), "127.0.0.1:0");
  ::setenv("BENCHFS_METRICS", "", 1);
  EXPECT_EQ(metrics_of(read({})), "off");
  ::unsetenv("BENCHFS_METRICS");
  expect_refused(read({"--metrics", "localhost:9400"}), "localhost:9400");
}

TEST_F(ConfigTest, RefusesUnknownKeysMalformedValuesAndMissingFiles) {
  expect_refused(read({"--config", file("capasity = \"2G\"\n")}), "capasity");
  expect_refused(read({"--config", file("capacity = \"12Q\"\n")}), "12Q");
  expect_refused(read({"--config", "/does/not/exist.toml"}), "/does/not/exist.toml");
}

TEST_F(ConfigTest, HelpIsWholeAndSucceeds) {
  const auto outcome = read_config({"--help"});
  EXPECT_FALSE(outcome.go_on);
  EXPECT_EQ(outcome.exit_code, 0);
  for (const std::string name : {"--session", "--store", "--capacity", "--pool", "--spin",
                                 "--backend", "--log", "--discard", "--config"}) {
    EXPECT_NE(outcome.text.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(outcome.text.find('\0'), std::string::npos);
}

}  // namespace
}  // namespace benchfs::server
