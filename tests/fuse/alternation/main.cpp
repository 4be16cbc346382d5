// Goal: what one way to the files has done, all others see at once: the mount, MPI-IO, the library
// and the commands. Method: in each round one of them, by lot, changes something, and another one
// looks at it, by its name and by files that were opened earlier, and compares every byte with
// files in memory. Nothing waits: a way that keeps anything shows what was. Run under mpirun as 1
// rank in a session without files, whose mount is $BENCHFS_MOUNT. Arguments: the program `benchfs`,
// a seed, rounds.

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <mpi.h>
#include <unistd.h>

#include "way.h"

namespace alternation {
namespace {

constexpr std::uint64_t kSizeMax = 3U << 20U;  // Over all servers.
constexpr std::size_t kNameCount = 6;

enum Action { kCreate, kWrite, kAppend, kTruncate, kRename, kRemove, kReplace, kWriteKept };
constexpr std::array<const char*, 8> kActionNames = {
    "create", "write", "append", "truncate", "rename", "remove", "replace", "write by handle"};

/// A file as it should be, whoever knows it under whatever name.
using Content = std::shared_ptr<std::string>;

class Game {
 public:
  Game(std::vector<std::unique_ptr<Way>> ways, unsigned long seed)
      : ways_(std::move(ways)), kept_(ways_.size()), random_(seed) {}

  /// False: somebody saw something else; it has been said.
  bool play(unsigned long rounds);
  void print_counts() const;

 private:
  struct Change {
    Action action = kCreate;
    std::size_t way = 0;
    std::string file;
    std::string other;  ///< Where a rename goes.
  };

  std::size_t draw(std::size_t below) { return random_() % below; }
  std::string bytes(std::size_t size);
  /// kNotOffered: nothing has happened.
  int change(const Change& change);
  void change_model(const Change& change, std::uint64_t offset, const std::string& bytes);
  bool look(const Change& change, std::size_t reader, const std::string& file);
  bool look_at_kept(const Change& change);
  bool keep_one();
  bool compare(const Change& change, const Way& reader, const std::string& file, const Seen& seen,
               const std::string* expected);

