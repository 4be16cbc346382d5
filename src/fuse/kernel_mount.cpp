#include "fuse/kernel_mount.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "fuse/request.h"

namespace benchfs::fuse {
namespace {

/// Requests that are answered at once. Each has a thread; what waits for a lost server has one too.
constexpr unsigned kThreadsMax = 32;
constexpr unsigned kIdleThreadsMax = 8;

constexpr char kDevice[] = "/dev/fuse";
constexpr char kHelper[] = "fusermount3";

std::string errno_text(int error) {
  char buffer[128];
  return ::strerror_r(error, buffer, sizeof(buffer));
}

bool is_in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::string left = path == nullptr ? "/usr/bin:/bin" : path;
  while (!left.empty()) {
    const std::string directory = left.substr(0, left.find(':'));
    left.erase(0, directory.size() + 1);
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) {
      return true;
    }
  }
  return false;
}

/// A value of a mount option: libfuse takes a comma for the end of it.
std::string escaped(const std::string& value) {
  std::string out;
  for (const char c : value) {
    out += c == ',' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return out;
}

void agree(void* user_data, fuse_conn_info* connection) {
  // The kernel does it when owner or contents change.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_HANDLE_KILLPRIV);
  // Bytes go from the device into memory once, and from there to the servers.
  connection->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  connection->max_write = kTransferBytesMax;
  const auto& file_system = *static_cast<FileSystem*>(user_data);
  if (file_system.cache_seconds() <= 0) {
    // What a listing tells about its names is of use to a kernel that keeps it.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
  }
  file_system.tell_ready();
}

}  // namespace

std::string why_not_mountable(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    return fmt::format("{}: {}", directory, errno_text(errno));
  }
  if (!S_ISDIR(status.st_mode)) {
    return fmt::format("{}: is not a directory", directory);
  }
  if (::access(kDevice, F_OK) != 0) {
    return fmt::format("{} is not there: this kernel, or container, has no FUSE (modprobe fuse)",
                       kDevice);
  }
  if (::geteuid() == 0) {
    return "";
  }
  if (::access(kDevice, R_OK | W_OK) != 0) {
    return fmt::format("{}: {}", kDevice, errno_text(errno));
  }
  if (!is_in_path(kHelper)) {
    return fmt::format("{} is not in PATH: users need it to mount (package fuse3)", kHelper);
  }
  return "";
}

tl::expected<std::unique_ptr<KernelMount>, std::string> KernelMount::create(
    const Arguments& arguments, const std::string& session_directory, FileSystem& file_system) {
  std::unique_ptr<KernelMount> mount(new KernelMount());
  fuse_lowlevel_ops table = operations();
  table.init = agree;

  fuse_args words = FUSE_ARGS_INIT(0, nullptr);
  const std::string options = fmt::format(
      "-ofsname=benchfs:{},subtype=benchfs,default_permissions{}{}", escaped(session_directory),
      arguments.allow_other ? ",allow_other" : "", arguments.read_only ? ",ro" : "");
  fuse_opt_add_arg(&words, "benchfs-fuse");
  fuse_opt_add_arg(&words, options.c_str());
  mount->session_ = fuse_session_new(&words, &table, sizeof(table), &file_system);
  fuse_opt_free_args(&words);
  if (mount->session_ == nullptr) {
    return tl::unexpected<std::string>("libfuse refuses the options " + options);
  }
  if (fuse_session_mount(mount->session_, arguments.directory.c_str()) != 0) {
    return tl::unexpected<std::string>(
        fmt::format("{}: cannot mount there{}", arguments.directory,
                    ::geteuid() == 0 ? ""
                                     : " (--allow-other needs user_allow_other in "
                                       "/etc/fuse.conf)"));
  }
  mount->mounted_ = true;
  return mount;
}

KernelMount::~KernelMount() {
  if (session_ == nullptr) {
    return;
  }
  if (mounted_) {
    fuse_session_unmount(session_);
  }
  if (handles_signals_) {
    fuse_remove_signal_handlers(session_);
  }
  fuse_session_destroy(session_);
}

bool KernelMount::serve() {
  handles_signals_ = fuse_set_signal_handlers(session_) == 0;
  if (!handles_signals_) {
    return false;
  }
  sigset_t numbers;
  ::sigemptyset(&numbers);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaddset(&numbers, number);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &numbers, nullptr);
  fuse_loop_config* const config = fuse_loop_cfg_create();
  if (config == nullptr) {
    return false;
  }
  // Not a channel for each thread: libfuse up to 3.16 may let go of one twice when a request is
  // interrupted while it is answered.
  fuse_loop_cfg_set_clone_fd(config, 0);
  fuse_loop_cfg_set_max_threads(config, kThreadsMax);
  fuse_loop_cfg_set_idle_threads(config, kIdleThreadsMax);
  const int ended = fuse_session_loop_mt(session_, config);
  fuse_loop_cfg_destroy(config);
  return ended >= 0;  // The number of a signal that ended it is positive.
}

}  // namespace benchfs::fuse
