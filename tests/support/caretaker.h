#pragma once

// Does what a destructor would have done, if its process is killed.

#include <string>
#include <vector>

#include "support/command.h"

namespace benchfs::test {

/// While it lives, a process outside of this one's family waits. If this process ends before
/// dismiss(), by whatever, that process runs the command and then removes the directory. Whoever
/// kills this process and all its descendants, as ctest does at a time-out, does not meet it.
class Caretaker {
 public:
  /// The variables as for run_command(). Aborts if it cannot be started.
  Caretaker(const std::vector<std::string>& command, const Variables& variables,
            const std::string& directory);
  /// Dismisses it.
  ~Caretaker();
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace benchfs::test
