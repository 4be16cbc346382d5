// Goal: what users get wrong (sessions, options, paths, layouts, stores) is refused with the right
// errno or exit status and a sentence that names the thing and what to do, soon, and without harm
// to what is there.
// Method: the real command, servers and library; after each mistake in a live session, a file that
// was there before must still be what it was.

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session/session_file.h"
#include "support/cluster.h"
#include "support/in_child.h"
#include "support/live.h"

namespace {

namespace fs = std::filesystem;

using benchfs::Session;
using benchfs::test::Cluster;
using benchfs::test::ClusterOptions;
using benchfs::test::CommandResult;
using benchfs::test::contains;
using benchfs::test::content;
using benchfs::test::Failed;
using benchfs::test::failure_of;
using benchfs::test::holds;
using benchfs::test::TempDir;

constexpr uid_t kNobody = 65534;
constexpr std::size_t kKeptBytes = 3'000'017;

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_says(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_TRUE(contains(text, part)) << "no '" << part << "' in: " << text;
  }
}

void expect_fails(const Failed& failed, int code, const std::vector<std::string>& parts) {
  EXPECT_EQ(failed.code, code) << failed.text;
  expect_says(failed.text, parts);
  EXPECT_LT(failed.took, std::chrono::seconds(3)) << "not refused, but given up: " << failed.text;
}

/// benchfsd as a user starts it: under mpirun.
CommandResult run_server(const std::vector<std::string>& options, const TempDir& place) {
  std::vector<std::string> words = {
      BENCHFS_MPIRUN, "--allow-run-as-root", "--oversubscribe", "-n", "1", BENCHFS_SERVER};
  words.insert(words.end(), options.begin(), options.end());
  return benchfs::test::run_command(words, {{"BENCHFS_SESSION", place.file("session")}});
}

class BadInput : public testing::Test {
 protected:
  void bring_up(ClusterOptions options = {.server_count = 2, .capacity = "64M"}) {
    cluster_ = std::make_unique<Cluster>(std::move(options));
    const auto up = cluster_->up();
    ASSERT_EQ(up.exit_status, 0) << up.out << up.err;
    session_ = std::make_unique<Session>(cluster_->session_directory());
    session_->open("/kept", O_RDWR | O_CREAT).write(content(0, kKeptBytes, 1), 0);
  }

  void TearDown() override {
    if (session_ != nullptr) {
      EXPECT_TRUE(holds(*session_, "/kept", kKeptBytes, 1));
    }
    session_.reset();
    if (cluster_ != nullptr) {
      EXPECT_EQ(cluster_->down().exit_status, 0);
      EXPECT_TRUE(fs::is_empty(cluster_->place().path()));
    }
  }

