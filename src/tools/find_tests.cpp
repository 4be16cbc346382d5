#include "tools/find_tests.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>

#include "tools/console.h"
#include "tools/find_print.h"
#include "tools/listing.h"
#include "tools/mode_change.h"
#include "tools/time_argument.h"

namespace benchfs::tools {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;

FindTest refuse(std::string_view name, const std::string& argument, std::string& error,
                const char* what) {
  error = fmt::format("{} is not {} for {}", in_quotes(argument), what, name);
  return nullptr;
}

/// "+5", "-5", "5": more than, less than, exactly.
struct Comparison {
  char sign = '=';
  std::uint64_t number = 0;

  static std::optional<Comparison> parse(std::string_view text) {
    Comparison result;
    if (!text.empty() && (text.front() == '+' || text.front() == '-')) {
      result.sign = text.front();
      text.remove_prefix(1);
    }
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), result.number);
    return failed == std::errc() && end == text.data() + text.size() ? std::optional(result)
                                                                     : std::nullopt;
  }
  bool holds(std::uint64_t value) const {
    return sign == '+' ? value > number : sign == '-' ? value < number : value == number;
  }
};

/// Which time a test such as -mtime or -cnewer means.
const timespec& time_of(char which, const struct stat& status) {
  return which == 'a' ? status.st_atim : which == 'c' ? status.st_ctim : status.st_mtim;
}

std::int64_t age_ns(const timespec& time, const timespec& now) {
  return (now.tv_sec - time.tv_sec) * kNsPerSecond + (now.tv_nsec - time.tv_nsec);
}

