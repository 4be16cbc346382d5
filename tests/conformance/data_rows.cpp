// Rows about reading, writing and positions.

#include <array>
#include <cerrno>
#include <climits>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "pread",
     .sentence = "EBADF: not open for reading",
     .run =
         [](Stage& s) {
           char byte = 0;
           s.is(s.fs.pread(s.must_open("f", O_WRONLY | O_CREAT), &byte, 1, 0), -EBADF);
         }},
    {.call = "pread",
     .sentence = "EINVAL: a negative offset",
     .run =
         [](Stage& s) {
           char byte = 0;
           s.is(s.fs.pread(s.must_open("f", O_RDWR | O_CREAT), &byte, 1, -1), -EINVAL);
         }},
    {.call = "pread",
     .sentence = "EFAULT: no memory",
     .run =
         [](Stage& s) {
           s.make("f", "text");
           s.is(s.fs.pread(s.must_open("f", O_RDONLY), nullptr, 4, 0), -EFAULT);
         }},
    {.call = "pread",
     .sentence = "returns less only at the end of the file, and 0 at it and behind it",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDONLY);
           s.is(Stage::text_of(s.fs, file, 3, 1), "bcd");
           s.is(Stage::text_of(s.fs, file, 100, 4), "ef");
           s.is(Stage::text_of(s.fs, file, 100, 6), "");
           s.is(Stage::text_of(s.fs, file, 100, 1'000'000), "");
         }},
    {.call = "pread",
     .sentence = "of 0 bytes returns 0, wherever",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDONLY);
           char byte = 0;
           s.is(s.fs.pread(file, &byte, 0, 0), 0);
           s.is(s.fs.pread(file, &byte, 0, 100), 0);
         }},
    {.call = "pread",
     .sentence = "does not move the position",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDONLY);
           s.is(Stage::text_of(s.fs, file, 3, 1), "bcd");
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 0);
         }},
    {.call = "pread",
     .sentence = "finds zeros in what was never written, across chunks",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "end", 3, 5'000'000), 3);
           s.is(Stage::text_of(s.fs, file, 3'000'000, 1'000'000), std::string(3'000'000, '\0'));
           s.is(Stage::text_of(s.fs, file, 10, 4'999'998), std::string("\0\0end", 5));
         }},
    {.call = "pwrite",
     .sentence = "EBADF: not open for writing",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.pwrite(s.must_open("f", O_RDONLY), "x", 1, 0), -EBADF);
         }},
    {.call = "pwrite",
     .sentence = "EINVAL: a negative offset",
     .run =
         [](Stage& s) {
           s.is(s.fs.pwrite(s.must_open("f", O_RDWR | O_CREAT), "x", 1, -1), -EINVAL);
         }},
    {.call = "pwrite",
     .sentence = "EFAULT: no memory; the size stays",
     .run =
         [](Stage& s) {
           s.is(s.fs.pwrite(s.must_open("f", O_RDWR | O_CREAT), nullptr, 10, 0), -EFAULT);
           s.is(s.size("f"), 0);
         }},
    {.call = "pwrite",
     .sentence = "EFBIG: over the end of the largest file, and not a byte of it",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "xyz", 3, LONG_MAX - 1), -EFBIG);
           s.is(s.fs.pwrite(file, "x", 1, LONG_MAX), -EFBIG);
           s.is(s.size("f"), 0);
         },
     .kind = Kind::kDiffers,
     .why = "the kernel says EINVAL where offset and length overflow"},
    {.call = "pwrite",
     .sentence = "of 0 bytes changes nothing, also behind the end",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.age("f");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.pwrite(file, "", 0, 100), 0);
           s.is(s.fs.close(file), 0);
           s.is(s.size("f"), 3);
           s.holds(s.is_aged("f"), "the mtime stays");
         }},
    {.call = "pwrite",
     .sentence = "replaces what is there and leaves what is beside it",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           s.is(s.fs.pwrite(s.must_open("f", O_RDWR), "XY", 2, 2), 2);
           s.is(s.text("f"), "abXYef");
         }},
    {.call = "pwrite",
     .sentence = "does not move the position",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(file, "abc", 3, 10), 3);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 0);
         }},
    {.call = "pwrite",
     .sentence = "goes to its offset on a handle with O_APPEND",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           s.is(s.fs.pwrite(s.must_open("f", O_RDWR | O_APPEND), "X", 1, 1), 1);
           s.is(s.text("f"), "aXcdef");
         },
     .kind = Kind::kDiffers,
     .why = "as POSIX says; Linux appends"},
    {.call = "pwrite",
     .sentence = "changes mtime and ctime by the close at the latest",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.age("f");
           const auto ctime = s.pass_ctime("f");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.pwrite(file, "x", 1, 0), 1);
           s.is(s.fs.close(file), 0);
           s.holds(!s.is_aged("f"), "the mtime changes");
           s.holds(s.ctime_moved("f", ctime), "the ctime changes");
         }},
    {.call = "pwrite",
     .sentence = "shows in mtime not before the writer closes",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.age("f");
           s.is(s.fs.pwrite(s.must_open("f", O_RDWR), "x", 1, 0), 1);
           s.holds(s.is_aged("f"), "the mtime stays");
         },
     .kind = Kind::kDiffers,
     .why = "no message to the inode's home on the write path"},
    {.call = "pwrite",
     .sentence = "a mtime that was set since the open stays when the writer closes",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.pwrite(file, "x", 1, 0), 1);
           s.age("f");
           s.is(s.fs.close(file), 0);
           s.holds(s.is_aged("f"), "the mtime stays");
         }},
    {.call = "preadv, pwritev",
     .sentence = "gather and scatter one range, empty pieces among them",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           std::string a = "abc";
           std::string b = "defgh";
           const iovec out[] = {{a.data(), 3}, {nullptr, 0}, {b.data(), 5}};
           s.is(s.fs.pwritev(file, out, 3, 2), 8);
           s.is(s.text("f"), std::string("\0\0abcdefgh", 10));
           const iovec in[] = {{b.data(), 5}, {a.data(), 3}};
           s.is(s.fs.preadv(file, in, 2, 3), 7);
           s.is((b + a).substr(0, 7), "bcdefgh");
         }},
    {.call = "preadv, pwritev",
     .sentence = "EINVAL: a negative count of pieces; 0 pieces are 0 bytes",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           char byte = 0;
           const iovec piece = {&byte, 1};
           s.is(s.fs.preadv(file, &piece, -1, 0), -EINVAL);
           s.is(s.fs.pwritev(file, &piece, -1, 0), -EINVAL);
           s.is(s.fs.preadv(file, &piece, 0, 0), 0);
           s.is(s.fs.pwritev(file, &piece, 0, 0), 0);
         }},
    {.call = "preadv, pwritev",
     .sentence = "EINVAL: more bytes in all than a ssize_t can count",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           char byte = 0;
           const iovec pieces[] = {{&byte, SSIZE_MAX}, {&byte, SSIZE_MAX}};
           s.is(s.fs.preadv(file, pieces, 2, 0), -EINVAL);
           s.is(s.fs.pwritev(file, pieces, 2, 0), -EINVAL);
         },
     .kind = Kind::kDiffers,
     .why = "POSIX lets EINVAL be said; Linux cuts the list to 2 GiB, and finds no such memory"},
    {.call = "preadv, pwritev",
     .sentence = "take lists of 5000 pieces",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           std::string bytes(5000, 'x');
           std::vector<iovec> pieces;
           for (char& byte : bytes) {
             pieces.push_back({&byte, 1});
           }
           s.is(s.fs.pwritev(file, pieces.data(), 5000, 0), 5000);
           s.is(s.fs.preadv(file, pieces.data(), 5000, 0), 5000);
         },
     .kind = Kind::kDiffers,
     .why = "there is no IOV_MAX, which is 1024 in Linux"},
    {.call = "read, write",
     .sentence = "go on where the one before ended",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.write(file, "abc", 3), 3);
           s.is(s.fs.write(file, "def", 3), 3);
           s.is(s.fs.lseek(file, 1, SEEK_SET), 1);
           char bytes[4];
           s.is(s.fs.read(file, bytes, 4), 4);
           s.is(std::string(bytes, 4), "bcde");
           s.is(s.fs.read(file, bytes, 4), 1);
           s.is(s.fs.read(file, bytes, 4), 0);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 6);
         }},
    {.call = "read, write",
     .sentence = "EBADF: not open for it; the position stays",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int reader = s.must_open("f", O_RDONLY);
           const int writer = s.must_open("f", O_WRONLY);
           char byte = 0;
           s.is(s.fs.write(reader, "x", 1), -EBADF);
           s.is(s.fs.read(writer, &byte, 1), -EBADF);
           s.is(s.fs.lseek(reader, 0, SEEK_CUR), 0);
           s.is(s.fs.lseek(writer, 0, SEEK_CUR), 0);
         }},
    {.call = "write",
     .sentence = "with O_APPEND goes to the end as it is then, and moves the position there",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDWR | O_APPEND);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 0);
           s.is(s.fs.pwrite(s.must_open("f", O_WRONLY), "XYZ", 3, 3), 3);
           s.is(s.fs.lseek(file, 1, SEEK_SET), 1);
           s.is(s.fs.write(file, "def", 3), 3);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 9);
           s.is(s.text("f"), "abcXYZdef");
         }},
    {.call = "write",
     .sentence = "with O_APPEND goes to the new end after a truncate",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDWR | O_APPEND);
           s.is(s.fs.write(file, "gh", 2), 2);
           s.is(s.fs.ftruncate(file, 2), 0);
           s.is(s.fs.write(file, "XY", 2), 2);
           s.is(s.text("f"), "abXY");
         }},
    {.call = "lseek",
     .sentence = "from the begin, the position and the end; behind the end too",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.lseek(file, 4, SEEK_SET), 4);
           s.is(s.fs.lseek(file, -1, SEEK_CUR), 3);
           s.is(s.fs.lseek(file, -2, SEEK_END), 4);
           s.is(s.fs.lseek(file, 10, SEEK_END), 16);
           s.is(s.size("f"), 6);
           s.is(s.fs.write(file, "x", 1), 1);
           s.is(s.size("f"), 17);
         }},
    {.call = "lseek",
     .sentence = "EINVAL: before the begin, or no such whence; the position stays",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.lseek(file, 2, SEEK_SET), 2);
           s.is(s.fs.lseek(file, -1, SEEK_SET), -EINVAL);
           s.is(s.fs.lseek(file, -3, SEEK_CUR), -EINVAL);
           s.is(s.fs.lseek(file, -7, SEEK_END), -EINVAL);
           s.is(s.fs.lseek(file, 0, 99), -EINVAL);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 2);
         }},
    {.call = "lseek",
     .sentence = "EOVERFLOW: a position that off_t cannot hold",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.lseek(file, LONG_MAX, SEEK_SET), LONG_MAX);
           s.is(s.fs.lseek(file, 1, SEEK_CUR), -EOVERFLOW);
         },
     .kind = Kind::kDiffers,
     .why =
         "as POSIX says; Linux says EINVAL, and the local file system has a smaller largest file"},
    {.call = "lseek",
     .sentence = "SEEK_DATA and SEEK_HOLE: ENOTSUP",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.lseek(file, 0, SEEK_DATA), -ENOTSUP);
           s.is(s.fs.lseek(file, 0, SEEK_HOLE), -ENOTSUP);
         },
     .kind = Kind::kMissing},
    {.call = "fsync",
     .sentence = "returns 0, on a handle for reading too, and of an empty file",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.fsync(file), 0);
           s.is(s.fs.pwrite(file, "abc", 3, 3'000'000), 3);
           s.is(s.fs.fsync(s.must_open("f", O_RDONLY)), 0);
           s.is(s.size("f"), 3'000'003);
         }},
    {.call = "fsync",
     .sentence = "of a file without a name returns 0",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.unlink("f"), 0);
           s.is(s.fs.pwrite(file, "abc", 3, 0), 3);
           s.is(s.fs.fsync(file), 0);
         }},
    {.call = "read",
     .sentence = "does not change atime",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 0},
                                      {.tv_sec = 2000, .tv_nsec = 0}};
           s.is(s.fs.utimens("f", times), 0);
           s.is(s.text("f"), "abc");
           s.is(s.stat("f").st_atim.tv_sec, 1000);
         },
     .kind = Kind::kOwn,
     .why = "as with noatime; with a local file system it depends on the mount"},
});

}  // namespace

std::span<const Row> data_rows() {
  return kRows;
}

}  // namespace benchfs::test
