#include "options.h"

#include <algorithm>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

namespace benchfs::bench {

const std::vector<std::string> kPhases = {
    "ping",           "wake",           "clients",      "easy-write",   "md-easy-create",
    "hard-write",     "md-hard-create", "random-write", "find",         "easy-read",
    "md-easy-stat",   "hard-read",      "md-hard-stat", "md-hard-read", "random-read",
    "md-easy-remove", "md-hard-remove"};

namespace {

const std::vector<std::string> kDataBackends = {"mpiio", "hdf5"};

bool contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Whether `word` names the phase, or the pattern that it belongs to.
bool names_phase(const std::string& word, const std::string& phase) {
  return word == phase || phase.starts_with(word + "-");
}

std::vector<std::string> chosen_phases(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (std::none_of(kPhases.begin(), kPhases.end(),
                     [&](const std::string& phase) { return names_phase(word, phase); })) {
      throw CLI::ValidationError("--phases",
                                 "there is no phase or pattern '" + word + "'; --help lists them");
    }
  }
  std::vector<std::string> chosen;
  for (const std::string& phase : kPhases) {
    if (std::any_of(words.begin(), words.end(),
                    [&](const std::string& word) { return names_phase(word, phase); })) {
      chosen.push_back(phase);
    }
  }
  return chosen;
}

/// What `backend` does if nobody says more.
std::vector<std::string> default_patterns(const std::string& backend) {
  return contains(kDataBackends, backend)
             ? std::vector<std::string>{"easy", "hard", "random"}
             : std::vector<std::string>{"easy", "hard", "random", "md-easy", "md-hard", "find"};
}

void check_sizes(const Options& options) {
  if (options.transfer_bytes % 8 != 0 || options.transfer_bytes == 0 ||
      options.transfer_bytes > (1U << 30)) {
    throw CLI::ValidationError("--transfer", "must be a multiple of 8 bytes, up to 1G");
  }
  if (options.size_bytes < options.transfer_bytes) {
    throw CLI::ValidationError("--size", "must be at least one transfer (--transfer)");
  }
  if (options.hard_size_bytes < kHardTransferBytes) {
    throw CLI::ValidationError("--hard-size",
                               "must be at least " + std::to_string(kHardTransferBytes));
  }
  if (options.random_size_bytes < kRandomTransferBytes * options.depth) {
    throw CLI::ValidationError("--random-size", "must be at least 4096 bytes for each of --depth");
  }
}

void check_direct(const Options& options) {
  if (!options.direct) {
    return;
  }
  if (options.backend != "posix" || options.transfer_bytes % 4096 != 0) {
    throw CLI::ValidationError("--direct",
                               "is for --backend posix and transfers of a multiple of 4096 bytes");
  }
  if (contains(options.phases, "hard-write") || contains(options.phases, "hard-read")) {
    throw CLI::ValidationError(
        "--direct", "cannot do hard's transfers of 47008 bytes: leave hard out of --phases");
  }
}

void check_phases(const Options& options) {
  const bool by_names = !contains(kDataBackends, options.backend);
  for (const std::string& phase : options.phases) {
    const bool of_names = phase.starts_with("md-") || phase == "find";
    const bool of_session = phase == "ping" || phase == "wake" || phase == "clients";
    if (of_names && !by_names) {
      throw CLI::ValidationError(
          "--phases", options.backend + " has no calls for " + phase + ": it makes no directories");
    }
    if (of_session && options.backend != "benchfs") {
      throw CLI::ValidationError("--phases", phase + " is for --backend benchfs only");
    }
  }
}

void declare_sizes(CLI::App& app, Options& out) {
  const auto size = CLI::AsSizeValue(false);
  app.add_option("--size", out.size_bytes, "easy: bytes of each rank's file (256M)")
      ->transform(size);
  app.add_option("--transfer", out.transfer_bytes, "easy: bytes of one operation (1M)")
      ->transform(size);
  app.add_option("--hard-size", out.hard_size_bytes, "hard: bytes of each rank (as --size)")
      ->transform(size);
  app.add_option("--random-size", out.random_size_bytes,
                 "random: bytes of each rank's file (as --size)")
      ->transform(size);
  app.add_option("--operations", out.operations,
                 "random, ping, wake: operations of each rank (16384)")
      ->check(CLI::Range(1, 1000000000));
  app.add_option("--files", out.files, "md-easy, md-hard: files of each rank (2000)")
      ->check(CLI::Range(1, 1000000000));
  app.add_option("--clients", out.clients, "clients: how many join (16)")
      ->check(CLI::Range(1, 100000));
  app.add_option("--depth", out.depth, "operations under way at once of each rank (16; hdf5: 1)")
      ->check(CLI::Range(1, 1024));
  app.add_option(
         "--seconds", out.seconds,
         "stonewall: phases that write stop then, and all ranks finish what the fastest began")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--shift", out.shift, "a rank reads what rank + SHIFT wrote (1)")
      ->check(CLI::Range(0, 1000000));
}

void declare(CLI::App& app, Options& out, std::vector<std::string>& words, std::string& check) {
  app.add_option("--backend", out.backend)
      ->check(CLI::IsMember({"benchfs", "mpiio", "hdf5", "posix", "chfs"}));
  app.add_option(
      "--path", out.path,
      "directory to work in: of the session, of the system, or benchfs:/... for mpiio and hdf5");
  app.add_option("--phases", words, "phases or patterns, with commas between")->delimiter(',');
  declare_sizes(app, out);
  app.add_option("--check", check, "every byte of what is read, or the ends of each transfer")
      ->check(CLI::IsMember({"every", "ends"}));
  app.add_flag("--direct", out.direct, "posix: O_DIRECT");
  app.add_flag("--keep", out.keep, "leave the files, for a later run that reads");
  app.add_option("--expected-files", out.expected_files,
                 "find: how many there are, if this run creates none");
  app.add_option("--json", out.json,
                 "write the figures to FILE; -: to standard output, in place of the table");
  app.add_option("--progress", out.progress)->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--watch", out.watch,
                 "processes whose CPU time and memory are reported as the servers'")
      ->delimiter(',');
}

std::string phases_text() {
  std::string text = "Phases:";
  for (const std::string& phase : kPhases) {
    text += " " + phase;
  }
  return text + "\nPatterns, which stand for their phases: easy hard random md-easy md-hard";
}

}  // namespace

std::optional<int> parse_options(int argc, char** argv, bool speaks, Options& out) {
  CLI::App app(
      "IO500's patterns by MPI ranks, over one of several ways to files; every byte read is "
      "verified",
      "benchfs-bench");
  app.footer(phases_text());
  std::vector<std::string> words;
  std::string check = "every";
  declare(app, out, words, check);
  try {
    app.parse(argc, argv);
    out.check = check == "ends" ? Check::kEnds : Check::kEvery;
    out.phases = chosen_phases(words.empty() ? default_patterns(out.backend) : words);
    out.depth = out.backend == "hdf5" && app.count("--depth") == 0 ? 1 : out.depth;
    out.hard_size_bytes = out.hard_size_bytes == 0 ? std::max(out.size_bytes, kHardTransferBytes)
                                                   : out.hard_size_bytes;
    out.random_size_bytes = out.random_size_bytes == 0 ? out.size_bytes : out.random_size_bytes;
    check_sizes(out);
    check_direct(out);
    check_phases(out);
  } catch (const CLI::ParseError& error) {
    std::ostringstream to_nobody;
    return speaks ? app.exit(error) : app.exit(error, to_nobody, to_nobody);
  }
  return std::nullopt;
}

}  // namespace benchfs::bench
