#include "sim/trees.h"

#include <functional>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "sim/file_model.h"

namespace benchfs::sim {
namespace {

/// Tags of different trees never meet: contents tell whose they are.
std::uint64_t first_tag(const std::string& root) {
  return (std::hash<std::string>()(root) << 20U) | 1U;
}

TreeModel::Type type_of(wire::FileType type) {
  switch (type) {
    case wire::FileType::kFile:
      return TreeModel::Type::kFile;
    case wire::FileType::kDirectory:
      return TreeModel::Type::kDirectory;
    case wire::FileType::kSymlink:
      return TreeModel::Type::kLink;
  }
  return TreeModel::Type::kNone;
}

}  // namespace

bool in_doubt(const Status& status) {
  if (status.has_value()) {
    return false;
  }
  switch (status.error().code) {
    case Errc::kPeerLost:
    case Errc::kTimedOut:
    case Errc::kIo:
    case Errc::kOutOfSpace:
    case Errc::kStale:
      return true;
    default:
      return false;
  }
}

coro::Task<void> Tree::set_up(User& user) {
  last_tag_ = first_tag(model_.root());
  auto making = user.mkdir(model_.root());
  const Status made = co_await making;
  if (!made.has_value()) {
    user.world().violate("a folder cannot be made");
  }
}

void Tree::doubt(User& user, const std::string& name, Thing other) {
  model_.doubt(name, std::move(other), user.world().now_ns() + kLateNs);
}

/// Power failed somewhere: what was not synced may be as it was before, and folders may be gone
/// with all that they held.
void Tree::power_cut() {
  ++cuts_;
  model_.power_cut();
}

coro::Task<void> Tree::work(User& user, Chance chance, const std::uint64_t& until_ns) {
  for (std::uint64_t i = 0; i < user.plan().operations_max; ++i) {
    if (user.dead() || user.world().failed() || user.world().now_ns() >= until_ns) {
      break;
    }
    auto stepping = step(user, chance);
    co_await stepping;
    auto thinking = user.sleep(chance.below(user.plan().think_ns_max + 10 * kNsPerMs));
    co_await thinking;
  }
}

coro::Task<void> Tree::step(User& user, Chance& chance) {
  const std::vector<std::string> names = model_.usable(user.world().now_ns());
  if (names.empty()) {
    co_return;
  }
  const std::string name = names[chance.below(names.size())];
  const std::string other = names[chance.below(names.size())];
  const std::uint64_t what = chance.below(100);
  if (!model_.at(name).known() || what < 10) {
    auto looking = look(user, name);
    co_await looking;
  } else if (what < 18) {
    auto listing = list(user, TreeModel::folder_of(name));
    co_await listing;
  } else if (TreeModel::is_for_folders(name)) {
    auto changing = step_with_folder(user, chance, name, other);
    co_await changing;
  } else {
    auto changing = step_with_file(user, chance, name, other);
    co_await changing;
  }
}

coro::Task<void> Tree::step_with_folder(User& user, Chance& chance, std::string name,
                                        std::string other) {
  const std::uint64_t what = chance.below(100);
  if (what < 45) {
    auto making = mkdir(user, name);
    co_await making;
  } else if (what < 70) {
    if (!model_.may_have_moved(name)) {
      auto removing = rmdir(user, name);
      co_await removing;
    }
  } else if (model_.at(other).known() && other != name) {
    auto renaming = TreeModel::is_for_folders(other) ? move_folder(user, name, other)
                                                     : rename_to_other_kind(user, name, other);
    co_await renaming;
  }
}

coro::Task<void> Tree::step_with_file(User& user, Chance& chance, std::string name,
                                      std::string other) {
  const std::uint64_t what = chance.below(100);
  const bool is_link = model_.at(name).thing().type == Type::kLink;
  const bool may_carry = model_.survives(name) && !TreeModel::is_for_folders(other) &&
                         other != name && model_.at(other).known() && model_.folders_survive(other);
  if (may_carry && what < 60) {
    auto renaming = rename(user, name, other);
    co_await renaming;
  } else if (is_link && what < 40) {
    auto following = follow(user, name);
    co_await following;
  } else if (what < 30) {
    auto making = make_file(user, chance, name);
    co_await making;
  } else if (what < 40) {
    auto reading = read_file(user, name);
    co_await reading;
  } else if (what < 50) {
    auto linking = symlink(user, chance, name, other);
    co_await linking;
  } else if (what < 62) {
    auto unlinking = unlink(user, name);
    co_await unlinking;
  } else if (what < 69) {
    auto reading = read_unlinked(user, name);
    co_await reading;
  } else if (model_.at(other).known() && other != name) {
    auto renaming = TreeModel::is_for_folders(other) ? rename_to_other_kind(user, name, other)
                                                     : rename(user, name, other);
    co_await renaming;
  }
}

/// What stands there must be one of what may; then it is known.
coro::Task<void> Tree::look(User& user, std::string name) {
  if (const auto move = model_.move_of(name); move.has_value()) {
    auto looking = look_at_move(user, *move);
    co_await looking;
    co_return;
  }
  if (const auto rename = model_.rename_of(name); rename.has_value()) {
    auto looking = look_at_rename(user, *rename);
    co_await looking;
  }
  const std::uint64_t cuts = cuts_;
  auto asking = user.stat(path_of(name), client::Follow::kNo);
  const auto attributes = co_await asking;
  if (user.dead() || cuts != cuts_ ||
      (!attributes.has_value() && attributes.error().code != Errc::kNotFound)) {
    co_return;
  }
  Thing seen;
  if (attributes.has_value()) {
    seen.type = type_of(attributes->type);
  }
  if (seen.type == Type::kLink) {
    auto reading = user.read_link(path_of(name));
    const auto says = co_await reading;
    if (user.dead() || cuts != cuts_ || !says.has_value()) {
      co_return;
    }
    seen.says = *says;
  }
  const Name& at = model_.at(name);
  if (at.anything) {
    // A file of which nobody knows what it holds is not read.
    model_.found(name, seen);
    co_return;
  }
  std::vector<Thing> left;
  for (const Thing& thing : at.things) {
    const bool size_fits = !thing.filled || !attributes.has_value() ||
                           attributes->size_bytes == thing.size || seen.type != Type::kFile;
    if (thing.type == seen.type && size_fits && thing.says == seen.says) {
      left.push_back(thing);
    }
  }
  if (left.empty()) {
    user.world().violate(fmt::format(
        "{} is {} of {} bytes, which it cannot be (it may be: {} things, first of type {} size {})",
        path_of(name), static_cast<int>(seen.type),
        attributes.has_value() ? attributes->size_bytes : 0, at.things.size(),
        static_cast<int>(at.thing().type), at.thing().size));
    co_return;
  }
  if (left.size() > 1 && seen.type == Type::kFile) {
    // Two files: their contents tell.
    auto opening = user.open(path_of(name), wire::kOpenRead);
    const auto opened = co_await opening;
    if (!opened.has_value() || user.dead()) {
      co_return;
    }
    std::vector<Thing> read;
    for (const Thing& thing : left) {
      auto reading = holds(user, *opened, thing);
      const bool it_holds = co_await reading;
      if (it_holds) {
        read.push_back(thing);
      }
    }
    auto closing = user.close(*opened);
    const Status closed = co_await closing;
    if (user.dead() || !closed.has_value() || cuts != cuts_ || read.empty()) {
      co_return;
    }
    left = {read[0]};
  }
  model_.settle(name, left[0]);
}

coro::Task<void> Tree::look_at_rename(User& user, TreeModel::Rename rename) {
  const std::uint64_t cuts = cuts_;
  auto looking = stands_at(user, rename.from, rename.thing);
  const auto from = co_await looking;
  auto looking_too = stands_at(user, rename.to, rename.thing);
  const auto to = co_await looking_too;
  if (!from.has_value() || !to.has_value() || cuts != cuts_) {
    co_return;
  }
  user.world().count(rename.survives ? "checked.rename.synced" : "checked.rename");
  if (*from == *to) {
    user.world().violate(fmt::format("the file that was renamed from {} to {} is at {} of them",
                                     path_of(rename.from), path_of(rename.to),
                                     *from ? "both" : "none"));
  }
  model_.forget_renames(rename.from);
}

/// It has happened if the old name is gone.
coro::Task<void> Tree::look_at_move(User& user, TreeModel::Move move) {
  auto asking = user.stat(path_of(move.from), client::Follow::kNo);
  const auto from = co_await asking;
  auto asking_too = user.stat(path_of(move.to), client::Follow::kNo);
  const auto to = co_await asking_too;
  const auto answers = [](const Result<wire::Attributes>& seen) {
    return seen.has_value() || seen.error().code == Errc::kNotFound;
  };
  if (user.dead() || !answers(from) || !answers(to)) {
    co_return;
  }
  const bool was_there = model_.at(move.from).thing().type == Type::kDirectory;
  const bool target_was_there = model_.at(move.to).thing().type == Type::kDirectory;
  const bool may_move = was_there && !TreeModel::is_below(move.to, move.from) &&
                        (!model_.has_entries(move.to) || model_.is_unsure(move.to));
  const bool stayed = from.has_value() == was_there && to.has_value() == target_was_there;
  const bool has_moved = may_move && !from.has_value() && to.has_value();
  if (!stayed && !has_moved) {
    user.world().violate(fmt::format(
        "rename of {} to {}: the one is {}, the other {}", path_of(move.from), path_of(move.to),
        from.has_value() ? "there" : "not there", to.has_value() ? "there" : "not there"));
    co_return;
  }
  model_.settle_move(move, has_moved);
}

coro::Task<void> Tree::list(User& user, std::string folder) {
  const std::uint64_t cuts = cuts_;
  auto listing = user.list(folder.empty() ? model_.root() : path_of(folder));
  const auto entries = co_await listing;
  if (!entries.has_value() || user.dead() || cuts != cuts_) {
    co_return;
  }
  std::map<std::string, Type> listed;
  for (const wire::DirectoryEntry& entry : *entries) {
    const std::string name = folder.empty() ? entry.name : folder + "/" + entry.name;
    const bool is_new = listed.emplace(name, type_of(entry.entry.attributes.type)).second;
    if (!is_new || !model_.contains(name)) {
      user.world().violate(
          fmt::format("{} is listed {}", path_of(name), is_new ? "and was never made" : "twice"));
    }
  }
  for (const auto& [name, at] : model_.names()) {
    if (TreeModel::folder_of(name) != folder || !at.known()) {
      continue;
    }
    const auto found = listed.find(name);
    const Type type = found == listed.end() ? Type::kNone : found->second;
    if (type != at.thing().type) {
      user.world().violate(fmt::format("{} is of type {}, and listed as {}", path_of(name),
                                       static_cast<int>(at.thing().type), static_cast<int>(type)));
    }
  }
}

coro::Task<void> Tree::verify(User& user) {
  model_.all_ended();
  // Folders stand before what is in them, and what a move has brought is found the second time.
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string> all;
    for (const auto& [name, at] : model_.names()) {
      all.push_back(name);
    }
    for (const std::string& name : all) {
      if (model_.contains(name) && model_.folders_are_there(name) &&
          (round == 0 || !model_.at(name).known())) {
        auto looking = look(user, name);
        co_await looking;
      }
    }
  }
  std::vector<std::string> all;
  for (const auto& [name, at] : model_.names()) {
    all.push_back(name);
  }
  auto listing_root = list(user, "");
  co_await listing_root;
  for (const std::string& name : all) {
    const Name at = model_.at(name);
    if (!at.known() || !model_.folders_are_there(name)) {
      continue;
    }
    if (at.thing().type == Type::kDirectory) {
      auto listing = list(user, name);
      co_await listing;
    } else if (at.thing().type == Type::kFile && at.thing().filled) {
      auto reading = read_file(user, name);
      co_await reading;
    } else if (at.thing().type == Type::kLink) {
      auto following = follow(user, name);
      co_await following;
    }
  }
}

}  // namespace benchfs::sim
