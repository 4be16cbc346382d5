#include "failure.h"

#include <system_error>

namespace benchfs::bench {

Failure system_failure(const std::string& what, int posix_errno) {
  return Failure(what + ": " + std::generic_category().message(posix_errno));
}

}  // namespace benchfs::bench
