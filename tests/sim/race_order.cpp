#include "sim/race_order.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace benchfs::sim {
namespace {

using Kind = RaceCall::Kind;
using Type = RaceCall::Type;

/// States looked at before the search is given up.
constexpr std::size_t kStatesMax = 300'000;
/// Links in a row after which they are taken for a loop.
constexpr int kLinksMax = 2;

constexpr int kTop = -1;  ///< Where the two names are.
constexpr int kNobody = -2;

/// What stands under a name.
struct Thing {
  Type type = Type::kNone;
  int maker = kNobody;      ///< The call that made it, which tells it from all others.
  std::uint64_t inode = 0;  ///< 0: not known.
  int says = 0;             ///< Of a link: which of the two names.
};

/// What stands under one of the two names, what stands in that, and so on: all but the last are
/// directories.
using Chain = std::vector<Thing>;
using Names = std::array<Chain, 2>;

/// A place for a name. Its directory is there.
struct Place {
  std::size_t chain = 0;
  std::size_t level = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

Thing thing_at(const Names& names, Place place) {
  const Chain& chain = names[place.chain];
  return place.level < chain.size() ? chain[place.level] : Thing{};
}

bool has_entries(const Names& names, Place place) {
  return place.level + 1 < names[place.chain].size();
}

/// How far a walk has come: `left` folders are still to be found, the first under `top` or in
/// `folder`; then its name.
struct Walk {
  int folder = kTop;
  int top = 0;
  int left = 0;
  int links = 0;
};

struct Position {
  bool finished = false;
  Walk from;
  Walk to;
};

/// What a call says when it ends.
struct Effect {
  Errc error{};  ///< Errc{}: done.
  Thing seen{};
};

std::optional<Place> place_of(const Names& names, const Walk& walk) {
  if (walk.folder == kTop) {
    return Place{.chain = static_cast<std::size_t>(walk.top), .level = 0};
  }
  for (std::size_t chain = 0; chain < names.size(); ++chain) {
    for (std::size_t level = 0; level < names[chain].size(); ++level) {
      if (names[chain][level].maker == walk.folder) {
        return Place{.chain = chain, .level = level + 1};
      }
    }
  }
  return std::nullopt;  // The folder is no more.
}

Effect make(Names& names, Place at, Thing thing) {
  if (thing_at(names, at).type != Type::kNone) {
    return {.error = Errc::kExists};
  }
  BENCHFS_ASSERT(names[at.chain].size() == at.level);
  names[at.chain].push_back(thing);
  return {};
}

Effect unlink(Names& names, Place at) {
  const Thing thing = thing_at(names, at);
  if (thing.type == Type::kNone || thing.type == Type::kDirectory) {
    return {.error = thing.type == Type::kNone ? Errc::kNotFound : Errc::kIsDirectory};
  }
  names[at.chain].pop_back();
  return {};
}

Effect rmdir(Names& names, Place at) {
  const Thing thing = thing_at(names, at);
  if (thing.type != Type::kDirectory) {
    return {.error = thing.type == Type::kNone ? Errc::kNotFound : Errc::kNotDirectory};
  }
  if (has_entries(names, at)) {
    return {.error = Errc::kNotEmpty};
  }
  names[at.chain].pop_back();
  return {};
}

Effect rename(Names& names, Place from, Place to) {
  const Thing moved = thing_at(names, from);
  const Thing replaced = thing_at(names, to);
  if (moved.type == Type::kNone) {
    return {.error = Errc::kNotFound};
  }
  if (from == to) {
    return {};
  }
  if (moved.type == Type::kDirectory) {
    if (to.chain == from.chain && to.level > from.level) {
      return {.error = Errc::kInvalid};
    }
    if (replaced.type != Type::kNone && replaced.type != Type::kDirectory) {
      return {.error = Errc::kNotDirectory};
    }
    if (has_entries(names, to)) {
      return {.error = Errc::kNotEmpty};
    }
  } else if (replaced.type == Type::kDirectory) {
    return {.error = Errc::kIsDirectory};
  }
  Chain& source = names[from.chain];
  const Chain with_all(source.begin() + static_cast<std::ptrdiff_t>(from.level), source.end());
  source.resize(from.level);
  Chain& target = names[to.chain];
  target.resize(to.level);
  target.insert(target.end(), with_all.begin(), with_all.end());
  return {};
}

/// The call's own moment.
Effect act(const RaceCall& call, int number, Names& names, Place from, Place to) {
  Thing made{.maker = number, .inode = call.inode, .says = call.to.top};
  switch (call.kind) {
    case Kind::kCreate:
      made.type = Type::kFile;
      return make(names, from, made);
    case Kind::kMkdir:
      made.type = Type::kDirectory;
      return make(names, from, made);
    case Kind::kSymlink:
      made.type = Type::kLink;
      return make(names, from, made);
    case Kind::kUnlink:
      return unlink(names, from);
    case Kind::kRmdir:
      return rmdir(names, from);
    case Kind::kRename:
      return rename(names, from, to);
    case Kind::kStat:
      break;
  }
  const Thing seen = thing_at(names, from);
  return {.error = seen.type == Type::kNone ? Errc::kNotFound : Errc{}, .seen = seen};
}

class Search {
 public:
  explicit Search(const std::vector<RaceCall>& calls) : calls_(calls) {}

