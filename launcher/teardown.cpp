#include "launcher/teardown.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/leftovers.h"
#include "launcher/mounts.h"
#include "launcher/servers.h"

namespace benchfs::launcher {
namespace {

constexpr std::chrono::milliseconds kTermPatience{5'000};
constexpr std::chrono::milliseconds kKillPatience{5'000};

Deadline after(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// Waits for all that lives, and for what they may have started meanwhile.
bool wait_until_empty(const SessionPlace& place, Deadline deadline) {
  while (true) {
    const auto living = hold_all(living_processes(place));
    if (living.empty()) {
      return true;
    }
    if (!wait_for_end(living, deadline)) {
      return false;
    }
  }
}

void signal_all(const SessionPlace& place, int number, TeardownResult& result) {
  const auto held = hold_all(living_processes(place));
  std::string pids;
  for (const HeldProcess& process : held) {
    process.signal(number);
    pids += (pids.empty() ? "" : ", ") + std::to_string(process.id().pid);
  }
  if (!held.empty()) {
    result.done.push_back(fmt::format("sent {} to process{} {}",
                                      number == SIGKILL ? "SIGKILL" : "SIGTERM",
                                      held.size() == 1 ? "" : "es", pids));
  }
}

void clear(OtherNodes& others, TeardownResult& result) {
  if (const auto once = std::exchange(others.clear, nullptr)) {
    once(result);
  }
}

/// True if nothing of the session runs here any more.
bool stop_in_order(const SessionPlace& place, Deadline deadline, Remains remains,
                   OtherNodes& others, TeardownResult& result) {
  if (!place.session) {
    return living_processes(place).empty();
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  const Survey survey = ask_servers(
      place.directory, *place.session, place.record_or_null(),
      remains == Remains::kNothing ? Question::kShutdown : Question::kShutdownAndKeep, left / 2);
  result.threads_left = survey.threads_left;
  const std::size_t agreed = survey.count(ServerState::kUp);
  if (agreed == 0) {
    return living_processes(place).empty();  // Nothing will end by itself.
  }
  const std::size_t count = place.session->servers.size();
  result.done.push_back(fmt::format("{} of {} servers stopped in order", agreed, count));
  if (agreed < count) {
    clear(others, result);  // mpirun does not end before all of its processes have.
  }
  return wait_until_empty(place, deadline);
}

/// Ends what runs. mpirun first, alone: it passes SIGTERM on and clears what it made.
bool stop_by_force(const SessionPlace& place, TeardownResult& result) {
  const auto living = hold_all(living_processes(place));
  if (living.empty()) {
    return true;
  }
  if (place.record && living.front().id() == place.record->mpirun) {
    living.front().signal(SIGTERM);
    result.done.push_back(
        fmt::format("sent SIGTERM to mpirun, process {}", living.front().id().pid));
    if (wait_until_empty(place, after(kTermPatience / 2))) {
      return true;
    }
  }
  signal_all(place, SIGTERM, result);
  if (wait_until_empty(place, after(kTermPatience / 2))) {
    return true;
  }
  signal_all(place, SIGKILL, result);
  return wait_until_empty(place, after(kKillPatience));
}

/// Stores of this host: those that servers named, and those that a launch made which never got that
/// far.
std::set<std::string> stores_of(const SessionPlace& place) {
  std::set<std::string> stores;
  for (std::size_t i = 0; place.session && i < place.session->servers.size(); ++i) {
    if (is_local(place.session->servers[i])) {
      stores.insert(place.session->servers[i].store_directory);
    }
  }
  if (!place.record) {
    return stores;
  }
  for (const RecordedServer& server : place.record->servers) {
    if (server.host == host_name()) {
      stores.insert(server.store_directory);
    }
  }
  if (stores.empty()) {
    for (std::uint64_t rank = 0; rank < place.record->server_count; ++rank) {
      const std::string store = fmt::format("{}/server-{}", place.record->store, rank);
      // Somebody else's is older than this launch.
      if (born_at_ns(store) >= place.record->started_ns) {
        stores.insert(store);
      }
    }
  }
  stores.erase("");
  return stores;
}

std::vector<pid_t> server_pids(const SessionPlace& place) {
  std::vector<pid_t> pids;
  for (std::size_t i = 0; place.session && i < place.session->servers.size(); ++i) {
    if (is_local(place.session->servers[i])) {
      pids.push_back(static_cast<pid_t>(place.session->servers[i].pid));
    }
  }
  return pids;
}

std::string remote_hosts(const SessionPlace& place) {
  std::set<std::string> hosts;
  for (std::size_t i = 0; place.session && i < place.session->servers.size(); ++i) {
    if (!is_local(place.session->servers[i])) {
      hosts.insert(place.session->servers[i].host);
    }
  }
  return fmt::format("{}", fmt::join(hosts, ", "));
}

void remove_stores(const SessionPlace& place, Removed& removed) {
  const auto session_id = place.session ? std::optional(place.session->session_id) : std::nullopt;
  for (const std::string& store : stores_of(place)) {
    remove_store(store, session_id, removed);
  }
  if (place.record && place.record->store_made) {
    ::rmdir(place.record->store.c_str());  // Fails if something is in it, which then is not ours.
  }
}

void remove_what_is_left(const SessionPlace& place, Remains remains, TeardownResult& result) {
  Removed removed;
  if (remains == Remains::kNothing) {
    remove_stores(place, removed);
  } else {
    for (const std::string& store : stores_of(place)) {
      if (::access((store + "/data").c_str(), F_OK) == 0) {
        result.done.push_back("kept store " + store);
      }
    }
  }
  const std::uint64_t since_ns = place.record    ? place.record->started_ns
                                 : place.session ? place.session->created_ns
                                                 : UINT64_MAX;
  remove_shared_memory(since_ns, server_pids(place), removed);
  for (const std::string& thing : removed.things) {
    result.done.push_back("removed " + thing);
  }
  for (const std::string& thing : removed.kept) {
    result.failures.push_back("left " + thing);
  }
  if (remains == Remains::kStoresAndSession) {
    remove_mpi_files(place.directory);
    return;
  }
  for (const std::string& name : remove_session_files(place.directory)) {
    result.done.push_back(fmt::format("left {}/{}: not a file of benchfs", place.directory, name));
  }
}

}  // namespace

TeardownResult tear_down(const SessionPlace& place, Manner manner,
                         std::chrono::milliseconds patience, Remains remains, OtherNodes others) {
  TeardownResult result;
  if (remains != Remains::kStoresAndSession) {
    MountsTakenAway mounts = take_away_mounts_of(place.directory);
    result.done = std::move(mounts.done);
    result.failures = std::move(mounts.failures);
  }
  const bool can_clear = others.clear != nullptr;
  const bool in_order =
      manner == Manner::kOrderly && stop_in_order(place, after(patience), remains, others, result);
  if (!in_order && !stop_by_force(place, result)) {
    for (const ProcessId process : living_processes(place)) {
      result.failures.push_back(fmt::format("process {} survives SIGKILL", process.pid));
    }
    clear(others, result);
    return result;
  }
  if (!in_order && !can_clear && others.concern_us) {
    const std::string hosts = remote_hosts(place);
    if (!hosts.empty() && remains == Remains::kNothing) {
      result.done.push_back(
          fmt::format("on {} only mpirun could stop servers; their stores there remain", hosts));
    }
  }
  remove_what_is_left(place, remains, result);
  clear(others, result);  // Last, as Slurm may have run out of patience with the job.
  return result;
}

void remove_stores_in(const std::string& store, TeardownResult& result) {
  Removed removed;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(store, ignored)) {
    if (entry.path().filename().string().rfind("server-", 0) == 0) {
      remove_store(entry.path().string(), std::nullopt, removed);
    }
  }
  ::rmdir(store.c_str());  // Fails if something is in it, which then is not ours.
  for (const std::string& thing : removed.things) {
    result.done.push_back("removed " + thing);
  }
  for (const std::string& thing : removed.kept) {
    result.failures.push_back("left " + thing);
  }
}

}  // namespace benchfs::launcher
