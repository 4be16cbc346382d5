#pragma once

// Paths as users write them, and what symbolic links say, cut into components. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace benchfs::client {

/// What the last component of a path was, slashes behind it aside.
enum class LastComponent { kName, kDot, kDotDot };

/// A path without "" and ".". Where ".." leads depends on what stands before it, so it stays.
struct Path {
  std::vector<std::string> components;  ///< Names and "..". Empty: the directory it begins in.
  bool is_absolute = true;              ///< It begins in the root.
  bool must_be_directory = false;       ///< It ended in "/", "/." or "/..".
  LastComponent last = LastComponent::kName;  ///< What ends in dots names nothing to be changed.

  bool is_root() const noexcept { return components.empty(); }
};

/// kNotFound (empty), kInvalid (not absolute, or a NUL in it), kNameTooLong (more than
/// kPathBytesMax, or a name of more than kNameBytesMax).
Result<Path> parse_path(std::string_view text);

/// What a link says, which may be relative.
Result<Path> parse_link_target(std::string_view text);

}  // namespace benchfs::client
