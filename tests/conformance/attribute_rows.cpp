// Rows about stat, chmod, chown, utimens and statvfs.

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

constexpr auto kRows = std::to_array<Row>({
    {.call = "stat",
     .sentence = "ENOENT, ENOTDIR, ENAMETOOLONG: as of every path",
     .run =
         [](Stage& s) {
           struct stat out {};
           s.make("f");
           s.is(s.fs.stat("no", &out), -ENOENT);
           s.is(s.fs.stat("no/f", &out), -ENOENT);
           s.is(s.fs.stat("", &out), -ENOENT);
           s.is(s.fs.stat("f/g", &out), -ENOTDIR);
           s.is(s.fs.stat(std::string(256, 'n'), &out), -ENAMETOOLONG);
         }},
    {.call = "stat",
     .sentence = "of a file: regular, its size, mode, owner, one name",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           const struct stat out = s.stat("f");
           s.holds(S_ISREG(out.st_mode), "it is a regular file");
           s.is(out.st_mode & 07777, 0644);
           s.is(out.st_size, 3);
           s.is(static_cast<long>(out.st_nlink), 1);
           s.is(out.st_uid, ::geteuid());
           s.is(out.st_gid, ::getegid());
           s.holds(out.st_ino != 0 && out.st_blksize > 0, "it has an inode and a block size");
         }},
    {.call = "stat",
     .sentence = "of a directory: a directory, its mode, 2 names and one per directory in it",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d", 0750), 0);
           s.is(s.fs.mkdir("d/one"), 0);
           s.is(s.fs.mkdir("d/two"), 0);
           s.make("d/f");
           const struct stat out = s.stat("d");
           s.holds(S_ISDIR(out.st_mode), "it is a directory");
           s.is(out.st_mode & 07777, 0750);
           s.is(static_cast<long>(out.st_nlink), 4);
         }},
    {.call = "stat",
     .sentence = "times of a new file are now",
     .run =
         [](Stage& s) {
           timespec begin{};
           ::clock_gettime(CLOCK_REALTIME_COARSE, &begin);
           s.make("f", "abc");
           timespec end{};
           ::clock_gettime(CLOCK_REALTIME, &end);
           const struct stat out = s.stat("f");
           for (const timespec& time : {out.st_atim, out.st_mtim, out.st_ctim}) {
             s.holds(time.tv_sec >= begin.tv_sec && time.tv_sec <= end.tv_sec, "it is now");
           }
         }},
    {.call = "stat",
     .sentence = "inode numbers differ, and fstat tells the same as stat",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.make("g");
           s.is(s.fs.mkdir("d"), 0);
           const struct stat f = s.stat("f");
           s.holds(f.st_ino != s.stat("g").st_ino && f.st_ino != s.stat("d").st_ino, "all differ");
           struct stat out {};
           s.is(s.fs.fstat(s.must_open("f", O_RDONLY), &out), 0);
           s.holds(out.st_ino == f.st_ino && out.st_size == f.st_size && out.st_mode == f.st_mode &&
                       out.st_mtim.tv_nsec == f.st_mtim.tv_nsec,
                   "stat and fstat agree");
         }},
    {.call = "chmod",
     .sentence = "ENOENT, ENOTDIR: no such name, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.chmod("no", 0600), -ENOENT);
           s.is(s.fs.chmod("f/g", 0600), -ENOTDIR);
         }},
    {.call = "chmod",
     .sentence = "sets all twelve bits, of files and directories; ctime changes, mtime does not",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.mkdir("d"), 0);
           for (const char* const path : {"f", "d"}) {
             for (const mode_t mode : {0U, 01777U, 04755U, 0644U}) {
               s.age(path);
               const auto ctime = s.pass_ctime(path);
               s.is(s.fs.chmod(path, mode), 0);
               s.is(s.stat(path).st_mode & 07777, mode);
               s.holds(s.is_aged(path), "the mtime stays");
               s.holds(s.ctime_moved(path, ctime), "the ctime changes");
             }
           }
           s.is(s.fs.chmod("d", 0755), 0);
         }},
    {.call = "chmod",
     .sentence = "EACCES is never said: a mode of 0 keeps nobody out",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f", "abc");
           s.is(s.fs.chmod("d/f", 0), 0);
           s.is(s.fs.chmod("d", 0), 0);
           s.is(s.text("d/f"), "abc");
           s.is(s.fs.open("d/f", O_RDWR) >= 0, true);
         },
     .kind = Kind::kOwn,
     .why = "who knows the session's secret may do everything; locally it depends on the user"},
    {.call = "chown",
     .sentence = "ENOENT: no such name",
     .run = [](Stage& s) { s.is(s.fs.chown("no", ::geteuid(), ::getegid()), -ENOENT); }},
    {.call = "chown",
     .sentence = "-1 leaves what is there",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.chown("f", static_cast<uid_t>(-1), static_cast<gid_t>(-1)), 0);
           s.is(s.stat("f").st_uid, ::geteuid());
           s.is(s.stat("f").st_gid, ::getegid());
         }},
    {.call = "chown",
     .sentence = "sets owner and group, each alone too, whoever asks",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.chown("f", 1234, 5678), 0);
           s.is(s.fs.chown("f", 4321, static_cast<gid_t>(-1)), 0);
           s.is(s.stat("f").st_uid, 4321);
           s.is(s.stat("f").st_gid, 5678);
         },
     .kind = Kind::kOwn,
     .why = "owners are kept, not enforced; locally only root may"},
    {.call = "utimens",
     .sentence = "sets both times to the nanosecond, and ctime to now",
     .run =
         [](Stage& s) {
           s.make("f");
           const timespec times[2] = {{.tv_sec = 1'234'567'890, .tv_nsec = 123'456'789},
                                      {.tv_sec = 1, .tv_nsec = 999'999'999}};
           const auto ctime = s.pass_ctime("f");
           s.is(s.fs.utimens("f", times), 0);
           const struct stat out = s.stat("f");
           s.is(out.st_atim.tv_sec, 1'234'567'890);
           s.is(out.st_atim.tv_nsec, 123'456'789);
           s.is(out.st_mtim.tv_sec, 1);
           s.is(out.st_mtim.tv_nsec, 999'999'999);
           s.holds(s.ctime_moved("f", ctime), "the ctime changes");
         }},
    {.call = "utimens",
     .sentence = "UTIME_OMIT leaves a time; UTIME_NOW and no times mean now",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.mkdir("d"), 0);
           for (const char* const path : {"f", "d"}) {
             s.age(path);
             const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_NOW},
                                        {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
             s.is(s.fs.utimens(path, times), 0);
             s.is(s.stat(path).st_mtim.tv_sec, Stage::kOld);
             s.holds(s.stat(path).st_atim.tv_sec > Stage::kOld, "the atime is now");
             s.is(s.fs.utimens(path, nullptr), 0);
             s.holds(!s.is_aged(path), "the mtime is now");
           }
         }},
    {.call = "utimens",
     .sentence =
         "UTIME_OMIT for both leaves the ctime too; chown of a link leaves what it leads to",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.symlink("f", "l"), 0);
           const auto ctime = s.pass_ctime("f");
           const timespec none[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                     {.tv_sec = 0, .tv_nsec = UTIME_OMIT}};
           s.is(s.fs.utimens("f", none), 0);
           s.is(s.fs.lutimens("l", nullptr), 0);
           s.is(s.fs.lchown("l", static_cast<uid_t>(-1), static_cast<gid_t>(-1)), 0);
           s.holds(!s.ctime_moved("f", ctime), "the ctime stays");
         }},
    {.call = "utimens",
     .sentence = "EINVAL: nanoseconds that are none",
     .run =
         [](Stage& s) {
           s.make("f");
           const timespec late[2] = {{.tv_sec = 1, .tv_nsec = 1'000'000'000},
                                     {.tv_sec = 1, .tv_nsec = 0}};
           const timespec early[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = -1}};
           s.is(s.fs.utimens("f", late), -EINVAL);
           s.is(s.fs.utimens("f", early), -EINVAL);
         }},
    {.call = "utimens",
     .sentence = "EINVAL: times before 1970",
     .run =
         [](Stage& s) {
           s.make("f");
           const timespec times[2] = {{.tv_sec = -1, .tv_nsec = 0}, {.tv_sec = -1, .tv_nsec = 0}};
           s.is(s.fs.utimens("f", times), -EINVAL);
         },
     .kind = Kind::kDiffers,
     .why = "times are kept as nanoseconds since 1970"},
    {.call = "utimens",
     .sentence = "ENOENT, ENOTDIR: no such name, a file on the way",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.utimens("no", nullptr), -ENOENT);
           s.is(s.fs.utimens("f/g", nullptr), -ENOTDIR);
         }},
    {.call = "utimens",
     .sentence = "of the times of the root work as of any directory",
     .run =
         [](Stage& s) {
           struct stat before {};
           s.is(s.fs.stat("/", &before), 0);
           s.is(s.fs.chmod("/", 0711), 0);
           s.is(s.stat("/").st_mode & 07777, 0711);
           s.is(s.fs.chmod("/", before.st_mode & 07777), 0);
         },
     .kind = Kind::kOwn,
     .why = "the machine's root stays as it is"},
    {.call = "statvfs",
     .sentence = "tells sizes that fit together, and names of 255 bytes",
     .run =
         [](Stage& s) {
           struct statvfs out {};
           s.is(s.fs.statvfs(&out), 0);
           s.holds(out.f_blocks > 0 && out.f_bfree <= out.f_blocks && out.f_bavail <= out.f_bfree &&
                       out.f_frsize > 0,
                   "free is not more than all");
           s.is(static_cast<long>(out.f_namemax), 255);
         }},
    {.call = "statvfs",
     .sentence = "less is free after a write, and as much as before after the unlink",
     .run =
         [](Stage& s) {
           struct statvfs before {};
           struct statvfs during {};
           struct statvfs after {};
           s.is(s.fs.statvfs(&before), 0);
           s.make("f", std::string(8 << 20, 'x'));
           s.is(s.fs.statvfs(&during), 0);
           s.is(s.fs.unlink("f"), 0);
           s.is(s.fs.statvfs(&after), 0);
           const auto taken =
               static_cast<long>((before.f_bfree - during.f_bfree) * before.f_frsize);
           s.holds(taken >= 8 << 20 && taken < 16 << 20, "8 MiB are taken, and little more");
           s.holds(before.f_bfree <= after.f_bfree + 16, "they come back");
         },
     .kind = Kind::kOwn,
     .why = "others use the local file system"},
});

}  // namespace

std::span<const Row> attribute_rows() {
  return kRows;
}

}  // namespace benchfs::test
