#pragma once

// A file system of its own on this machine, as a drive that can become read-only: ext4 in a file,
// by a loop device.
//
// It is mounted for this process and its children alone, and gone with the last of them.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/command.h"
#include "support/temp_dir.h"

namespace benchfs::test {

class LoopDrive {
 public:
  /// Why this process may not make any; empty if it may.
  static std::string why_not() {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
      return std::string("/dev/loop-control: ") + std::strerror(errno);
    }
    ::close(control);
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(::unshare(CLONE_NEWNS) == 0 ? 0 : errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? "" : std::string("cannot mount: ") + std::strerror(WEXITSTATUS(status));
  }

  /// Mounted at `directory`, which must exist. No thread but the calling one may exist. Aborts on
  /// errors.
  LoopDrive(std::string directory, unsigned mebibytes) : directory_(std::move(directory)) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      std::perror("loop_drive");
      std::abort();
    }
    std::ofstream(image()).close();
    std::filesystem::resize_file(image(), std::uint64_t{mebibytes} << 20);
    run({"mkfs.ext4", "-q", "-F", image()});
    mount();
  }
  ~LoopDrive() { ::umount2(directory_.c_str(), MNT_DETACH); }
  LoopDrive(const LoopDrive&) = delete;
  LoopDrive& operator=(const LoopDrive&) = delete;

  /// Nobody may have a file of it open.
  void make_read_only() { run({"mount", "-o", "remount,ro", directory_}); }
  void make_writable() { run({"mount", "-o", "remount,rw", directory_}); }

  /// What the kernel does when it finds the file system in error, whoever uses it: no write of any
  /// kind succeeds.
  void stop_writes() {
    std::ofstream trigger("/sys/fs/ext4/" + device() + "/trigger_fs_error");
    trigger << "by a test" << std::flush;
    if (!trigger.good()) {
      std::fprintf(stderr, "cannot make %s fail\n", device().c_str());
      std::abort();
    }
  }

  /// As after the repair. Nobody may have a file of it open.
  void mount_again() {
    run({"umount", directory_});
    mount();
  }

 private:
  std::string image() const { return place_.file("image"); }

  void mount() { run({"mount", "-o", "loop,errors=remount-ro", image(), directory_}); }

  /// "loop0"
  std::string device() const {
    std::ifstream mounts("/proc/self/mounts");
    std::string from;
    std::string at;
    for (std::string rest; mounts >> from >> at && std::getline(mounts, rest);) {
      if (at == directory_) {
        return std::filesystem::path(from).filename().string();
      }
    }
    return "";
  }

  static void run(const std::vector<std::string>& argv) {
    const CommandResult result = run_command(argv);
    if (result.exit_status != 0) {
      std::fprintf(stderr, "%s: %s%s", argv.front().c_str(), result.out.c_str(),
                   result.err.c_str());
      std::abort();
    }
  }

  const std::string directory_;
  TempDir place_;
};

}  // namespace benchfs::test
