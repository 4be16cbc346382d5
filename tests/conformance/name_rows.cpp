// Rows about mkdir, rmdir and unlink, and links.

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "mkdir",
     .sentence = "EEXIST: a directory, a file, the root",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("d"), -EEXIST);
           s.is(s.fs.mkdir("d/"), -EEXIST);
           s.is(s.fs.mkdir("f"), -EEXIST);
           s.is(s.fs.mkdir("f/"), -EEXIST);
           s.is(s.fs.mkdir("/"), -EEXIST);
           s.is(s.text("f"), "abc");
         }},
    {.call = "mkdir",
     .sentence = "ENOENT, ENOTDIR: no such directory, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.mkdir("no/d"), -ENOENT);
           s.is(s.fs.mkdir("f/d"), -ENOTDIR);
         }},
    {.call = "mkdir",
     .sentence = "ENAMETOOLONG: a name of 256 bytes",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir(std::string(256, 'n')), -ENAMETOOLONG);
           s.is(s.fs.mkdir(std::string(255, 'n')), 0);
         }},
    {.call = "mkdir",
     .sentence = "takes a path with slashes at the end",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d//"), 0);
           s.holds(S_ISDIR(s.stat("d").st_mode), "d is a directory");
         }},
    {.call = "mkdir",
     .sentence = "ENOENT: \".\" or \"..\" below a directory that is not there; nothing is created",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("no/."), -ENOENT);
           s.is(s.fs.mkdir("no/./"), -ENOENT);
           s.is(s.names("."), std::vector<std::string>{});
         }},
    {.call = "mkdir",
     .sentence = "makes an empty directory with its mode, and new times for the one it is in",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("p"), 0);
           s.age("p");
           const auto ctime = s.pass_ctime("p");
           s.is(s.fs.mkdir("p/d", 0750), 0);
           s.is(s.stat("p/d").st_mode & 07777, 0750);
           s.is(s.names("p/d"), std::vector<std::string>{});
           s.holds(!s.is_aged("p"), "the mtime changes");
           s.holds(s.ctime_moved("p", ctime), "the ctime changes");
         }},
    {.call = "mkdir",
     .sentence = "makes 200 directories one in the other",
     .run =
         [](Stage& s) {
           std::string path = "d";
           for (int i = 0; i < 200; ++i, path += "/d") {
             s.is(s.fs.mkdir(path), 0);
           }
           s.make(path, "deep");
           s.is(s.text(path), "deep");
         }},
    {.call = "rmdir",
     .sentence = "ENOTEMPTY: a file or a directory in it",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("e"), 0);
           s.make("d/f");
           s.is(s.fs.mkdir("e/g"), 0);
           s.is(s.fs.rmdir("d"), -ENOTEMPTY);
           s.is(s.fs.rmdir("e"), -ENOTEMPTY);
           s.is(s.text("d/f"), "");
           s.is(s.names("e"), std::vector<std::string>{"g"});
         }},
    {.call = "rmdir",
     .sentence = "ENOENT, ENOTDIR: no such name, a file, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.rmdir("no"), -ENOENT);
           s.is(s.fs.rmdir("no/d"), -ENOENT);
           s.is(s.fs.rmdir("f"), -ENOTDIR);
           s.is(s.fs.rmdir("f/"), -ENOTDIR);
           s.is(s.fs.rmdir("f/d"), -ENOTDIR);
           s.is(s.fs.rmdir(std::string(256, 'n')), -ENAMETOOLONG);
         }},
    {.call = "rmdir",
     .sentence = "EBUSY: the root",
     .run = [](Stage& s) { s.is(s.fs.rmdir("/"), -EBUSY); }},
    {.call = "rmdir",
     .sentence = "EINVAL: a path that ends in \".\"; the directory stays",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.rmdir("d/."), -EINVAL);
           s.is(s.fs.rmdir("d/./"), -EINVAL);
           s.is(s.names("."), std::vector<std::string>{"d"});
         }},
    {.call = "rmdir",
     .sentence = "ENOTEMPTY: a path that ends in \"..\", since what it leads from is there",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("d/e"), 0);
           s.is(s.fs.rmdir("d/e/.."), -ENOTEMPTY);
         }},
    {.call = "rmdir",
     .sentence = "takes a path with a slash at the end, and changes the times of where it was",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("p"), 0);
           s.is(s.fs.mkdir("p/d"), 0);
           s.age("p");
           const auto ctime = s.pass_ctime("p");
           s.is(s.fs.rmdir("p/d/"), 0);
           s.is(s.names("p"), std::vector<std::string>{});
           s.holds(!s.is_aged("p"), "the mtime changes");
           s.holds(s.ctime_moved("p", ctime), "the ctime changes");
         }},
    {.call = "rmdir",
     .sentence = "makes room for the name again, as a file or a directory",
     .run =
         [](Stage& s) {
           for (int i = 0; i < 3; ++i) {
             s.is(s.fs.mkdir("d"), 0);
             s.make("d/f", "abc");
             s.is(s.fs.unlink("d/f"), 0);
             s.is(s.fs.rmdir("d"), 0);
             s.is(s.fs.open("d/f", O_RDWR | O_CREAT), -ENOENT);
             s.make("d", "file");
             s.is(s.fs.open("d/f", O_RDWR | O_CREAT), -ENOTDIR);
             s.is(s.fs.unlink("d"), 0);
           }
         }},
    {.call = "rmdir",
     .sentence = "takes a directory whose last file is open without a name; the file lives on",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f", "abc");
           const int file = s.must_open("d/f", O_RDWR);
           s.is(s.fs.unlink("d/f"), 0);
           s.is(s.fs.rmdir("d"), 0);
           s.is(Stage::text_of(s.fs, file, 10, 0), "abc");
         }},
    {.call = "unlink",
     .sentence = "ENOENT, ENOTDIR: no such name, a file on the way, a file with a slash at the end",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.unlink("no"), -ENOENT);
           s.is(s.fs.unlink("no/f"), -ENOENT);
           s.is(s.fs.unlink("no/"), -ENOENT);
           s.is(s.fs.unlink("f/g"), -ENOTDIR);
           s.is(s.fs.unlink("f/"), -ENOTDIR);
           s.is(s.fs.unlink(std::string(256, 'n')), -ENAMETOOLONG);
           s.is(s.names("."), std::vector<std::string>{"f"});
         }},
    {.call = "unlink",
     .sentence = "EISDIR: a directory, with a slash too, and the root",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.unlink("d"), -EISDIR);
           s.is(s.fs.unlink("d/"), -EISDIR);
           s.is(s.fs.unlink("/"), -EISDIR);
           s.is(s.names("."), std::vector<std::string>{"d"});
         }},
    {.call = "unlink",
     .sentence = "of an open file: it can be read, written and asked, and has no names",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.unlink("f"), 0);
           s.is(s.fs.open("f", O_RDONLY), -ENOENT);
           s.is(s.fs.pwrite(file, "XY", 2, 3), 2);
           s.is(Stage::text_of(s.fs, file, 10, 0), "abcXY");
           struct stat out {};
           s.is(s.fs.fstat(file, &out), 0);
           s.is(static_cast<long>(out.st_nlink), 0);
           s.is(out.st_size, 5);
           s.is(s.fs.close(file), 0);
         }},
    {.call = "unlink",
     .sentence = "a new file of the name is another, while the old one is open",
     .run =
         [](Stage& s) {
           s.make("f", "old");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.unlink("f"), 0);
           s.make("f", "new one");
           s.is(Stage::text_of(s.fs, file, 10, 0), "old");
           s.is(s.fs.close(file), 0);
           s.is(s.text("f"), "new one");
         }},
    {.call = "unlink",
     .sentence = "changes the times of the directory, and the ctime of the file",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f");
           const int file = s.must_open("d/f", O_RDONLY);
           s.age("d");
           struct stat before {};
           s.is(s.fs.fstat(file, &before), 0);
           const auto ctime = s.pass_ctime("d");
           s.is(s.fs.unlink("d/f"), 0);
           struct stat after {};
           s.is(s.fs.fstat(file, &after), 0);
           s.holds(!s.is_aged("d"), "the mtime of the directory changes");
           s.holds(s.ctime_moved("d", ctime), "the ctime of the directory changes");
           s.holds(after.st_ctim.tv_sec != before.st_ctim.tv_sec ||
                       after.st_ctim.tv_nsec != before.st_ctim.tv_nsec,
                   "the ctime of the file changes");
         }},
    {.call = "link",
     .sentence = "ENOTSUP, whatever is there",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.link("f", "g"), -ENOTSUP);
           s.is(s.names("."), std::vector<std::string>{"f"});
         },
     .kind = Kind::kMissing},
});

}  // namespace

std::span<const Row> name_rows() {
  return kRows;
}

}  // namespace benchfs::test
