// df, du.

#include <algorithm>
#include <cerrno>

#include <sys/statvfs.h>

#include "base/units.h"
#include "tools/commands.h"
#include "tools/console.h"
#include "tools/listing.h"
#include "tools/mount.h"
#include "tools/walk.h"

namespace benchfs::tools {
namespace {

/// As `df` and `du` count: in units, rounded up.
std::string amount(std::uint64_t bytes, bool human, std::uint64_t unit) {
  return human ? size_text(bytes, true)
               : std::to_string(bytes / unit + (bytes % unit != 0 ? 1 : 0));
}

class UsageVisitor final : public Visitor {
 public:
  explicit UsageVisitor(const UsageOptions& options) : options_(options) {}

  /// What the walk that has ended came to. The next one begins with nothing.
  std::uint64_t take_total() { return std::exchange(total_, 0); }
  const std::vector<Usage>& usages() const noexcept { return usages_; }

  bool enter(Visited& at) override {
    sums_.push_back(size_of(at.entry.attributes));
    return true;
  }

  void leave(Visited& at) override {
    const std::uint64_t sum = sums_.back();
    sums_.pop_back();
    (sums_.empty() ? total_ : sums_.back()) += sum;
    const bool is_wanted = at.depth == 0 || ((at.is_directory() || options_.all) &&
                                             at.depth <= options_.depth_max && !options_.summarize);
    if (is_wanted) {
      report(at.path, sum);
    }
  }

  void report(const std::string& path, std::uint64_t bytes) {
    if (options_.format == Format::kJson) {
      usages_.push_back({.path = path, .bytes = bytes});
      return;
    }
    std::string line = amount(bytes, options_.human_sizes, options_.unit) + '\t' + path;
    line += options_.ends_with_nul ? '\0' : '\n';
    say_text(line);
  }

 private:
  std::uint64_t size_of(const struct stat& status) const {
    return options_.apparent ? static_cast<std::uint64_t>(status.st_size)
                             : static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  const UsageOptions& options_;
  std::vector<std::uint64_t> sums_;  ///< Of the directories that the walk is in.
  std::uint64_t total_ = 0;
  std::vector<Usage> usages_;
};

Space space_of(const struct statvfs& space) {
  const auto bytes = [&space](fsblkcnt_t blocks) { return std::uint64_t{blocks} * space.f_frsize; };
  return {.name = "benchfs",
          .capacity = bytes(space.f_blocks),
          .used = bytes(space.f_blocks - space.f_bfree),
          .available = bytes(space.f_bavail),
          .inodes = space.f_files,
          .inodes_free = space.f_ffree};
}

/// False if any does not answer; that was complained of.
bool ask_servers(benchfs_mount* mount, std::vector<Space>& out) {
  bool fine = true;
  for (int server = 0; server < benchfs_server_count(mount); ++server) {
    benchfs_server_status status{};
    const std::string name = fmt::format("server {}", server);
    if (benchfs_server_status_get(mount, server, &status) != 0) {
      complain_failure("cannot ask for the space of", name);
      fine = false;
      continue;
    }
    out.push_back({.name = fmt::format("{} ({})", name, status.host),
                   .capacity = status.capacity,
                   .used = status.used,
                   .available = status.capacity - std::min(status.used, status.capacity),
                   .inodes = status.inode_count,
                   .inodes_free = 0});
  }
  return fine;
}

std::string percent_text(std::uint64_t used, std::uint64_t usable) {
  return usable == 0 ? "-"
                     : fmt::format("{:.0f}%", std::min(100.0, 100.0 * static_cast<double>(used) /
                                                                      static_cast<double>(usable) +
                                                                  0.4999));
}

std::string space_table(const std::vector<Space>& spaces, const FreeSpaceOptions& options,
                        const std::string& session) {
  const auto shown = [&](std::uint64_t bytes) {
    return amount(bytes, options.human_sizes, options.unit);
  };
  const std::string unit = options.human_sizes    ? "Size"
                           : options.unit == kMiB ? "1M-blocks"
                                                  : "1K-blocks";
  std::vector<std::vector<std::string>> rows = {
      options.inodes
          ? std::vector<std::string>{"Filesystem", "Inodes", "IUsed", "IFree", "IUse%", "Session"}
          : std::vector<std::string>{"Filesystem", unit, "Used", "Available", "Use%", "Session"}};
  for (const Space& space : spaces) {
    if (options.inodes) {
      // There is no limit to the number of files, so no part of it is used either.
      const bool limited = space.inodes_free != 0;
      const std::uint64_t used = space.inodes - std::min(space.inodes, space.inodes_free);
      rows.push_back({space.name, limited ? std::to_string(space.inodes) : "-",
                      std::to_string(used), limited ? std::to_string(space.inodes_free) : "-",
                      limited ? percent_text(used, space.inodes) : "-", session});
    } else {
      rows.push_back({space.name, shown(space.capacity), shown(space.used), shown(space.available),
                      percent_text(space.used, space.used + space.available), session});
    }
  }
  return format_table(rows, "lrrrrl");
}

/// False after a complaint: df tells of no file that is not there.
bool are_there(benchfs_mount* mount, const std::vector<std::string>& arguments) {
  bool fine = true;
  for (const std::string& argument : arguments) {
    const std::string path = benchfs_path(argument);
    struct stat status {};
    if (benchfs_stat(mount, path.c_str(), &status) != 0) {
      complain_failure("cannot access", path);
      fine = false;
    }
  }
  return fine;
}

}  // namespace

int show_free_space(const std::string& session, const FreeSpaceOptions& options) {
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  if (!are_there(mount.get(), options.paths)) {
    return kExitFailure;
  }
  struct statvfs answer {};
  std::vector<Space> servers;
  const bool fine = !options.by_server || ask_servers(mount.get(), servers);
  if (benchfs_statvfs(mount.get(), &answer) != 0) {
    complain_failure("cannot ask for the space of", session);
    return kExitFailure;
  }
  const Space space = space_of(answer);
  if (options.format == Format::kJson) {
    say("{}", free_space_json(session, space, servers));
    return exit_status_of(fine);
  }
  servers.push_back(space);
  say("{}", space_table(servers, options, session));
  return exit_status_of(fine);
}

int show_usage(const std::string& session, const UsageOptions& options) {
  if (options.summarize && options.all) {
    complain("du: -s and -a exclude each other");
    return kExitUsage;
  }
  const Mount mount(session);
  if (!mount.joined()) {
    return kExitFailure;
  }
  catch_interrupts();
  UsageVisitor visitor(options);
  bool fine = true;
  std::uint64_t total = 0;
  const std::vector<std::string> root = {"/"};
  for (const std::string& argument : options.paths.empty() ? root : options.paths) {
    Walk walk(mount.get(), visitor);
    const std::string path = benchfs_path(argument);
    fine = walk.run(path, path) && walk.fine() && fine;
    if (was_interrupted()) {
      return kExitInterrupted;
    }
    total += visitor.take_total();
  }
  if (options.total) {
    visitor.report("total", total);
  }
  if (options.format == Format::kJson) {
    say("{}", usage_json(visitor.usages()));
  }
  return exit_status_of(fine);
}

}  // namespace benchfs::tools
