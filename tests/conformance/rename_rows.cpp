// Rows about rename.

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "rename",
     .sentence = "ENOENT: no such name, or no directory to go to",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.rename("no", "g"), -ENOENT);
           s.is(s.fs.rename("no", "f"), -ENOENT);
           s.is(s.fs.rename("no/f", "g"), -ENOENT);
           s.is(s.fs.rename("f", "no/g"), -ENOENT);
           s.is(s.fs.rename("", "g"), -ENOENT);
           s.is(s.fs.rename("f", ""), -ENOENT);
           s.is(s.text("f"), "abc");
         }},
    {.call = "rename",
     .sentence = "ENOTDIR: a file on the way, or a file with a slash at the end",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.make("g");
           s.is(s.fs.rename("f/x", "h"), -ENOTDIR);
           s.is(s.fs.rename("g", "f/x"), -ENOTDIR);
           s.is(s.fs.rename("f/", "h"), -ENOTDIR);
           s.is(s.fs.rename("f", "h/"), -ENOTDIR);
           s.is(s.fs.rename("f", "g/"), -ENOTDIR);
           s.is(s.text("f"), "abc");
         }},
    {.call = "rename",
     .sentence = "EISDIR: a file over a directory",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.rename("f", "d"), -EISDIR);
           s.is(s.names("."), std::vector<std::string>{"d", "f"});
         }},
    {.call = "rename",
     .sentence = "ENAMETOOLONG: a name of 256 bytes on either side; 255 are good",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.rename(std::string(256, 'n'), "g"), -ENAMETOOLONG);
           s.is(s.fs.rename("f", std::string(256, 'n')), -ENAMETOOLONG);
           s.is(s.fs.rename("f", std::string(255, 'n')), 0);
           s.is(s.text(std::string(255, 'n')), "abc");
         }},
    {.call = "rename",
     .sentence = "EBUSY: the root, on either side",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.rename("/", "g"), -EBUSY);
           s.is(s.fs.rename("f", "/"), -EBUSY);
         }},
    {.call = "rename",
     .sentence = "EBUSY: a path that ends in \".\" or \"..\", on either side; all stays",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("d/e"), 0);
           s.is(s.fs.rename("d/.", "g"), -EBUSY);
           s.is(s.fs.rename("d/e/..", "g"), -EBUSY);
           s.is(s.fs.rename("f", "d/."), -EBUSY);
           s.is(s.fs.rename("f", "d/e/.."), -EBUSY);
           s.is(s.names("."), std::vector<std::string>{"d", "f"});
         }},
    {.call = "rename",
     .sentence = "moves a file, in a directory and between two, with what it holds and is",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("f", "abc");
           s.is(s.fs.chmod("f", 0640), 0);
           s.age("f");
           const auto inode = s.stat("f").st_ino;
           s.is(s.fs.rename("f", "g"), 0);
           s.is(s.fs.rename("g", "d/h"), 0);
           struct stat out {};
           s.is(s.fs.stat("f", &out), -ENOENT);
           s.is(s.fs.stat("g", &out), -ENOENT);
           s.is(s.text("d/h"), "abc");
           s.is(static_cast<long>(s.stat("d/h").st_ino), static_cast<long>(inode));
           s.is(s.stat("d/h").st_mode & 07777, 0640);
           s.holds(s.is_aged("d/h"), "the mtime of the file stays");
         }},
    {.call = "rename",
     .sentence = "over a file replaces it",
     .run =
         [](Stage& s) {
           s.make("f", "new");
           s.make("g", "old one");
           s.is(s.fs.rename("f", "g"), 0);
           s.is(s.text("g"), "new");
           s.is(s.names("."), std::vector<std::string>{"g"});
         }},
    {.call = "rename",
     .sentence = "over a file that is open leaves it to who has it open",
     .run =
         [](Stage& s) {
           s.make("f", "new");
           s.make("g", "old");
           const int old = s.must_open("g", O_RDWR);
           s.is(s.fs.rename("f", "g"), 0);
           s.is(Stage::text_of(s.fs, old, 10, 0), "old");
           s.is(s.fs.pwrite(old, "XYZ", 3, 3), 3);
           s.is(Stage::text_of(s.fs, old, 10, 0), "oldXYZ");
           struct stat out {};
           s.is(s.fs.fstat(old, &out), 0);
           s.is(static_cast<long>(out.st_nlink), 0);
           s.is(s.fs.close(old), 0);
           s.is(s.text("g"), "new");
         }},
    {.call = "rename",
     .sentence = "of an open file: who has it open goes on",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "abc", 3, 0), 3);
           s.is(s.fs.rename("f", "g"), 0);
           s.is(s.fs.pwrite(file, "def", 3, 3), 3);
           s.is(s.text("g"), "abcdef");
           s.is(s.fs.close(file), 0);
           s.is(s.size("g"), 6);
         }},
    {.call = "rename",
     .sentence = "onto itself returns 0 and changes nothing, by another spelling too",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("f", "abc");
           s.is(s.fs.rename("f", "f"), 0);
           s.is(s.fs.rename("f", "d/../f"), 0);
           s.is(s.text("f"), "abc");
           s.is(s.names("."), std::vector<std::string>{"d", "f"});
         }},
    {.call = "rename",
     .sentence = "changes the times of both directories",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("e"), 0);
           s.make("d/f");
           s.age("d");
           s.age("e");
           const auto of_d = s.pass_ctime("d");
           const auto of_e = s.pass_ctime("e");
           s.is(s.fs.rename("d/f", "e/f"), 0);
           s.holds(!s.is_aged("d") && !s.is_aged("e"), "both mtimes change");
           s.holds(s.ctime_moved("d", of_d) && s.ctime_moved("e", of_e), "both ctimes change");
         }},
    {.call = "rename",
     .sentence = "back and forth 100 times, over files and into free names",
     .run =
         [](Stage& s) {
           s.make("a", "abc");
           for (int i = 0; i < 100; ++i) {
             const std::string to = "name-" + std::to_string(i);
             if (i % 2 == 0) {
               s.make(to, "in the way");
             }
             s.is(s.fs.rename("a", to), 0);
             s.is(s.fs.rename(to, "a"), 0);
           }
           s.is(s.text("a"), "abc");
           s.is(s.names("."), std::vector<std::string>{"a"});
         }},
    {.call = "rename",
     .sentence = "of a directory takes all that is in it along, for everybody at once",
     .run =
         [](Stage& s) {
           for (const char* path : {"a", "a/b", "a/b/c", "e"}) {
             s.is(s.fs.mkdir(path), 0);
           }
           s.make("a/b/c/f", "abc");
           s.make("a/g", "def");
           struct stat out {};
           // The other client knows the directories by their old names.
           s.is(s.other.stat("a/b/c/f", &out), 0);
           s.is(s.fs.rename("a/b", "e/m"), 0);
           s.is(s.text("e/m/c/f"), "abc");
           s.is(s.other.stat("a/b/c/f", &out), -ENOENT);
           s.is(s.other.open("a/b/c/new", O_RDWR | O_CREAT), -ENOENT);
           s.is(s.other.stat("e/m/c/../../m/c/f", &out), 0);
           s.is(s.fs.rename("e", "a/z"), 0);
           s.is(s.other.stat("a/z/m/c/f", &out), 0);
           s.is(s.other.stat("e/m", &out), -ENOENT);
           s.is(s.names("a"), std::vector<std::string>{"g", "z"});
           s.is(s.text("a/z/m/../../g"), "def");
         }},
    {.call = "rename",
     .sentence = "of a directory onto an empty one takes its place",
     .run =
         [](Stage& s) {
           for (const char* path : {"a", "b", "c", "c/e"}) {
             s.is(s.fs.mkdir(path), 0);
           }
           s.make("a/f", "abc");
           s.is(s.fs.rename("a", "b"), 0);
           s.is(s.text("b/f"), "abc");
           s.is(s.fs.rename("b/", "c/e/"), 0);
           s.is(s.text("c/e/f"), "abc");
           s.is(s.names("."), std::vector<std::string>{"c"});
           s.is(static_cast<long>(s.stat("c").st_nlink), 3);
         }},
    {.call = "rename",
     .sentence = "ENOTEMPTY, ENOTDIR, EISDIR: a directory onto one that is not empty, onto a file; "
                 "a file onto one",
     .run =
         [](Stage& s) {
           for (const char* path : {"a", "b", "b/c"}) {
             s.is(s.fs.mkdir(path), 0);
           }
           s.make("f", "abc");
           s.is(s.fs.symlink("a", "l"), 0);
           s.is(s.fs.rename("a", "b"), -ENOTEMPTY);
           s.is(s.fs.rename("b/c", "b"), -ENOTEMPTY);
           s.is(s.fs.rename("a", "f"), -ENOTDIR);
           s.is(s.fs.rename("b", "l"), -ENOTDIR);
           s.is(s.fs.rename("f", "a"), -EISDIR);
           s.is(s.fs.rename("l", "a"), -EISDIR);
           s.is(s.names("."), std::vector<std::string>{"a", "b", "f", "l"});
           s.is(s.names("b"), std::vector<std::string>{"c"});
         }},
    {.call = "rename",
     .sentence = "EINVAL: a directory into itself, or below; by way of a link too",
     .run =
         [](Stage& s) {
           for (const char* path : {"a", "a/b", "a/b/c"}) {
             s.is(s.fs.mkdir(path), 0);
           }
           s.is(s.fs.symlink("a/b", "l"), 0);
           s.is(s.fs.rename("a", "a/x"), -EINVAL);
           s.is(s.fs.rename("a", "a/b/c/x"), -EINVAL);
           s.is(s.fs.rename("a", "a/b"), -EINVAL);
           s.is(s.fs.rename("a", "l/x"), -EINVAL);
           s.is(s.fs.rename("a/b", "l/x"), -EINVAL);
           s.is(s.fs.rename("a", "a"), 0);
           s.is(s.fs.rename("a/b", "l/../b"), 0);
           s.is(s.fs.rename("a/b/c", "a/c"), 0);
           s.is(s.names("a"), std::vector<std::string>{"b", "c"});
         }},
    {.call = "rename",
     .sentence = "of directories by many clients at once never makes a circle",
     .run =
         [](Stage& s) {
           for (int round = 0; round < 30; ++round) {
             const std::string a = "a" + std::to_string(round);
             const std::string b = "b" + std::to_string(round);
             s.is(s.fs.mkdir(a), 0);
             s.is(s.fs.mkdir(b), 0);
             const auto results = s.race([&](FileSystem& fs, unsigned index) {
               return static_cast<long>(index % 2 == 0 ? fs.rename(a, b + "/x")
                                                       : fs.rename(b, a + "/x"));
             });
             long moved = 0;
             for (const long result : results) {
               s.holds(result == 0 || result == -EINVAL || result == -ENOENT,
                       "it is moved, or cannot be");
               moved += result == 0 ? 1 : 0;
             }
             s.is(moved, 1);
           }
           s.is(static_cast<long>(s.names(".").size()), 30);
         }},
    {.call = "rename",
     .sentence = "of a directory changes the mtime of both directories, and their number of links",
     .run =
         [](Stage& s) {
           for (const char* path : {"d", "e", "d/m"}) {
             s.is(s.fs.mkdir(path), 0);
           }
           s.age("d");
           s.age("e");
           s.is(s.fs.rename("d/m", "e/m"), 0);
           s.holds(!s.is_aged("d") && !s.is_aged("e"), "both have changed");
           s.is(static_cast<long>(s.stat("d").st_nlink), 2);
           s.is(static_cast<long>(s.stat("e").st_nlink), 3);
         }},
});

}  // namespace

std::span<const Row> rename_rows() {
  return kRows;
}

}  // namespace benchfs::test
