// ls, stat, find, df, du, readlink.

#include "tools/console.h"
#include "tools/declaration.h"
#include "tools/find_expression.h"
#include "tools/workers.h"

namespace benchfs::tools {
namespace {

constexpr char kFindFooter[] =
    "Tests, as find(1) has them; a number N may be +N (more) or -N (less):\n"
    "  -name -iname PATTERN   the name matches, by the shell's rules\n"
    "  -path -ipath PATTERN   the whole path does\n"
    "  -type f,d,l            file, directory, symbolic link\n"
    "  -size N[bcwkMG]        size in units (b: 512 bytes), rounded up\n"
    "  -empty                 an empty file or directory\n"
    "  -mtime -atime -ctime N age in whole days; -mmin -amin -cmin N: in minutes\n"
    "  -newer FILE            modified later than FILE (of benchfs); also -anewer, -cnewer\n"
    "  -newermt TIME          modified later than '2026-11-29 08:30' or '2 hours ago'\n"
    "  -perm MODE             exactly; -MODE: all of its bits; /MODE: any of them\n"
    "  -user -group NAME, -uid -gid -links -inum N, -lname PATTERN, -true, -false\n"
    "Actions: -print (default), -print0, -printf FORMAT, -delete, -prune, -quit.\n"
    "Options: -maxdepth N, -mindepth N, -depth.\n"
    "Operators: ( ), ! or -not, -a or nothing, -o, and a comma.\n"
    "Symbolic links are not followed. What matches is listed in the order of names; directories "
    "are\n"
    "read ahead of that, several at a time. There is no -exec: pipe -print0 to xargs -0.";

constexpr char kStatFooter[] =
    "FORMAT takes, as stat(1): %a %A mode, %b %B blocks, %d device, %f raw mode, %F type,\n"
    "%g %G group, %h links, %i inode, %n %N name, %o block size, %s size, %u %U owner,\n"
    "%x %X %y %Y %z %Z access, modification and change time.";

void set_format(StatOptions& options, const char* name, const std::string& text, bool escapes) {
  std::string error;
  options.text = parse_status_format(text, escapes, error);
  if (!options.text.has_value()) {
    throw CLI::ValidationError(name, error);
  }
  options.newline = !escapes;
}

void declare_ls(Declaration& declaration) {
  const auto ls = declaration.add<ListOptions>("ls", "List directories", list);
  ls.add_paths("path", "What to list (default: /)", 0);
  ls.add_flag("-l", &ListOptions::long_format, "With mode, owner, size and time");
  ls.add_flag("-R,--recursive", &ListOptions::recursive, "And all directories below");
  ls.add_flag("-a,-A,--all,--almost-all", &ListOptions::all,
              "Also names that begin with a dot; . and .. are never listed");
  ls.add_flag("-d,--directory", &ListOptions::directories_too,
              "Directories themselves, not what they hold");
  ls.add_flag("-h,--human-readable", &ListOptions::human_sizes, "Sizes such as 1.5G");
  ls.add_flag("-1", &ListOptions::one_column, "One name a line, as it always is");
  ls.add_choice("-t", &ListOptions::order, ListOrder::kTime, "By time, latest first");
  ls.add_choice("-S", &ListOptions::order, ListOrder::kSize, "By size, largest first");
  ls.add_choice("-U", &ListOptions::order, ListOrder::kNone, "Not sorted");
  ls.add_flag("-r,--reverse", &ListOptions::reverse, "In reverse order");
  ls.add_flag("-i,--inode", &ListOptions::inodes, "With inode numbers");
  ls.add_flag("-n,--numeric-uid-gid", &ListOptions::numeric_ids, "With -l, owners as numbers");
  ls.add_flag("-F,--classify", &ListOptions::marks,
              "Mark directories with /, links with @, programs with *");
  ls.add_flag("-p", &ListOptions::slashes, "Mark directories with /");
  ls.add_json();
}

void declare_stat(Declaration& declaration) {
  const auto stat =
      declaration.add<StatOptions>("stat", "Show the attributes of files", show_status);
  stat.add_paths("path", "Files and directories", 1);
  stat.add_flag("-L,--dereference", &StatOptions::follow, "Of what a symbolic link leads to");
  stat.add_parsed("-c,--format", "FORMAT", "Say only this, with a newline",
                  [](StatOptions& options, const std::string& text) {
                    set_format(options, "--format", text, false);
                  });
  stat.add_parsed("--printf", "FORMAT", "Likewise, with \\n and the like, and no newline",
                  [](StatOptions& options, const std::string& text) {
                    set_format(options, "--printf", text, true);
                  });
  stat.add_json();
  stat.app->footer(kStatFooter);
}

void declare_find(Declaration& declaration) {
  const auto find_command =
      declaration.add<FindOptions>("find", "Search for files, in many directories at a time", find);
  find_command.add_words("path", &FindOptions::words,
                         "Where to begin (default: /), then the expression");
  find_command.app
      ->add_option("--jobs", find_command.options->jobs, "Directories read at once (default: 8)")
      ->check(CLI::Range(1U, Workers::kCountMax))
      ->type_name("N");
  find_command.add_json();
  find_command.app->footer(kFindFooter);
}

void declare_df(Declaration& declaration) {
  const auto df =
      declaration.add<FreeSpaceOptions>("df", "Show how much space is free", show_free_space);
  df.add_paths("path", "Files whose file system is meant; there is one", 0);
  df.add_flag("-h,--human-readable", &FreeSpaceOptions::human_sizes, "Sizes such as 1.5G");
  df.add_choice("-k", &FreeSpaceOptions::unit, std::uint64_t{1024}, "In units of 1K (default)");
  df.add_choice("-m", &FreeSpaceOptions::unit, std::uint64_t{1} << 20U, "In units of 1M");
  df.add_flag("-i,--inodes", &FreeSpaceOptions::inodes, "Numbers of files instead of space");
  df.add_flag("--servers", &FreeSpaceOptions::by_server, "Each server by itself, too");
  df.add_json();
}

void declare_du(Declaration& declaration) {
  const auto du =
      declaration.add<UsageOptions>("du", "Show the space that directories take", show_usage);
  du.add_paths("path", "Where to begin (default: /)", 0);
  du.add_flag("-s,--summarize", &UsageOptions::summarize, "Only the totals of what was named");
  du.add_flag("-a,--all", &UsageOptions::all, "Files as well");
  du.add_flag("--apparent-size", &UsageOptions::apparent, "Sizes of files, not space taken");
  du.app->add_flag_callback(
      "-b,--bytes",
      [options = du.options] {
        options->apparent = true;
        options->unit = 1;
      },
      "The same in bytes");
  du.add_flag("-c,--total", &UsageOptions::total, "One more line, with the total");
  du.app->add_option("-d,--max-depth", du.options->depth_max, "Lines for nothing deeper than this")
      ->type_name("N");
  du.add_flag("-h,--human-readable", &UsageOptions::human_sizes, "Sizes such as 1.5G");
  du.add_choice("-k", &UsageOptions::unit, std::uint64_t{1024}, "In units of 1K (default)");
  du.add_choice("-m", &UsageOptions::unit, std::uint64_t{1} << 20U, "In units of 1M");
  du.add_flag("-0,--null", &UsageOptions::ends_with_nul, "Lines end with a NUL");
  du.add_json();
}

}  // namespace

void declare_looking(Declaration& declaration) {
  declare_ls(declaration);
  declare_stat(declaration);
  declare_find(declaration);
  declare_df(declaration);
  declare_du(declaration);
  const auto readlink =
      declaration.add<ReadLinkOptions>("readlink", "Show what symbolic links say", show_links);
  readlink.add_paths("path", "Symbolic links", 1);
  readlink.add_flag("-n,--no-newline", &ReadLinkOptions::no_newline, "No newline behind one");
  readlink.add_flag("-z,--zero", &ReadLinkOptions::ends_with_nul, "Lines end with a NUL");
  readlink.add_flag("-v,--verbose", &ReadLinkOptions::verbose, "Complain of what is no link");
}

}  // namespace benchfs::tools
