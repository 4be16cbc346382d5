#pragma once

// `find -printf`.

#include <optional>
#include <string>

#include "tools/find_expression.h"
#include "tools/print_format.h"

namespace benchfs::tools {

std::optional<PrintFormat> parse_find_format(const std::string& text, std::string& error);

/// What the format makes of one file.
std::string find_text(const PrintFormat& format, const Candidate& it, FindState& state);

}  // namespace benchfs::tools
