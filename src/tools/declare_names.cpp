// mkdir, rm, rmdir, mv, ln, chmod, chown, touch.

#include <ctime>

#include "tools/console.h"
#include "tools/declaration.h"
#include "tools/mount.h"
#include "tools/time_argument.h"

namespace benchfs::tools {
namespace {

timespec now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

void declare_mv(Declaration& declaration) {
  const auto mv = declaration.add<MoveOptions>("mv", "Rename or move files within benchfs", move);
  mv.add_paths("path", "Sources, then the destination", 1);
  mv.add_flag("-f,--force", &MoveOptions::force, "Replace what is there, as always");
  mv.add_flag("-n,--no-clobber", &MoveOptions::no_clobber, "Leave what is there as it is");
  mv.add_text("-t,--target-directory", &MoveOptions::into, "DIR", "Move all of them into DIR");
  mv.add_flag("-T,--no-target-directory", &MoveOptions::no_directory,
              "The destination is the new name, even if it is a directory");
  mv.add_flag("-v,--verbose", &MoveOptions::verbose, "Say what is moved");
}

void declare_ln(Declaration& declaration) {
  const auto ln = declaration.add<LinkOptions>("ln", "Make symbolic links", make_links);
  ln.add_paths("path", "What links say, then the link or a directory for them", 1);
  ln.add_flag("-s,--symbolic", &LinkOptions::symbolic, "Symbolic links; there are no others");
  ln.add_flag("-f,--force", &LinkOptions::force, "Replace files and links that are there");
  ln.add_text("-t,--target-directory", &LinkOptions::into, "DIR", "Make all of them in DIR");
  ln.add_flag("-n,-T,--no-dereference,--no-target-directory", &LinkOptions::no_directory,
              "The last path is the link, even if it is a directory");
  ln.add_flag("-v,--verbose", &LinkOptions::verbose, "Say what is made");
}

void declare_removal(Declaration& declaration) {
  const auto rm = declaration.add<RemoveOptions>("rm", "Remove files", remove);
  rm.add_paths("path", "Files to remove", 1);
  rm.add_flag("-r,-R,--recursive", &RemoveOptions::recursive, "Directories and all they hold");
  rm.add_flag("-d,--dir", &RemoveOptions::empty_directories, "Directories that are empty");
  rm.add_flag("-f,--force", &RemoveOptions::force, "What is not there is no error");
  rm.add_flag("-v,--verbose", &RemoveOptions::verbose, "Say what is removed");

  const auto rmdir = declaration.add<RemoveDirectoryOptions>("rmdir", "Remove empty directories",
                                                             remove_directories);
  rmdir.add_paths("path", "Directories", 1);
  rmdir.add_flag("-p,--parents", &RemoveDirectoryOptions::parents,
                 "Also those above, up to one that is not empty");
  rmdir.add_flag("--ignore-fail-on-non-empty", &RemoveDirectoryOptions::ignore_non_empty,
                 "One that is not empty is no error");
  rmdir.add_flag("-v,--verbose", &RemoveDirectoryOptions::verbose, "Say what is removed");
}

void declare_touch(Declaration& declaration) {
  const auto command = declaration.add<TouchOptions>(
      "touch", "Set times, to now by default; make files that are not there", touch);
  command.add_paths("path", "Files", 1);
  command.add_flag("-c,--no-create", &TouchOptions::no_create, "Make none");
  command.add_flag("-a", &TouchOptions::access_only, "Only the time of access");
  command.add_flag("-m", &TouchOptions::modification_only, "Only the time of modification");
  command.add_flag("-h,--no-dereference", &TouchOptions::links, "Symbolic links themselves");
  CLI::Option* const date = command.add_parsed(
      "-d,--date", "TIME", "Such as '2026-11-29 08:30:05.5', @SECONDS or '2 days ago'",
      [](TouchOptions& options, const std::string& text) {
        options.time = parse_time(text, now());
        if (!options.time.has_value()) {
          throw CLI::ValidationError("--date", "invalid date format " + in_quotes(text));
        }
      });
  command
      .add_parsed("-t", "STAMP", "[[CC]YY]MMDDhhmm[.ss]",
                  [](TouchOptions& options, const std::string& text) {
                    options.time = parse_time_stamp(text, now());
                    if (!options.time.has_value()) {
                      throw CLI::ValidationError("-t", "invalid date format " + in_quotes(text));
                    }
                  })
      ->excludes(date);
  command
      .add_parsed("-r,--reference", "FILE", "The times of this file",
                  [](TouchOptions& options, const std::string& text) { options.reference = text; })
      ->excludes(date);
}

}  // namespace

void declare_names(Declaration& declaration) {
  const auto mkdir =
      declaration.add<MakeDirectoryOptions>("mkdir", "Make directories", make_directories);
  mkdir.add_paths("path", "Directories to make", 1);
  mkdir.add_flag("-p,--parents", &MakeDirectoryOptions::parents,
                 "Also what is missing above; no error if it is there");
  mkdir.add_parsed("-m,--mode", "MODE", "As chmod has it (default: 0777 less the umask)",
                   [](MakeDirectoryOptions& options, const std::string& text) {
                     options.mode = ModeChange::parse(text, current_umask());
                     if (!options.mode.has_value()) {
                       throw CLI::ValidationError(
                           "--mode", in_quotes(text) + " is not a mode such as 0755 or g+w");
                     }
                   });
  mkdir.add_flag("-v,--verbose", &MakeDirectoryOptions::verbose, "Say what is made");
  declare_removal(declaration);
  declare_mv(declaration);
  declare_ln(declaration);
}

void declare_attributes(Declaration& declaration) {
  const auto chmod = declaration.add<ChangeModeOptions>("chmod", "Change modes", change_modes);
  chmod.add_paths("path", "MODE, such as 0644 or u+x,go-w, then files", 1);
  chmod.add_flag("-R,--recursive", &ChangeModeOptions::recursive, "Also all that is below");
  chmod.add_flag("-v,--verbose", &ChangeModeOptions::verbose, "Tell of every file");
  chmod.add_flag("-c,--changes", &ChangeModeOptions::changes, "Tell of files that have changed");
  chmod.add_flag("-f,--silent,--quiet", &ChangeModeOptions::quiet, "No complaints");
  chmod.add_text("--reference", &ChangeModeOptions::reference, "FILE",
                 "The mode of this file instead of MODE");

  const auto chown =
      declaration.add<ChangeOwnerOptions>("chown", "Change owners and groups", change_owners);
  chown.add_paths("path", "OWNER, OWNER:GROUP or :GROUP, then files", 1);
  chown.add_flag("-R,--recursive", &ChangeOwnerOptions::recursive, "Also all that is below");
  chown.add_flag("-h,--no-dereference", &ChangeOwnerOptions::links, "Symbolic links themselves");
  chown.add_flag("-v,--verbose", &ChangeOwnerOptions::verbose, "Tell of every file");
  chown.add_flag("-c,--changes", &ChangeOwnerOptions::changes, "Tell of files that have changed");
  chown.add_flag("-f,--silent,--quiet", &ChangeOwnerOptions::quiet, "No complaints");
  chown.add_text("--reference", &ChangeOwnerOptions::reference, "FILE",
                 "Owner and group of this file instead");
  declare_touch(declaration);
}

}  // namespace benchfs::tools
