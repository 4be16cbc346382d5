// df, du.

#include <algorithm>
#include <cerrno>

#include <sys/statvfs.h>

#include "base/units.h"
#include "tools/commands.h"
#include "tools/console.h"
#include "tools/listing.h"
#include "tools/mount.h"

namespace benchfs::tools {
namespace {

/// As `df` and `du` count unless told otherwise: units of 1 KiB, rounded up.
std::string amount(std::uint64_t bytes, bool human) {
  return human ? size_text(bytes, true) : std::to_string((bytes + kKiB - 1) / kKiB);
}

class UsageWalk {
 public:
  UsageWalk(benchfs_mount* mount, const UsageOptions& options) : mount_(mount), options_(options) {}

  bool fine() const noexcept { return fine_; }

  /// Bytes of `path` and all below it; says the lines that the options ask for.
  std::uint64_t walk(const std::string& path, const struct stat& status, bool named) {
    std::uint64_t total = size_of(status);
    const bool is_directory = S_ISDIR(status.st_mode);
    if (is_directory) {
      std::vector<Entry> entries;
      if (!read_directory(mount_, path, entries)) {
        complain_failure("cannot read directory", path);
        fine_ = false;
      }
      for (const Entry& entry : entries) {
        if (was_interrupted()) {
          return total;
        }
        total += walk(joined_path(path, entry.name), entry.attributes, false);
      }
    }
    if (named || (!options_.summarize && (is_directory || options_.all))) {
      say("{}\t{}\n", amount(total, options_.human_sizes), path);
    }
    return total;
  }

 private:
  std::uint64_t size_of(const struct stat& status) const {
    return options_.apparent ? static_cast<std::uint64_t>(status.st_size)
                             : static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  benchfs_mount* mount_;
  const UsageOptions& options_;
  bool fine_ = true;
};

}  // namespace

int show_free_space(const std::string& session, const FreeSpaceOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  struct statvfs space {};
  if (benchfs_statvfs(mount.get(), &space) != 0) {
    complain_failure("cannot ask for the space of", session);
    return kExitFailure;
  }
  if (options.format == Format::kJson) {
    say("{}", free_space_json(session, space));
    return kExitOk;
  }
  const std::uint64_t total = space.f_blocks;
  const std::uint64_t used = total - space.f_bfree;
  const std::uint64_t usable = used + space.f_bavail;
  const auto shown = [&](std::uint64_t blocks) {
    return amount(blocks * space.f_frsize, options.human_sizes);
  };
  const std::string percent =
      usable == 0 ? "-" : fmt::format("{}%", (used * 100 + usable - 1) / usable);
  const std::vector<std::vector<std::string>> rows = {
      {"Filesystem", options.human_sizes ? "Size" : "1K-blocks", "Used", "Available", "Use%",
       "Session"},
      {"benchfs", shown(total), shown(used), shown(space.f_bavail), percent, session}};
  say("{}", format_table(rows, "lrrrrl"));
  return kExitOk;
}

int show_usage(const std::string& session, const UsageOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  UsageWalk walk(mount.get(), options);
  bool fine = true;
  const std::vector<std::string> root = {"/"};
  for (const std::string& argument : options.paths.empty() ? root : options.paths) {
    const std::string path = benchfs_path(argument);
    struct stat status {};
    if (benchfs_lstat(mount.get(), path.c_str(), &status) != 0) {
      complain_failure("cannot access", path);
      fine = false;
      continue;
    }
    walk.walk(path, status, true);
  }
  if (was_interrupted()) {
    return kExitInterrupted;
  }
  return fine && walk.fine() ? kExitOk : kExitFailure;
}

}  // namespace benchfs::tools
