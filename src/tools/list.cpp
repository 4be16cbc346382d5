// ls.

#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/listing.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

class Lister {
 public:
  Lister(benchfs_mount* mount, const ListOptions& options)
      : mount_(mount),
        options_(options),
        for_terminal_(::isatty(STDOUT_FILENO) != 0),
        json_(options.format == Format::kJson) {}

  int list(const std::vector<std::string>& arguments) {
    std::vector<Entry> files;
    std::vector<std::string> directories;
    for (const std::string& argument : arguments) {
      const std::string path = benchfs_path(argument);
      Entry entry{.name = path, .attributes = {}};
      // A link that leads nowhere is shown itself, and every link if more than its name is wanted.
      const bool itself = options_.long_format || options_.directories_too || options_.marks;
      if ((itself || benchfs_stat(mount_, path.c_str(), &entry.attributes) != 0) &&
          benchfs_lstat(mount_, path.c_str(), &entry.attributes) != 0) {
        complain_failure("cannot access", path);
        exit_status_ = kExitUsage;
      } else if (S_ISDIR(entry.attributes.st_mode) && !options_.directories_too) {
        directories.push_back(path);
      } else {
        files.push_back(std::move(entry));
      }
    }
    sort(files);
    show("", files, !files.empty());
    with_titles_ = options_.recursive || arguments.size() > 1;
    for (const std::string& directory : directories) {
      list_directory(directory);
    }
    if (json_) {
      say("{}", listing_json(collected_));
    }
    return was_interrupted() ? kExitInterrupted : exit_status_;
  }

 private:
  void list_directory(const std::string& path) {
    std::vector<Entry> entries;
    const bool complete = read_directory(mount_, path, entries);
    if (!complete) {
      complain_failure("cannot read directory", path);
      exit_status_ = std::max(exit_status_, kExitFailure);
      return;
    }
    if (!options_.all) {
      std::erase_if(entries, [](const Entry& entry) { return entry.name.front() == '.'; });
    }
    sort(entries);
    show(path, entries, true);
    for (const Entry& entry : entries) {
      if (options_.recursive && S_ISDIR(entry.attributes.st_mode) && !was_interrupted()) {
        list_directory(joined_path(path, entry.name));
      }
    }
  }

  /// `directory` is empty for what was named itself.
  void show(const std::string& directory, const std::vector<Entry>& entries, bool any) {
    if (!any) {
      return;
    }
    if (json_) {
      collected_.push_back({.path = directory, .entries = entries});
      return;
    }
    if (shown_before_) {
      say("\n");
    }
    shown_before_ = true;
    if (with_titles_) {
      say("{}:\n", shown_name(directory, for_terminal_));
    }
    std::vector<Line> lines;
    for (const Entry& entry : entries) {
      lines.push_back(line_of(directory, entry));
    }
    if (options_.long_format) {
      say("{}", long_listing(lines, {.human_sizes = options_.human_sizes,
                                     .numeric_ids = options_.numeric_ids,
                                     .inodes = options_.inodes}));
      return;
    }
    for (const Line& line : lines) {
      const std::string inode =
          options_.inodes ? std::to_string(line.status->st_ino) + " " : std::string();
      say("{}{}\n", inode, line.name);
    }
  }

  Line line_of(const std::string& directory, const Entry& entry) {
    Line line{
        .name = shown_name(entry.name, for_terminal_), .target = {}, .status = &entry.attributes};
    const mode_t mode = entry.attributes.st_mode;
    const bool is_link = S_ISLNK(mode);
    if (options_.long_format && is_link) {
      const std::string path = directory.empty() ? entry.name : joined_path(directory, entry.name);
      if (!read_link(mount_, path, line.target)) {
        complain_failure("cannot read symbolic link", path);
        exit_status_ = std::max(exit_status_, kExitFailure);
      }
      line.target = shown_name(line.target, for_terminal_);
    }
    if (S_ISDIR(mode) && (options_.marks || options_.slashes)) {
      line.name += '/';
    } else if (options_.marks && is_link && !options_.long_format) {
      line.name += '@';
    } else if (options_.marks && S_ISREG(mode) && (mode & 0111) != 0) {
      line.name += '*';
    }
    return line;
  }

  void sort(std::vector<Entry>& entries) const {
    if (options_.order != ListOrder::kNone) {
      std::sort(entries.begin(), entries.end(),
                [](const Entry& a, const Entry& b) { return a.name < b.name; });
    }
    if (options_.order == ListOrder::kTime) {
      std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        const timespec& x = a.attributes.st_mtim;
        const timespec& y = b.attributes.st_mtim;
        return x.tv_sec != y.tv_sec ? x.tv_sec > y.tv_sec : x.tv_nsec > y.tv_nsec;
      });
    } else if (options_.order == ListOrder::kSize) {
      std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return a.attributes.st_size > b.attributes.st_size;
      });
    }
    if (options_.reverse) {
      std::reverse(entries.begin(), entries.end());
    }
  }

  benchfs_mount* mount_;
  const ListOptions& options_;
  const bool for_terminal_;
  const bool json_;
  bool with_titles_ = false;
  bool shown_before_ = false;
  int exit_status_ = kExitOk;
  std::vector<NamedDirectory> collected_;
};

}  // namespace

int list(const std::string& session, const ListOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitUsage;
  }
  catch_interrupts();
  const std::vector<std::string> root = {"/"};
  return Lister(mount.get(), options).list(options.paths.empty() ? root : options.paths);
}

}  // namespace benchfs::tools
