// mkdir, mv, ln, readlink.

#include <cerrno>
#include <set>
#include <string>

#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

bool is_directory(benchfs_mount* mount, const std::string& path) {
  struct stat status {};
  return benchfs_stat(mount, path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

class DirectoryMaker {
 public:
  DirectoryMaker(benchfs_mount* mount, const MakeDirectoryOptions& options)
      : mount_(mount),
        options_(options),
        default_mode_(0777 & ~current_umask()),
        mode_(options.mode.has_value() ? options.mode->apply(default_mode_, true) : default_mode_) {
  }

  /// False with errno set; then `path` is what could not be made.
  bool make(std::string& path) const {
    if (!options_.parents) {
      return made(path, mode_);
    }
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      std::string above = path.substr(0, slash);
      // What is above has to be usable by who makes it, whatever the umask says.
      if (!made(above, default_mode_ | 0300) && errno != EEXIST) {
        path = std::move(above);
        return false;
      }
    }
    return made(path, mode_) || (errno == EEXIST && is_directory_or_eexist(path));
  }

 private:
  bool made(const std::string& path, mode_t mode) const {
    if (benchfs_mkdir(mount_, path.c_str(), mode) != 0) {
      return false;
    }
    if (options_.verbose) {
      say("created directory {}\n", in_quotes(path));
    }
    return true;
  }
  bool is_directory_or_eexist(const std::string& path) const {
    const bool is = is_directory(mount_, path);
    errno = EEXIST;
    return is;
  }

  benchfs_mount* mount_;
  const MakeDirectoryOptions& options_;
  const mode_t default_mode_;
  const mode_t mode_;
};

/// What `mv` and `ln` are told: sources, and where they go.
struct Destination {
  std::vector<std::string> sources;
  std::string path;
  bool is_directory = false;

  std::string of(const std::string& source) const {
    return is_directory ? joined_path(path, last_name(source)) : path;
  }
};

/// False after a complaint.
bool find_destination(benchfs_mount* mount, std::vector<std::string> paths, const std::string& into,
                      bool no_directory, Destination& out) {
  if (into.empty() && paths.size() < 2) {
    complain("missing destination behind {}", in_quotes(paths.front()));
    return false;
  }
  if (into.empty()) {
    out.path = benchfs_path(paths.back());
    paths.pop_back();
  } else {
    out.path = benchfs_path(into);
  }
  struct stat status {};
  const bool is_there = benchfs_stat(mount, out.path.c_str(), &status) == 0;
  if (!is_there && (!into.empty() || errno == EIO || errno == EHOSTDOWN)) {
    complain_failure("target", out.path);
    return false;
  }
  out.is_directory = !no_directory && is_there && S_ISDIR(status.st_mode);
  if (!out.is_directory && (paths.size() > 1 || !into.empty())) {
    complain("target {}: {}", in_quotes(out.path), errno_text(ENOTDIR));
    return false;
  }
  out.sources = std::move(paths);
  return true;
}

bool move_one(benchfs_mount* mount, const MoveOptions& options, const std::string& from,
              const std::string& to) {
  struct stat source {};
  struct stat there {};
  if (benchfs_lstat(mount, from.c_str(), &source) != 0) {
    complain_failure("cannot stat", from);
    return false;
  }
  if (benchfs_lstat(mount, to.c_str(), &there) == 0) {
    if (options.no_clobber) {
      return true;
    }
    if (there.st_ino == source.st_ino) {
      complain("{} and {} are the same file", in_quotes(from), in_quotes(to));
      return false;
    }
  }
  if (benchfs_rename(mount, from.c_str(), to.c_str()) != 0) {
    complain_failure(fmt::format("cannot move {} to", in_quotes(from)), to);
    return false;
  }
  if (options.verbose) {
    say("renamed {} -> {}\n", in_quotes(from), in_quotes(to));
  }
  return true;
}

bool link_one(benchfs_mount* mount, const LinkOptions& options, const std::string& target,
              const std::string& path) {
  if (options.force) {
    struct stat there {};
    // A directory stays: unlink refuses it, and symlink says that it is there.
    if (benchfs_lstat(mount, path.c_str(), &there) == 0 && !S_ISDIR(there.st_mode) &&
        benchfs_unlink(mount, path.c_str()) != 0 && errno != ENOENT) {
      complain_failure("cannot remove", path);
      return false;
    }
  }
  if (benchfs_symlink(mount, target.c_str(), path.c_str()) != 0) {
    complain_failure("failed to create symbolic link", path);
    return false;
  }
  if (options.verbose) {
    say("{} -> {}\n", in_quotes(path), in_quotes(target));
  }
  return true;
}

}  // namespace

int make_directories(const std::string& session, const MakeDirectoryOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const DirectoryMaker maker(mount.get(), options);
  bool fine = true;
  for (const std::string& argument : options.paths) {
    std::string path = benchfs_path(argument);
    if (!maker.make(path)) {
      complain_failure("cannot create directory", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int move(const std::string& session, const MoveOptions& options) {
  const Mount mount(session);
  Destination destination;
  if (!mount.joined() || !find_destination(mount.get(), options.paths, options.into,
                                           options.no_directory, destination)) {
    return kExitFailure;
  }
  bool fine = true;
  std::set<std::string> made;
  for (const std::string& source : destination.sources) {
    const std::string from = benchfs_path(source);
    const std::string to = destination.of(from);
    if (made.count(to) != 0 && !options.no_clobber) {
      complain("will not overwrite just-created {} with {}", in_quotes(to), in_quotes(from));
      fine = false;
    } else if (move_one(mount.get(), options, from, to)) {
      made.insert(to);
    } else {
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int make_links(const std::string& session, const LinkOptions& options) {
  if (!options.symbolic) {
    complain("hard links are not supported; ln -s makes symbolic ones");
    return kExitFailure;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  std::vector<std::string> paths = options.paths;
  if (options.into.empty() && paths.size() == 1) {
    paths.emplace_back("/");  // As ln makes it in the working directory.
  }
  Destination destination;
  if (!find_destination(mount.get(), std::move(paths), options.into, options.no_directory,
                        destination)) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& target : destination.sources) {
    // What a link says is no path of ours: it stays as it was written, but for "benchfs:".
    const std::string said = is_benchfs_argument(target) ? benchfs_path(target) : target;
    fine = link_one(mount.get(), options, said, destination.of(said)) && fine;
  }
  return exit_status_of(fine);
}

int show_links(const std::string& session, const ReadLinkOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const bool without_end = options.no_newline && options.paths.size() == 1;
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    std::string target;
    if (!read_link(mount.get(), path, target)) {
      // As readlink: what is no link is told by the exit status alone. Trouble is told always.
      if (options.verbose || (errno != EINVAL && errno != ENOENT && errno != ENOTDIR)) {
        complain_failure("cannot read symbolic link", path);
      }
      fine = false;
      continue;
    }
    if (!without_end) {
      target += options.ends_with_nul ? '\0' : '\n';
    }
    say_text(target);
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