  /// A directory with a copy of the session file that `spoil` has changed.
  std::string spoiled_copy(const TempDir& place, void (*spoil)(benchfs::session::Session&)) {
    auto session = benchfs::session::read_session(cluster_->session_directory());
    EXPECT_TRUE(session.has_value());
    spoil(*session);
    const auto bytes = benchfs::session::encode(*session);
    return copy_of(place, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

  static std::string copy_of(const TempDir& place, const std::string& bytes) {
    const std::string directory = place.file("copy");
    fs::create_directories(directory);
    EXPECT_EQ(::chmod(directory.c_str(), 0700), 0);
    const std::string file = directory + "/session";
    std::ofstream(file, std::ios::binary) << bytes;
    EXPECT_EQ(::chmod(file.c_str(), 0600), 0);
    return directory;
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Session> session_;
};

// ---- Sessions

TEST_F(BadInput, NoSession) {
  const TempDir place;
  const std::string missing = place.file("missing");
  expect_fails(failure_of([&] { Session session(missing); }), ENOENT, {missing, "benchfs up"});
  expect_fails(failure_of([&] { Session session(place.path().string()); }), ENOENT,
               {place.path().string(), "benchfs up"});
  const benchfs::test::Environment none(benchfs::test::Variables{{"BENCHFS_SESSION", ""}});
  expect_fails(failure_of([] { Session session; }), EINVAL, {"BENCHFS_SESSION"});
  std::ofstream(place.file("file")) << "x";
  expect_fails(failure_of([&] { Session session(place.file("file")); }), EINVAL,
               {place.file("file"), "directory"});
  for (const char* command : {"ls", "df", "status"}) {
    const auto result = benchfs::test::run_command(
        {benchfs::test::benchfs_program(), command, "--session", missing});
    EXPECT_NE(result.exit_status, 0) << command;
    expect_says(result.err, {missing, "benchfs up"});
  }
}

TEST_F(BadInput, StaleSession) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  for (const pid_t pid : cluster_->server_pids()) {
    ASSERT_TRUE(benchfs::test::kill_and_wait(pid, SIGKILL));
  }
  session_.reset();
  Session stale(cluster_->session_directory());
  const Failed failed = failure_of([&] { stale.stat("/kept"); });
  EXPECT_EQ(failed.code, EHOSTDOWN) << failed.text;
  expect_says(failed.text, {"/kept", "server", "is gone"});
  EXPECT_LT(failed.took, std::chrono::seconds(12));
  const auto status = cluster_->benchfs({"status"});
  EXPECT_EQ(status.exit_status, 1);
  expect_says(status.err, {"stale", "benchfs down"});
}

TEST_F(BadInput, SessionOpenToOthersOrOfAnother) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  const std::string directory = cluster_->session_directory();
  const std::string file = directory + "/session";
  const auto refused = [&](const std::vector<std::string>& parts) {
    expect_fails(failure_of([&] { Session session(directory); }), EACCES, parts);
  };
  for (const mode_t mode : {0644U, 0640U, 0606U}) {
    ASSERT_EQ(::chmod(file.c_str(), mode), 0);
    refused({file, "chmod 0600"});
  }
  ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
  for (const mode_t mode : {0755U, 0750U, 0701U}) {
    ASSERT_EQ(::chmod(directory.c_str(), mode), 0);
    refused({directory, "chmod 0700"});
  }
  ASSERT_EQ(::chmod(directory.c_str(), 0700), 0);
  if (::geteuid() != 0) {
    return;
  }
  ASSERT_EQ(::chown(file.c_str(), kNobody, kNobody), 0);
  refused({file, "belongs to uid 65534"});
  ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(directory.c_str(), kNobody, kNobody), 0);
  refused({directory, "belongs to uid 65534"});
  ASSERT_EQ(::chown(directory.c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(cluster_->place().path().c_str(), 0755), 0);
  const auto other = benchfs::test::run_in_child([&] {
    ASSERT_EQ(::setuid(kNobody), 0);
    refused({directory, "belongs to uid 0"});
  });
  EXPECT_TRUE(other.passed) << other.log;
}

TEST_F(BadInput, WrongSecret) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  const TempDir place;
  const std::string copy = spoiled_copy(
      place, [](benchfs::session::Session& session) { session.secret[5] ^= std::byte{1}; });
  Session stranger(copy);
  expect_fails(failure_of([&] { stranger.stat("/kept"); }), EACCES, {"/kept", "secret", "server"});
  expect_fails(failure_of([&] { stranger.open("/kept", O_RDWR | O_TRUNC); }), EACCES, {"secret"});
}

TEST_F(BadInput, SessionFileOfAnotherSessionOrDamaged) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  const TempDir place;
  Session other(
      spoiled_copy(place, [](benchfs::session::Session& session) { session.session_id ^= 1; }));
  expect_fails(failure_of([&] { other.stat("/kept"); }), ESTALE, {"/kept", "another session"});

  const std::string whole = text_of(cluster_->session_directory() + "/session");
  std::string version = whole;
  version[8] = 9;
  expect_fails(failure_of([&] { Session session(copy_of(place, version)); }), EINVAL,
               {place.file("copy"), "version 9"});
  std::vector<std::string> damaged = {"",
                                      "x",
                                      whole.substr(0, 31),
                                      whole.substr(0, 100),
                                      whole.substr(0, whole.size() - 1),
                                      whole + "x",
                                      std::string(5000, '\xFF')};
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    if (at < 8 || at >= 16) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      damaged.push_back(flipped);
    }
  }
  for (const std::string& bytes : damaged) {
    expect_fails(failure_of([&] { Session session(copy_of(place, bytes)); }), EINVAL,
                 {place.file("copy"), "damaged"});
  }
}

