// cp.

#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/copier.h"
#include "tools/file_tree.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

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

/// Begins with one source; complains and answers false if it cannot.
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
  copier.copy(from, to, status);
  return true;
}

}  // namespace

int copy(const std::string& session, const CopyOptions& options) {
  std::vector<std::string> sources = options.paths;
  if (options.into.empty() && sources.size() < 2) {
    complain("missing destination behind {}", in_quotes(sources.front()));
    return kExitUsage;
  }
  const std::string last = options.into.empty() ? sources.back() : options.into;
  if (options.into.empty()) {
    sources.pop_back();
  }
  const bool any_benchfs = is_benchfs_argument(last) ||
                           std::any_of(sources.begin(), sources.end(), [](const std::string& path) {
                             return is_benchfs_argument(path);
                           });
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
  const Location destination = locate(last, *here, *there);
  struct stat status {};
  const bool into = !options.no_directory &&
                    destination.tree->status(destination.path, status) == 0 &&
                    S_ISDIR(status.st_mode);
  if (!into && (sources.size() > 1 || !options.into.empty())) {
    complain("target {}: {}", destination.shown(), errno_text(ENOTDIR));
    return kExitFailure;
  }
  const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
  Copier copier(options, on_terminal        ? Progress::Style::kBar
                         : options.progress ? Progress::Style::kLines
                                            : Progress::Style::kNone);
  bool fine = true;
  for (const std::string& source : sources) {
    if (!was_interrupted()) {
      fine = copy_one(copier, locate(source, *here, *there), destination, into, *here) && fine;
    }
  }
  fine = copier.finish() && fine;
  if (was_interrupted()) {
    complain("interrupted{}", options.resume ? "; the same command goes on" : "");
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