  std::vector<std::unique_ptr<Way>> ways_;
  std::vector<Content> kept_;  ///< By way; null: it has none open.
  std::mt19937_64 random_;
  std::map<std::string, Content> files_;
  std::map<std::string, unsigned> counts_;
  unsigned long round_ = 0;
};

std::string Game::bytes(std::size_t size) {
  std::string out(size, '\0');
  std::uint64_t x = random_();
  for (char& c : out) {
    x = x * 6364136223846793005U + 1442695040888963407U;
    c = static_cast<char>(x >> 56U);
  }
  return out;
}

bool Game::compare(const Change& change, const Way& reader, const std::string& file,
                   const Seen& seen, const std::string* expected) {
  const char* what = nullptr;
  if (seen.error != (expected == nullptr ? ENOENT : 0)) {
    what = std::strerror(seen.error);
  } else if (expected != nullptr && seen.told_size != expected->size()) {
    what = "another size is told";
  } else if (expected != nullptr && seen.bytes != *expected) {
    what = "other bytes";
  }
  if (what != nullptr) {
    std::printf(
        "FAIL  round %lu: %s by %s of %s %s; then %s looks at %s: %s (size %llu, read %zu; "
        "should be %s%zu)\n",
        round_, kActionNames.at(change.action), ways_[change.way]->name(), change.file.c_str(),
        change.other.c_str(), reader.name(), file.c_str(), what,
        static_cast<unsigned long long>(seen.told_size), seen.bytes.size(),
        expected == nullptr ? "gone " : "", expected == nullptr ? 0 : expected->size());
  }
  return what == nullptr;
}

void Game::change_model(const Change& change, std::uint64_t offset, const std::string& bytes) {
  switch (change.action) {
    case kCreate:
    case kReplace:
      files_[change.file] = std::make_shared<std::string>(bytes);
      return;
    case kRemove:
      files_.erase(change.file);
      return;
    case kRename:
      files_[change.other] = files_[change.file];
      files_.erase(change.file);
      return;
    case kTruncate:
      files_[change.file]->resize(offset, '\0');
      return;
    default: {
      std::string& content =
          change.action == kWriteKept ? *kept_[change.way] : *files_[change.file];
      content.resize(std::max(content.size(), offset + bytes.size()), '\0');
      content.replace(offset, bytes.size(), bytes);
    }
  }
}

int Game::change(const Change& change) {
  Way& way = *ways_[change.way];
  const bool is_large = draw(4) == 0;
  std::string data = bytes(1 + draw(is_large ? kSizeMax / 2 : 5000));
  std::uint64_t offset = draw(kSizeMax / 2);
  int failed = 0;
  switch (change.action) {
    case kCreate:
      data.clear();
      failed = way.create(change.file);
      break;
    case kWrite:
      failed = way.write(change.file, offset, data);
      break;
    case kAppend:
      offset = files_[change.file]->size();
      failed = way.append(change.file, data);
      break;
    case kTruncate:
      failed = way.truncate(change.file, offset);
      break;
    case kRename:
      failed = way.rename(change.file, change.other);
      break;
    case kRemove:
      failed = way.remove(change.file);
      break;
    case kReplace:
      failed = way.replace(change.file, data);
      break;
    case kWriteKept:
      failed = way.write_kept(offset, data);
      break;
  }
  if (failed == 0) {
    change_model(change, offset, data);
    counts_[std::string(kActionNames.at(change.action)) + " by " + way.name()]++;
  }
  return failed;
}

bool Game::look(const Change& change, std::size_t reader, const std::string& file) {
  const auto found = files_.find(file);
  const Seen seen = ways_[reader]->look(file);
  counts_[std::string("look by ") + ways_[reader]->name()]++;
  return compare(change, *ways_[reader], file, seen,
                 found == files_.end() ? nullptr : found->second.get());
}

bool Game::look_at_kept(const Change& change) {
  for (std::size_t i = 0; i < ways_.size(); ++i) {
    if (kept_[i] != nullptr &&
        !compare(change, *ways_[i], "its open file", ways_[i]->look_at_kept(), kept_[i].get())) {
      return false;
    }
  }
  return true;
}

/// Some way opens some file, and keeps it.
bool Game::keep_one() {
  const std::size_t way = draw(ways_.size());
  if (files_.empty()) {
    return true;
  }
  const auto file = std::next(files_.begin(), static_cast<std::ptrdiff_t>(draw(files_.size())));
  const int failed = ways_[way]->keep(file->first);
  if (failed == Way::kNotOffered) {
    return true;
  }
  kept_[way] = failed == 0 ? file->second : nullptr;
  if (failed != 0) {
    std::printf("FAIL  round %lu: %s cannot open %s: %s\n", round_, ways_[way]->name(),
                file->first.c_str(), std::strerror(failed));
  }
  return failed == 0;
}

bool Game::play(unsigned long rounds) {
  while (round_ < rounds) {
    Change next{.action = static_cast<Action>(draw(kActionNames.size())),
                .way = draw(ways_.size()),
                .file = "f" + std::to_string(draw(kNameCount)),
                .other = {}};
    const bool is_there = files_.contains(next.file);
    const bool makes = next.action == kCreate || next.action == kReplace;
    if (next.action == kWriteKept ? kept_[next.way] == nullptr
                                  : (next.action == kReplace ? false : makes == is_there)) {
      continue;  // Not a thing to do with that file.
    }
    if (next.action == kRename) {
      next.other = "f" + std::to_string(draw(kNameCount));
      if (next.other == next.file) {
        continue;
      }
    }
    const int failed = change(next);
    if (failed == Way::kNotOffered) {
      continue;
    }
    if (failed != 0) {
      std::printf("FAIL  round %lu: %s by %s of %s %s: %s\n", round_, kActionNames.at(next.action),
                  ways_[next.way]->name(), next.file.c_str(), next.other.c_str(),
                  std::strerror(failed));
      return false;
    }
    const std::size_t reader = (next.way + 1 + draw(ways_.size() - 1)) % ways_.size();
    const bool is_seen = look(next, reader, next.file) &&
                         (next.other.empty() || look(next, reader, next.other)) &&
                         look_at_kept(next);
    if (!is_seen || (draw(5) == 0 && !keep_one())) {
      return false;
    }
    ++round_;
  }
  return true;
}

void Game::print_counts() const {
  for (const auto& [what, count] : counts_) {
    std::printf("      %s: %u\n", what.c_str(), count);
  }
}

int run(const std::string& tool, unsigned long seed, unsigned long rounds) {
  const char* const directory = std::getenv("BENCHFS_MOUNT");
  if (directory == nullptr) {
    std::fputs("$BENCHFS_MOUNT has to name the mount\n", stderr);
    return 2;
  }
  char scratch[] = "/tmp/benchfs-alternation.XXXXXX";
  const int fd = ::mkstemp(scratch);
  if (fd < 0) {
    std::perror(scratch);
    return 2;
  }
  ::close(fd);
  std::vector<std::unique_ptr<Way>> ways;
  ways.push_back(make_mount_way(directory));
  ways.push_back(make_mpi_way(directory));
  ways.push_back(make_library_way());
  ways.push_back(make_command_way(tool, scratch));
  Game game(std::move(ways), seed);
  const bool is_right = game.play(rounds);
  ::unlink(scratch);
  game.print_counts();
  std::printf("%s  %lu rounds, seed %lu\n", is_right ? "ok   " : "FAIL ", rounds, seed);
  return is_right ? 0 : 1;
}

}  // namespace
}  // namespace alternation

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int status = 2;
  if (argc == 4) {
    status = alternation::run(argv[1], std::strtoul(argv[2], nullptr, 10),
                              std::strtoul(argv[3], nullptr, 10));
  }
  MPI_Finalize();
  return status;
}