TEST_F(BadInput, SessionThatIsUpAlready) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  const auto pids = cluster_->server_pids();
  const auto second = cluster_->up();
  EXPECT_EQ(second.exit_status, 1);
  expect_says(second.err, {cluster_->session_directory(), "already up", "benchfs down"});
  const TempDir store;
  const auto server = run_server({"--store", store.path().string()}, cluster_->place());
  EXPECT_NE(server.exit_status, 0);
  expect_says(server.err, {cluster_->session_directory(), "already", "benchfs down"});
  EXPECT_TRUE(fs::is_empty(store.path()));
  EXPECT_EQ(cluster_->server_pids(), pids);
}

// ---- Options

TEST_F(BadInput, OptionsAndKeysThatDoNotExist) {
  const TempDir place;
  const std::string store = place.path().string();
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& parts) {
    // Without mpirun: it ends before it would meet others.
    std::vector<std::string> words = {BENCHFS_SERVER};
    words.insert(words.end(), options.begin(), options.end());
    const auto result =
        benchfs::test::run_command(words, {{"BENCHFS_SESSION", place.file("session")}});
    EXPECT_EQ(result.exit_status, 2) << result.err;
    expect_says(result.err, parts);
  };
  refused({"--store", store, "--frobnicate"}, {"--frobnicate"});
  refused({"--session", "x"}, {"--store"});
  for (const char* size : {"12Q", "-5", "", "1.5.2G", "99999999999T", "G"}) {
    refused({"--store", store, std::string("--capacity=") + size}, {"--capacity", size});
  }
  refused({"--store", store, "--pool", "1M"}, {"--pool", "8.0 MiB"});
  refused({"--store", store, "--spin", "3parsecs"}, {"--spin", "3parsecs"});
  refused({"--store", store, "--backend", "floppy"}, {"--backend", "floppy"});
  refused({"--store", store, "--config", place.file("none.toml")}, {"none.toml"});
  const std::string config = place.file("config.toml");
  std::ofstream(config) << "capacity = \"64M\"\nfrobnicate = 3\n";
  refused({"--store", store, "--config", config}, {"frobnicate"});
  std::ofstream(config) << "capacity = \"12Q\"\n";
  refused({"--store", store, "--config", config}, {"12Q"});
  EXPECT_FALSE(fs::exists(place.file("session")));
  EXPECT_FALSE(fs::exists(place.file("server-0")));
}

TEST_F(BadInput, TimeoutThatIsNone) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  for (const char* value : {"soon", "-1s", "0s", "10y"}) {
    const benchfs::test::Environment wrong(benchfs::test::Variables{{"BENCHFS_TIMEOUT", value}});
    expect_fails(failure_of([&] { Session session(cluster_->session_directory()); }), EINVAL,
                 {"BENCHFS_TIMEOUT", value, "10s"});
  }
}

// ---- Paths and layouts

TEST_F(BadInput, PathsThatAreTooLongOrLeaveTheRoot) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  const std::string long_name(256, 'n');
  std::string long_path;
  while (long_path.size() <= 4096) {
    long_path += "/" + std::string(100, 'p');
  }
  for (const std::string& path : {"/" + long_name, long_path}) {
    const auto refused = [&](const std::function<void()>& call) {
      expect_fails(failure_of(call), ENAMETOOLONG, {path.substr(0, 100), "longer than"});
    };
    refused([&] { session_->open(path, O_RDWR | O_CREAT); });
    refused([&] { session_->stat(path); });
    refused([&] { session_->mkdir(path); });
    refused([&] { session_->rename("/kept", path); });
    refused([&] { session_->unlink(path); });
    const auto command = cluster_->benchfs({"mkdir", path});
    EXPECT_EQ(command.exit_status, 1);
    expect_says(command.err, {"too long"});
  }
  const std::string longest = "/" + std::string(255, 'n');
  session_->open(longest, O_RDWR | O_CREAT);
  session_->unlink(longest);
  EXPECT_TRUE(holds(*session_, "/../..//./../kept", kKeptBytes, 1));
  EXPECT_EQ(session_->stat("/..").st_ino, session_->stat("/").st_ino);
  expect_fails(failure_of([&] { session_->stat("kept"); }), EINVAL, {"kept"});
  expect_fails(failure_of([&] { session_->stat(""); }), ENOENT, {});
  expect_fails(failure_of([&] { session_->stat("/kept/"); }), ENOTDIR, {"/kept"});
  expect_fails(failure_of([&] { session_->rmdir("/"); }), EBUSY, {"/"});
  expect_fails(failure_of([&] { session_->mkdir("/none/below"); }), ENOENT, {"/none"});
}

