// with_session N [--tls shm|tcp] [--capacity SIZE] -- PROGRAM [ARGUMENT...]
//
// Runs a program in a session of N servers that lives as long as the program, by `benchfs run`, and
// returns its status; or another than 0 if the session did not come up or did not go down without a
// trace.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/cluster.h"

namespace {

int usage() {
  std::fputs("usage: with_session N [--tls shm|tcp] [--capacity SIZE] -- PROGRAM [ARGUMENT...]\n",
             stderr);
  return 2;
}

int complain(const char* what, const benchfs::test::CommandResult& result) {
  std::fprintf(stderr, "with_session: %s: status %d\n%s%s", what, result.exit_status,
               result.out.c_str(), result.err.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  benchfs::test::ClusterOptions options;
  std::vector<std::string> command = {benchfs::test::benchfs_program(), "run", "--"};
  if (words.empty()) {
    return usage();
  }
  options.server_count = static_cast<unsigned>(std::strtoul(words[0].c_str(), nullptr, 10));
  std::size_t at = 1;
  for (; at + 1 < words.size() && words[at] != "--"; at += 2) {
    if (words[at] == "--tls") {
      options.tls = words[at + 1];
    } else if (words[at] == "--capacity") {
      options.capacity = words[at + 1];
    } else {
      return usage();
    }
  }
  if (options.server_count == 0 || at + 1 >= words.size() || words[at] != "--" ||
      (!options.tls.empty() && benchfs::test::transport_variables(options.tls).empty())) {
    return usage();
  }
  command.insert(command.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());

  benchfs::test::Cluster cluster(options);
  const auto up = cluster.up();
  if (up.exit_status != 0) {
    return complain("benchfs up", up);
  }
  const auto ran = benchfs::test::run_command(command, cluster.variables(), false);
  const auto down = cluster.down();
  if (down.exit_status != 0) {
    return complain("benchfs down", down);
  }
  if (std::filesystem::exists(cluster.session_directory()) ||
      std::filesystem::exists(cluster.store_directory())) {
    return complain("something is left of the session", down);
  }
  return ran.exit_status;
}
