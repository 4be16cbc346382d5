#include "tools/mount.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "tools/console.h"

namespace benchfs::tools {
namespace {

constexpr std::string_view kPrefix = "benchfs:";

volatile std::sig_atomic_t interrupted = 0;

extern "C" void note_interrupt(int /*number*/) {
  interrupted = 1;
}

/// Errors of which errno alone tells too little: which server, and what about it.
bool needs_detail(int error) noexcept {
  return error == EIO || error == EHOSTDOWN || error == EPROTO || error == ESTALE ||
         error == ENOTSUP || error == EINVAL;
}

std::string_view without_slashes_at_end(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
  }
  return path;
}

}  // namespace

Mount::Mount(const std::string& session_directory)
    : mount_(benchfs_mount_open(session_directory.c_str())) {
  if (mount_ == nullptr) {
    const int saved = errno;
    const std::string detail = benchfs_error_text();
    complain("{}", detail.empty() ? session_directory + ": " + errno_text(saved) : detail);
  }
}

Mount::~Mount() {
  if (mount_ != nullptr) {
    benchfs_mount_close(mount_);
  }
}

Failure last_failure() {
  const int error = errno;
  return {.error = error, .detail = needs_detail(error) ? benchfs_error_text() : ""};
}

void complain_failure(std::string_view doing, const std::string& path, const Failure& failure) {
  complain("{} {}: {}{}", doing, in_quotes(path), errno_text(failure.error),
           failure.detail.empty() ? "" : " (" + failure.detail + ")");
}

void complain_failure(std::string_view doing, const std::string& path) {
  complain_failure(doing, path, last_failure());
}

bool read_directory(benchfs_mount* mount, const std::string& path, std::vector<Entry>& out) {
  benchfs_dir* dir = benchfs_opendir(mount, path.c_str());
  if (dir == nullptr) {
    return false;
  }
  benchfs_dirent entry;
  int more = 0;
  while ((more = benchfs_readdir(dir, &entry)) > 0) {
    out.push_back({.name = entry.name, .attributes = entry.attributes});
  }
  const int saved = errno;
  benchfs_closedir(dir);
  errno = saved;
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return more == 0;
}

bool read_link(benchfs_mount* mount, const std::string& path, std::string& target) {
  target.resize(4096);  // One more than a target may have.
  const ssize_t length = benchfs_readlink(mount, path.c_str(), target.data(), target.size());
  target.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return length >= 0;
}

bool is_benchfs_argument(std::string_view argument) noexcept {
  return argument.substr(0, kPrefix.size()) == kPrefix;
}

std::string benchfs_path(std::string_view argument) {
  if (is_benchfs_argument(argument)) {
    argument.remove_prefix(kPrefix.size());
  }
  return argument.empty() || argument.front() != '/' ? "/" + std::string(argument)
                                                     : std::string(argument);
}

std::string joined_path(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') {
    path += '/';
  }
  return path.append(name);
}

std::string last_name(std::string_view path) {
  path = without_slashes_at_end(path);
  const std::size_t slash = path.rfind('/');
  return std::string(path.size() == 1 || slash == std::string_view::npos ? path
                                                                         : path.substr(slash + 1));
}

std::string parent_path(std::string_view path) {
  path = without_slashes_at_end(path);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return ".";
  }
  return std::string(slash == 0 ? path.substr(0, 1)
                                : without_slashes_at_end(path.substr(0, slash)));
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_interrupt;
  // A second one ends a command that waits for a server.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM}) {
    ::sigaction(number, &action, nullptr);
  }
}

bool was_interrupted() noexcept {
  return interrupted != 0;
}

int exit_status_of(bool fine) noexcept {
  if (was_interrupted()) {
    return kExitInterrupted;
  }
  return fine ? kExitOk : kExitFailure;
}

mode_t current_umask() noexcept {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

}  // namespace benchfs::tools
