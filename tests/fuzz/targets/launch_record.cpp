// The launcher's record: `down` acts on it, by signals and by removing directories. What decodes
// encodes to a record that decodes to the same, and names nothing that must not be acted on.
//
// Input: the file.

#include "launcher/launch_record.h"

#include <algorithm>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

void check_process(const launcher::ProcessId& process) {
  FUZZ_CHECK(process.pid >= 0);  // A negative one names a group of processes.
}

launcher::LaunchRecord example(std::size_t server_count) {
  launcher::LaunchRecord record;
  record.launch_id = "0123456789abcdef";
  record.host = "node0";
  record.boot = "6f1a-boot";
  record.started_ns = 42;
  record.mpirun = {.pid = 100, .start_ticks = 7};
  record.store = "/store";
  record.store_made = true;
  record.server_count = server_count;
  record.server_program = "/usr/bin/benchfsd";
  record.server_options = {"--capacity", "1G"};
  for (std::size_t i = 0; i < server_count; ++i) {
    record.servers.push_back({.host = "node" + std::to_string(i),
                              .process = {.pid = 200, .start_ticks = i},
                              .store_directory = "/store/server-" + std::to_string(i)});
  }
  return record;
}

}  // namespace

Verdict run_one(ConstBytes bytes) {
  const std::string text = to_text(bytes);
  const AllocationMeter meter;
  const auto record = launcher::decode_record(text);
  FUZZ_CHECK(meter.bytes() <= 512 * text.size() + 16 * 1024);
  if (!record.has_value()) {
    const Errc code = record.error().code;
    FUZZ_CHECK(code == Errc::kCorrupt || code == Errc::kUnsupported);
    return Verdict::kRefused;
  }
  FUZZ_CHECK(record->launch_id.size() == launcher::kLaunchIdDigits);
  FUZZ_CHECK(record->launch_id.find_first_not_of("0123456789abcdef") == std::string::npos);
  check_process(record->mpirun);
  for (const launcher::RecordedServer& server : record->servers) {
    check_process(server.process);
  }
  const std::string again = launcher::encode_record(*record);
  const auto decoded = launcher::decode_record(again);
  FUZZ_CHECK(decoded.has_value() && *decoded == *record);
  return Verdict::kAccepted;
}

std::vector<Seed> seeds() {
  return {{"no_server_yet", to_buffer(launcher::encode_record(example(0)))},
          {"two_servers", to_buffer(launcher::encode_record(example(2)))}};
}

}  // namespace benchfs::fuzz
