#include "launcher/session_place.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

namespace benchfs::launcher {
namespace {

/// The files of the launcher and what publish_session() and write_record() write before they
/// rename.
bool is_session_file(const std::string& name) {
  const std::string published = session::kFileName;
  const std::string unfinished = published + ".";
  const bool is_unfinished =
      name.size() > unfinished.size() && name.compare(0, unfinished.size(), unfinished) == 0 &&
      name.find_first_not_of("0123456789", unfinished.size()) == std::string::npos;
  const std::string record = kRecordFileName;
  return name == published || name == session::kLockFileName ||
         name == session::kPresenceFileName || is_unfinished || name == record ||
         name == record + ".new" || name == kLogFileName;
}

/// kMpiDirectoryPrefix and a launch id.
bool is_mpi_directory(const std::string& name) {
  const std::string prefix = kMpiDirectoryPrefix;
  return name.size() == prefix.size() + kLaunchIdDigits &&
         name.compare(0, prefix.size(), prefix) == 0 &&
         name.find_first_not_of("0123456789abcdef", prefix.size()) == std::string::npos;
}

bool is_server(pid_t pid) {
  return read_text("/proc/" + std::to_string(pid) + "/comm") == "benchfsd\n";
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) {
    return names;
  }
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

SessionPlace inspect(const std::string& directory) {
  SessionPlace place;
  place.directory = directory;
  auto session = session::read_session(directory);
  if (session.has_value()) {
    place.session = std::move(*session);
  } else if (session.error().error.code != Errc::kNotFound) {
    place.session_trouble = session.error().text;
  }
  auto record = read_record(directory);
  if (record.has_value()) {
    place.record = std::move(*record);
  } else if (record.error().code == Errc::kAccess) {
    place.record_trouble = directory + "/" + kRecordFileName + " is open to others or not yours";
  } else if (record.error().code != Errc::kNotFound) {
    place.record_trouble = directory + "/" + kRecordFileName + ": " + to_string(record.error());
  }
  for (const std::string& name : names_in(directory)) {
    if (is_mpi_directory(name)) {
      place.launch_ids.push_back(name.substr(std::string(kMpiDirectoryPrefix).size()));
    }
  }
  return place;
}

std::vector<ProcessId> living_processes(const SessionPlace& place) {
  std::vector<ProcessId> found;
  const auto add = [&found](ProcessId process) {
    if (std::find(found.begin(), found.end(), process) == found.end()) {
      found.push_back(process);
    }
  };
  if (place.record && place.record->host == host_name() && place.record->boot == boot_id()) {
    const LaunchRecord& record = *place.record;
    if (is_alive(record.mpirun) && owner_of(record.mpirun.pid) == ::geteuid()) {
      add(record.mpirun);
    }
    for (const ProcessId process : processes_with_variable(record.launch_variable())) {
      add(process);
    }
    for (const RecordedServer& server : record.servers) {
      if (server.process.start_ticks != 0 && is_alive(server.process)) {
        add(server.process);
      }
    }
  }
  for (const std::string& id : place.launch_ids) {
    for (const ProcessId process :
         processes_with_variable(std::string(kLaunchIdVariable) + "=" + id)) {
      add(process);
    }
  }
  for (std::size_t i = 0; place.session && i < place.session->servers.size(); ++i) {
    const session::Server& server = place.session->servers[i];
    const auto process = identify(static_cast<pid_t>(server.pid));
    const bool recorded = place.record && i < place.record->servers.size() &&
                          place.record->servers[i].process.pid == static_cast<pid_t>(server.pid);
    // The pid alone may be of another time or of another pid namespace: so it must also be a
    // server.
    if (!recorded && server.host == host_name() && process &&
        owner_of(process->pid) == ::geteuid() && is_server(process->pid) &&
        started_at_ns(*process) <= server.started_ns) {
      add(*process);
    }
  }
  return found;
}

PlaceLock::Outcome PlaceLock::take(const std::string& directory) {
  directory_.close();
  directory_ = tools::Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) {
    return Outcome::kFailed;
  }
  if (::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? Outcome::kTaken : Outcome::kFailed;
  }
  // Another `down` may have removed the directory between the two calls.
  struct stat held {};
  struct stat named {};
  if (::fstat(directory_.get(), &held) != 0 || ::stat(directory.c_str(), &named) != 0) {
    return Outcome::kFailed;
  }
  return held.st_ino == named.st_ino && held.st_dev == named.st_dev ? Outcome::kHeld
                                                                    : Outcome::kTaken;
}

std::vector<std::string> strangers_in(const std::string& directory) {
  std::vector<std::string> names = names_in(directory);
  std::erase_if(names, [](const std::string& name) {
    return is_session_file(name) || is_mpi_directory(name);
  });
  return names;
}

void remove_mpi_files(const std::string& directory) {
  for (const std::string& name : names_in(directory)) {
    if (is_mpi_directory(name)) {
      std::error_code ignored;
      std::filesystem::remove_all(directory + "/" + name, ignored);
    }
  }
}

std::vector<std::string> remove_session_files(const std::string& directory) {
  remove_mpi_files(directory);
  for (const std::string& name : names_in(directory)) {
    if (is_session_file(name)) {
      ::unlink((directory + "/" + name).c_str());
    }
  }
  std::vector<std::string> left = names_in(directory);
  if (left.empty()) {
    ::rmdir(directory.c_str());
  }
  return left;
}

}  // namespace benchfs::launcher
