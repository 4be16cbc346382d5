// stat.

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/listing.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

constexpr std::string_view kLetters = "aAbBdfFgGhiNnosuUwWxXyYzZ";

std::string seconds_text(const timespec& time, const PrintFormat::Directive& directive) {
  // "%.9Y": with so many digits behind the point.
  std::string text = std::to_string(time.tv_sec);
  if (directive.precision.has_value() && *directive.precision > 0) {
    std::string digits = fmt::format("{:09}", time.tv_nsec);
    digits.resize(*directive.precision, '0');
    text += '.' + digits;
  }
  return text;
}

std::string number_text(unsigned number, const char* prefix, bool hexadecimal,
                        const PrintFormat::Directive& directive) {
  const bool with_prefix = directive.flags.find('#') != std::string::npos;
  return (with_prefix ? prefix : "") +
         (hexadecimal ? fmt::format("{:x}", number) : fmt::format("{:o}", number));
}

std::string name_with_target(benchfs_mount* mount, const Entry& entry, bool follow) {
  std::string target;
  const bool is_link =
      !follow && S_ISLNK(entry.attributes.st_mode) && read_link(mount, entry.name, target);
  return is_link ? in_quotes(entry.name) + " -> " + in_quotes(target) : in_quotes(entry.name);
}

std::string value_of(const PrintFormat::Directive& directive, benchfs_mount* mount,
                     const Entry& entry, bool follow) {
  const struct stat& status = entry.attributes;
  switch (directive.letter) {
    case 'a':
      return number_text(status.st_mode & 07777U, "0", false, directive);
    case 'A':
      return mode_text(status.st_mode);
    case 'b':
      return std::to_string(status.st_blocks);
    case 'B':
      return "512";
    case 'd':
      return std::to_string(status.st_dev);
    case 'f':
      return number_text(status.st_mode, "0x", true, directive);
    case 'F':
      return kind_text(status);
    case 'g':
      return std::to_string(status.st_gid);
    case 'G':
      return group_name(status.st_gid);
    case 'h':
      return std::to_string(status.st_nlink);
    case 'i':
      return std::to_string(status.st_ino);
    case 'N':
      return name_with_target(mount, entry, follow);
    case 'n':
      return entry.name;
    case 'o':
      return std::to_string(status.st_blksize);
    case 's':
      return std::to_string(status.st_size);
    case 'u':
      return std::to_string(status.st_uid);
    case 'U':
      return user_name(status.st_uid);
    case 'w':
      return "-";  // When a file was made is not kept.
    case 'W':
      return "0";
    case 'x':
      return exact_time_text(status.st_atim);
    case 'X':
      return seconds_text(status.st_atim, directive);
    case 'y':
      return exact_time_text(status.st_mtim);
    case 'Y':
      return seconds_text(status.st_mtim, directive);
    case 'z':
      return exact_time_text(status.st_ctim);
    default:
      return seconds_text(status.st_ctim, directive);
  }
}

}  // namespace

std::optional<PrintFormat> parse_status_format(const std::string& text, bool escapes,
                                               std::string& error) {
  auto format = PrintFormat::parse(
      text, {.letters = kLetters, .with_argument = {}, .with_decimals = "XYZ", .escapes = escapes},
      error);
  if (!format.has_value()) {
    error = "unknown directive " + in_quotes(error);
  }
  return format;
}

int show_status(const std::string& session, const StatOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  bool fine = true;
  std::vector<Entry> entries;
  for (const std::string& argument : options.paths) {
    Entry entry{.name = benchfs_path(argument), .attributes = {}};
    const int outcome = options.follow
                            ? benchfs_stat(mount.get(), entry.name.c_str(), &entry.attributes)
                            : benchfs_lstat(mount.get(), entry.name.c_str(), &entry.attributes);
    if (outcome != 0) {
      complain_failure("cannot stat", entry.name);
      fine = false;
      continue;
    }
    if (options.format == Format::kJson) {
      entries.push_back(std::move(entry));
    } else if (options.text.has_value()) {
      say_text(options.text->expand([&](const PrintFormat::Directive& directive) {
        return value_of(directive, mount.get(), entry, options.follow);
      }));
      say_text(options.newline ? "\n" : "");
    } else {
      say("{}", status_text(entry.name, entry.attributes));
    }
  }
  if (options.format == Format::kJson) {
    say("{}", status_json(entries));
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
