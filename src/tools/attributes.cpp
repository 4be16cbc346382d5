// touch, truncate, chmod, chown.

#include <atomic>
#include <cerrno>
#include <charconv>
#include <limits>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/console.h"
#include "tools/listing.h"
#include "tools/mount.h"
#include "tools/walk.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

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

/// What a file comes to by `truncate`. Nothing if that is no size.
std::optional<std::uint64_t> new_size(const TruncateOptions& options, std::uint64_t base) {
  const std::uint64_t size = options.size;
  constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
  std::uint64_t result = size;
  switch (options.relation) {
    case '+':
      result = size > kSizeMax - base ? UINT64_MAX : base + size;
      break;
    case '-':
      result = base > size ? base - size : 0;
      break;
    case '<':
      result = std::min(base, size);
      break;
    case '>':
      result = std::max(base, size);
      break;
    case '/':
      result = base / size * size;
      break;
    case '%': {
      const std::uint64_t rest = base % size;
      result = rest == 0 ? base : base + (size - rest);
      break;
    }
    default:
      break;
  }
  return result <= kSizeMax ? std::optional(result) : std::nullopt;
}

/// Changes attributes of what is named, and of what is below it, in many threads.
class Changer : public Visitor {
 public:
  explicit Changer(benchfs_mount* mount) : mount_(mount), workers_(Workers::kCountDefault) {}

  /// False if anything could not be changed.
  bool run(const std::vector<std::string>& arguments, bool recursive) {
    for (const std::string& argument : arguments) {
      const std::string path = benchfs_path(argument);
      if (recursive) {
        Walk walk(mount_, *this);
        const bool walked = walk.run(path, last_name(path)) && walk.fine();
        fine_ = fine_ && walked;
      } else {
        change(path, true);
      }
      workers_.wait();
    }
    return fine_;
  }

  bool enter(Visited& at) override {
    // A directory before what is below it, as it may become readable by that.
    if (at.is_directory()) {
      change(at.path, at.depth == 0);
    } else if (takes_links() || !S_ISLNK(at.entry.attributes.st_mode)) {
      workers_.submit_bounded([this, path = at.path] { change(path, false); }, kWaitingMax);
    }
    return true;
  }
  void leave(Visited& /*at*/) override {}

 protected:
  /// Whether links below what was named are changed themselves, or left alone.
  virtual bool takes_links() const = 0;
  /// In any thread.
  virtual void change(const std::string& path, bool named) = 0;
  void failed() { fine_ = false; }
  benchfs_mount* mount() const noexcept { return mount_; }

 private:
  static constexpr std::size_t kWaitingMax = 10'000;

  benchfs_mount* mount_;
  std::atomic<bool> fine_{true};
  Workers workers_;
};

class ModeChanger final : public Changer {
 public:
  ModeChanger(benchfs_mount* mount, const ChangeModeOptions& options, ModeChange change)
      : Changer(mount), options_(options), change_(std::move(change)) {}

 protected:
  bool takes_links() const override { return false; }

  void change(const std::string& path, bool /*named*/) override {
    struct stat status {};
    if (benchfs_stat(mount(), path.c_str(), &status) != 0) {
      return complain_of("cannot access", path);
    }
    const mode_t before = status.st_mode & 07777U;
    const mode_t after = change_.apply(before, S_ISDIR(status.st_mode));
    if (benchfs_chmod(mount(), path.c_str(), after) != 0) {
      return complain_of("changing permissions of", path);
    }
    if (before != after && (options_.verbose || options_.changes)) {
      say("mode of {} changed from {:04o} ({}) to {:04o} ({})\n", in_quotes(path), before,
          mode_text(before).substr(1), after, mode_text(after).substr(1));
    } else if (options_.verbose) {
      say("mode of {} retained as {:04o} ({})\n", in_quotes(path), after,
          mode_text(after).substr(1));
    }
  }

 private:
  void complain_of(const char* doing, const std::string& path) {
    if (!options_.quiet) {
      complain_failure(doing, path);
    }
    failed();
  }

