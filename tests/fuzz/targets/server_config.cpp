// What a server is told on its command line and in its configuration file: accepted is what is
// within the limits, and said again in full it means the same; everything else is refused in words.
//
// Input: arguments, one a line; then, behind a line "[file]", the file, if there is one.

#include <cstdlib>

#include <sys/mman.h>
#include <unistd.h>

#include "base/units.h"
#include "fuzz/fuzz.h"
#include "server/config.h"

namespace benchfs::fuzz {
namespace {

constexpr std::string_view kFileMark = "[file]\n";

/// A file without a place in the file system.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view text) : fd_(::memfd_create("config", 0)) {
    FUZZ_CHECK(fd_ >= 0);
    FUZZ_CHECK(::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    // Another file than ours would be read, and that may be any of this machine.
    if (text.substr(0, end).find("config") == std::string_view::npos) {
      lines.emplace_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

const char* name_of(io::DiskBackend backend) {
  switch (backend) {
    case io::DiskBackend::kAuto:
      return "auto";
    case io::DiskBackend::kUring:
      return "uring";
    case io::DiskBackend::kPosix:
      return "posix";
    case io::DiskBackend::kMemory:
      return "memory";
  }
  broken("a backend of the list", __FILE__, __LINE__);
}

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  broken("a level of the list", __FILE__, __LINE__);
}

bool same(const server::Config& a, const server::Config& b) {
  return a.session_directory == b.session_directory && a.store_directory == b.store_directory &&
         a.capacity_bytes == b.capacity_bytes && a.pool_bytes == b.pool_bytes &&
         a.spin_ns == b.spin_ns && a.backend == b.backend && a.discard == b.discard &&
         a.metrics == b.metrics && a.log_level == b.log_level;
}

void check_accepted(const server::ConfigOutcome& outcome) {
  const server::Config& config = outcome.config;
  FUZZ_CHECK(outcome.exit_code == 0 && outcome.text.empty());
  FUZZ_CHECK(config.pool_bytes >= 8 * kMiB && config.pool_bytes <= INT64_MAX);
  FUZZ_CHECK(config.capacity_bytes <= INT64_MAX && config.spin_ns <= INT64_MAX);
  std::vector<std::string> arguments = {
      "--session=" + config.session_directory,
      "--store=" + config.store_directory,
      "--capacity=" + std::to_string(config.capacity_bytes),
      "--pool=" + std::to_string(config.pool_bytes) + "B",
      "--spin=" + std::to_string(config.spin_ns) + "ns",
      std::string("--backend=") + name_of(config.backend),
      std::string("--log=") + name_of(config.log_level),
  };
  if (config.discard) {
    arguments.emplace_back("--discard");
  }
  if (config.metrics.has_value()) {
    arguments.push_back("--metrics=" + config.metrics->text());
  }
  const auto again = server::read_config(arguments);
  FUZZ_CHECK(again.go_on && same(again.config, config));
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  ::unsetenv("BENCHFS_SESSION");
  ::unsetenv("BENCHFS_METRICS");
  const std::string text = to_text(bytes);
  const std::size_t mark = text.find(kFileMark);
  std::vector<std::string> arguments = lines_of(text.substr(0, mark));
  const bool has_file = mark != std::string::npos;
  const MemoryFile file(has_file ? text.substr(mark + kFileMark.size()) : "");
  if (has_file) {
    arguments.insert(arguments.begin(), {"--config", file.path()});
  }
  const AllocationMeter meter;
  const auto outcome = server::read_config(arguments);
  FUZZ_CHECK(meter.bytes() <= 1024 * text.size() + kMiB);
  if (outcome.go_on) {
    check_accepted(outcome);
    return Verdict::kAccepted;
  }
  FUZZ_CHECK(outcome.exit_code == 0 || outcome.exit_code == 2);  // 0: help or version.
  FUZZ_CHECK(!outcome.text.empty());
  FUZZ_CHECK(outcome.exit_code == 0 || outcome.text.starts_with("benchfsd: "));
  return Verdict::kRefused;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&out](const std::string& name, const std::string& text) {
    out.push_back({name, to_buffer(text)});
  };
  add("required", "--session\n/s\n--store\n/d\n");
  add("all",
      "--session=/s\n--store=/d\n--capacity=1.5G\n--pool\n16M\n--spin\n0\n--backend\nposix\n"
      "--log=debug\n--discard\n--metrics=[::1]:9400\n");
  add("file",
      "[file]\nsession = \"/s\"\nstore = '/d'\ncapacity = \"100G\"\npool = \"64M\"\n"
      "# A comment.\nspin = \"30us\"\nbackend = \"uring\"\nlog = \"info\"\ndiscard = true\nmetrics "
      "= \"9400\"\n");
  add("line_wins", "--pool=32M\n[file]\nsession=\"/s\"\nstore=\"/d\"\npool=\"64M\"\n");
  return out;
}

}  // namespace benchfs::fuzz
