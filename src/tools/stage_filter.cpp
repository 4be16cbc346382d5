#include "tools/stage_filter.h"

#include <algorithm>

#include <fnmatch.h>

namespace benchfs::tools {

bool matches_stage_pattern(const std::string& pattern, const std::string& relative,
                           bool is_directory) {
  std::string wanted = pattern;
  if (wanted.size() > 1 && wanted.back() == '/') {
    if (!is_directory) {
      return false;
    }
    wanted.pop_back();
  }
  if (wanted.find('/') == std::string::npos) {
    const std::size_t slash = relative.rfind('/');
    const std::string name = slash == std::string::npos ? relative : relative.substr(slash + 1);
    return ::fnmatch(wanted.c_str(), name.c_str(), 0) == 0;
  }
  if (wanted.front() == '/') {
    wanted.erase(0, 1);
  }
  return ::fnmatch(wanted.c_str(), relative.c_str(), FNM_PATHNAME) == 0;
}

bool StageFilter::admits(const std::string& relative, bool is_directory) const {
  const auto matches = [&](const std::string& pattern) {
    return matches_stage_pattern(pattern, relative, is_directory);
  };
  if (std::any_of(exclude.begin(), exclude.end(), matches)) {
    return false;
  }
  return is_directory || include.empty() || std::any_of(include.begin(), include.end(), matches);
}

}  // namespace benchfs::tools
