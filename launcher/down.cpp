#include <cerrno>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "launcher/commands.h"
#include "launcher/mounts.h"
#include "launcher/servers.h"
#include "launcher/slurm_job.h"
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

/// What srun may take to start on the other nodes, and `down --here` to kill there.
constexpr std::chrono::milliseconds kClearingTime{20'000};

OtherNodes other_nodes(const DownOptions& options, const SessionPlace& place,
                       const Surroundings& surroundings) {
  const auto job = options.here ? std::nullopt : find_slurm_job(surroundings);
  if (!job) {
    return {.clear = nullptr, .concern_us = !options.here};
  }
  Clearing clearing{.session = options.session,
                    .launch_id = place.record ? place.record->launch_id : "",
                    .store = options.store,
                    .keep_stores = options.keep};
  // All that is in a directory which was made for this session is of this session.
  if (clearing.store.empty() && place.record && place.record->store_made) {
    clearing.store = place.record->store;
  }
  return {.clear =
              [job = *job, clearing, &surroundings](TeardownResult& result) {
                clear_other_nodes(job, clearing, surroundings, kClearingTime, result);
              },
          .concern_us = true};
}

/// What servers may take to tell what they have done.
constexpr std::chrono::milliseconds kReportTime{2'000};

/// A report that is not to be had is no reason to leave anything behind.
bool write_report(const DownOptions& options, const SessionPlace& place) {
  if (!place.session) {
    complain("there are no servers to write a report about");
    return false;
  }
  return launcher::write_report(options.session, options.report, kReportTime);
}

/// The session is gone, or there was none; stores may still lie where the user says.
int finish_without_session(const DownOptions& options) {
  const bool cleared = clear_mounts(options.session) == tools::kExitOk;
  if (!options.report.empty()) {
    complain("there are no servers to write a report about");
  }
  TeardownResult result;
  if (!options.store.empty() && !options.keep) {
    remove_stores_in(options.store, result);
  }
  for (const std::string& line : result.done) {
    say("benchfs: {}\n", line);
  }
  for (const std::string& line : result.failures) {
    complain("{}", line);
  }
  return cleared && options.report.empty() && result.failures.empty() ? tools::kExitOk
                                                                      : tools::kExitFailure;
}

}  // namespace

int down(const DownOptions& given, const Surroundings& surroundings) {
  DownOptions options = given;
  // Other nodes have other working directories.
  options.session = std::filesystem::absolute(given.session).lexically_normal().string();
  if (!given.store.empty()) {
    options.store = std::filesystem::absolute(given.store).lexically_normal().string();
  }

  const std::string& directory = options.session;
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return finish_without_session(options);
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
  SessionPlace place = inspect(directory);
  if (!options.launch_id.empty()) {
    place.launch_ids.push_back(options.launch_id);
  }
  if (place.is_empty()) {
    return finish_without_session(options);
  }
  const bool reported = options.report.empty() || write_report(options, place);
  for (const std::string& trouble : {place.session_trouble, place.record_trouble}) {
    if (!trouble.empty()) {
      complain("{}; going on without it", trouble);
    }
  }
  TeardownResult result =
      tear_down(place, options.force || options.here ? Manner::kForced : Manner::kOrderly,
                options.patience, options.keep ? Remains::kStores : Remains::kNothing,
                other_nodes(options, place, surroundings));
  if (!options.store.empty() && !options.keep && result.failures.empty()) {
    remove_stores_in(options.store, result);
  }
  for (const std::string& line : result.done) {
    say("benchfs: {}\n", line);
  }
  for (const std::string& line : result.failures) {
    complain("{}", line);
  }
  if (result.failures.empty()) {
    say("benchfs: session {} is down\n", directory);
  }
  const int exit_status =
      result.failures.empty() && reported ? tools::kExitOk : tools::kExitFailure;
  if (result.threads_left) {
    leave_process(exit_status);
  }
  return exit_status;
}

}  // namespace benchfs::launcher