  const ChangeModeOptions& options_;
  const ModeChange change_;
};

constexpr uid_t kNobody = static_cast<uid_t>(-1);  ///< Left as it is.

struct Owners {
  uid_t user = kNobody;
  gid_t group = kNobody;
};

bool parse_id(const std::string& text, std::uint32_t& id) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), id);
  return failed == std::errc() && end == text.data() + text.size() && id != kNobody;
}

/// "user", "user:group", "user:" (with that user's group), ":group". False with `error` set.
bool parse_owners(const std::string& text, Owners& out, std::string& error) {
  const std::size_t colon = text.find(':');
  const std::string user = text.substr(0, colon);
  const bool names_group = colon != std::string::npos;
  const std::string group = names_group ? text.substr(colon + 1) : "";
  if (!user.empty()) {
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry != nullptr) {
      out.user = entry->pw_uid;
      out.group = names_group && group.empty() ? entry->pw_gid : kNobody;
    } else if (!parse_id(user, out.user)) {
      error = "invalid user: " + in_quotes(text);
      return false;
    } else if (names_group && group.empty()) {
      error = "invalid spec: " + in_quotes(text);
      return false;
    }
  }
  if (!group.empty()) {
    const ::group* const entry = ::getgrnam(group.c_str());
    if (entry != nullptr) {
      out.group = entry->gr_gid;
    } else if (!parse_id(group, out.group)) {
      error = "invalid group: " + in_quotes(text);
      return false;
    }
  }
  return true;
}

class OwnerChanger final : public Changer {
 public:
  OwnerChanger(benchfs_mount* mount, const ChangeOwnerOptions& options, Owners owners)
      : Changer(mount),
        options_(options),
        owners_(owners),
        links_(options.links || options.recursive) {}

 protected:
  bool takes_links() const override { return true; }

  void change(const std::string& path, bool /*named*/) override {
    struct stat before {};
    const int found = links_ ? benchfs_lstat(mount(), path.c_str(), &before)
                             : benchfs_stat(mount(), path.c_str(), &before);
    if (found != 0) {
      return complain_of("cannot access", path);
    }
    const int outcome = links_ ? benchfs_lchown(mount(), path.c_str(), owners_.user, owners_.group)
                               : benchfs_chown(mount(), path.c_str(), owners_.user, owners_.group);
    if (outcome != 0) {
      return complain_of("changing ownership of", path);
    }
    const bool changes = (owners_.user != kNobody && owners_.user != before.st_uid) ||
                         (owners_.group != kNobody && owners_.group != before.st_gid);
    if (changes && (options_.verbose || options_.changes)) {
      say("changed ownership of {} from {}:{}\n", in_quotes(path), user_name(before.st_uid),
          group_name(before.st_gid));
    } else if (options_.verbose) {
      say("ownership of {} retained\n", in_quotes(path));
    }
  }

 private:
  void complain_of(const char* doing, const std::string& path) {
    if (!options_.quiet) {
      complain_failure(doing, path);
    }
    failed();
  }

  const ChangeOwnerOptions& options_;
  const Owners owners_;
  const bool links_;
};

/// Takes the first of `paths` off unless there is a reference. False after a complaint if nothing
/// is left.
bool take_first(std::vector<std::string>& paths, const std::string& reference, std::string& first) {
  if (!reference.empty()) {
    return true;
  }
  first = paths.front();
  paths.erase(paths.begin());
  if (paths.empty()) {
    complain("missing path behind {}", in_quotes(first));
  }
  return !paths.empty();
}

/// False after a complaint.
bool look_at_reference(benchfs_mount* mount, const std::string& reference, struct stat& status) {
  const std::string path = benchfs_path(reference);
  if (benchfs_stat(mount, path.c_str(), &status) != 0) {
    complain_failure("failed to get attributes of", path);
    return false;
  }
  return true;
}

}  // namespace