  bool run() {
    State begin;
    for (const RaceCall& call : calls_) {
      begin.positions.push_back({.finished = false, .from = way_of(call.path), .to = {}});
      if (call.kind == Kind::kRename) {
        begin.positions.back().to = way_of(call.to);
      }
    }
    bool found = reach(std::move(begin));
    while (!found && !to_look_at_.empty()) {
      const State state = std::move(to_look_at_.back());
      to_look_at_.pop_back();
      for (std::size_t i = calls_.size(); i-- > 0 && !found;) {
        found = !state.positions[i].finished && may_go_on(state, i) && go_on(state, i);
      }
    }
    return found;
  }

 private:
  struct State {
    Names names;
    std::vector<Position> positions;
  };

  static Walk way_of(RacePath path) {
    return {.folder = kTop, .top = path.top, .left = path.depth};
  }

  /// Whether `state` is an end; if not, what comes after it is looked at later. So for all below
  /// that return one.
  bool reach(State state) {
    bool all = true;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      all = all && (state.positions[i].finished || !calls_[i].certain());
    }
    if (all || seen_.size() > kStatesMax) {
      return true;
    }
    if (seen_.insert(key_of(state)).second) {
      to_look_at_.push_back(std::move(state));
    }
    return false;
  }

  static bool is_walking(const Position& position) {
    return position.from.left > 0 || position.to.left > 0;
  }

  bool may_go_on(const State& state, std::size_t i) const {
    const std::uint64_t since_ns =
        is_walking(state.positions[i]) ? calls_[i].walked_from_ns : calls_[i].began_ns;
    for (std::size_t j = 0; j < calls_.size(); ++j) {
      if (!state.positions[j].finished && calls_[j].ended_ns < since_ns) {
        return false;
      }
    }
    return true;
  }

  bool go_on(const State& state, std::size_t i) {
    const Position& position = state.positions[i];
    if (is_walking(position)) {
      return walk(state, i, position.from.left > 0 ? &Position::from : &Position::to);
    }
    const auto from = place_of(state.names, position.from);
    const auto to = place_of(state.names, position.to);
    if (!from.has_value() || !to.has_value()) {
      return begin_again(state, i);
    }
    State next = state;
    const Effect effect = act(calls_[i], static_cast<int>(i), next.names, *from, *to);
    if (calls_[i].certain() && calls_[i].kind == Kind::kStat && effect.error == Errc{} &&
        effect.seen.inode == 0) {
      next.names[from->chain][from->level].inode = calls_[i].inode;
    }
    return finish(std::move(next), i, effect);
  }

  bool walk(const State& state, std::size_t i, Walk Position::*which) {
    const auto place = place_of(state.names, state.positions[i].*which);
    if (!place.has_value()) {
      return begin_again(state, i);
    }
    State next = state;
    Walk& way = next.positions[i].*which;
    const Thing found = thing_at(state.names, *place);
    switch (found.type) {
      case Type::kNone:
        return finish(std::move(next), i, {.error = Errc::kNotFound});
      case Type::kFile:
        return finish(std::move(next), i, {.error = Errc::kNotDirectory});
      case Type::kDirectory:
        way.folder = found.maker;
        --way.left;
        return reach(std::move(next));
      case Type::kLink:
        break;
    }
    if (way.links == kLinksMax && finish(state, i, {.error = Errc::kSymlinkLoop})) {
      return true;
    }
    way.folder = kTop;
    way.top = found.says;
    way.links = std::min(way.links + 1, kLinksMax);
    return reach(std::move(next));
  }

  /// A folder on the way was removed meanwhile.
  bool begin_again(const State& state, std::size_t i) {
    State next = state;
    next.positions[i].from = way_of(calls_[i].path);
    next.positions[i].to = calls_[i].kind == Kind::kRename ? way_of(calls_[i].to) : Walk{};
    return reach(std::move(next));
  }

  bool finish(State next, std::size_t i, const Effect& effect) {
    if (calls_[i].certain() && !told_so(calls_[i], effect)) {
      return false;
    }
    next.positions[i] = {.finished = true, .from = {}, .to = {}};
    return reach(std::move(next));
  }

  static bool told_so(const RaceCall& call, const Effect& effect) {
    if (!call.done || effect.error != Errc{}) {
      return !call.done && call.error == effect.error;
    }
    return call.kind != Kind::kStat ||
           (call.type == effect.seen.type &&
            (effect.seen.inode == 0 || effect.seen.inode == call.inode));
  }

  static std::string key_of(const State& state) {
    std::string key;
    const auto put = [&key](std::uint64_t value, int bytes) {
      for (int i = 0; i < bytes; ++i) {
        key.push_back(static_cast<char>(value >> (8 * i)));
      }
    };
    for (const Chain& chain : state.names) {
      put(chain.size(), 1);
      for (const Thing& thing : chain) {
        put(static_cast<std::uint64_t>(thing.maker), 1);
        put(thing.inode, 8);
      }
    }
    for (const Position& position : state.positions) {
      put(position.finished ? 1 : 0, 1);
      for (const Walk& walk : {position.from, position.to}) {
        put(static_cast<std::uint64_t>(walk.folder), 1);
        put(static_cast<std::uint64_t>(walk.top | (walk.links << 1)), 1);
        put(static_cast<std::uint64_t>(walk.left), 1);
      }
    }
    return key;
  }

  const std::vector<RaceCall>& calls_;
  std::unordered_set<std::string> seen_;
  std::vector<State> to_look_at_;  ///< The last first.
};

}  // namespace

bool has_order(const std::vector<RaceCall>& calls) {
  return Search(calls).run();
}

}  // namespace benchfs::sim
