#pragma once

// The file commands of `benchfs`: what they are told, and their exit statuses, as coreutils has
// them. Each joins the session, does its work, and has complained of everything that failed.
//
// Threading: the main thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tools/mode_change.h"
#include "tools/print_format.h"
#include "tools/stage_manifest.h"

namespace benchfs::tools {

enum class Format { kText, kJson };

// ---- Looking ----

enum class ListOrder { kName, kTime, kSize, kNone };

struct ListOptions {
  std::vector<std::string> paths;  ///< None: the root.
  bool long_format = false;
  bool recursive = false;
  bool all = false;              ///< Also names that begin with a dot.
  bool directories_too = false;  ///< A directory itself, not what it holds.
  bool human_sizes = false;
  bool marks = false;    ///< '/' behind directories, '@' behind links, '*' behind programs.
  bool slashes = false;  ///< '/' behind directories.
  bool inodes = false;
  bool numeric_ids = false;
  bool reverse = false;
  bool one_column = false;  ///< As it always is.
  ListOrder order = ListOrder::kName;
  Format format = Format::kText;
};
int list(const std::string& session, const ListOptions& options);

struct StatOptions {
  std::vector<std::string> paths;
  bool follow = false;  ///< Of what a link leads to.
  std::optional<PrintFormat> text;
  bool newline = true;  ///< Behind each text.
  Format format = Format::kText;
};
int show_status(const std::string& session, const StatOptions& options);
/// Complains and answers nothing if it is no such format.
std::optional<PrintFormat> parse_status_format(const std::string& text, bool escapes,
                                               std::string& error);

struct FindOptions {
  std::vector<std::string> words;  ///< Where to begin, then the expression.
  unsigned jobs = 0;               ///< Directories that are read at once; 0: the default.
  Format format = Format::kText;
};
int find(const std::string& session, const FindOptions& options);

struct FreeSpaceOptions {
  std::vector<std::string> paths;
  bool human_sizes = false;
  bool inodes = false;
  bool by_server = false;
  std::uint64_t unit = 1024;
  Format format = Format::kText;
};
int show_free_space(const std::string& session, const FreeSpaceOptions& options);

struct UsageOptions {
  std::vector<std::string> paths;  ///< None: the root.
  bool summarize = false;
  bool all = false;       ///< Files as well as directories.
  bool apparent = false;  ///< Sizes of files, not the space that they take.
  bool human_sizes = false;
  bool total = false;  ///< One more line, of all that was named.
  bool ends_with_nul = false;
  std::uint64_t unit = 1024;
  std::uint32_t depth_max = UINT32_MAX;  ///< Lines for nothing deeper.
  Format format = Format::kText;
};
int show_usage(const std::string& session, const UsageOptions& options);

int concatenate(const std::string& session, const std::vector<std::string>& paths);

struct TailOptions {
  std::vector<std::string> paths;
  std::uint64_t count = 10;
  bool bytes = false;       ///< Not lines.
  bool from_start = false;  ///< Begin at number `count`, from 1, instead of that far from the end.
  bool follow = false;
  bool by_name = false;  ///< Follow what has the name, also if that is another file later.
  bool quiet = false;
  bool verbose = false;
  double interval_s = 1.0;
  std::int64_t pid = 0;  ///< Follow until this process has ended; 0: for ever.
};
int show_tail(const std::string& session, const TailOptions& options);

struct ReadLinkOptions {
  std::vector<std::string> paths;
  bool no_newline = false;
  bool ends_with_nul = false;
  bool verbose = false;  ///< Complain of what is no link.
};
int show_links(const std::string& session, const ReadLinkOptions& options);

// ---- Names ----

struct MakeDirectoryOptions {
  std::vector<std::string> paths;
  bool parents = false;  ///< Makes what is missing above; not an error if it is there.
  bool verbose = false;
  std::optional<ModeChange> mode;  ///< None: 0777 less the umask.
};
int make_directories(const std::string& session, const MakeDirectoryOptions& options);

struct RemoveOptions {
  std::vector<std::string> paths;
  bool recursive = false;
  bool empty_directories = false;
  bool force = false;  ///< What is not there is no error.
  bool verbose = false;
};
int remove(const std::string& session, const RemoveOptions& options);

struct RemoveDirectoryOptions {
  std::vector<std::string> paths;
  bool parents = false;  ///< Also those above, if they are empty then.
  bool ignore_non_empty = false;
  bool verbose = false;
};
int remove_directories(const std::string& session, const RemoveDirectoryOptions& options);

struct MoveOptions {
  std::vector<std::string> paths;  ///< Sources, then the destination.
  std::string into;                ///< A directory for all of `paths`; empty: the last of them.
  bool no_directory = false;       ///< The destination is the name itself.
  bool no_clobber = false;
  bool force = false;
  bool verbose = false;
};
int move(const std::string& session, const MoveOptions& options);

struct LinkOptions {
  std::vector<std::string> paths;  ///< Targets, then the link or a directory.
  std::string into;
  bool symbolic = false;
  bool force = false;
  bool no_directory = false;
  bool verbose = false;
};
int make_links(const std::string& session, const LinkOptions& options);

// ---- Attributes ----

struct ChangeModeOptions {
  std::vector<std::string> paths;  ///< The mode first, unless there is a reference.
  std::string reference;
  bool recursive = false;
  bool verbose = false;
  bool changes = false;  ///< Say only what has changed.
  bool quiet = false;    ///< No complaints.
};
int change_modes(const std::string& session, const ChangeModeOptions& options);

struct ChangeOwnerOptions {
  std::vector<std::string> paths;  ///< OWNER[:GROUP] first, unless there is a reference.
  std::string reference;
  bool recursive = false;
  bool links = false;  ///< Links themselves.
  bool verbose = false;
  bool changes = false;
  bool quiet = false;
};
int change_owners(const std::string& session, const ChangeOwnerOptions& options);

struct TouchOptions {
  std::vector<std::string> paths;
  bool no_create = false;
  bool access_only = false;
  bool modification_only = false;
  bool links = false;            ///< Links themselves.
  std::optional<timespec> time;  ///< None: now.
  std::string reference;
};
int touch(const std::string& session, const TouchOptions& options);

struct TruncateOptions {
  std::vector<std::string> paths;
  std::uint64_t size = 0;
  char relation = '=';    ///< Or one of "+-<>/%", as truncate(1) has them.
  std::string reference;  ///< Whose size counts; empty: the file's own.
  bool has_size = false;
  bool no_create = false;
};
int truncate(const std::string& session, const TruncateOptions& options);

// ---- Contents ----

struct CopyOptions {
  std::vector<std::string> paths;  ///< Sources, then the destination.
  std::string into;                ///< A directory for all of `paths`; empty: the last of them.
  bool no_directory = false;       ///< The destination is the name itself.
  bool recursive = false;
  bool verbose = false;
  bool owners = false;             ///< Gives copies the owner and group of what they are copies of.
  bool no_clobber = false;         ///< What is there is left as it is.
  bool update = false;             ///< Likewise, unless it is older.
  bool force = false;              ///< As it always is: what is there is replaced.
  bool resume = false;             ///< Goes on with what an earlier run has not finished.
  bool verify = false;             ///< Reads the copy back, and compares checksums.
  unsigned jobs = 4;               ///< Files at once.
  bool progress = false;           ///< Also when standard error is no terminal.
  std::uint64_t chunk_size = 0;    ///< Of files made in benchfs; 0: the session's default.
  std::uint32_t stripe_count = 0;  ///< Likewise.
};
int copy(const std::string& session, const CopyOptions& options);

struct StageOptions {
  std::vector<std::string> paths;  ///< Sources, then the directory that they are to be in.
  StageManifest::Direction direction{};
  bool resume = false;  ///< Goes on with what the manifest says.
  bool verify = false;
  bool newer = false;  ///< Only what is newer than the destination has it.
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::string manifest;            ///< Outside; empty: in the destination.
  std::uint64_t rate = 0;          ///< Bytes a second; 0: no limit.
  unsigned jobs = 4;               ///< Large files, or batches of small ones, at once.
  bool verbose = false;
  bool progress = false;           ///< Also when standard error is no terminal.
  std::uint64_t chunk_size = 0;    ///< In: as of CopyOptions.
  std::uint32_t stripe_count = 0;  ///< Likewise.
  Format format = Format::kText;
};
int stage(const std::string& session, const StageOptions& options);

struct SyncOptions {
  std::vector<std::string> paths;  ///< None: all files.
};
int synchronise(const std::string& session, const SyncOptions& options);

}  // namespace benchfs::tools
