// Runs a target without a fuzzer:
//
//   replay_NAME PATH...               the target's own valid inputs and simple mutations of them,
//   and
//                                     each file, or each file in a directory, that is named
//   replay_NAME --write-seeds DIR     writes the valid inputs to DIR, as a corpus to start from
//
// Aborts at the first broken promise, after it has said which input broke it. Fails if the decoder
// refuses a valid input.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <signal.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

namespace benchfs::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMutatedBytesMax = 1024;

char current[512] = "nothing";

/// Says which input it was, as libFuzzer does; then lets the signal do what it does.
void on_abort(int number) {
  const char* const parts[] = {"replay: broken by ", current, "\n"};
  for (const char* const part : parts) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) {
      break;
    }
  }
  ::signal(number, SIG_DFL);
  ::raise(number);
}

Verdict run(const std::string& what, ConstBytes input) {
  std::snprintf(current, sizeof(current), "%s", what.c_str());
  return run_one(input);
}

Buffer read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return to_buffer(text);
}

/// Every length, and every byte changed in a few ways: what no decoder may stumble over.
std::size_t run_mutations(const Seed& seed) {
  std::size_t count = 0;
  const std::size_t step = seed.bytes.size() / kMutatedBytesMax + 1;
  for (std::size_t size = 0; size < seed.bytes.size(); size += step, ++count) {
    run(seed.name + " cut to " + std::to_string(size), ConstBytes(seed.bytes).first(size));
  }
  for (std::size_t at = 0; at < seed.bytes.size(); at += step) {
    for (const unsigned change : {0x01U, 0x80U, 0xFFU}) {
      Buffer mutated = seed.bytes;
      mutated[at] ^= static_cast<std::byte>(change);
      run(seed.name + " with byte " + std::to_string(at) + " xor " + std::to_string(change),
          mutated);
      ++count;
    }
  }
  return count;
}

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) {
    return {path};
  }
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

int replay(const std::vector<std::string>& paths) {
  std::size_t count = 0;
  for (const Seed& seed : seeds()) {
    if (run(seed.name, seed.bytes) != Verdict::kAccepted) {
      std::fprintf(stderr, "replay: the valid input %s is refused\n", seed.name.c_str());
      return 1;
    }
    count += 1 + run_mutations(seed);
  }
  for (const std::string& path : paths) {
    for (const fs::path& file : files_of(path)) {
      if (!fs::is_regular_file(file)) {
        std::fprintf(stderr, "replay: %s: no such file\n", file.c_str());
        return 1;
      }
      run(file.string(), read_file(file));
      ++count;
    }
  }
  std::printf("replay: %zu inputs, no promise broken\n", count);
  return count > 0 ? 0 : 1;
}

int write_seeds(const fs::path& directory) {
  fs::create_directories(directory);
  for (const Seed& seed : seeds()) {
    std::ofstream file(directory / seed.name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.bytes.data()),
               static_cast<std::streamsize>(seed.bytes.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "replay: cannot write %s/%s\n", directory.c_str(), seed.name.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace benchfs::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "--write-seeds") {
    return benchfs::fuzz::write_seeds(arguments[1]);
  }
  ::signal(SIGABRT, benchfs::fuzz::on_abort);
  return benchfs::fuzz::replay(arguments);
}
