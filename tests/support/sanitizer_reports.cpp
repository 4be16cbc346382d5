#include "support/sanitizer_reports.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace benchfs::test {
namespace {

constexpr const char* kReportName = "sanitizer";

}  // namespace

Variables sanitizer_variables(const std::string& directory) {
  const auto with = [](const char* name, const std::string& more) {
    const char* options = std::getenv(name);
    const std::string before = options == nullptr ? "" : std::string(options) + ":";
    return std::pair(std::string(name), before + more);
  };
  const std::string log = "log_path=" + directory + "/" + kReportName;
  // Whole stacks, though they cost time: the suppressions name who called what leaks in Open MPI's
  // components, which are not loaded any more when leaks are looked for. The undefined behaviour
  // sanitizer takes the log from the address sanitizer, of which it is a part here.
  return {with("ASAN_OPTIONS", "fast_unwind_on_malloc=0:" + log), with("TSAN_OPTIONS", log)};
}

std::string sanitizer_reports(const std::string& directory) {
  std::string reports;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().stem() == kReportName) {
      std::ifstream file(entry.path());
      reports.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  return reports;
}

}  // namespace benchfs::test
