#pragma once

// What ends the whole run: a sentence that names the thing. Thrown on any rank; main() says it and
// aborts all of them, since the others may wait for this one.

#include <stdexcept>
#include <string>

namespace benchfs::bench {

class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "<what>: <why>", with the text of `posix_errno`.
Failure system_failure(const std::string& what, int posix_errno);

}  // namespace benchfs::bench
