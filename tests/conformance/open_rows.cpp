// Rows about open and close.

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "open",
     .sentence = "ENOENT: the name is not there",
     .run = [](Stage& s) { s.is(s.fs.open("no", O_RDWR), -ENOENT); }},
    {.call = "open",
     .sentence = "ENOENT: a directory on the way is not there, with O_CREAT too",
     .run =
         [](Stage& s) {
           s.is(s.fs.open("no/f", O_RDONLY), -ENOENT);
           s.is(s.fs.open("no/f", O_RDWR | O_CREAT), -ENOENT);
         }},
    {.call = "open",
     .sentence = "ENOTDIR: a name on the way is a file",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.open("f/g", O_RDONLY), -ENOTDIR);
           s.is(s.fs.open("f/g", O_RDWR | O_CREAT), -ENOTDIR);
         }},
    {.call = "open",
     .sentence = "ENOTDIR: O_DIRECTORY on a file",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.open("f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
         }},
    {.call = "open",
     .sentence = "EISDIR: a directory for writing, or with O_CREAT",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.open("d", O_WRONLY), -EISDIR);
           s.is(s.fs.open("d", O_RDWR), -EISDIR);
           s.is(s.fs.open("d", O_RDONLY | O_CREAT), -EISDIR);
           s.is(s.fs.open("/", O_RDWR), -EISDIR);
         }},
    {.call = "open",
     .sentence = "EISDIR: a directory for reading, with O_DIRECTORY too",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.open("d", O_RDONLY), -EISDIR);
           s.is(s.fs.open("d", O_RDONLY | O_DIRECTORY), -EISDIR);
         },
     .kind = Kind::kDiffers,
     .why = "benchfs_opendir() opens directories"},
    {.call = "open",
     .sentence = "EEXIST: O_CREAT | O_EXCL on a file, and on a directory",
     .run =
         [](Stage& s) {
           s.make("f", "kept");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.open("f", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
           s.is(s.fs.open("f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC), -EEXIST);
           s.is(s.fs.open("d", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
           s.is(s.text("f"), "kept");
         }},
    {.call = "open",
     .sentence = "EINVAL: O_CREAT with O_DIRECTORY; nothing is created",
     .run =
         [](Stage& s) {
           s.is(s.fs.open("f", O_RDONLY | O_CREAT | O_DIRECTORY), -EINVAL);
           struct stat out {};
           s.is(s.fs.stat("f", &out), -ENOENT);
         }},
    {.call = "open",
     .sentence = "EINVAL: no such access mode",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.open("f", O_ACCMODE), -EINVAL);
         },
     .kind = Kind::kDiffers,
     .why = "Linux gives 3 a meaning of its own; POSIX gives it none"},
    {.call = "open",
     .sentence = "EINVAL: O_DIRECT, O_SYNC, O_DSYNC and O_TMPFILE, which are not kept",
     .run =
         [](Stage& s) {
           s.make("f");
           for (const int flag : {O_DIRECT, O_SYNC, O_DSYNC}) {
             s.is(s.fs.open("f", O_RDWR | flag), -EINVAL);
           }
           s.is(s.fs.open(".", O_RDWR | O_TMPFILE), -EINVAL);
         },
     .kind = Kind::kDiffers,
     .why = "a flag whose promise is not kept is refused"},
    {.call = "open",
     .sentence = "ENAMETOOLONG: a name of 256 bytes, with O_CREAT too; 255 are good",
     .run =
         [](Stage& s) {
           s.is(s.fs.open(std::string(256, 'n'), O_RDONLY), -ENAMETOOLONG);
           s.is(s.fs.open(std::string(256, 'n'), O_RDWR | O_CREAT), -ENAMETOOLONG);
           s.make(std::string(255, 'n'), "text");
           s.is(s.text(std::string(255, 'n')), "text");
         }},
    {.call = "open",
     .sentence = "ENOENT: an empty path",
     .run = [](Stage& s) { s.is(s.fs.open("", O_RDWR | O_CREAT), -ENOENT); }},
    {.call = "open",
     .sentence = "ENOTDIR: a file by a path with a slash at the end",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.open("f/", O_RDONLY), -ENOTDIR);
           s.is(s.fs.open("f/.", O_RDONLY), -ENOTDIR);
         }},
    {.call = "open",
     .sentence = "EISDIR: O_CREAT by a path with a slash at the end; nothing is created",
     .run =
         [](Stage& s) {
           s.is(s.fs.open("f/", O_RDWR | O_CREAT), -EISDIR);
           struct stat out {};
           s.is(s.fs.stat("f", &out), -ENOENT);
         }},
    {.call = "open",
     .sentence = "O_CREAT makes an empty file, and opens one that is there",
     .run =
         [](Stage& s) {
           int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "one", 3, 0), 3);
           s.is(s.fs.close(file), 0);
           file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(Stage::text_of(s.fs, file, 10, 0), "one");
         }},
    {.call = "open",
     .sentence = "O_EXCL without O_CREAT means nothing",
     .run =
         [](Stage& s) {
           s.make("f", "one");
           s.must_open("f", O_RDWR | O_EXCL);
         }},
    {.call = "open",
     .sentence = "O_TRUNC cuts the file to nothing, for those too who have it open",
     .run =
         [](Stage& s) {
           s.make("f", "one two");
           const int old = s.must_open("f", O_RDONLY);
           s.must_open("f", O_WRONLY | O_TRUNC);
           s.is(s.size("f"), 0);
           s.is(Stage::text_of(s.fs, old, 10, 0), "");
         }},
    {.call = "open",
     .sentence = "O_TRUNC changes mtime and ctime",
     .run =
         [](Stage& s) {
           s.make("f", "one");
           s.age("f");
           const auto ctime = s.pass_ctime("f");
           s.must_open("f", O_WRONLY | O_TRUNC);
           s.holds(!s.is_aged("f"), "the mtime changes");
           s.holds(s.ctime_moved("f", ctime), "the ctime changes");
         }},
    {.call = "open",
     .sentence = "O_CREAT of a file that is there changes neither mode nor mtime",
     .run =
         [](Stage& s) {
           s.make("f", "one");
           s.is(s.fs.chmod("f", 0640), 0);
           s.age("f");
           s.is(s.fs.open("f", O_RDWR | O_CREAT, 0600) >= 0, true);
           s.is(s.stat("f").st_mode & 07777, 0640);
           s.holds(s.is_aged("f"), "the mtime stays");
         }},
    {.call = "open",
     .sentence = "who creates a file may write it whatever its mode is",
     .run =
         [](Stage& s) {
           const int file = s.fs.open("f", O_RDWR | O_CREAT, 0);
           s.is(s.fs.pwrite(file, "one", 3, 0), 3);
           s.is(s.stat("f").st_mode & 07777, 0);
         }},
    {.call = "open",
     .sentence = "the mode is used as given: there is no umask",
     .run =
         [](Stage& s) {
           const mode_t before = ::umask(022);
           const int file = s.fs.open("f", O_RDWR | O_CREAT, 0666);
           const int made = s.fs.mkdir("d", 0777);
           ::umask(before);
           s.is(file >= 0, true);
           s.is(made, 0);
           s.is(s.stat("f").st_mode & 07777, 0666);
           s.is(s.stat("d").st_mode & 07777, 0777);
         },
     .kind = Kind::kDiffers,
     .why = "the caller applies its umask: what joins a session is a library, not a process"},
    {.call = "open",
     .sentence = "creating changes the directory's mtime and ctime",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.age("d");
           const auto ctime = s.pass_ctime("d");
           s.make("d/f");
           s.holds(!s.is_aged("d"), "the mtime changes");
           s.holds(s.ctime_moved("d", ctime), "the ctime changes");
         }},
    {.call = "open",
     .sentence = "handles have positions of their own",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int one = s.must_open("f", O_RDONLY);
           const int two = s.must_open("f", O_RDONLY);
           char bytes[3];
           s.is(s.fs.read(one, bytes, 3), 3);
           s.is(s.fs.lseek(one, 0, SEEK_CUR), 3);
           s.is(s.fs.lseek(two, 0, SEEK_CUR), 0);
         }},
    {.call = "close",
     .sentence = "what was written is there after the close, with its size",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "text", 4, 100'000), 4);
           s.is(s.fs.close(file), 0);
           s.is(s.size("f"), 100'004);
         }},
    {.call = "close",
     .sentence = "the last close of a file without a name ends it; others go on",
     .run =
         [](Stage& s) {
           s.make("f", "text");
           const int one = s.must_open("f", O_RDWR);
           const int two = s.must_open("f", O_RDWR);
           s.is(s.fs.unlink("f"), 0);
           s.is(s.fs.close(one), 0);
           s.is(Stage::text_of(s.fs, two, 10, 0), "text");
           s.is(s.fs.close(two), 0);
         }},
});

}  // namespace

std::span<const Row> open_rows() {
  return kRows;
}

}  // namespace benchfs::test
