#include "client/path.h"

#include <algorithm>

#include "base/limits.h"

namespace benchfs::client {

Result<Path> parse_link_target(std::string_view text) {
  if (text.empty()) {
    return fail(Errc::kNotFound, "path.empty");
  }
  if (text.size() > kPathBytesMax) {
    return fail(Errc::kNameTooLong, "path.length");
  }
  Path path;
  path.is_absolute = text.front() == '/';
  path.must_be_directory = true;  // Of the root; each name below decides anew.
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view name = text.substr(begin, end - begin);
    begin = end + 1;
    path.must_be_directory = true;
    if (name.empty()) {
      continue;
    }
    if (name == ".") {
      path.last = LastComponent::kDot;
      continue;
    }
    if (name == "..") {
      path.last = LastComponent::kDotDot;
      path.components.emplace_back(name);
      continue;
    }
    if (name.size() > kNameBytesMax) {
      return fail(Errc::kNameTooLong, "path.name");
    }
    if (name.find('\0') != std::string_view::npos) {
      return fail(Errc::kInvalid, "path.nul");
    }
    path.components.emplace_back(name);
    path.last = LastComponent::kName;
    path.must_be_directory = end < text.size();
  }
  return path;
}

Result<Path> parse_path(std::string_view text) {
  BENCHFS_TRY(Path path, parse_link_target(text));
  if (!path.is_absolute) {
    return fail(Errc::kInvalid, "path.relative");
  }
  return path;
}

}  // namespace benchfs::client
