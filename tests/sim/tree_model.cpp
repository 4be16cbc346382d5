#include "sim/tree_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/assert.h"

namespace benchfs::sim {
namespace {

constexpr const char* kFiles[] = {"f0", "f1", "f2"};
constexpr const char* kFolders[] = {"d0", "d1"};
/// Folders in each other in which more are made.
constexpr std::ptrdiff_t kDepthMax = 2;
/// As client::kLinksFollowedMax, or more.
constexpr int kLinksMax = 64;

/// Of a file whose content tells which one it is.
constexpr std::uint64_t kDistinctBytesMin = 16;

std::string join(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

}  // namespace

TreeModel::TreeModel(std::string root) : root_(std::move(root)) {
  for (const char* const folder : kFolders) {
    names_[folder];
  }
  for (const char* const file : kFiles) {
    names_[file];
  }
}

std::string TreeModel::folder_of(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? std::string() : name.substr(0, slash);
}

bool TreeModel::is_for_folders(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return name.at(slash == std::string::npos ? 0 : slash + 1) == 'd';
}

bool TreeModel::is_below(const std::string& name, const std::string& folder) {
  return name.size() > folder.size() && name.compare(0, folder.size(), folder) == 0 &&
         name[folder.size()] == '/';
}

std::vector<std::string> TreeModel::usable(std::uint64_t now_ns) const {
  std::vector<std::string> names;
  for (const auto& [name, what] : names_) {
    bool idle = what.busy_until_ns <= now_ns;
    for (std::string folder = folder_of(name); idle && !folder.empty();
         folder = folder_of(folder)) {
      idle = names_.at(folder).busy_until_ns <= now_ns;
    }
    if (idle && folders_are_there(name)) {
      names.push_back(name);
    }
  }
  return names;
}

bool TreeModel::folders_are_there(const std::string& name) const {
  for (std::string folder = folder_of(name); !folder.empty(); folder = folder_of(folder)) {
    const Name& at = names_.at(folder);
    if (!at.known() || at.thing().type != Type::kDirectory) {
      return false;
    }
  }
  return true;
}

bool TreeModel::has_entries(const std::string& folder) const {
  return std::any_of(names_.begin(), names_.end(), [&](const auto& item) {
    return is_below(item.first, folder) &&
           (!item.second.known() || item.second.thing().type != Type::kNone);
  });
}

bool TreeModel::is_unsure(const std::string& folder) const {
  return std::any_of(names_.begin(), names_.end(), [&](const auto& item) {
    return is_below(item.first, folder) && !item.second.known();
  });
}

bool TreeModel::may_have_moved(const std::string& name) const {
  const auto concerned = [&name](const std::string& moved) {
    return moved == name || is_below(moved, name);
  };
  return std::any_of(moves_.begin(), moves_.end(),
                     [&](const Move& move) { return concerned(move.from) || concerned(move.to); });
}

std::optional<TreeModel::Move> TreeModel::move_of(const std::string& name) const {
  const auto found = std::find_if(moves_.begin(), moves_.end(), [&name](const Move& move) {
    return move.from == name || move.to == name;
  });
  return found == moves_.end() ? std::nullopt : std::optional<Move>(*found);
}

void TreeModel::settle(const std::string& name, Thing thing) {
  Name& at = names_.at(name);
  const bool is_folder = thing.type == Type::kDirectory;
  at.things = {std::move(thing)};
  at.anything = false;
  if (!is_for_folders(name)) {
    return;
  }
  if (!is_folder) {
    erase_below(name);
  } else {
    add_names(name);
  }
}

void TreeModel::found(const std::string& name, Thing thing) {
  std::set<std::string> before;
  for (const auto& [each, at] : names_) {
    before.insert(each);
  }
  const bool is_folder = thing.type == Type::kDirectory;
  settle(name, std::move(thing));
  if (is_folder && is_for_folders(name)) {
    names_[join(name, "d")];  // It may have been moved here from where it was less deep.
  }
  for (auto& [each, at] : names_) {
    at.anything = at.anything || !before.contains(each);
  }
}

void TreeModel::changed(const std::string& name, Thing thing) {
  settle(name, std::move(thing));
  names_.at(name).is_synced = false;
  forget_renames(name);
}

void TreeModel::doubt(const std::string& name, Thing other, std::uint64_t busy_until_ns) {
  Name& at = names_.at(name);
  if (std::find(at.things.begin(), at.things.end(), other) == at.things.end()) {
    at.things.push_back(std::move(other));
  }
  at.is_synced = false;
  at.busy_until_ns = busy_until_ns;
  forget_renames(name);
}

void TreeModel::keep_off(const std::vector<std::string>& names, std::uint64_t busy_until_ns) {
  for (const std::string& name : names) {
    names_.at(name).busy_until_ns = busy_until_ns;
  }
}

void TreeModel::moved(const std::string& from, const std::string& to) {
  std::map<std::string, Name> inside;
  for (const auto& [name, at] : names_) {
    if (is_below(name, from)) {
      inside[to + name.substr(from.size())] = at;
    }
  }
  changed(from, {});
  erase_below(to);
  names_.insert(inside.begin(), inside.end());
  changed(to, {.type = Type::kDirectory});
}

void TreeModel::doubt_move(const std::string& from, const std::string& to,
                           std::uint64_t busy_until_ns) {
  for (const std::string& name : {from, to}) {
    names_.at(name).anything = true;  // It is settled with its move.
    names_.at(name).is_synced = false;
    names_.at(name).busy_until_ns = busy_until_ns;
    forget_renames(name);
  }
  moves_.push_back({.from = from, .to = to});
}

void TreeModel::settle_move(const Move& move, bool has_moved) {
  std::erase_if(moves_, [&move](const Move& each) { return each.from == move.from; });
  names_.at(move.from).anything = false;
  names_.at(move.to).anything = false;
  if (has_moved) {
    moved(move.from, move.to);
  }
}

void TreeModel::all_ended() {
  for (auto& [name, at] : names_) {
    at.busy_until_ns = 0;
  }
}

void TreeModel::power_cut() {
  for (auto& [name, at] : names_) {
    at.anything = at.anything || !survives(name);
  }
  for (const Move& move : std::exchange(moves_, {})) {
    lose_track(move.from);
    lose_track(move.to);
  }
  std::erase_if(renames_, [this](const Rename& each) {
    return !each.survives || !folders_survive(each.from) || !folders_survive(each.to);
  });
  for (Rename& each : renames_) {
    each.check = true;
    names_.at(each.from).anything = true;
    names_.at(each.to).anything = true;
  }
}

void TreeModel::synced(const std::string& name) {
  for (std::string at = name; !at.empty(); at = folder_of(at)) {
    names_.at(at).is_synced = true;
  }
}

bool TreeModel::survives(const std::string& name) const {
  return names_.at(name).is_synced && folders_survive(name);
}

bool TreeModel::folders_survive(const std::string& name) const {
  const std::string folder = folder_of(name);
  return folder.empty() || survives(folder);
}

void TreeModel::lose_track(const std::string& name) {
  for (auto& [each, at] : names_) {
    if (each == name || is_below(each, name)) {
      at.anything = true;
      at.is_synced = false;
    }
  }
  forget_renames(name);
}

void TreeModel::renamed(Rename rename) {
  const Thing& thing = rename.thing;
  if (thing.type == Type::kFile && thing.filled && thing.size >= kDistinctBytesMin) {
    renames_.push_back(std::move(rename));
  }
}

std::optional<TreeModel::Rename> TreeModel::rename_of(const std::string& name) const {
  const auto found = std::find_if(renames_.begin(), renames_.end(), [&name](const Rename& each) {
    return each.check && (each.from == name || each.to == name);
  });
  return found == renames_.end() ? std::nullopt : std::optional<Rename>(*found);
}

void TreeModel::forget_renames(const std::string& name) {
  const auto concerns = [&name](const std::string& each) {
    return each == name || is_below(each, name);
  };
  std::erase_if(renames_,
                [&](const Rename& each) { return concerns(each.from) || concerns(each.to); });
}

void TreeModel::erase_below(const std::string& folder) {
  std::erase_if(names_, [&folder](const auto& item) { return is_below(item.first, folder); });
}

void TreeModel::add_names(const std::string& folder) {
  for (const char* const file : kFiles) {
    names_[join(folder, file)];
  }
  if (std::count(folder.begin(), folder.end(), '/') < kDepthMax) {
    names_[join(folder, "d")];
  }
}

std::optional<std::string> TreeModel::target_of(const std::string& name,
                                                const std::string& says) const {
  std::string rest = says;
  std::string at = folder_of(name);
  if (!rest.empty() && rest[0] == '/') {
    if (!is_below(rest, root_)) {
      return std::nullopt;
    }
    rest = rest.substr(root_.size() + 1);
    at.clear();
  }
  while (rest.compare(0, 3, "../") == 0) {
    if (at.empty()) {
      return std::nullopt;
    }
    at = folder_of(at);
    rest = rest.substr(3);
  }
  return join(at, rest);
}

TreeModel::Way TreeModel::follow(const std::string& name) const {
  std::string at = name;
  for (int links = 0; links < kLinksMax; ++links) {
    // The first name on the way that is not a folder, or the last.
    std::size_t end = at.find('/');
    std::string part = at.substr(0, end);
    auto found = names_.find(part);
    while (end != std::string::npos && found != names_.end() && found->second.known() &&
           found->second.thing().type == Type::kDirectory) {
      end = at.find('/', end + 1);
      part = at.substr(0, end);
      found = names_.find(part);
    }
    if (found != names_.end() && !found->second.known()) {
      return {};
    }
    const Thing thing = found == names_.end() ? Thing{} : found->second.thing();
    if (thing.type == Type::kLink) {
      const auto target = target_of(part, thing.says);
      if (!target.has_value()) {
        return {};
      }
      at = end == std::string::npos ? *target : join(*target, at.substr(end + 1));
      continue;
    }
    if (thing.type == Type::kNone) {
      return {.is_known = true, .error = Errc::kNotFound, .name = {}, .thing = {}};
    }
    if (end != std::string::npos) {
      return {.is_known = true, .error = Errc::kNotDirectory, .name = {}, .thing = {}};
    }
    return {.is_known = true, .error = {}, .name = part, .thing = thing};
  }
  return {.is_known = true, .error = Errc::kSymlinkLoop, .name = {}, .thing = {}};
}

}  // namespace benchfs::sim
