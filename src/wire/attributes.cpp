#include "wire/attributes.h"

namespace benchfs::wire {

bool is_valid_name(const std::string& name) noexcept {
  return !name.empty() && name.size() <= kNameBytesMax && name != "." && name != ".." &&
         name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

bool is_valid_link_target(const std::string& target) noexcept {
  return !target.empty() && target.size() <= kLinkTargetBytesMax &&
         target.find('\0') == std::string::npos;
}

}  // namespace benchfs::wire
