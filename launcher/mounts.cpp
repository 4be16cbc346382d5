#include "launcher/mounts.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/process.h"
#include "tools/console.h"

namespace benchfs::launcher {
namespace {

constexpr std::string_view kType = "fuse.benchfs";
constexpr std::string_view kSourcePrefix = "benchfs:";

/// For a process to end whose mount is gone, before and after it was told to.
constexpr std::chrono::milliseconds kEndPatience{5'000};

/// The kernel writes spaces and the like as \ooo.
std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_digit = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7';
    };
    if (text[i] == '\\' && is_digit(i + 1) && is_digit(i + 2) && is_digit(i + 3)) {
      out += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                               (text[i + 3] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// As `fusermount3 -u`: users may not call umount(2), but that program may.
int unmount_by_helper(const std::string& directory, bool detach) {
  std::vector<std::string> words = {"fusermount3", "-u", "-q"};
  if (detach) {
    words.emplace_back("-z");
  }
  words.insert(words.end(), {"--", directory});
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), ::environ);
  if (failed != 0) {
    return failed;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EBUSY;
}

int unmount_once(const std::string& directory, bool detach) {
  if (::geteuid() != 0) {
    return unmount_by_helper(directory, detach);
  }
  return ::umount2(directory.c_str(), UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0)) == 0 ? 0 : errno;
}

std::vector<ProcessId> processes_of(const FuseMount& mount) {
  const auto at =
      processes_with_variable(fmt::format("{}={}", kFuseDirectoryVariable, mount.directory));
  auto all = processes_with_variable(fmt::format("{}={}", kFuseSessionVariable, mount.session));
  std::erase_if(all, [&at](const ProcessId process) {
    return std::find(at.begin(), at.end(), process) == at.end();
  });
  return all;
}

/// A process ends by itself once nobody can reach its mount any more.
bool end_processes(const FuseMount& mount, bool at_once) {
  for (const int number : {0, SIGTERM, SIGKILL}) {
    const auto held = hold_all(processes_of(mount));
    if (number == 0 && at_once) {
      continue;
    }
    for (const HeldProcess& process : held) {
      if (number != 0) {
        process.signal(number);
      }
    }
    if (wait_for_end(held, std::chrono::steady_clock::now() + kEndPatience)) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<FuseMount> parse_mounts(const std::string& mountinfo) {
  std::vector<FuseMount> mounts;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) {
      continue;
    }
    std::istringstream before(line.substr(0, dash));
    std::istringstream behind(line.substr(dash + 3));
    std::string skipped;
    std::string point;
    std::string type;
    std::string source;
    before >> skipped >> skipped >> skipped >> skipped >> point;
    behind >> type >> source;
    source = unescaped(source);
    if (type == kType && source.compare(0, kSourcePrefix.size(), kSourcePrefix) == 0) {
      mounts.push_back(
          {.directory = unescaped(point), .session = source.substr(kSourcePrefix.size())});
    }
  }
  return mounts;
}

std::vector<FuseMount> find_mounts() {
  return parse_mounts(read_text("/proc/self/mountinfo"));
}

std::string absolute_session(const std::string& directory) {
  std::error_code failed;
  std::string path = std::filesystem::weakly_canonical(directory, failed).string();
  if (failed) {
    path = std::filesystem::absolute(directory, failed).lexically_normal().string();
  }
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  return path;
}

std::string absolute_mount_point(const std::string& directory) {
  std::error_code failed;
  const std::string path = std::filesystem::canonical(directory, failed).string();
  if (!failed) {
    return path;
  }
  std::filesystem::path plain = std::filesystem::absolute(directory, failed).lexically_normal();
  if (!plain.has_filename()) {
    plain = plain.parent_path();
  }
  const auto parent = std::filesystem::canonical(plain.parent_path(), failed);
  return failed ? plain.string() : (parent / plain.filename()).string();
}

std::string take_away(const FuseMount& mount, Busy busy) {
  int failed = unmount_once(mount.directory, false);
  const bool was_busy = failed == EBUSY;
  if (was_busy && busy == Busy::kDetach) {
    failed = unmount_once(mount.directory, true);
  }
  if (failed == EBUSY) {
    return fmt::format("{}: is in use; leave it, or use --force", mount.directory);
  }
  if (failed != 0 && failed != EINVAL) {  // EINVAL: somebody else has unmounted it meanwhile.
    return fmt::format("{}: cannot unmount it: {}", mount.directory, tools::errno_text(failed));
  }
  if (!end_processes(mount, was_busy)) {
    return fmt::format("{}: the process of the mount survives SIGKILL", mount.directory);
  }
  return "";
}

MountsTakenAway take_away_mounts_of(const std::string& session_directory) {
  MountsTakenAway result;
  const std::string session = absolute_session(session_directory);
  auto mounts = find_mounts();
  // The latest first: it may be on top of another one, or in it.
  std::reverse(mounts.begin(), mounts.end());
  for (const FuseMount& mount : mounts) {
    if (mount.session != session) {
      continue;
    }
    const std::string trouble = take_away(mount, Busy::kDetach);
    if (trouble.empty()) {
      result.done.push_back("unmounted " + mount.directory);
    } else {
      result.failures.push_back(trouble);
    }
  }
  return result;
}

}  // namespace benchfs::launcher
