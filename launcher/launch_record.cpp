#include "launcher/launch_record.h"

#include <cerrno>
#include <cstdio>
#include <limits>
#include <optional>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "tools/descriptor.h"

namespace benchfs::launcher {
namespace {

using nlohmann::json;

constexpr std::uint64_t kFormatVersion = 2;

json encode(ProcessId process) {
  return {{"pid", process.pid}, {"start_ticks", process.start_ticks}};
}

/// Numbers that are none of ours (negative, fractions, too large) are refused, not converted.
std::optional<std::uint64_t> decode_count(const json& value, std::uint64_t max) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > max) {
    return std::nullopt;
  }
  return value.get<std::uint64_t>();
}

std::optional<ProcessId> decode_process(const json& object) {
  const auto pid = decode_count(object.at("pid"), std::numeric_limits<pid_t>::max());
  const auto start_ticks = decode_count(object.at("start_ticks"), UINT64_MAX);
  if (!pid || !start_ticks) {
    return std::nullopt;
  }
  return ProcessId{.pid = static_cast<pid_t>(*pid), .start_ticks = *start_ticks};
}

/// It becomes part of a path that is removed.
bool is_launch_id(const std::string& text) {
  return text.size() == kLaunchIdDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

json encode(const LaunchRecord& record) {
  json servers = json::array();
  for (const RecordedServer& server : record.servers) {
    servers.push_back({{"host", server.host},
                       {"process", encode(server.process)},
                       {"store_directory", server.store_directory}});
  }
  return {{"version", kFormatVersion},
          {"launch_id", record.launch_id},
          {"host", record.host},
          {"boot", record.boot},
          {"started_ns", record.started_ns},
          {"mpirun", encode(record.mpirun)},
          {"store", record.store},
          {"store_made", record.store_made},
          {"server_count", record.server_count},
          {"server_program", record.server_program},
          {"server_options", record.server_options},
          {"servers", servers}};
}

std::optional<LaunchRecord> decode(const json& object) {
  LaunchRecord record;
  object.at("launch_id").get_to(record.launch_id);
  object.at("host").get_to(record.host);
  object.at("boot").get_to(record.boot);
  object.at("store").get_to(record.store);
  object.at("store_made").get_to(record.store_made);
  object.at("server_program").get_to(record.server_program);
  object.at("server_options").get_to(record.server_options);
  const auto mpirun = decode_process(object.at("mpirun"));
  const auto started_ns = decode_count(object.at("started_ns"), UINT64_MAX);
  const auto server_count = decode_count(object.at("server_count"), kServerCountMax);
  const json& servers = object.at("servers");
  if (!mpirun || !started_ns || !server_count || !servers.is_array() ||
      servers.size() > *server_count || !is_launch_id(record.launch_id)) {
    return std::nullopt;
  }
  record.mpirun = *mpirun;
  record.started_ns = *started_ns;
  record.server_count = *server_count;
  for (const json& server : servers) {
    const auto process = decode_process(server.at("process"));
    if (!process) {
      return std::nullopt;
    }
    record.servers.push_back({.host = server.at("host").get<std::string>(),
                              .process = *process,
                              .store_directory = server.at("store_directory").get<std::string>()});
  }
  return record;
}

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    done += written < 0 ? 0 : static_cast<std::size_t>(written);
  }
  return true;
}

}  // namespace

std::string encode_record(const LaunchRecord& record) {
  return encode(record).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<LaunchRecord> decode_record(std::string_view text) {
  try {
    const json object = json::parse(text);
    if (decode_count(object.at("version"), UINT64_MAX) != kFormatVersion) {
      return fail(Errc::kUnsupported, "record.version");
    }
    auto record = decode(object);
    if (!record.has_value()) {
      return fail(Errc::kCorrupt, "record.fields");
    }
    return std::move(*record);
  } catch (const json::exception&) {
    return fail(Errc::kCorrupt, "record.parse");
  }
}

Result<LaunchRecord> read_record(const std::string& session_directory) {
  const std::string path = session_directory + "/" + kRecordFileName;
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return fail(from_errno(errno), "record.open", errno);
  }
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077U) != 0) {
    return fail(Errc::kAccess, "record.mode");
  }
  return decode_record(read_text(path));
}

Status write_record(const std::string& session_directory, const LaunchRecord& record) {
  const std::string path = session_directory + "/" + kRecordFileName;
  const std::string temporary = path + ".new";
  const std::string text = encode_record(record);
  const tools::Descriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) {
    return fail(from_errno(errno), "record.create", errno);
  }
  if (!write_all(file.get(), text) || ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int saved = errno;
    ::unlink(temporary.c_str());
    return fail(from_errno(saved), "record.write", saved);
  }
  return {};
}

}  // namespace benchfs::launcher
