// ls, stat.

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
      // A link that leads nowhere is shown itself.
      if (benchfs_stat(mount_, path.c_str(), &entry.attributes) != 0 &&
          benchfs_lstat(mount_, path.c_str(), &entry.attributes) != 0) {
        complain_failure("cannot access", path);
        exit_status_ = kExitUsage;
      } else if (S_ISDIR(entry.attributes.st_mode) && !options_.directories_too) {
        directories.push_back(path);
      } else {
        files.push_back(std::move(entry));
      }
    }
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
    if (options_.long_format) {
      say("{}", long_listing(entries, options_.human_sizes));
      return;
    }
    for (const Entry& entry : entries) {
      say("{}\n", shown_name(entry.name, for_terminal_));
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

int show_status(const std::string& session, const StatOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  int exit_status = kExitOk;
  std::vector<Entry> entries;
  for (const std::string& argument : options.paths) {
    Entry entry{.name = benchfs_path(argument), .attributes = {}};
    if (benchfs_lstat(mount.get(), entry.name.c_str(), &entry.attributes) != 0) {
      complain_failure("cannot stat", entry.name);
      exit_status = kExitFailure;
      continue;
    }
    if (options.format == Format::kText) {
      say("{}", status_text(entry.name, entry.attributes));
    }
    entries.push_back(std::move(entry));
  }
  if (options.format == Format::kJson) {
    say("{}", status_json(entries));
  }
  return exit_status;
}

}  // namespace benchfs::tools
