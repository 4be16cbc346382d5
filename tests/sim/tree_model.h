#pragma once

// What stands under each name of a tree in which one client works: files, folders and links. It is
// known, or it is one of a few things, since a call has failed and may have been done.
//
// Names are paths in the tree. Those whose last part begins with 'd' are for folders, the others
// for files and links. What is not a name here is not there.
//
// Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace benchfs::sim {

class TreeModel {
 public:
  enum class Type { kNone, kFile, kDirectory, kLink };
  struct Thing {
    Type type = Type::kNone;
    std::uint64_t tag = 0;   ///< Of a file: what it was made as; its content.
    std::uint64_t size = 0;  ///< Of the content.
    bool filled = false;     ///< The content was written whole.
    std::string says{};      ///< Of a link.
    friend auto operator<=>(const Thing&, const Thing&) = default;
  };
  struct Name {
    std::vector<Thing> things{Thing{}};  ///< One of these; one: it is known.
    bool anything = false;               ///< Power was cut: what stands there must be looked at.
    std::uint64_t busy_until_ns = 0;     ///< A call that failed may still change it until then.
    bool is_synced = false;              ///< It survives a power cut, if its folders do.
    bool known() const noexcept { return things.size() == 1 && !anything; }
    const Thing& thing() const noexcept { return things.front(); }
  };
  /// A rename of a folder that may have been done.
  struct Move {
    std::string from;
    std::string to;
  };

  /// A file that was renamed, or may have been: it is at one of both names.
  struct Rename {
    std::string from;
    std::string to;
    Thing thing;
    bool survives = false;  ///< Power cuts too: it and the folders had been synced before.
    bool check = false;     ///< It is not known at which.
  };

  /// `root`: the path of the tree.
  explicit TreeModel(std::string root);

  static std::string folder_of(const std::string& name);
  static bool is_for_folders(const std::string& name);
  /// Whether `name` is somewhere in `folder`.
  static bool is_below(const std::string& name, const std::string& folder);

  const std::string& root() const noexcept { return root_; }
  std::string path_of(const std::string& name) const { return root_ + "/" + name; }
  const std::map<std::string, Name>& names() const noexcept { return names_; }
  bool contains(const std::string& name) const { return names_.contains(name); }
  Name& at(const std::string& name) { return names_.at(name); }

  /// Names that may be used now, with the folders that they are in.
  std::vector<std::string> usable(std::uint64_t now_ns) const;
  /// Whether the folders that `name` is in are all there.
  bool folders_are_there(const std::string& name) const;
  bool has_entries(const std::string& folder) const;
  /// Whether something in the folder is not known.
  bool is_unsure(const std::string& folder) const;
  /// Whether a folder at or below `name` may have been moved.
  bool may_have_moved(const std::string& name) const;
  /// The move in doubt that has to do with the name.
  std::optional<Move> move_of(const std::string& name) const;

  /// It is known to be `thing` now.
  void settle(const std::string& name, Thing thing);
  /// It was looked at since nobody knew what stands there, nor what is in it if that is a folder.
  void found(const std::string& name, Thing thing);
  /// As settle(), since a call has just made it so.
  void changed(const std::string& name, Thing thing);
  /// It may be `other` too, until `busy_until_ns` or for good.
  void doubt(const std::string& name, Thing other, std::uint64_t busy_until_ns);
  /// Neither they nor what is in them may be used until then.
  void keep_off(const std::vector<std::string>& names, std::uint64_t busy_until_ns);
  /// The folder `from` stands at `to` now, with all that is in it.
  void moved(const std::string& from, const std::string& to);
  void doubt_move(const std::string& from, const std::string& to, std::uint64_t busy_until_ns);
  /// What stood at `name`, with the folders that it is in, is on the drives.
  void synced(const std::string& name);
  /// Whether a power cut leaves `name` as it is.
  bool survives(const std::string& name) const;
  /// Power was cut during a call that has to do with the name: nothing there or below is known.
  void lose_track(const std::string& name);
  /// The same of the folders that it is in.
  bool folders_survive(const std::string& name) const;
  /// After its names were told by changed(), doubt() or lose_track().
  void renamed(Rename rename);
  /// The rename to be checked that has to do with the name.
  std::optional<Rename> rename_of(const std::string& name) const;
  /// It was checked, or something else is made of what has to do with the name.
  void forget_renames(const std::string& name);
  void settle_move(const Move& move, bool has_moved);
  /// Nothing is under way any more.
  void all_ended();
  /// What was not synced may be as it was before.
  void power_cut();

  /// Where a path leads that begins with `name`, through links.
  struct Way {
    bool is_known = false;
    Errc error{};  ///< kNotFound, kNotDirectory, kSymlinkLoop.
    std::string name;
    Thing thing;
  };
  Way follow(const std::string& name) const;

 private:
  void erase_below(const std::string& folder);
  void add_names(const std::string& folder);
  /// What the link at `name` says, as a name; nothing if that is outside of the tree.
  std::optional<std::string> target_of(const std::string& name, const std::string& says) const;

  const std::string root_;
  std::map<std::string, Name> names_;
  std::vector<Move> moves_;
  std::vector<Rename> renames_;
};

}  // namespace benchfs::sim
