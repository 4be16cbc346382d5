#pragma once

// What sanitizers find in processes whose end nobody judges: servers, which are killed or stopped,
// and ranks under mpirun. Such processes write their findings to files, and the test looks for
// these. Without sanitizers there are none.

#include <string>

#include "support/command.h"

namespace benchfs::test {

/// Makes the processes that get these variables write findings to files in `directory`, and else do
/// what the sanitizers' own variables of this process say.
Variables sanitizer_variables(const std::string& directory);

/// The findings in `directory`; empty if there are none.
std::string sanitizer_reports(const std::string& directory);

}  // namespace benchfs::test
