#pragma once

// A tree for each client, in which nobody else changes anything: what stands under each name is
// known exactly, until a call fails. What that may have done is looked at when it cannot happen any
// more.
//
// Threading: the world's thread.

#include <cstdint>
#include <optional>
#include <string>

#include "sim/tree_model.h"
#include "sim/user.h"

namespace benchfs::sim {

/// One tree; outlives the clients that work in it one after the other.
class Tree {
 public:
  explicit Tree(std::string root) : model_(std::move(root)) {}

  coro::Task<void> set_up(User& user);
  coro::Task<void> work(User& user, Chance chance, const std::uint64_t& until_ns);
  coro::Task<void> verify(User& user);
  void power_cut();

 private:
  using Type = TreeModel::Type;
  using Thing = TreeModel::Thing;
  using Name = TreeModel::Name;

  std::string path_of(const std::string& name) const { return model_.path_of(name); }
  /// The call may have made `other` of it, or may still do so.
  void doubt(User& user, const std::string& name, Thing other);

  coro::Task<void> step(User& user, Chance& chance);
  coro::Task<void> step_with_folder(User& user, Chance& chance, std::string name,
                                    std::string other);
  coro::Task<void> step_with_file(User& user, Chance& chance, std::string name, std::string other);
  coro::Task<void> look(User& user, std::string name);
  coro::Task<void> look_at_move(User& user, TreeModel::Move move);
  /// The file must be at one of the two names, and only there.
  coro::Task<void> look_at_rename(User& user, TreeModel::Rename rename);
  coro::Task<void> list(User& user, std::string folder);

  // Files (tree_files.cpp).
  coro::Task<void> make_file(User& user, Chance& chance, std::string name);
  coro::Task<void> read_file(User& user, std::string name);
  coro::Task<void> read_unlinked(User& user, std::string name);
  coro::Task<bool> holds(User& user, User::FilePointer handle, Thing thing);
  /// Nothing if it cannot be told now.
  coro::Task<std::optional<bool>> stands_at(User& user, std::string name, Thing thing);

  // Names (tree_names.cpp).
  coro::Task<void> unlink(User& user, std::string name);
  coro::Task<void> mkdir(User& user, std::string name);
  coro::Task<void> rmdir(User& user, std::string name);
  coro::Task<void> symlink(User& user, Chance& chance, std::string name, std::string to);
  /// Of a file or link.
  coro::Task<void> rename(User& user, std::string from, std::string to);
  coro::Task<void> move_folder(User& user, std::string from, std::string to);
  /// Of what is of another kind than what stands at `to`.
  coro::Task<void> rename_to_other_kind(User& user, std::string from, std::string to);
  coro::Task<void> follow(User& user, std::string name);

  TreeModel model_;
  std::uint64_t last_tag_ = 0;
  std::uint64_t cuts_ = 0;
};

/// Whether the call may have done what it was asked for.
bool in_doubt(const Status& status);

}  // namespace benchfs::sim
