// rm, rmdir.

#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>

#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/mount.h"
#include "tools/walk.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

/// A directory of which something below has yet to go.
struct Doomed {
  std::string path;
  std::shared_ptr<Doomed> parent;
  std::atomic<std::size_t> pending{1};  ///< What is below, and the walk while it is there.
  std::atomic<bool> fine{true};
};

/// Removes in many threads what one walk finds. A directory goes when the last below it has gone.
class Remover final : public Visitor {
 public:
  Remover(benchfs_mount* mount, const RemoveOptions& options)
      : mount_(mount), options_(options), workers_(Workers::kCountDefault) {}

  /// False if anything that was to go is still there.
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
      if (options_.empty_directories) {
        return remove_directory(path);
      }
      complain("cannot remove {}: {}", in_quotes(path), errno_text(EISDIR));
      return false;
    }
    fine_ = true;
    Walk walk(mount_, *this);
    const bool walked = walk.run(path, last_name(path));
    workers_.wait();
    return walked && walk.fine() && fine_ && !was_interrupted();
  }

  bool enter(Visited& at) override {
    if (at.is_directory()) {
      auto doomed = std::make_shared<Doomed>();
      doomed->path = at.path;
      doomed->parent = current_;
      if (current_ != nullptr) {
        ++current_->pending;
      }
      current_ = std::move(doomed);
      return true;
    }
    ++current_->pending;
    workers_.submit_bounded(
        [this, path = at.path, parent = current_] { finish(parent, remove_file(path)); },
        kWaitingMax);
    return false;
  }

  void leave(Visited& at) override {
    if (at.is_directory()) {
      const bool was_read = at.listing().failure.error == 0;
      finish(std::exchange(current_, current_->parent), was_read);
    }
  }

 private:
  static constexpr std::size_t kWaitingMax = 10'000;

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

  bool remove_directory(const std::string& path) {
    if (benchfs_rmdir(mount_, path.c_str()) != 0) {
      complain_failure("cannot remove", path);
      return false;
    }
    if (options_.verbose) {
      say("removed directory {}\n", in_quotes(path));
    }
    return true;
  }

  /// One thing less below `directory`; removes what is empty by that. In any thread.
  void finish(std::shared_ptr<Doomed> directory, bool was_removed) {
    while (directory != nullptr) {
      if (!was_removed) {
        directory->fine = false;
      }
      if (--directory->pending != 0) {
        return;
      }
      was_removed = directory->fine && remove_directory(directory->path);
      directory = directory->parent;
    }
    fine_ = fine_ && was_removed;
  }

  benchfs_mount* mount_;
  const RemoveOptions& options_;
  std::shared_ptr<Doomed> current_;
  std::atomic<bool> fine_{true};
  Workers workers_;
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

/// False after a complaint. `removed` says whether it is gone.
bool remove_one(benchfs_mount* mount, const RemoveDirectoryOptions& options,
                const std::string& path, bool& removed) {
  removed = benchfs_rmdir(mount, path.c_str()) == 0;
  if (removed) {
    if (options.verbose) {
      say("rmdir: removing directory, {}\n", in_quotes(path));
    }
    return true;
  }
  if (options.ignore_non_empty && errno == ENOTEMPTY) {
    return true;
  }
  complain_failure("failed to remove", path);
  return false;
}

}  // namespace

int remove(const std::string& session, const RemoveOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    Remover remover(mount.get(), options);
    fine = may_be_removed(path) && remover.remove(path) && fine;
  }
  return exit_status_of(fine);
}

int remove_directories(const std::string& session, const RemoveDirectoryOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& argument : options.paths) {
    std::string path = benchfs_path(argument);
    bool removed = false;
    fine = remove_one(mount.get(), options, path, removed) && fine;
    for (path = parent_path(path); options.parents && removed && path != "/";
         path = parent_path(path)) {
      fine = remove_one(mount.get(), options, path, removed) && fine;
    }
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
