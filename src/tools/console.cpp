#include "tools/console.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace benchfs::tools {

void complain_text(std::string_view text) {
  // One call, so that lines of several processes on one terminal do not mix.
  const std::string line = fmt::format("benchfs: {}\n", text);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void say_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int finish_output(int exit_status) {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    complain("write error: {}", errno_text(errno != 0 ? errno : EIO));
    return kExitFailure;
  }
  return exit_status;
}

std::string errno_text(int error) {
  char buffer[256] = {};
  // The GNU variant: it may or may not use the buffer.
  return ::strerror_r(error, buffer, sizeof buffer);
}

std::string in_quotes(std::string_view name) {
  std::string text = "'";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += fmt::format("\\{:03o}", static_cast<unsigned>(byte));
    } else {
      text += c;
    }
  }
  text += '\'';
  return text;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows,
                         std::string_view align) {
  std::vector<std::size_t> widths(align.size(), 0);
  for (const auto& row : rows) {
    for (std::size_t column = 0; column < std::min(row.size(), widths.size()); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < std::min(row.size(), widths.size()); ++column) {
      const std::string padding(widths[column] - row[column].size(), ' ');
      line += column == 0 ? "" : "  ";
      line += align[column] == 'r' ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace benchfs::tools
