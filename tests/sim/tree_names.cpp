// Names in a tree: what becomes of them is known from what stands there.

#include <fmt/format.h>

#include "base/log.h"
#include "sim/file_model.h"
#include "sim/trees.h"

namespace benchfs::sim {
namespace {

std::string outcome_of(const Status& status) {
  return status.has_value() ? "done" : to_string(status.error());
}

}  // namespace

coro::Task<void> Tree::unlink(User& user, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing thing = model_.at(name).thing();
  auto unlinking = user.unlink(path_of(name));
  const Status status = co_await unlinking;
  if (user.dead() || in_doubt(status)) {
    doubt(user, name, {});
    co_return;
  }
  if (cuts != cuts_) {
    model_.lose_track(name);
    co_return;
  }
  const bool right = status.has_value()
                         ? thing.type == Type::kFile || thing.type == Type::kLink
                         : status.error().code == Errc::kNotFound && thing.type == Type::kNone;
  if (!right) {
    user.world().violate(fmt::format("unlink of {}, of type {}: {}", path_of(name),
                                     static_cast<int>(thing.type), outcome_of(status)));
  } else if (status.has_value()) {
    model_.changed(name, {});
  }
}

coro::Task<void> Tree::mkdir(User& user, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing thing = model_.at(name).thing();
  const Thing folder{.type = Type::kDirectory};
  auto making = user.mkdir(path_of(name));
  const Status status = co_await making;
  if (user.dead() || in_doubt(status)) {
    doubt(user, name, folder);
    co_return;
  }
  if (cuts != cuts_) {
    model_.lose_track(name);
    co_return;
  }
  const bool right = status.has_value()
                         ? thing.type == Type::kNone
                         : status.error().code == Errc::kExists && thing.type != Type::kNone;
  if (!right) {
    user.world().violate(fmt::format("mkdir of {}, of type {}: {}", path_of(name),
                                     static_cast<int>(thing.type), outcome_of(status)));
  } else if (status.has_value()) {
    model_.changed(name, folder);
  }
}

coro::Task<void> Tree::rmdir(User& user, std::string name) {
  const std::uint64_t cuts = cuts_;
  const Thing thing = model_.at(name).thing();
  const bool unsure = model_.is_unsure(name);
  const bool full = model_.has_entries(name);
  auto removing = user.rmdir(path_of(name));
  const Status status = co_await removing;
  if (user.dead() || in_doubt(status)) {
    doubt(user, name, {});
    co_return;
  }
  if (cuts != cuts_) {
    model_.lose_track(name);
    co_return;
  }
  bool right = false;
  if (status.has_value()) {
    right = thing.type == Type::kDirectory && (!full || unsure);
  } else {
    right = (status.error().code == Errc::kNotFound && thing.type == Type::kNone) ||
            (status.error().code == Errc::kNotEmpty && (full || unsure));
  }
  if (!right) {
    user.world().violate(fmt::format("rmdir of {}, of type {}, {}: {}", path_of(name),
                                     static_cast<int>(thing.type), full ? "full" : "empty",
                                     outcome_of(status)));
  } else if (status.has_value()) {
    model_.changed(name, {});
  }
}

coro::Task<void> Tree::rename(User& user, std::string from, std::string to) {
  const std::uint64_t cuts = cuts_;
  const Thing moved = model_.at(from).thing();
  const Thing replaced = model_.at(to).thing();
  const bool survives = model_.survives(from) && model_.folders_survive(to);
  auto renaming = user.rename(path_of(from), path_of(to));
  const Status status = co_await renaming;
  const bool cut = cuts != cuts_;
  const bool doubtful = user.dead() || in_doubt(status);
  if (doubtful) {
    doubt(user, from, {});
    doubt(user, to, moved);
  } else if (cut) {
    model_.lose_track(from);
    model_.lose_track(to);
  }
  if (doubtful || cut) {
    if (survives || !cut) {
      model_.renamed({.from = from, .to = to, .thing = moved, .survives = survives, .check = true});
    }
    co_return;
  }
  const bool right = status.has_value()
                         ? moved.type == Type::kFile || moved.type == Type::kLink
                         : status.error().code == Errc::kNotFound && moved.type == Type::kNone;
  if (!right) {
    user.world().violate(fmt::format("rename of {} to {}, of types {} and {}: {}", path_of(from),
                                     path_of(to), static_cast<int>(moved.type),
                                     static_cast<int>(replaced.type), outcome_of(status)));
  } else if (status.has_value()) {
    model_.changed(from, {});
    model_.changed(to, moved);
    model_.renamed({.from = from, .to = to, .thing = moved, .survives = survives});
  }
}

coro::Task<void> Tree::symlink(User& user, Chance& chance, std::string name, std::string to) {
  const std::uint64_t cuts = cuts_;
  const Thing before = model_.at(name).thing();
  // Where it leads to changes when it is moved, unless it says so from the root on.
  const std::uint64_t how = chance.below(10);
  Thing link{.type = Type::kLink, .says = path_of(to)};
  if (how < 3) {
    const std::string folder = TreeModel::folder_of(to);
    link.says = folder.empty() ? to : to.substr(folder.size() + 1);
  } else if (how < 5 && !TreeModel::folder_of(name).empty()) {
    link.says = "../" + to;
  } else if (how == 5) {
    link.says = "nothing";
  }
  auto making = user.symlink(link.says, path_of(name));
  const Status status = co_await making;
  if (user.dead() || in_doubt(status)) {
    doubt(user, name, link);
    co_return;
  }
  if (cuts != cuts_) {
    model_.lose_track(name);
    co_return;
  }
  const bool right = status.has_value()
                         ? before.type == Type::kNone
                         : status.error().code == Errc::kExists && before.type != Type::kNone;
  if (!right) {
    user.world().violate(fmt::format("symlink at {}, of type {}: {}", path_of(name),
                                     static_cast<int>(before.type), outcome_of(status)));
  } else if (status.has_value()) {
    model_.changed(name, link);
  }
}

coro::Task<void> Tree::move_folder(User& user, std::string from, std::string to) {
  if (model_.may_have_moved(from) || model_.may_have_moved(to)) {
    co_return;
  }
  const std::uint64_t cuts = cuts_;
  const Type moved = model_.at(from).thing().type;
  const bool full = model_.has_entries(to);
  const bool unsure = model_.is_unsure(to);
  auto renaming = user.rename(path_of(from), path_of(to));
  const Status status = co_await renaming;
  const bool doubtful = user.dead() || in_doubt(status);
  if (cuts != cuts_) {
    model_.lose_track(from);
    model_.lose_track(to);
    if (doubtful) {
      model_.keep_off({from, to}, user.world().now_ns() + kLateNs);
    }
    co_return;
  }
  if (doubtful) {
    model_.doubt_move(from, to, user.world().now_ns() + kLateNs);
    co_return;
  }
  bool right = false;
  if (moved == Type::kNone) {
    right = !status.has_value() && status.error().code == Errc::kNotFound;
  } else if (TreeModel::is_below(to, from)) {
    right = !status.has_value() && status.error().code == Errc::kInvalid;
  } else {
    right = status.has_value() ? !full || unsure
                               : status.error().code == Errc::kNotEmpty && (full || unsure);
  }
  if (!right) {
    user.world().violate(fmt::format("rename of {} to {}, of types {} and {}{}: {}", path_of(from),
                                     path_of(to), static_cast<int>(moved),
                                     static_cast<int>(model_.at(to).thing().type),
                                     full ? ", full" : "", outcome_of(status)));
  } else if (status.has_value()) {
    model_.moved(from, to);
  }
}

coro::Task<void> Tree::rename_to_other_kind(User& user, std::string from, std::string to) {
  const Type moved = model_.at(from).thing().type;
  if (moved == Type::kNone || model_.at(to).thing().type == Type::kNone ||
      user.plan().power_cut_ns > 0) {
    co_return;  // Where power fails, what stands there may go, and then it can be done.
  }
  Errc wanted = Errc::kIsDirectory;
  if (moved == Type::kDirectory) {
    wanted = TreeModel::is_below(to, from) ? Errc::kInvalid : Errc::kNotDirectory;
  }
  const std::uint64_t cuts = cuts_;
  auto renaming = user.rename(path_of(from), path_of(to));
  const Status status = co_await renaming;
  if (user.dead() || in_doubt(status)) {
    // It changes nothing as long as both stand there.
    model_.keep_off({from, to}, user.world().now_ns() + kLateNs);
    co_return;
  }
  if (cuts != cuts_) {
    co_return;
  }
  if (status.has_value() || status.error().code != wanted) {
    user.world().violate(fmt::format("rename of {} to {}, which is of another kind: {}",
                                     path_of(from), path_of(to), outcome_of(status)));
  }
}

coro::Task<void> Tree::follow(User& user, std::string name) {
  const TreeModel::Way way = model_.follow(name);
  if (!way.is_known) {
    co_return;
  }
  const std::uint64_t cuts = cuts_;
  auto asking = user.stat(path_of(name));
  const auto seen = co_await asking;
  if (user.dead() || cuts != cuts_ || (!seen.has_value() && in_doubt(fail(seen.error())))) {
    co_return;
  }
  const auto error = seen.has_value() ? Errc{} : seen.error().code;
  bool right = error == way.error;
  if (right && seen.has_value()) {
    const bool is_folder = way.thing.type == Type::kDirectory;
    right = (seen->type == wire::FileType::kDirectory) == is_folder &&
            seen->type != wire::FileType::kSymlink &&
            (!way.thing.filled || seen->size_bytes == way.thing.size);
  }
  if (!right) {
    user.world().violate(fmt::format(
        "{} leads to {}, of type {} and {} bytes; it is told: {}", path_of(name),
        way.error == Errc{} ? way.name : std::string(name_of(way.error)),
        static_cast<int>(way.thing.type), way.thing.size,
        seen.has_value()
            ? fmt::format("type {}, {} bytes", static_cast<int>(seen->type), seen->size_bytes)
            : to_string(seen.error())));
  }
}

}  // namespace benchfs::sim