TEST_F(BadInput, LayoutsAndOffsetsThatCannotBe) {
  ASSERT_NO_FATAL_FAILURE(bring_up());
  for (const std::uint64_t chunk : {std::uint64_t{0}, (std::uint64_t{1} << 40) + 1, UINT64_MAX}) {
    expect_fails(failure_of([&] {
                   session_->open("/new", O_RDWR | O_CREAT, 0644, {chunk, 0});
                 }),
                 EINVAL, {"/new", "chunk"});
  }
  expect_fails(failure_of([&] { session_->stat("/new"); }), ENOENT, {"/new"});
  std::ofstream(cluster_->place().file("in")) << "data";
  for (const char* size : {"0", "12Q", "-1"}) {
    const auto copied = cluster_->benchfs(
        {"cp", std::string("--chunk-size=") + size, cluster_->place().file("in"), "benchfs:/new"});
    EXPECT_NE(copied.exit_status, 0) << size;
    expect_says(copied.err, {"chunk", size});
    expect_fails(failure_of([&] { session_->stat("/new"); }), ENOENT, {"/new"});
  }
  fs::remove(cluster_->place().file("in"));
  auto file = session_->open("/kept", O_RDWR);
  const auto bytes = content(0, 10, 9);
  constexpr auto kEnd = static_cast<std::uint64_t>(INT64_MAX);
  expect_fails(failure_of([&] { file.write(bytes, kEnd - 5); }), EFBIG, {"/kept"});
  expect_fails(failure_of([&] { file.write(bytes, UINT64_MAX); }), EINVAL, {"/kept"});
  expect_fails(failure_of([&] { file.truncate(UINT64_MAX); }), EINVAL, {"/kept"});
  expect_fails(failure_of([&] { session_->open("/kept", O_RDONLY).write(bytes, 0); }), EBADF,
               {"/kept"});
  expect_fails(failure_of([&] { session_->open("/kept", O_RDWR | O_TMPFILE); }), EINVAL, {"/kept"});
}

// ---- Stores

TEST_F(BadInput, StoresThatCannotBeUsed) {
  const TempDir place;
  const auto refused = [&](const std::vector<std::string>& options,
                           const std::vector<std::string>& parts) {
    const auto result = run_server(options, place);
    EXPECT_NE(result.exit_status, 0);
    expect_says(result.err, parts);
    EXPECT_FALSE(fs::exists(place.file("session/session")));
  };
  const std::string missing = place.file("missing");
  refused({"--store", missing, "--capacity", "64M"}, {missing, "does not exist", "--store"});
  const std::string file = place.file("file");
  std::ofstream(file) << "precious";
  refused({"--store", file, "--capacity", "64M"}, {file, "not a directory", "--store"});
  EXPECT_EQ(text_of(file), "precious");
  const std::string store = place.file("store");
  fs::create_directory(store);
  refused({"--store", store, "--capacity", "8M"}, {store, "too small", "16.0 MiB"});
  struct statvfs space {};
  ASSERT_EQ(::statvfs(store.c_str(), &space), 0);
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  refused({"--store", store, "--capacity", std::to_string(free_bytes + (std::uint64_t{50} << 30))},
          {store, "free", "capacity"});
  EXPECT_TRUE(fs::is_empty(store));
  fs::create_directory(store + "/server-0");
  std::ofstream(store + "/server-0/data") << "thesis";
  refused({"--store", store, "--capacity", "64M"}, {store + "/server-0", "not of a benchfs store"});
  refused({"--store", store, "--capacity", "64M", "--discard"}, {store + "/server-0"});
  EXPECT_EQ(text_of(store + "/server-0/data"), "thesis");
}

TEST_F(BadInput, StoreThatIsReadOnly) {
  const TempDir place;
  const std::string store = place.file("store");
  fs::create_directory(store);
  CommandResult result;
  if (::geteuid() == 0) {
    // Permissions do not hold root back; a file system that is mounted read-only does.
    result = benchfs::test::run_command(
        {"unshare", "--mount", "sh", "-c",
         "mount -t tmpfs -o ro tmpfs \"$1\" || exit 77; exec \"$2\" --allow-run-as-root -n 1 "
         "\"$3\" --session \"$4\" --store \"$1\" --capacity 64M",
         "sh", store, BENCHFS_MPIRUN, BENCHFS_SERVER, place.file("session")});
    if (result.exit_status == 77) {
      GTEST_SKIP() << "no file system may be mounted here: " << result.err;
    }
  } else {
    ASSERT_EQ(::chmod(store.c_str(), 0555), 0);
    result = run_server({"--store", store, "--capacity", "64M"}, place);
  }
  EXPECT_NE(result.exit_status, 0);
  expect_says(result.err, {store, "not writable"});
}

