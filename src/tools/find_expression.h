#pragma once

// The expression of `find`: tests, operators and actions as its users write them, read into a
// function of what the walk has come to.
//
// Threading: the main thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/walk.h"

namespace benchfs::tools {

/// One file that is looked at.
struct Candidate {
  Visited& at;
  std::string shown;  ///< Its path, beginning with where the search begins, as that was written.
  std::size_t start_length;  ///< Of that beginning.

  std::string name() const;      ///< The last name, also of where the search begins.
  std::string relative() const;  ///< Below where the search begins.
};

/// What the expression says beside yes and no.
struct FindState {
  benchfs_mount* mount;  ///< Borrowed.
  timespec now{};
  bool for_terminal = false;
  bool pruned = false;    ///< What is below the present candidate is to be left out.
  bool finished = false;  ///< -quit.
  bool fine = true;       ///< No action has failed.
};

using FindTest = std::function<bool(Candidate&)>;

struct FindExpression {
  FindTest test;
  bool has_action = false;      ///< Else what matches is printed.
  bool contents_first = false;  ///< -depth.
  std::uint32_t depth_min = 0;
  std::uint32_t depth_max = UINT32_MAX;
};

/// Reads an expression. `state` is borrowed by what comes out. Files that tests name (-newer) are
/// looked at now. Nothing, with `error` saying why, if it makes no sense.
std::optional<FindExpression> parse_find_expression(const std::vector<std::string>& words,
                                                    FindState& state, std::string& error);

/// Whether a word belongs to the expression, and no longer to where the search begins.
bool begins_find_expression(std::string_view word);

}  // namespace benchfs::tools
