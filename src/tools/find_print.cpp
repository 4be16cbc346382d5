#include "tools/find_print.h"

#include <array>
#include <ctime>

#include "tools/console.h"
#include "tools/listing.h"

namespace benchfs::tools {
namespace {

constexpr PrintFormat::Rules kRules = {.letters = "pPfhHsbkmMyYuUgGinldtacTACFDS",
                                       .with_argument = "TAC",
                                       .with_decimals = {},
                                       .escapes = true};

std::string formatted(const timespec& time, const std::string& format) {
  std::tm local{};
  ::localtime_r(&time.tv_sec, &local);
  std::array<char, 128> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format.c_str(), &local)};
}

/// Ten digits, as find has them.
std::string fraction(const timespec& time) {
  return fmt::format(".{:09}0", time.tv_nsec);
}

std::string time_part(const timespec& time, char part) {
  switch (part) {
    case '@':
      return std::to_string(time.tv_sec) + fraction(time);
    case 'S':
      return formatted(time, "%S") + fraction(time);
    case 'T':
    case 'X':
      return formatted(time, "%H:%M:%S") + fraction(time);
    case '+':
      return formatted(time, "%Y-%m-%d+%H:%M:%S") + fraction(time);
    default:
      return formatted(time, std::string("%") + part);
  }
}

std::string whole_time(const timespec& time) {
  return formatted(time, "%a %b %e %H:%M:%S") + fraction(time) + formatted(time, " %Y");
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

char type_letter(mode_t mode) {
  return S_ISDIR(mode) ? 'd' : S_ISLNK(mode) ? 'l' : 'f';
}

/// The type of what a link leads to; N: to nothing, L: in a circle, ?: nobody knows.
char type_behind(benchfs_mount* mount, const Candidate& it) {
  const mode_t mode = it.at.entry.attributes.st_mode;
  struct stat status {};
  if (!S_ISLNK(mode)) {
    return type_letter(mode);
  }
  if (benchfs_stat(mount, it.at.path.c_str(), &status) == 0) {
    return type_letter(status.st_mode);
  }
  return errno == ELOOP ? 'L' : errno == ENOENT || errno == ENOTDIR ? 'N' : '?';
}

std::string link_target(const Candidate& it, FindState& state) {
  std::string target;
  if (S_ISLNK(it.at.entry.attributes.st_mode) && !read_link(state.mount, it.at.path, target)) {
    complain_failure("cannot read symbolic link", it.at.path);
    state.fine = false;
  }
  return target;
}

std::string value_of(const PrintFormat::Directive& directive, const Candidate& it,
                     FindState& state) {
  const struct stat& status = it.at.entry.attributes;
  switch (directive.letter) {
    case 'p':
      return it.shown;
    case 'P':
      return it.relative();
    case 'H':
      return it.shown.substr(0, it.start_length);
    case 'f':
      return it.name();
    case 'h':
      return directory_of(it.shown);
    case 's':
      return std::to_string(status.st_size);
    case 'S':
      return fmt::format("{:g}", status.st_size == 0
                                     ? 1.0
                                     : 512.0 * static_cast<double>(status.st_blocks) /
                                           static_cast<double>(status.st_size));
    case 'b':
      return std::to_string(status.st_blocks);
    case 'k':
      return std::to_string((status.st_blocks + 1) / 2);
    case 'm':
      return fmt::format("{}{:o}", directive.flags.find('#') != std::string::npos ? "0" : "",
                         status.st_mode & 07777U);
    case 'M':
      return mode_text(status.st_mode);
    case 'y':
      return std::string(1, type_letter(status.st_mode));
    case 'Y':
      return std::string(1, type_behind(state.mount, it));
    case 'u':
      return user_name(status.st_uid);
    case 'U':
      return std::to_string(status.st_uid);
    case 'g':
      return group_name(status.st_gid);
    case 'G':
      return std::to_string(status.st_gid);
    case 'i':
      return std::to_string(status.st_ino);
    case 'n':
      return std::to_string(status.st_nlink);
    case 'l':
      return link_target(it, state);
    case 'd':
      return std::to_string(it.at.depth);
    case 'D':
      return std::to_string(status.st_dev);
    case 'F':
      return "benchfs";
    case 't':
      return whole_time(status.st_mtim);
    case 'a':
      return whole_time(status.st_atim);
    case 'c':
      return whole_time(status.st_ctim);
    case 'T':
      return time_part(status.st_mtim, directive.argument);
    case 'A':
      return time_part(status.st_atim, directive.argument);
    default:
      return time_part(status.st_ctim, directive.argument);
  }
}

}  // namespace

std::optional<PrintFormat> parse_find_format(const std::string& text, std::string& error) {
  auto format = PrintFormat::parse(text, kRules, error);
  if (!format.has_value()) {
    error = fmt::format("unknown directive {}", in_quotes(error));
  }
  return format;
}

std::string find_text(const PrintFormat& format, const Candidate& it, FindState& state) {
  return format.expand(
      [&](const PrintFormat::Directive& directive) { return value_of(directive, it, state); });
}

}  // namespace benchfs::tools