TEST_F(BadInput, StoreOfALivingOrDeadServer) {
  const ClusterOptions options{.server_count = 1, .capacity = "64M"};
  ASSERT_NO_FATAL_FAILURE(bring_up(options));
  const TempDir place;
  const std::string store = cluster_->store_directory();
  const auto busy = run_server({"--store", store, "--capacity", "64M"}, place);
  EXPECT_NE(busy.exit_status, 0);
  expect_says(busy.err, {store + "/server-0", "in use", "running"});
  const auto discard = run_server({"--store", store, "--capacity", "64M", "--discard"}, place);
  EXPECT_NE(discard.exit_status, 0);
  expect_says(discard.err, {"in use"});
  EXPECT_TRUE(holds(*session_, "/kept", kKeptBytes, 1));

  session_.reset();
  ASSERT_TRUE(benchfs::test::kill_and_wait(cluster_->server_pids().at(0), SIGKILL));
  const auto dead = run_server({"--store", store, "--capacity", "128M"}, place);
  EXPECT_NE(dead.exit_status, 0);
  expect_says(dead.err, {store + "/server-0", "capacity", "cannot be changed"});
  EXPECT_TRUE(fs::exists(store + "/server-0/data"));
}

TEST_F(BadInput, StoreInMemoryOfTheKernelWorks) {
  const TempDir memory("/dev/shm");
  const ClusterOptions options{.server_count = 1, .capacity = "64M"};
  cluster_ = std::make_unique<Cluster>(options);
  fs::create_directory_symlink(memory.path(), cluster_->store_directory());
  const auto up = cluster_->up();
  ASSERT_EQ(up.exit_status, 0) << up.err;
  {
    Session session(cluster_->session_directory());
    auto file = session.open("/there", O_RDWR | O_CREAT);
    file.write(content(0, kKeptBytes, 1), 0);
    file.sync();
    EXPECT_TRUE(holds(session, "/there", kKeptBytes, 1));
    // Before Linux 6.6 tmpfs has no direct I/O; then the server says so.
    const bool direct = benchfs::test::status_of(session, 0).direct_io != 0;
    const std::string log = text_of(cluster_->session_directory() + "/servers.log");
    EXPECT_EQ(contains(log, "no direct I/O"), !direct) << log;
  }
  EXPECT_EQ(cluster_->down().exit_status, 0);
  EXPECT_TRUE(fs::is_empty(memory.path()));
  EXPECT_TRUE(fs::remove(cluster_->store_directory()));
}

// ---- The way to the drive

TEST_F(BadInput, ServersWithoutIoUringChooseThreadsAndSayItOnce) {
  const auto child = benchfs::test::run_in_child([&] {
    ASSERT_TRUE(benchfs::test::deny_syscall(SYS_io_uring_setup, EPERM));
    ASSERT_NO_FATAL_FAILURE(bring_up());
    for (int server = 0; server < 2; ++server) {
      EXPECT_STREQ(benchfs::test::status_of(*session_, server).disk_backend, "posix");
    }
    const std::string log = text_of(cluster_->session_directory() + "/servers.log");
    EXPECT_EQ(benchfs::test::count_of(log, "io_uring is not available here"), 2U) << log;
    session_->open("/kept", O_RDWR).sync();
    TearDown();
    cluster_.reset();
  });
  EXPECT_TRUE(child.passed) << child.log;
}

TEST_F(BadInput, ForcedThreadsAreNoWarning) {
  const ClusterOptions options{
      .server_count = 1, .capacity = "64M", .up_options = {"--backend", "posix"}};
  ASSERT_NO_FATAL_FAILURE(bring_up(options));
  EXPECT_STREQ(benchfs::test::status_of(*session_, 0).disk_backend, "posix");
  const std::string log = text_of(cluster_->session_directory() + "/servers.log");
  EXPECT_FALSE(contains(log, "not available")) << log;
  session_->open("/kept", O_RDWR).sync();
}

}  // namespace
