// Rows about sizes and truncating.

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "truncate",
     .sentence = "ENOENT, ENOTDIR: no such name, no such directory, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.truncate("no", 0), -ENOENT);
           s.is(s.fs.truncate("no/f", 0), -ENOENT);
           s.is(s.fs.truncate("f/g", 0), -ENOTDIR);
           s.is(s.fs.truncate("f/", 0), -ENOTDIR);
         }},
    {.call = "truncate",
     .sentence = "EISDIR: a directory, the root too",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.truncate("d", 0), -EISDIR);
           s.is(s.fs.truncate("/", 0), -EISDIR);
         }},
    {.call = "truncate",
     .sentence = "EINVAL: a negative size",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.truncate("f", -1), -EINVAL);
           s.is(s.size("f"), 3);
         }},
    {.call = "truncate",
     .sentence = "ENAMETOOLONG: a name of 256 bytes",
     .run = [](Stage& s) { s.is(s.fs.truncate(std::string(256, 'n'), 0), -ENAMETOOLONG); }},
    {.call = "truncate",
     .sentence = "cuts, and what grows again is zeros",
     .run =
         [](Stage& s) {
           s.make("f", std::string(3'000'000, 'x'));
           s.is(s.fs.truncate("f", 1'500'001), 0);
           s.is(s.size("f"), 1'500'001);
           s.is(s.fs.truncate("f", 3'000'000), 0);
           s.is(s.text("f"), std::string(1'500'001, 'x') + std::string(1'499'999, '\0'));
         }},
    {.call = "truncate",
     .sentence = "grows a file without using space for it",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.truncate("f", 1L << 40), 0);
           s.is(s.size("f"), 1L << 40);
           const int file = s.must_open("f", O_RDONLY);
           s.is(Stage::text_of(s.fs, file, 5, (1L << 40) - 3), std::string(3, '\0'));
         }},
    {.call = "truncate",
     .sentence = "changes mtime and ctime, also where the size stays",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           for (const off_t size : {off_t{3}, off_t{1}, off_t{5}}) {
             s.age("f");
             const auto ctime = s.pass_ctime("f");
             s.is(s.fs.truncate("f", size), 0);
             s.holds(!s.is_aged("f"), "the mtime changes");
             s.holds(s.ctime_moved("f", ctime), "the ctime changes");
           }
         }},
    {.call = "ftruncate",
     .sentence = "EINVAL: a handle for reading, a negative size",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.ftruncate(s.must_open("f", O_RDONLY), 0), -EINVAL);
           s.is(s.fs.ftruncate(s.must_open("f", O_RDWR), -1), -EINVAL);
           s.is(s.size("f"), 3);
         }},
    {.call = "ftruncate",
     .sentence = "does not move the position; a write behind the end leaves a hole",
     .run =
         [](Stage& s) {
           const int file = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.write(file, "abcdef", 6), 6);
           s.is(s.fs.ftruncate(file, 2), 0);
           s.is(s.fs.lseek(file, 0, SEEK_CUR), 6);
           s.is(s.fs.write(file, "x", 1), 1);
           s.is(s.text("f"), std::string("ab\0\0\0\0x", 7));
         }},
    {.call = "ftruncate",
     .sentence = "of a file without a name works",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const int file = s.must_open("f", O_RDWR);
           s.is(s.fs.unlink("f"), 0);
           s.is(s.fs.ftruncate(file, 2), 0);
           s.is(Stage::text_of(s.fs, file, 10, 0), "ab");
         }},
    {.call = "ftruncate",
     .sentence = "a writer that had written further does not bring the old size back by closing",
     .run =
         [](Stage& s) {
           const int writer = s.must_open("f", O_RDWR | O_CREAT);
           s.is(s.fs.pwrite(writer, "abcdef", 6, 0), 6);
           s.is(s.fs.truncate("f", 2), 0);
           s.is(s.fs.close(writer), 0);
           s.is(s.text("f"), "ab");
         }},
    {.call = "fstat",
     .sentence = "tells the size while writers are at it, whoever they are",
     .run =
         [](Stage& s) {
           const int one = s.must_open("f", O_RDWR | O_CREAT);
           const int two = s.must_open("f", O_WRONLY);
           struct stat out {};
           s.is(s.fs.pwrite(two, "x", 1, 4'000'000), 1);
           s.is(s.fs.fstat(one, &out), 0);
           s.is(out.st_size, 4'000'001);
           s.is(s.fs.pwrite(one, "x", 1, 5'000'000), 1);
           s.is(s.size("f"), 5'000'001);
         }},
});

}  // namespace

std::span<const Row> size_rows() {
  return kRows;
}

}  // namespace benchfs::test
