#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/mounts.h"
#include "launcher/servers.h"
#include "launcher/teardown.h"
#include "tools/console.h"

namespace benchfs::launcher {

using tools::complain;
using tools::say;

namespace {

/// There is no session any more, but what it was mounted on may still be there.
int clear_mounts(const std::string& directory) {
  const MountsTakenAway mounts = take_away_mounts_of(directory);
  for (const std::string& line : mounts.done) {
    say("benchfs: {}\n", line);
  }
  for (const std::string& line : mounts.failures) {
    complain("{}", line);
  }
  if (mounts.done.empty() && mounts.failures.empty()) {
    say("benchfs: no session at {}: nothing to do\n", directory);
  }
  return mounts.failures.empty() ? tools::kExitOk : tools::kExitFailure;
}

}  // namespace

int down(const DownOptions& options) {
  const std::string& directory = options.session;
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return clear_mounts(directory);
    }
    complain("cannot access {}: {}", tools::in_quotes(directory), tools::errno_text(errno));
    return tools::kExitFailure;
  }
  if (!S_ISDIR(status.st_mode)) {
    complain("{}: is not a session directory", directory);
    return tools::kExitFailure;
  }
  if (status.st_uid != ::geteuid()) {
    complain("{}: belongs to uid {}, not to you (uid {})", directory, status.st_uid, ::geteuid());
    return tools::kExitFailure;
  }
  PlaceLock lock;
  const auto locked = lock.take(directory);
  if (locked != PlaceLock::Outcome::kHeld) {
    complain("{}: {}", directory,
             locked == PlaceLock::Outcome::kTaken ? "another benchfs up or down is at work on it"
                                                  : tools::errno_text(errno));
    return tools::kExitFailure;
  }
  const SessionPlace place = inspect(directory);
  if (place.is_empty()) {
    return clear_mounts(directory);
  }
  for (const std::string& trouble : {place.session_trouble, place.record_trouble}) {
    if (!trouble.empty()) {
      complain("{}; going on without it", trouble);
    }
  }
  const TeardownResult result =
      tear_down(place, options.force ? Manner::kForced : Manner::kOrderly, options.patience,
                options.keep ? Remains::kStores : Remains::kNothing);
  for (const std::string& line : result.done) {
    say("benchfs: {}\n", line);
  }
  for (const std::string& line : result.failures) {
    complain("{}", line);
  }
  if (result.failures.empty()) {
    say("benchfs: session {} is down\n", directory);
  }
  const int exit_status = result.failures.empty() ? tools::kExitOk : tools::kExitFailure;
  if (result.threads_left) {
    leave_process(exit_status);
  }
  return exit_status;
}

}  // namespace benchfs::launcher
