// Rows about how paths are read.

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

/// An absolute path of `bytes` bytes that leads to `name` of the stage's directory.
std::string long_path(const Stage& s, const std::string& name, std::size_t bytes) {
  std::string path = s.fs.directory();
  while (path.size() + 2 + 1 + name.size() <= bytes) {
    path += "/.";
  }
  while (path.size() + 1 + name.size() < bytes) {
    path += '/';
  }
  return path + '/' + name;
}

constexpr auto kRows = std::to_array<Row>({
    {.call = "paths",
     .sentence = "slashes in a row are one; \".\" is where it is; \"..\" leads up",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("d/e"), 0);
           s.make("f", "abc");
           for (const char* const path :
                {"d/../f", ".//f", "./././f", "d//..//f", "d/e/../../f", "d/./e/.././../f"}) {
             s.is(s.text(path), "abc");
           }
         }},
    {.call = "paths",
     .sentence = "\"..\" above the root is the root",
     .run =
         [](Stage& s) {
           struct stat root {};
           struct stat above {};
           s.is(s.fs.stat("/", &root), 0);
           s.is(s.fs.stat("/../../..", &above), 0);
           s.is(static_cast<long>(root.st_ino), static_cast<long>(above.st_ino));
         },
     .kind = Kind::kOwn,
     .why = "the local directory is not a root"},
    {.call = "paths",
     .sentence = "ENOENT, ENOTDIR: what stands before \"..\" is not there, or a file",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.open("no/../f", O_RDONLY), -ENOENT);
           s.is(s.fs.open("f/../f", O_RDONLY), -ENOTDIR);
           s.is(s.fs.mkdir("no/../d"), -ENOENT);
         }},
    {.call = "paths",
     .sentence = "a slash or \"/.\" at the end asks for a directory, of every call",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           struct stat out {};
           const timespec times[2] = {{1, 0}, {1, 0}};
           for (const char* const path : {"f/", "f//", "f/."}) {
             s.is(s.fs.stat(path, &out), -ENOTDIR);
             s.is(s.fs.truncate(path, 0), -ENOTDIR);
             s.is(s.fs.chmod(path, 0600), -ENOTDIR);
             s.is(s.fs.chown(path, ::geteuid(), ::getegid()), -ENOTDIR);
             s.is(s.fs.utimens(path, times), -ENOTDIR);
             s.is(s.fs.opendir(path), -ENOTDIR);
             s.is(s.fs.rename(path, "g"), -ENOTDIR);
           }
           s.is(s.text("f"), "abc");
         }},
    {.call = "paths",
     .sentence = "names of every byte but \"/\" and NUL are kept as they are",
     .run =
         [](Stage& s) {
           std::vector<std::string> want;
           for (int byte = 1; byte < 256; ++byte) {
             const char c = static_cast<char>(byte);
             if (c != '/' && c != '.') {
               want.push_back(std::string(1, c));
             }
           }
           want.insert(want.end(), {"...", "..a", ".a", "a.", "a b ", "\xff\xfe\xfd", "a\nb",
                                    "\xc3\xa4", "a\xcc\x88", "A", "-rf", "~", "*"});
           std::sort(want.begin(), want.end());
           want.erase(std::unique(want.begin(), want.end()), want.end());
           for (const std::string& name : want) {
             s.make(name, name);
           }
           s.holds(s.names(".") == want, "all are listed, and nothing else");
           for (const std::string& name : want) {
             s.is(s.text(name), name);
           }
         }},
    {.call = "paths",
     .sentence = "names of 255 bytes are good on every level, of any bytes",
     .run =
         [](Stage& s) {
           std::string path = std::string(255, 'a');
           for (int i = 0; i < 5; ++i) {
             s.is(s.fs.mkdir(path), 0);
             path += "/" + std::string(255, static_cast<char>(200 + i));
           }
           s.make(path, "abc");
           s.is(s.text(path), "abc");
         }},
    {.call = "paths",
     .sentence = "ENAMETOOLONG: 256 bytes of a name in the middle of a path",
     .run =
         [](Stage& s) {
           struct stat out {};
           s.is(s.fs.stat(std::string(256, 'n') + "/f", &out), -ENAMETOOLONG);
           s.is(s.fs.open(std::string(256, 'n') + "/f", O_RDWR | O_CREAT), -ENAMETOOLONG);
         }},
    {.call = "paths",
     .sentence = "4096 bytes are good, and one more is ENAMETOOLONG, for every call",
     .run =
         [](Stage& s) {
           s.make(long_path(s, "f", 4096), "abc");
           s.is(s.text("f"), "abc");
           s.is(s.text(long_path(s, "f", 4096)), "abc");
           s.is(s.fs.mkdir(long_path(s, "d", 4096)), 0);
           s.is(s.names(long_path(s, "d", 4096)), std::vector<std::string>{});
           struct stat out {};
           const std::string longer = long_path(s, "f", 4097);
           s.is(s.fs.open(longer, O_RDONLY), -ENAMETOOLONG);
           s.is(s.fs.stat(longer, &out), -ENAMETOOLONG);
           s.is(s.fs.truncate(longer, 0), -ENAMETOOLONG);
           s.is(s.fs.unlink(longer), -ENAMETOOLONG);
           s.is(s.fs.mkdir(longer), -ENAMETOOLONG);
           s.is(s.fs.rmdir(longer), -ENAMETOOLONG);
           s.is(s.fs.chmod(longer, 0600), -ENAMETOOLONG);
           s.is(s.fs.utimens(longer, nullptr), -ENAMETOOLONG);
           s.is(s.fs.opendir(longer), -ENAMETOOLONG);
           s.is(s.fs.rename(longer, "g"), -ENAMETOOLONG);
           s.is(s.fs.rename("f", longer), -ENAMETOOLONG);
           s.is(s.text("f"), "abc");
         }},
    {.call = "paths",
     .sentence = "a path of 4096 bytes down 2000 directories",
     .run =
         [](Stage& s) {
           std::string path = s.fs.directory();
           while (path.size() + 4 <= 4096) {
             path += "/d";
             s.is(s.fs.mkdir(path), 0);
           }
           path += std::string("/") + std::string(4096 - path.size() - 1, 'f');
           s.make(path, "abc");
           s.is(s.text(path), "abc");
         }},
    {.call = "paths",
     .sentence = "EINVAL: a path that does not begin with \"/\"",
     .run =
         [](Stage& s) {
           // What is handed to the library as it is, past enter().
           s.fs.enter(".");
           s.is(s.fs.open("f", O_RDWR | O_CREAT), -EINVAL);
           s.is(s.fs.mkdir("d"), -EINVAL);
           s.fs.enter(s.other.directory());
         },
     .kind = Kind::kOwn,
     .why = "a session has no working directory"},
});

}  // namespace

std::span<const Row> path_rows() {
  return kRows;
}

}  // namespace benchfs::test
