// mkdir, rmdir, rm, mv, touch, truncate.

#include <cerrno>
#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

mode_t current_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

bool is_directory(benchfs_mount* mount, const std::string& path) {
  struct stat status {};
  return benchfs_stat(mount, path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Makes a directory and what is missing above it. True if it is there in the end.
bool make_with_parents(benchfs_mount* mount, const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    if (benchfs_mkdir(mount, above.c_str(), 0777 & ~current_umask()) != 0 && errno != EEXIST) {
      return false;
    }
  }
  if (benchfs_mkdir(mount, path.c_str(), mode) == 0) {
    return true;
  }
  if (errno == EEXIST && is_directory(mount, path)) {
    return true;
  }
  return false;
}

class Remover {
 public:
  Remover(benchfs_mount* mount, const RemoveOptions& options) : mount_(mount), options_(options) {}

  bool remove(const std::string& path) {
    struct stat status {};
    if (benchfs_lstat(mount_, path.c_str(), &status) != 0) {
      if (options_.force && (errno == ENOENT || errno == ENOTDIR)) {
        return true;
      }
      complain_failure("cannot remove", path);
      return false;
    }
    if (!S_ISDIR(status.st_mode)) {
      return remove_file(path);
    }
    if (!options_.recursive) {
      complain("cannot remove {}: {}", in_quotes(path), errno_text(EISDIR));
      return false;
    }
    return remove_tree(path);
  }

 private:
  bool remove_file(const std::string& path) {
    if (benchfs_unlink(mount_, path.c_str()) != 0 && !(options_.force && errno == ENOENT)) {
      complain_failure("cannot remove", path);
      return false;
    }
    if (options_.verbose) {
      say("removed {}\n", in_quotes(path));
    }
    return true;
  }

  bool remove_tree(const std::string& path) {
    std::vector<Entry> entries;
    if (!read_directory(mount_, path, entries)) {
      complain_failure("cannot read directory", path);
      return false;
    }
    bool fine = true;
    for (const Entry& entry : entries) {
      if (was_interrupted()) {
        return false;
      }
      const std::string below = joined_path(path, entry.name);
      const bool removed =
          S_ISDIR(entry.attributes.st_mode) ? remove_tree(below) : remove_file(below);
      fine = removed && fine;
    }
    if (!fine) {
      return false;
    }
    if (benchfs_rmdir(mount_, path.c_str()) != 0) {
      complain_failure("cannot remove", path);
      return false;
    }
    if (options_.verbose) {
      say("removed directory {}\n", in_quotes(path));
    }
    return true;
  }

  benchfs_mount* mount_;
  const RemoveOptions& options_;
};

/// The root, and what only stands for another directory, cannot be meant.
bool may_be_removed(const std::string& path) {
  const std::string name = last_name(path);
  if (name == "/" || name == "." || name == "..") {
    complain("refusing to remove {}", in_quotes(path));
    return false;
  }
  return true;
}

int exit_status_of(bool fine) {
  if (was_interrupted()) {
    return kExitInterrupted;
  }
  return fine ? kExitOk : kExitFailure;
}

/// Creates the file if it is not there and that is wanted. True if it is there in the end, or need
/// not be.
bool ensure_file(benchfs_mount* mount, const std::string& path, bool no_create, bool& is_there) {
  struct stat status {};
  is_there = benchfs_stat(mount, path.c_str(), &status) == 0;
  if (is_there) {
    return true;
  }
  if (errno != ENOENT) {
    return false;
  }
  if (no_create) {
    return true;
  }
  benchfs_file* file =
      benchfs_open(mount, path.c_str(), O_WRONLY | O_CREAT, 0666 & ~current_umask(), nullptr);
  is_there = file != nullptr;
  return is_there && benchfs_close(file) == 0;
}

}  // namespace

int make_directories(const std::string& session, const MakeDirectoryOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    const mode_t mode = options.mode & ~current_umask();
    const bool made = options.parents ? make_with_parents(mount.get(), path, mode)
                                      : benchfs_mkdir(mount.get(), path.c_str(), mode) == 0;
    if (!made) {
      complain_failure("cannot create directory", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int remove(const std::string& session, const RemoveOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  Remover remover(mount.get(), options);
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    fine = may_be_removed(path) && remover.remove(path) && fine;
  }
  return exit_status_of(fine);
}

int remove_directories(const std::string& session, const std::vector<std::string>& paths) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& argument : paths) {
    const std::string path = benchfs_path(argument);
    if (benchfs_rmdir(mount.get(), path.c_str()) != 0) {
      complain_failure("failed to remove", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int move(const std::string& session, const MoveOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const std::string destination = benchfs_path(options.paths.back());
  const bool into = is_directory(mount.get(), destination);
  if (options.paths.size() > 2 && !into) {
    complain("target {}: {}", in_quotes(destination), errno_text(ENOTDIR));
    return kExitFailure;
  }
  bool fine = true;
  for (std::size_t i = 0; i + 1 < options.paths.size(); ++i) {
    const std::string from = benchfs_path(options.paths[i]);
    const std::string to = into ? joined_path(destination, last_name(from)) : destination;
    if (benchfs_rename(mount.get(), from.c_str(), to.c_str()) != 0) {
      complain_failure(fmt::format("cannot move {} to", in_quotes(from)), to);
      fine = false;
    } else if (options.verbose) {
      say("renamed {} -> {}\n", in_quotes(from), in_quotes(to));
    }
  }
  return exit_status_of(fine);
}

int touch(const std::string& session, const TouchOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const timespec now[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW},
                           {.tv_sec = 0, .tv_nsec = UTIME_NOW}};
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    bool is_there = false;
    if (!ensure_file(mount.get(), path, options.no_create, is_there) ||
        (is_there && benchfs_utimens(mount.get(), path.c_str(), now) != 0)) {
      complain_failure("cannot touch", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int truncate(const std::string& session, const TruncateOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    bool is_there = false;
    if (!ensure_file(mount.get(), path, options.no_create, is_there)) {
      complain_failure("cannot open", path);
      fine = false;
    } else if (is_there &&
               benchfs_truncate(mount.get(), path.c_str(), static_cast<off_t>(options.size)) != 0) {
      complain_failure("failed to truncate", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
