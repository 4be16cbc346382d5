// cp, cat.

#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/file_tree.h"
#include "tools/mount.h"
#include "tools/pipeline.h"

namespace benchfs::tools {
namespace {

/// A path and the place that it is in.
struct Location {
  FileTree* tree = nullptr;
  std::string path;

  std::string shown() const { return in_quotes(tree->shown(path)); }
  Location below(const std::string& name) const {
    return {.tree = tree, .path = joined_path(path, name)};
  }
};

bool is_same_file(const Location& a, const struct stat& a_status, const Location& b,
                  const struct stat& b_status) {
  return a.tree == b.tree && a_status.st_ino == b_status.st_ino &&
         a_status.st_dev == b_status.st_dev;
}

class Copier {
 public:
  Copier(const CopyOptions& options, Progress::Style style) : options_(options), progress_(style) {}

  /// `status` is of what `from` names in the end. False if anything could not be copied.
  bool copy(const Location& from, const Location& to, const struct stat& status) {
    return S_ISDIR(status.st_mode) ? copy_tree(from, to, status) : copy_file(from, to, status);
  }

 private:
  bool failed(const char* doing, const Location& what) const {
    if (!was_interrupted()) {
      complain_failure(doing, what.tree->shown(what.path));
    }
    return false;
  }

  bool copy_file(const Location& from, const Location& to, const struct stat& named) {
    struct stat there {};
    if (to.tree->status(to.path, there) == 0) {
      if (S_ISDIR(there.st_mode)) {
        complain("cannot overwrite directory {} with non-directory", to.shown());
        return false;
      }
      if (is_same_file(from, named, to, there)) {
        complain("{} and {} are the same file", from.shown(), to.shown());
        return false;
      }
    }
    const auto source = from.tree->open(from.path);
    struct stat before {};
    if (source == nullptr || source->status(before) != 0) {
      return failed("cannot open", from);
    }
    const auto target = to.tree->create(
        to.path,
        {.layout = {.chunk_size = options_.chunk_size, .stripe_count = options_.stripe_count}});
    if (target == nullptr) {
      return failed("cannot create", to);
    }
    const bool sized = S_ISREG(before.st_mode);
    progress_.begin(from.tree->shown(from.path),
                    sized ? static_cast<std::uint64_t>(before.st_size) : 0);
    const bool copied = move_bytes(from, *source, to, *target, before) &&
                        verify_and_commit(from, *source, to, *target, before);
    progress_.end(copied);
    if (copied && options_.verbose) {
      say("{} -> {}\n", from.shown(), to.shown());
    }
    return copied;
  }

  bool move_bytes(const Location& from, ReadEnd& source, const Location& to, WriteEnd& target,
                  const struct stat& before) {
    moved_ = 0;
    const std::uint64_t size_max =
        S_ISREG(before.st_mode) ? static_cast<std::uint64_t>(before.st_size) : UINT64_MAX >> 1U;
    switch (pipeline_.run(source, target, size_max, moved_, progress_)) {
      case Pipeline::Outcome::kDone:
        return true;
      case Pipeline::Outcome::kReadFailed:
        return failed("error reading", from);
      case Pipeline::Outcome::kWriteFailed:
        return failed("error writing", to);
      case Pipeline::Outcome::kInterrupted:
        break;
    }
    return false;
  }

  /// The source must have stayed as it was, and the target must have come to be the same length.
  bool verify_and_commit(const Location& from, ReadEnd& source, const Location& to,
                         WriteEnd& target, const struct stat& before) {
    struct stat after {};
    struct stat written {};
    if (source.status(after) != 0) {
      return failed("cannot stat", from);
    }
    if (target.status(written) != 0) {
      return failed("cannot stat", to);
    }
    const bool sized = S_ISREG(before.st_mode);
    if (sized &&
        (after.st_size != before.st_size || moved_ != static_cast<std::uint64_t>(before.st_size))) {
      complain("{} changed while it was copied: {} bytes at first, {} now, {} read", from.shown(),
               before.st_size, after.st_size, moved_);
      return false;
    }
    if (S_ISREG(written.st_mode) && static_cast<std::uint64_t>(written.st_size) != moved_) {
      complain("{} has {} bytes instead of {}", to.shown(), written.st_size, moved_);
      return false;
    }
    if (!target.commit(before)) {
      return failed("cannot finish", to);
    }
    return true;
  }

  bool copy_tree(const Location& from, const Location& to, const struct stat& status) {
    if (!options_.recursive) {
      complain("-r not given; omitting directory {}", from.shown());
      return false;
    }
    std::vector<std::string> names;
    if (!from.tree->list(from.path, names)) {
      return failed("cannot read directory", from);
    }
    struct stat made {};
    const bool is_new = to.tree->make_directory(to.path) == 0;
    if (!is_new && errno != EEXIST) {
      return failed("cannot create directory", to);
    }
    if (to.tree->status(to.path, made) != 0) {
      return failed("cannot stat", to);
    }
    if (!S_ISDIR(made.st_mode)) {
      complain("cannot overwrite non-directory {} with directory {}", to.shown(), from.shown());
      return false;
    }
    bool fine = true;
    for (const std::string& name : names) {
      fine = !was_interrupted() && copy_below(from.below(name), to.below(name)) && fine;
    }
    // Last, since copying into it changed its times and may need more than its mode allows.
    if (is_new && to.tree->set_attributes(to.path, status) != 0) {
      return failed("cannot preserve the mode and times of", to);
    }
    return fine;
  }