bool is_newer(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

FindTest make_name(std::string_view name, const std::string& argument, FindState& /*state*/,
                   std::string& /*error*/) {
  const bool whole = name != "-name" && name != "-iname";
  const int flags = name[1] == 'i' ? FNM_CASEFOLD : 0;
  return [=](Candidate& it) {
    return ::fnmatch(argument.c_str(), (whole ? it.shown : it.name()).c_str(), flags) == 0;
  };
}

FindTest make_type(std::string_view name, const std::string& argument, FindState& /*state*/,
                   std::string& error) {
  std::vector<mode_t> types;
  for (std::size_t i = 0; i < argument.size(); i += 2) {
    const std::size_t index = std::string_view("fdlbcps").find(argument[i]);
    if (index == std::string_view::npos || (i + 1 < argument.size() && argument[i + 1] != ',') ||
        i + 2 == argument.size()) {
      return refuse(name, argument, error, "a list of types such as f or f,d,l");
    }
    constexpr std::array<mode_t, 7> kTypes = {S_IFREG, S_IFDIR, S_IFLNK, S_IFBLK,
                                              S_IFCHR, S_IFIFO, S_IFSOCK};
    types.push_back(kTypes[index]);
  }
  if (types.empty()) {
    return refuse(name, argument, error, "a list of types such as f or f,d,l");
  }
  return [=](Candidate& it) {
    const mode_t type = it.at.entry.attributes.st_mode & S_IFMT;
    return std::find(types.begin(), types.end(), type) != types.end();
  };
}

FindTest make_size(std::string_view name, const std::string& argument, FindState& /*state*/,
                   std::string& error) {
  constexpr std::string_view kLetters = "bcwkMG";
  constexpr std::array<std::uint64_t, 6> kUnits = {512, 1, 2, 1U << 10U, 1U << 20U, 1U << 30U};
  std::string number = argument;
  std::uint64_t unit = 512;
  if (const std::size_t index =
          argument.empty() ? std::string_view::npos : kLetters.find(argument.back());
      index != std::string_view::npos) {
    unit = kUnits[index];
    number.pop_back();
  }
  const auto wanted = Comparison::parse(number);
  if (!wanted.has_value()) {
    return refuse(name, argument, error, "a size such as +64k, -1M or 100c");
  }
  return [=](Candidate& it) {
    const auto size = static_cast<std::uint64_t>(it.at.entry.attributes.st_size);
    return wanted->holds(size / unit + (size % unit != 0 ? 1 : 0));
  };
}

FindTest make_age(std::string_view name, const std::string& argument, FindState& state,
                  std::string& error) {
  const auto wanted = Comparison::parse(argument);
  if (!wanted.has_value() || wanted->number > INT32_MAX) {
    return refuse(name, argument, error, "a number such as 3, +3 or -3");
  }
  const char which = name[1];
  const bool in_days = name.substr(2) == "time";
  return [=, &state](Candidate& it) {
    const std::int64_t age = age_ns(time_of(which, it.at.entry.attributes), state.now);
    const auto number = static_cast<std::int64_t>(wanted->number);
    if (in_days) {
      // Whole days, a part of one not counted.
      const std::int64_t day = kSecondsPerDay * kNsPerSecond;
      const std::int64_t days = age / day - (age % day < 0 ? 1 : 0);
      return wanted->sign == '+' ? days > number
                                 : (wanted->sign == '-' ? days < number : days == number);
    }
    const std::int64_t limit = number * 60 * kNsPerSecond;
    return wanted->sign == '+'   ? age > limit
           : wanted->sign == '-' ? age < limit
                                 : age < limit && age >= limit - 60 * kNsPerSecond;
  };
}

/// -newer, -anewer, -cnewer and -newerXY.
FindTest make_newer(std::string_view name, const std::string& argument, FindState& state,
                    std::string& error) {
  char which = 'm';
  char than = 'm';
  if (name.size() == 8) {
    which = name[6];
    than = name[7];
  } else if (name != "-newer") {
    which = name[1];
  }
  timespec limit{};
  if (than == 't') {
    const auto time = parse_time(argument, state.now);
    if (!time.has_value()) {
      return refuse(name, argument, error, "a time such as '2026-11-29 08:30' or '2 days ago'");
    }
    limit = *time;
  } else {
    struct stat status {};
    const std::string path = benchfs_path(argument);
    if (benchfs_stat(state.mount, path.c_str(), &status) != 0) {
      const Failure failure = last_failure();
      error =
          fmt::format("{}: cannot stat {}: {}{}", name, in_quotes(path), errno_text(failure.error),
                      failure.detail.empty() ? "" : " (" + failure.detail + ")");
      return nullptr;
    }
    limit = time_of(than, status);
  }
  return [=](Candidate& it) { return is_newer(time_of(which, it.at.entry.attributes), limit); };
}

FindTest make_perm(std::string_view name, const std::string& argument, FindState& /*state*/,
                   std::string& error) {
  const char sign = argument.empty() ? '\0' : argument.front();
  const bool has_sign = sign == '-' || sign == '/';
  const auto change = ModeChange::parse(argument.substr(has_sign ? 1 : 0), 0);
  if (!change.has_value()) {
    return refuse(name, argument, error, "a mode such as 644, -u+w or /222");
  }
  const mode_t wanted = change->apply(0, false);
  return [=](Candidate& it) {
    const mode_t mode = it.at.entry.attributes.st_mode & 07777U;
    return sign == '-'   ? (mode & wanted) == wanted
           : sign == '/' ? wanted == 0 || (mode & wanted) != 0
                         : mode == wanted;
  };
}

FindTest make_owner(std::string_view name, const std::string& argument, FindState& /*state*/,
                    std::string& error) {
  const bool is_user = name == "-user" || name == "-uid";
  std::optional<Comparison> wanted;
  if (name == "-user") {
    if (const passwd* const entry = ::getpwnam(argument.c_str()); entry != nullptr) {
      wanted = Comparison{.sign = '=', .number = entry->pw_uid};
    }
  } else if (name == "-group") {
    if (const group* const entry = ::getgrnam(argument.c_str()); entry != nullptr) {
      wanted = Comparison{.sign = '=', .number = entry->gr_gid};
    }
  }
  if (!wanted.has_value()) {
    wanted = Comparison::parse(argument);
  }
  if (!wanted.has_value()) {
    return refuse(name, argument, error,
                  is_user ? "a user's name or number" : "a group's name or number");
  }
  return [=](Candidate& it) {
    const struct stat& status = it.at.entry.attributes;
    return wanted->holds(is_user ? status.st_uid : status.st_gid);
  };
}

FindTest make_number(std::string_view name, const std::string& argument, FindState& /*state*/,
                     std::string& error) {
  const auto wanted = Comparison::parse(argument);
  if (!wanted.has_value()) {
    return refuse(name, argument, error, "a number such as 3, +3 or -3");
  }
  const bool is_inode = name == "-inum";
  return [=](Candidate& it) {
    const struct stat& status = it.at.entry.attributes;
    return wanted->holds(is_inode ? status.st_ino : status.st_nlink);
  };
}

FindTest make_link_name(std::string_view name, const std::string& argument, FindState& state,
                        std::string& /*error*/) {
  const int flags = name == "-ilname" ? FNM_CASEFOLD : 0;
  return [=, &state](Candidate& it) {
    std::string target;
    if (!S_ISLNK(it.at.entry.attributes.st_mode)) {
      return false;
    }
    if (!read_link(state.mount, it.at.path, target)) {
      complain_failure("cannot read symbolic link", it.at.path);
      state.fine = false;
      return false;
    }
    return ::fnmatch(argument.c_str(), target.c_str(), flags) == 0;
  };
}

FindTest make_empty(std::string_view /*name*/, const std::string& /*argument*/, FindState& state,
                    std::string& /*error*/) {
  return [&state](Candidate& it) {
    if (!it.at.is_directory()) {
      return S_ISREG(it.at.entry.attributes.st_mode) && it.at.entry.attributes.st_size == 0;
    }
    const Listing& listing = it.at.listing();
    if (listing.failure.error != 0) {
      // The walk complains of it too if it goes down here, which it may not.
      complain_failure("cannot read directory", it.at.path, listing.failure);
      state.fine = false;
      return false;
    }
    return listing.entries.empty();
  };
}

FindTest make_constant(std::string_view name, const std::string& /*argument*/, FindState& /*state*/,
                       std::string& /*error*/) {
  return [value = name == "-true"](Candidate& /*it*/) { return value; };
}

FindTest make_prune(std::string_view /*name*/, const std::string& /*argument*/, FindState& state,
                    std::string& /*error*/) {
  return [&state](Candidate& /*it*/) {
    state.pruned = true;
    return true;
  };
}

FindTest make_quit(std::string_view /*name*/, const std::string& /*argument*/, FindState& state,
                   std::string& /*error*/) {
  return [&state](Candidate& /*it*/) {
    state.finished = true;
    return true;
  };
}

FindTest make_print(std::string_view name, const std::string& /*argument*/, FindState& state,
                    std::string& /*error*/) {
  const bool ends_with_nul = name == "-print0";
  return [ends_with_nul, &state](Candidate& it) {
    std::string line = ends_with_nul ? it.shown : shown_name(it.shown, state.for_terminal);
    line += ends_with_nul ? '\0' : '\n';
    say_text(line);
    return true;
  };
}

FindTest make_printf(std::string_view name, const std::string& argument, FindState& state,
                     std::string& error) {
  auto format = parse_find_format(argument, error);
  if (!format.has_value()) {
    error = fmt::format("{}: {}", name, error);
    return nullptr;
  }
  return [kept = std::move(*format), &state](Candidate& it) {
    say_text(find_text(kept, it, state));
    return true;
  };
}

FindTest make_delete(std::string_view /*name*/, const std::string& /*argument*/, FindState& state,
                     std::string& /*error*/) {
  return [&state](Candidate& it) {
    const std::string last = last_name(it.at.path);
    if (last == "/" || last == "." || last == "..") {
      return true;  // As find does: the place itself is what the user stands on.
    }
    const int outcome = it.at.is_directory() ? benchfs_rmdir(state.mount, it.at.path.c_str())
                                             : benchfs_unlink(state.mount, it.at.path.c_str());
    if (outcome != 0) {
      complain_failure("cannot delete", it.at.path);
      state.fine = false;
      return false;
    }
    return true;
  };
}

constexpr std::array kPrimaries = {
    FindPrimary{"-name", 1, false, make_name},
    FindPrimary{"-iname", 1, false, make_name},
    FindPrimary{"-path", 1, false, make_name},
    FindPrimary{"-ipath", 1, false, make_name},
    FindPrimary{"-wholename", 1, false, make_name},
    FindPrimary{"-iwholename", 1, false, make_name},
    FindPrimary{"-type", 1, false, make_type},
    FindPrimary{"-size", 1, false, make_size},
    FindPrimary{"-mtime", 1, false, make_age},
    FindPrimary{"-atime", 1, false, make_age},
    FindPrimary{"-ctime", 1, false, make_age},
    FindPrimary{"-mmin", 1, false, make_age},
    FindPrimary{"-amin", 1, false, make_age},
    FindPrimary{"-cmin", 1, false, make_age},
    FindPrimary{"-newer", 1, false, make_newer},
    FindPrimary{"-anewer", 1, false, make_newer},
    FindPrimary{"-cnewer", 1, false, make_newer},
    FindPrimary{"-newermm", 1, false, make_newer},
    FindPrimary{"-newerma", 1, false, make_newer},
    FindPrimary{"-newermc", 1, false, make_newer},
    FindPrimary{"-newermt", 1, false, make_newer},
    FindPrimary{"-newerat", 1, false, make_newer},
    FindPrimary{"-newerct", 1, false, make_newer},
    FindPrimary{"-perm", 1, false, make_perm},
    FindPrimary{"-user", 1, false, make_owner},
    FindPrimary{"-group", 1, false, make_owner},
    FindPrimary{"-uid", 1, false, make_owner},
    FindPrimary{"-gid", 1, false, make_owner},
    FindPrimary{"-links", 1, false, make_number},
    FindPrimary{"-inum", 1, false, make_number},
    FindPrimary{"-lname", 1, false, make_link_name},
    FindPrimary{"-ilname", 1, false, make_link_name},
    FindPrimary{"-empty", 0, false, make_empty},
    FindPrimary{"-true", 0, false, make_constant},
    FindPrimary{"-false", 0, false, make_constant},
    FindPrimary{"-prune", 0, false, make_prune},
    FindPrimary{"-quit", 0, true, make_quit},
    FindPrimary{"-print", 0, true, make_print},
    FindPrimary{"-print0", 0, true, make_print},
    FindPrimary{"-printf", 1, true, make_printf},
    FindPrimary{"-delete", 0, true, make_delete},
};

}  // namespace

const FindPrimary* find_primary(std::string_view name) {
  const auto found =
      std::find_if(kPrimaries.begin(), kPrimaries.end(),
                   [name](const FindPrimary& primary) { return primary.name == name; });
  return found != kPrimaries.end() ? &*found : nullptr;
}

}  // namespace benchfs::tools
