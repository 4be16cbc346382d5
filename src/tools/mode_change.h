#pragma once

// Changes of a mode as chmod's users write them: "0644", "u+x,go-w", "a=rX". Pure.

#include <optional>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace benchfs::tools {

class ModeChange {
 public:
  /// `umask` counts where a clause names nobody ("+w"). Nothing if it is no mode.
  static std::optional<ModeChange> parse(std::string_view text, mode_t umask);

  /// What a file or directory of that mode gets. Set-id bits of a directory stay unless they are
  /// named, by letters or by an octal number of five digits or more.
  mode_t apply(mode_t mode, bool is_directory) const;

 private:
  struct Step {
    char operation;    ///< '+', '-' or '='.
    mode_t who;        ///< All bits that it may set, or take away.
    mode_t cleared;    ///< All bits that '=' takes away first: the umask does not guard them.
    mode_t bits;       ///< Of 07777.
    char copied_from;  ///< 'u', 'g' or 'o': the bits that these have; else 0.
    bool search_too;   ///< X: x for directories, and for what is executable for somebody.
    mode_t kept_of_directory;  ///< Bits that stay as they are if it is a directory.
  };
  static bool parse_clause(std::string_view clause, mode_t umask, std::vector<Step>& steps);

  std::vector<Step> steps_;
};

}  // namespace benchfs::tools
