#include "sim/races.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/log.h"

namespace benchfs::sim {
namespace {

constexpr char kFolder[] = "/race";
constexpr std::uint64_t kRoundNs = 400 * kNsPerMs;
constexpr std::size_t kCallsMax = 9;
constexpr std::size_t kLooksMax = 20;
constexpr std::uint64_t kRoundsBackMax = 8;  ///< Less than clients remember directories.
constexpr int kDepthMax = 16;                ///< More than so few calls can make.

std::string path_of(std::uint64_t round, RacePath path) {
  std::string text = fmt::format("{}/{}{}", kFolder, path.top == 0 ? 'a' : 'b', round);
  for (int i = 0; i < path.depth; ++i) {
    text += "/c";
  }
  return text;
}

RaceCall::Type type_of(wire::FileType type) {
  switch (type) {
    case wire::FileType::kFile:
      return RaceCall::Type::kFile;
    case wire::FileType::kDirectory:
      return RaceCall::Type::kDirectory;
    case wire::FileType::kSymlink:
      return RaceCall::Type::kLink;
  }
  return RaceCall::Type::kNone;
}

/// Whether the error tells how things stood, rather than that something has failed.
bool is_answer(Errc code) {
  switch (code) {
    case Errc::kNotFound:
    case Errc::kExists:
    case Errc::kIsDirectory:
    case Errc::kNotDirectory:
    case Errc::kNotEmpty:
    case Errc::kInvalid:
    case Errc::kSymlinkLoop:
      return true;
    default:
      return false;
  }
}

RacePath any_path(Chance& chance) {
  const std::uint64_t depth = chance.below(100);
  return {.top = static_cast<int>(chance.below(2)), .depth = depth < 50 ? 0 : depth < 94 ? 1 : 2};
}

RaceCall any_call(Chance& chance) {
  using Kind = RaceCall::Kind;
  constexpr std::array<Kind, 16> kKinds = {
      Kind::kCreate, Kind::kCreate, Kind::kCreate, Kind::kMkdir,   Kind::kMkdir, Kind::kMkdir,
      Kind::kUnlink, Kind::kUnlink, Kind::kRmdir,  Kind::kSymlink, Kind::kStat,  Kind::kStat,
      Kind::kRename, Kind::kRename, Kind::kRename, Kind::kRename};
  RaceCall call{.kind = kKinds[chance.below(kKinds.size())], .path = any_path(chance)};
  if (call.kind == Kind::kRename) {
    call.to = any_path(chance);
  } else if (call.kind == Kind::kSymlink) {
    call.to.top = static_cast<int>(chance.below(2));
  }
  return call;
}

std::string describe(const RaceCall& call) {
  constexpr const char* kNames[] = {"create", "unlink", "mkdir",  "rmdir",
                                    "stat",   "rename", "symlink"};
  constexpr const char* kTypes[] = {"", " file", " folder", " link"};
  const auto name = [](RacePath path) {
    return fmt::format("{}{}", path.top == 0 ? 'a' : 'b', path.depth);
  };
  const bool has_two =
      call.kind == RaceCall::Kind::kRename || call.kind == RaceCall::Kind::kSymlink;
  return fmt::format(
      "; {} {}{} {}-{} {}{} {:x}", kNames[static_cast<int>(call.kind)], name(call.path),
      has_two ? ">" + name(call.to) : std::string(), call.began_ns / 1000,
      call.certain() ? std::to_string(call.ended_ns / 1000) : "?",
      call.done ? "done" : name_of(call.error), kTypes[static_cast<int>(call.type)], call.inode);
}

}  // namespace

coro::Task<void> Races::set_up(User& user) {
  auto making = user.mkdir(kFolder);
  const Status made = co_await making;
  if (!made.has_value()) {
    user.world().violate("a folder cannot be made");
  }
}

coro::Task<void> Races::call(User& user, std::uint64_t round, RaceCall call) {
  call.began_ns = user.world().now_ns();
  // While servers are away a way that was found may be believed for as long as a round lasts.
  call.walked_from_ns = user.plan().has_faults() ? 0 : call.began_ns;
  const std::string path = path_of(round, call.path);
  Status status;
  if (call.kind == RaceCall::Kind::kCreate) {
    auto opening = user.open(path, wire::kOpenWrite | wire::kOpenCreate | wire::kOpenExclusive);
    const auto opened = co_await opening;
    call.ended_ns = user.world().now_ns();
    if (opened.has_value()) {
      call.inode = to_integer((*opened)->identity().inode);
      if (!user.dead()) {
        auto closing = user.close(*opened);
        const Status ignored = co_await closing;
        static_cast<void>(ignored);
      }
    } else {
      status = fail(opened.error());
    }
  } else if (call.kind == RaceCall::Kind::kStat) {
    auto asking = user.stat(path, client::Follow::kNo);
    const auto attributes = co_await asking;
    call.ended_ns = user.world().now_ns();
    if (attributes.has_value()) {
      call.inode = to_integer(attributes->inode);
      call.type = type_of(attributes->type);
    } else {
      status = fail(attributes.error());
    }
  } else {
    auto asking = call.kind == RaceCall::Kind::kUnlink  ? user.unlink(path)
                  : call.kind == RaceCall::Kind::kMkdir ? user.mkdir(path)
                  : call.kind == RaceCall::Kind::kRmdir ? user.rmdir(path)
                  : call.kind == RaceCall::Kind::kSymlink
                      ? user.symlink(path_of(round, call.to), path)
                      : user.rename(path, path_of(round, call.to));
    status = co_await asking;
    call.ended_ns = user.world().now_ns();
  }
  call.done = status.has_value();
  if (!call.done) {
    call.error = status.error().code;
  }
  if ((!call.done && !is_answer(call.error)) || user.dead()) {
    if (call.kind == RaceCall::Kind::kStat) {
      co_return;  // It tells nothing and changes nothing.
    }
    call.ended_ns = kNever;
  }
  const auto found = rounds_.find(round);
  if (found != rounds_.end()) {
    found->second.calls.push_back(call);
  }
}

coro::Task<void> Races::work(User& user, Chance chance, const std::uint64_t& until_ns) {
  std::uint64_t made = 0;
  while (!user.dead() && !user.world().failed() && user.world().now_ns() < until_ns &&
         made < user.plan().operations_max) {
    const std::uint64_t round = user.world().now_ns() / kRoundNs;
    // Everybody comes at about the same time.
    auto pausing = user.sleep(kRoundNs - user.world().now_ns() % kRoundNs + chance.below(kNsPerMs));
    co_await pausing;
    auto remembering = look_back(user, chance, round);
    co_await remembering;
    Round& calls = rounds_[round + 1];
    if (user.dead() || calls.calls.size() >= kCallsMax) {
      continue;
    }
    const std::uint64_t count = chance.between(1, 3);
    for (std::uint64_t i = 0; i < count && !user.dead(); ++i) {
      auto calling = call(user, round + 1, any_call(chance));
      co_await calling;
      ++made;
    }
  }
}

/// At what stands in the folders of an earlier round, whose way the client may remember.
coro::Task<void> Races::look_back(User& user, Chance& chance, std::uint64_t round) {
  const std::uint64_t earlier = round - std::min(round, chance.between(1, kRoundsBackMax));
  for (int top = 0; top < 2; ++top) {
    const auto found = rounds_.find(earlier);
    if (!user.dead() && found != rounds_.end() && found->second.calls.size() < kLooksMax) {
      auto looking = call(user, earlier, {.path = {.top = top, .depth = 1}});
      co_await looking;
    }
  }
}

coro::Task<void> Races::verify(User& user) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, round] : rounds_) {
    numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) {
    auto looking = look(user, number);
    co_await looking;
    const std::vector<RaceCall>& calls = rounds_[number].calls;
    user.world().count("check.race_rounds");
    if (!has_order(calls)) {
      std::string text;
      for (const RaceCall& call : calls) {
        text += describe(call);
      }
      user.world().violate(fmt::format("round {}: no order explains{}", number, text));
    }
  }
}

coro::Task<void> Races::look(User& user, std::uint64_t round) {
  for (int top = 0; top < 2; ++top) {
    for (int depth = 0; depth < kDepthMax && !user.world().failed(); ++depth) {
      auto looking = call(user, round, {.path = {.top = top, .depth = depth}});
      co_await looking;
      const RaceCall& last = rounds_[round].calls.back();
      if (last.kind != RaceCall::Kind::kStat || last.type != RaceCall::Type::kDirectory) {
        break;
      }
    }
  }
}

}  // namespace benchfs::sim