  bool copy_below(const Location& from, const Location& to) {
    struct stat status {};
    if (from.tree->link_status(from.path, status) != 0) {
      return failed("cannot stat", from);
    }
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) {
      struct stat there {};
      // What was named on the command line may be a link, since whoever named it knows. A link that
      // merely stands in the way would lead out of the tree that was named.
      if (to.tree->link_status(to.path, there) == 0 && S_ISLNK(there.st_mode)) {
        complain("not copied: {} is a symbolic link", to.shown());
        return false;
      }
      return copy(from, to, status);
    }
    complain("{} is neither a file nor a directory; not copied", from.shown());
    return false;
  }

  const CopyOptions& options_;
  Progress progress_;
  Pipeline pipeline_;
  std::uint64_t moved_ = 0;
};

Location locate(const std::string& argument, FileTree& here, FileTree& session) {
  return is_benchfs_argument(argument) ? Location{.tree = &session, .path = benchfs_path(argument)}
                                       : Location{.tree = &here, .path = argument};
}

/// Whether `inner` is `outer` or lies below it, by the files themselves: no spelling of the paths
/// deceives.
bool lies_within(const Location& inner, const Location& outer, const struct stat& outer_status) {
  if (inner.tree != outer.tree) {
    return false;
  }
  Location at = inner;
  while (true) {
    struct stat status {};
    if (at.tree->status(at.path, status) == 0 && is_same_file(at, status, outer, outer_status)) {
      return true;
    }
    std::string above = parent_path(at.path);
    if (above == at.path || (above == "." && at.path == ".")) {
      return false;
    }
    at.path = std::move(above);
  }
}

/// Where one source goes; complains and answers false if it cannot.
bool copy_one(Copier& copier, const Location& from, const Location& destination, bool into,
              const FileTree& here) {
  if (from.tree == &here && destination.tree == &here) {
    complain("neither {} nor {} is in benchfs; cp(1) copies between them", from.shown(),
             destination.shown());
    return false;
  }
  struct stat status {};
  if (from.tree->status(from.path, status) != 0) {
    complain_failure("cannot stat", from.tree->shown(from.path));
    return false;
  }
  const std::string name = last_name(from.path);
  const bool named = name != "/" && name != "." && name != "..";
  const Location to = into && named ? destination.below(name) : destination;
  if (S_ISDIR(status.st_mode) && lies_within(to, from, status)) {
    complain("cannot copy a directory, {}, into itself, {}", from.shown(), to.shown());
    return false;
  }
  return copier.copy(from, to, status);
}

/// Standard output, for `cat`.
class OutputEnd final : public WriteEnd {
 public:
  int status(struct stat& out) override { return ::fstat(STDOUT_FILENO, &out); }
  bool begin_write(Piece& /*piece*/) override { return true; }
  bool finish_write(Piece& piece) override {
    std::size_t done = 0;
    while (done < piece.length) {
      const ssize_t written = ::write(STDOUT_FILENO, piece.data + done, piece.length - done);
      if (written < 0 && (errno != EINTR || was_interrupted())) {
        return false;
      }
      done += written < 0 ? 0 : static_cast<std::size_t>(written);
    }
    return true;
  }
  bool commit(const struct stat& /*like*/) override { return true; }
};

}  // namespace

int copy(const std::string& session, const CopyOptions& options) {
  const bool any_benchfs =
      std::any_of(options.paths.begin(), options.paths.end(),
                  [](const std::string& path) { return is_benchfs_argument(path); });
  if (!any_benchfs) {
    complain("none of the paths is in benchfs; write those that are as benchfs:/path");
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  const auto here = local_tree();
  const auto there = benchfs_tree(mount.get());
  const Location destination = locate(options.paths.back(), *here, *there);
  struct stat status {};
  const bool into =
      destination.tree->status(destination.path, status) == 0 && S_ISDIR(status.st_mode);
  if (options.paths.size() > 2 && !into) {
    complain("target {}: {}", destination.shown(), errno_text(ENOTDIR));
    return kExitFailure;
  }
  const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
  Copier copier(options, on_terminal        ? Progress::Style::kBar
                         : options.progress ? Progress::Style::kLines
                                            : Progress::Style::kNone);
  bool fine = true;
  for (std::size_t i = 0; i + 1 < options.paths.size() && !was_interrupted(); ++i) {
    const Location from = locate(options.paths[i], *here, *there);
    fine = copy_one(copier, from, destination, into, *here) && fine;
  }
  if (was_interrupted()) {
    complain("interrupted");
    return kExitInterrupted;
  }
  return fine ? kExitOk : kExitFailure;
}

int concatenate(const std::string& session, const std::vector<std::string>& paths) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  const auto tree = benchfs_tree(mount.get());
  OutputEnd output;
  Pipeline pipeline;
  Progress progress(Progress::Style::kNone);
  bool fine = true;
  for (const std::string& argument : paths) {
    const std::string path = benchfs_path(argument);
    const auto file = tree->open(path);
    if (file == nullptr) {
      complain_failure("cannot open", path);
      fine = false;
      continue;
    }
    std::uint64_t moved = 0;
    const auto outcome = pipeline.run(*file, output, UINT64_MAX >> 1U, moved, progress);
    if (outcome == Pipeline::Outcome::kReadFailed) {
      complain_failure("error reading", path);
      fine = false;
    } else if (outcome != Pipeline::Outcome::kDone) {
      complain("write error: {}", errno_text(errno));
      return kExitFailure;
    }
  }
  return fine ? kExitOk : kExitFailure;
}

}  // namespace benchfs::tools
