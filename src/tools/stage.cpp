// stage-in, stage-out.

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>

#include <unistd.h>

#include "base/random.h"
#include "tools/commands.h"
#include "tools/console.h"
#include "tools/stager.h"

namespace benchfs::tools {
namespace {

struct Source {
  std::string path;
  std::string name;  ///< Its name at the destination; empty: what it holds.
  struct stat status {};
};

/// The servers have another working directory. Only what stands before the last name is resolved:
/// that may be a link. Empty with errno.
std::string absolute(const std::string& path) {
  const auto resolve = [](const std::string& what) {
    const std::unique_ptr<char, void (*)(void*)> found(::realpath(what.c_str(), nullptr),
                                                       &std::free);
    return found == nullptr ? std::string() : std::string(found.get());
  };
  const std::string name = last_name(path);
  if (path.back() == '/' || name == "." || name == "..") {
    return resolve(path);
  }
  const std::string above = resolve(parent_path(path));
  return above.empty() ? above : joined_path(above, name);
}

/// Looks at what is named; complains and answers false if it cannot be staged.
bool find_source(const std::string& argument, bool in, StagePlace& place, Source& source) {
  source.path = in ? absolute(argument) : benchfs_path(argument);
  const std::string name = last_name(argument);
  const bool contents = argument.back() == '/' || name == "." || name == ".." || name == "/";
  if (source.path.empty() || !(contents ? place.target_status(source.path, source.status)
                                        : place.status(source.path, source.status))) {
    complain_failure("cannot stat", argument);
    return false;
  }
  if (contents && !S_ISDIR(source.status.st_mode)) {
    complain("cannot stage {}: {}", in_quotes(argument), errno_text(ENOTDIR));
    return false;
  }
  source.name = contents ? "" : name;
  return true;
}

/// Makes the directory if it is missing. Complains and answers false if it cannot be one.
bool make_destination(const std::string& path, const std::string& argument, StagePlace& place) {
  struct stat status {};
  if (place.target_status(path, status)) {
    if (!S_ISDIR(status.st_mode)) {
      complain("target {}: {}", in_quotes(argument), errno_text(ENOTDIR));
    }
    return S_ISDIR(status.st_mode);
  }
  if (errno != ENOENT || !place.make_directory(path)) {
    complain_failure("cannot make the directory", argument);
    return false;
  }
  return place.sync_directory(parent_path(path));
}

std::uint64_t draw_run() {
  SystemRandom random;
  std::uint64_t run = 0;
  random.fill(std::as_writable_bytes(std::span(&run, 1)));
  return run;
}

/// Reads and begins the manifest; complains and answers false if that cannot be.
bool open_manifest(const StageOptions& options, const std::string& path, StageLog* log,
                   StageManifest& manifest, std::uint64_t run) {
  std::string text;
  if (log == nullptr || !log->read_all(text)) {
    complain_failure(
        errno == EBUSY ? "another process stages by the manifest" : "cannot open the manifest",
        path);
    return false;
  }
  if (!manifest.read(text, options.direction)) {
    complain("{} is no manifest of {}; name another file with --manifest", in_quotes(path),
             options.direction == StageManifest::Direction::kIn ? "stage-in" : "stage-out");
    return false;
  }
  std::string lines;
  if (!options.resume) {
    if (!log->clear()) {
      complain_failure("cannot begin the manifest", path);
      return false;
    }
  } else if (!text.empty() && text.back() != '\n') {
    lines = "\n";  // Ends a line that an earlier run has not written whole.
  }
  lines += StageManifest::line_of_run(options.direction, run);
  if (!log->add(lines) || !log->sync()) {
    complain_failure("cannot write the manifest", path);
    return false;
  }
  return true;
}

void say_report(const StageOptions& options, const StageReport& report) {
  if (options.format == Format::kJson) {
    say_text(stage_report_json(options, report));
    return;
  }
  if (options.verbose) {
    say("{} files, {} bytes, {} directories, {} links staged in {:.2f} s; {} complete before, {} "
        "not newer, {} failed\n",
        report.files, report.bytes, report.directories, report.links, report.seconds,
        report.complete, report.older, report.failed.size());
  }
}

}  // namespace

int stage(const std::string& session, const StageOptions& options) {
  if (options.paths.size() < 2) {
    complain("missing destination behind {}", in_quotes(options.paths.front()));
    return kExitUsage;
  }
  const bool in = options.direction == StageManifest::Direction::kIn;
  const std::vector<std::string> arguments(options.paths.begin(), options.paths.end() - 1);
  const std::string& target = options.paths.back();
  const bool wrong_source =
      in && std::any_of(arguments.begin(), arguments.end(),
                        [](const std::string& argument) { return is_benchfs_argument(argument); });
  if (wrong_source || (!in && is_benchfs_argument(target))) {
    complain_text(in ? "what is staged in is outside of benchfs; cp copies within"
                     : "what is staged out goes outside of benchfs; cp copies within");
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  const auto outer = outside_place();
  const auto inner = session_place(mount.get());
  StagePlace& from = in ? *outer : *inner;
  StagePlace& to = in ? *inner : *outer;
  std::vector<Source> sources;
  bool fine = true;
  for (const std::string& argument : arguments) {
    Source source;
    if (find_source(argument, in, from, source)) {
      sources.push_back(std::move(source));
    } else {
      fine = false;
    }
  }
  std::string destination = in ? benchfs_path(target) : target;
  if (sources.empty() || !make_destination(destination, target, to)) {
    return kExitFailure;
  }
  if (!in) {
    const std::unique_ptr<char, void (*)(void*)> found(::realpath(target.c_str(), nullptr),
                                                       &std::free);
    if (found == nullptr) {
      complain_failure("cannot find", target);
      return kExitFailure;
    }
    destination = found.get();
  }
  while (destination.size() > 1 && destination.back() == '/') {
    destination.pop_back();
  }
  const bool own_manifest = !options.manifest.empty();
  const std::string manifest_path =
      own_manifest ? options.manifest
                   : joined_path(destination,
                                 in ? ".benchfs-stage-in.manifest" : ".benchfs-stage-out.manifest");
  const auto log = own_manifest ? outer->open_log(manifest_path) : to.open_log(manifest_path);
  StageManifest manifest;
  const std::uint64_t run = draw_run();
  if (!open_manifest(options, manifest_path, log.get(), manifest, run)) {
    return kExitFailure;
  }
  const auto style = ::isatty(STDERR_FILENO) != 0 ? Progress::Style::kBar
                     : options.progress           ? Progress::Style::kLines
                                                  : Progress::Style::kNone;
  Stager stager(options, {.from = from, .to = to, .mount = mount.get()}, manifest, *log, run,
                style);
  if (!stager.begin()) {
    return kExitFailure;
  }
  for (const Source& source : sources) {
    if (was_interrupted()) {
      break;
    }
    const std::string path =
        source.name.empty() ? destination : joined_path(destination, source.name);
    stager.stage(source.path, path, source.name, source.status);
  }
  const StageReport report = stager.finish();
  if (was_interrupted()) {
    complain("interrupted; the same command with --resume goes on");
  }
  say_report(options, report);
  return finish_output(exit_status_of(fine && report.failed.empty()));
}

}  // namespace benchfs::tools
