#pragma once

// How the names of a session are divided among those who walk it together.

#include <string>
#include <string_view>

namespace benchfs::compat {

/// The path without ".", empty names and slashes at its ends: "" for the root, else "a/b". ".."
/// stays.
std::string plain_path(std::string_view path);

/// Which of `count` shares (1 or more) `name` in `directory` (a plain path) is in: that of the
/// first name on its way from the root. A walker that goes into the directories of its share then
/// never leaves it.
int share_of(std::string_view directory, std::string_view name, int count) noexcept;

}  // namespace benchfs::compat
