#include "tools/listing.h"

#include <array>
#include <cstdint>
#include <ctime>

#include <grp.h>
#include <pwd.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/units.h"
#include "tools/console.h"

namespace benchfs::tools {
namespace {

std::string formatted(const timespec& time, const char* format) {
  std::tm local{};
  ::localtime_r(&time.tv_sec, &local);
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), format, &local);
  return std::string(text.data(), length);
}

}  // namespace

const char* kind_text(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) {
    return "directory";
  }
  if (S_ISREG(status.st_mode)) {
    return status.st_size == 0 ? "regular empty file" : "regular file";
  }
  return S_ISLNK(status.st_mode) ? "symbolic link" : "special file";
}

std::string mode_text(mode_t mode) {
  std::string text = S_ISDIR(mode) ? "d" : S_ISLNK(mode) ? "l" : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const auto bits = mode >> shift;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  const auto mark = [&text](std::size_t at, char with_x, char without_x) {
    text[at] = text[at] == 'x' ? with_x : without_x;
  };
  if ((mode & S_ISUID) != 0) {
    mark(3, 's', 'S');
  }
  if ((mode & S_ISGID) != 0) {
    mark(6, 's', 'S');
  }
  if ((mode & S_ISVTX) != 0) {
    mark(9, 't', 'T');
  }
  return text;
}

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  return ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr
             ? found->pw_name
             : std::to_string(uid);
}

std::string group_name(gid_t gid) {
  std::array<char, 4096> buffer;
  group entry{};
  group* found = nullptr;
  return ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr
             ? found->gr_name
             : std::to_string(gid);
}

std::string time_text(const timespec& time) {
  return formatted(time, "%Y-%m-%d %H:%M");
}

std::string exact_time_text(const timespec& time) {
  return formatted(time, "%Y-%m-%d %H:%M:%S") + fmt::format(".{:09} ", time.tv_nsec) +
         formatted(time, "%z");
}

std::string size_text(std::uint64_t bytes, bool human) {
  if (!human || bytes < kKiB) {
    return std::to_string(bytes);
  }
  // Rounded up, as coreutils do: a size is never shown smaller than it is.
  constexpr std::string_view kUnits = "KMGTPE";
  std::uint64_t unit = kKiB;
  std::size_t index = 0;
  const auto tenths_of = [&] { return bytes / unit * 10 + (bytes % unit * 10 + unit - 1) / unit; };
  while (tenths_of() > 10230 && index + 1 < kUnits.size()) {
    unit *= kKiB;
    ++index;
  }
  const std::uint64_t tenths = tenths_of();
  return tenths < 100 ? fmt::format("{}.{}{}", tenths / 10, tenths % 10, kUnits[index])
                      : fmt::format("{}{}", (tenths + 9) / 10, kUnits[index]);
}

std::string shown_name(const std::string& name, bool for_terminal) {
  std::string shown = name;
  for (char& c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if (for_terminal && (byte < 0x20 || byte == 0x7f)) {
      c = '?';
    }
  }
  return shown;
}

std::string long_listing(const std::vector<Line>& lines, const LongOptions& options) {
  std::vector<std::vector<std::string>> rows;
  for (const Line& line : lines) {
    const struct stat& status = *line.status;
    std::vector<std::string> row;
    if (options.inodes) {
      row.push_back(std::to_string(status.st_ino));
    }
    const std::string last = line.target.empty() ? line.name : line.name + " -> " + line.target;
    row.insert(row.end(),
               {mode_text(status.st_mode), std::to_string(status.st_nlink),
                options.numeric_ids ? std::to_string(status.st_uid) : user_name(status.st_uid),
                options.numeric_ids ? std::to_string(status.st_gid) : group_name(status.st_gid),
                size_text(static_cast<std::uint64_t>(status.st_size), options.human_sizes),
                time_text(status.st_mtim), last});
    rows.push_back(std::move(row));
  }
  return format_table(rows, options.inodes ? "rlrllrll" : "lrllrll");
}

std::string status_text(const std::string& path, const struct stat& status) {
  return fmt::format(
      "  File: {}\n"
      "  Size: {:<15} Blocks: {:<10} IO Block: {:<6} {}\n"
      " Inode: {:<15x} Links: {}\n"
      "Access: ({:04o}/{})  Uid: ({:5}/{:>8})   Gid: ({:5}/{:>8})\n"
      "Access: {}\nModify: {}\nChange: {}\n",
      path, status.st_size, status.st_blocks, status.st_blksize, kind_text(status), status.st_ino,
      status.st_nlink, status.st_mode & 07777U, mode_text(status.st_mode), status.st_uid,
      user_name(status.st_uid), status.st_gid, group_name(status.st_gid),
      exact_time_text(status.st_atim), exact_time_text(status.st_mtim),
      exact_time_text(status.st_ctim));
}

}  // namespace benchfs::tools
