#pragma once

// The tests and actions of `find`, one by one. The parser puts them together.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/find_expression.h"

namespace benchfs::tools {

struct FindPrimary {
  std::string_view name;       ///< "-size".
  std::size_t argument_count;  ///< 0 or 1.
  bool is_action;
  /// Null with `error` set if the argument makes no sense.
  FindTest (*make)(std::string_view name, const std::string& argument, FindState& state,
                   std::string& error);
};

/// Nothing if there is no such test or action.
const FindPrimary* find_primary(std::string_view name);

}  // namespace benchfs::tools
