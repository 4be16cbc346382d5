// Rows about listing directories.

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr int kManyNames = 2000;  // Several pages of every server.

std::string numbered(const char* prefix, int number) {
  return prefix + std::to_string(number);
}

/// How often each name comes until the end of the listing.
std::map<std::string, int> count_names(Stage& s, int directory,
                                       const std::function<void(int)>& between) {
  std::map<std::string, int> seen;
  Entry entry;
  int result = s.fs.readdir(directory, &entry);
  for (int i = 0; result == 1; ++i) {
    ++seen[entry.name];
    between(i);
    result = s.fs.readdir(directory, &entry);
  }
  s.is(result, 0);
  return seen;
}

constexpr auto kRows = std::to_array<Row>({
    {.call = "opendir",
     .sentence = "ENOENT, ENOTDIR, ENAMETOOLONG: no such name, a file, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.opendir("no"), -ENOENT);
           s.is(s.fs.opendir(""), -ENOENT);
           s.is(s.fs.opendir("f"), -ENOTDIR);
           s.is(s.fs.opendir("f/d"), -ENOTDIR);
           s.is(s.fs.opendir(std::string(256, 'n')), -ENAMETOOLONG);
         }},
    {.call = "readdir",
     .sentence = "of an empty directory ends at once, and again when asked again",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           const int directory = s.fs.opendir("d/");
           Entry entry;
           s.is(s.fs.readdir(directory, &entry), 0);
           s.is(s.fs.readdir(directory, &entry), 0);
           s.is(s.fs.closedir(directory), 0);
         }},
    {.call = "readdir",
     .sentence = "tells the attributes of each name",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d", 0750), 0);
           const int directory = s.fs.opendir(".");
           Entry entry;
           for (int i = 0; i < 2; ++i) {
             s.is(s.fs.readdir(directory, &entry), 1);
             const struct stat want = s.stat(entry.name);
             s.is(static_cast<long>(entry.attributes.st_ino), static_cast<long>(want.st_ino));
             s.is(entry.attributes.st_mode, want.st_mode);
             s.is(S_ISDIR(want.st_mode) ? 0 : entry.attributes.st_size,
                  S_ISDIR(want.st_mode) ? 0 : 3);
           }
           s.is(s.fs.readdir(directory, &entry), 0);
         }},
    {.call = "readdir",
     .sentence = "lists 2000 names, each once",
     .run =
         [](Stage& s) {
           std::vector<std::string> want;
           for (int i = 0; i < kManyNames; ++i) {
             want.push_back(numbered("name-", i));
             s.make(want.back());
           }
           std::sort(want.begin(), want.end());
           s.holds(s.names(".") == want, "every name is listed once");
         }},
    {.call = "readdir",
     .sentence = "lists what stays exactly once, whatever comes and goes meanwhile",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kManyNames; ++i) {
             s.make(numbered("stay-", i));
             s.make(numbered("go-", i));
           }
           const auto seen = count_names(s, s.fs.opendir("."), [&s](int i) {
             if (i < kManyNames) {
               s.is(s.other.unlink(numbered("go-", i)), 0);
               s.is(s.other.open(numbered("come-", i), O_WRONLY | O_CREAT) >= 0, true);
             }
           });
           for (int i = 0; i < kManyNames; ++i) {
             const auto found = seen.find(numbered("stay-", i));
             s.holds(found != seen.end() && found->second == 1, "what stays is listed once");
           }
           s.holds(std::all_of(seen.begin(), seen.end(),
                               [](const auto& item) { return item.second == 1; }),
                   "nothing is listed twice");
         }},
    {.call = "readdir",
     .sentence = "removing what it lists empties the directory",
     .run =
         [](Stage& s) {
           for (int i = 0; i < kManyNames; ++i) {
             s.make(numbered("name-", i));
           }
           const int directory = s.fs.opendir(".");
           Entry entry;
           int result = s.fs.readdir(directory, &entry);
           for (; result == 1; result = s.fs.readdir(directory, &entry)) {
             s.is(s.fs.unlink(entry.name), 0);
           }
           s.is(result, 0);
           s.is(s.names("."), std::vector<std::string>{});
         }},
    {.call = "readdir",
     .sentence = "ENOENT: the directory was removed since it was opened",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           const int directory = s.fs.opendir("d");
           s.is(s.fs.rmdir("d"), 0);
           Entry entry;
           s.is(s.fs.readdir(directory, &entry), -ENOENT);
           s.is(s.fs.readdir(directory, &entry), -ENOENT);
         },
     .kind = Kind::kDiffers,
     .why = "Linux ends the list; POSIX leaves it open, and an error says what happened"},
    {.call = "readdir",
     .sentence = "several passes over one directory do not disturb each other",
     .run =
         [](Stage& s) {
           s.make("a");
           s.make("b");
           const int one = s.fs.opendir(".");
           const int two = s.fs.opendir(".");
           Entry entry;
           s.is(s.fs.readdir(one, &entry), 1);
           s.is(s.fs.readdir(two, &entry), 1);
           s.is(s.fs.readdir(one, &entry), 1);
           s.is(s.fs.readdir(one, &entry), 0);
           s.is(s.fs.readdir(two, &entry), 1);
           s.is(s.fs.readdir(two, &entry), 0);
         }},
});

}  // namespace

std::span<const Row> directory_rows() {
  return kRows;
}

}  // namespace benchfs::test
