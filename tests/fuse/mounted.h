#pragma once

// A session with mounts, for a test: all of it is gone with this object. A machine without
// /dev/fuse fails the tests: a mount is part of the product, not of the machine.

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <benchfs/benchfs.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/mounts.h"
#include "launcher/process.h"
#include "support/cluster.h"
#include "support/live.h"

namespace benchfs::test {

/// What a system call returned, or minus its errno.
template <typename T>
T or_errno(T result) {
  return result < 0 ? static_cast<T>(-errno) : result;
}

/// An open file, closed with this object.
class Fd {
 public:
  Fd(const std::string& path, int flags, mode_t mode = 0644)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    EXPECT_GE(fd_, 0) << path << ": errno " << errno;
  }
  ~Fd() { close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  operator int() const noexcept { return fd_; }  // NOLINT(google-explicit-constructor)
  void close() {
    if (fd_ >= 0) {
      ::close(std::exchange(fd_, -1));
    }
  }

 private:
  int fd_;
};

class Mounted {
 public:
  explicit Mounted(unsigned server_count = 2, const std::vector<std::string>& mounts = {"a"})
      : cluster({.server_count = server_count, .tls = "shm"}) {
    const auto up = cluster.up();
    EXPECT_EQ(up.exit_status, 0) << up.err;
    for (const std::string& name : mounts) {
      ::mkdir(at(name).c_str(), 0755);
      const auto mounted = cluster.benchfs({"mount", at(name)});
      EXPECT_EQ(mounted.exit_status, 0) << mounted.err;
    }
  }

  /// A path in a mount: at("a", "/file"); or the mount itself.
  std::string at(const std::string& mount, const std::string& path = "") const {
    return cluster.place().file(mount) + path;
  }

  Session join() const { return Session(cluster.session_directory()); }

  /// The process that serves a mount; 0: there is none.
  pid_t process(const std::string& mount) const {
    const auto found = launcher::processes_with_variable(
        std::string(launcher::kFuseDirectoryVariable) + "=" + at(mount));
    return found.empty() ? 0 : found.front().pid;
  }

  bool is_mounted(const std::string& name) const {
    for (const launcher::FuseMount& mount : launcher::find_mounts()) {
      if (mount.directory == at(name)) {
        return true;
      }
    }
    return false;
  }

  Cluster cluster;
};

}  // namespace benchfs::test