int touch(const std::string& session, const TouchOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW}, {.tv_sec = 0, .tv_nsec = UTIME_NOW}};
  if (!options.reference.empty()) {
    struct stat status {};
    if (!look_at_reference(mount.get(), options.reference, status)) {
      return kExitFailure;
    }
    times[0] = status.st_atim;
    times[1] = status.st_mtim;
  } else if (options.time.has_value()) {
    times[0] = times[1] = *options.time;
  }
  if (options.access_only != options.modification_only) {
    times[options.access_only ? 1 : 0].tv_nsec = UTIME_OMIT;
  }
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    bool is_there = true;
    const bool ensured =
        options.links || ensure_file(mount.get(), path, options.no_create, is_there);
    const int outcome = !ensured || !is_there ? 0
                        : options.links       ? benchfs_lutimens(mount.get(), path.c_str(), times)
                                              : benchfs_utimens(mount.get(), path.c_str(), times);
    if (!ensured || (outcome != 0 && !(options.no_create && errno == ENOENT))) {
      complain_failure("cannot touch", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int truncate(const std::string& session, const TruncateOptions& options) {
  if (!options.has_size && options.reference.empty()) {
    complain("truncate: either --size or --reference is needed\nTry 'benchfs truncate --help'.");
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  struct stat reference {};
  if (!options.reference.empty() && !look_at_reference(mount.get(), options.reference, reference)) {
    return kExitFailure;
  }
  bool fine = true;
  for (const std::string& argument : options.paths) {
    const std::string path = benchfs_path(argument);
    bool is_there = false;
    struct stat status = reference;
    if (!ensure_file(mount.get(), path, options.no_create, is_there) ||
        (is_there && options.reference.empty() &&
         benchfs_stat(mount.get(), path.c_str(), &status) != 0)) {
      complain_failure("cannot open", path);
      fine = false;
      continue;
    }
    const auto base = static_cast<std::uint64_t>(status.st_size);
    const auto size = options.has_size ? new_size(options, base) : std::optional(base);
    if (is_there && !size.has_value()) {
      complain("failed to truncate {}: {}", in_quotes(path), errno_text(EFBIG));
      fine = false;
    } else if (is_there &&
               benchfs_truncate(mount.get(), path.c_str(), static_cast<off_t>(*size)) != 0) {
      complain_failure("failed to truncate", path);
      fine = false;
    }
  }
  return exit_status_of(fine);
}

int change_modes(const std::string& session, const ChangeModeOptions& options) {
  std::vector<std::string> paths = options.paths;
  std::string text;
  if (!take_first(paths, options.reference, text)) {
    return kExitUsage;
  }
  auto change = ModeChange::parse(text, current_umask());
  if (options.reference.empty() && !change.has_value()) {
    complain("invalid mode: {}", in_quotes(text));
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  if (!options.reference.empty()) {
    struct stat status {};
    if (!look_at_reference(mount.get(), options.reference, status)) {
      return kExitFailure;
    }
    change = ModeChange::parse(fmt::format("{:05o}", status.st_mode & 07777U), 0);
  }
  catch_interrupts();
  return exit_status_of(
      ModeChanger(mount.get(), options, *std::move(change)).run(paths, options.recursive));
}

int change_owners(const std::string& session, const ChangeOwnerOptions& options) {
  std::vector<std::string> paths = options.paths;
  std::string text;
  Owners owners;
  std::string error;
  if (!take_first(paths, options.reference, text)) {
    return kExitUsage;
  }
  if (options.reference.empty() && !parse_owners(text, owners, error)) {
    complain("{}", error);
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  if (!options.reference.empty()) {
    struct stat status {};
    if (!look_at_reference(mount.get(), options.reference, status)) {
      return kExitFailure;
    }
    owners = {.user = status.st_uid, .group = status.st_gid};
  }
  catch_interrupts();
  return exit_status_of(OwnerChanger(mount.get(), options, owners).run(paths, options.recursive));
}

}  // namespace benchfs::tools
