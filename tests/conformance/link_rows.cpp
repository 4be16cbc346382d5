// Rows about symbolic links.

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>

#include "conformance/stage.h"

namespace benchfs::test {
namespace {

/// What the link says, or the errno.
std::string says(Stage& s, const std::string& path) {
  std::string target(5000, '?');
  const ssize_t count = s.fs.readlink(path, target.data(), target.size());
  if (count < 0) {
    return std::to_string(count);
  }
  target.resize(static_cast<std::size_t>(count));
  return target;
}

bool is_link(Stage& s, const std::string& path) {
  struct stat out {};
  s.is(s.fs.lstat(path, &out), 0);
  return S_ISLNK(out.st_mode);
}

/// A chain l1 -> l2 -> ... of `count` links that ends at `end`.
void make_chain(Stage& s, int count, const std::string& end) {
  for (int i = 1; i <= count; ++i) {
    s.is(s.fs.symlink(i == count ? end : "l" + std::to_string(i + 1), "l" + std::to_string(i)), 0);
  }
}

constexpr auto kRows = std::to_array<Row>({
    {.call = "symlink",
     .sentence = "makes a link that says its target, whatever that is; readlink tells it",
     .run =
         [](Stage& s) {
           for (const char* target : {"f", "/", "..", "a//b/./../", "no such thing", "\x01\xff"}) {
             s.is(s.fs.symlink(target, "l"), 0);
             s.is(says(s, "l"), target);
             s.holds(is_link(s, "l"), "lstat tells a link");
             s.is(s.fs.unlink("l"), 0);
           }
         }},
    {.call = "symlink",
     .sentence = "4095 bytes are good; one more is ENAMETOOLONG, none are ENOENT",
     .run =
         [](Stage& s) {
           std::string target;
           while (target.size() < 4095) {
             target += "./";
           }
           target.resize(4095);
           s.is(s.fs.symlink(target, "l"), 0);
           s.is(says(s, "l"), target);
           s.is(s.fs.symlink(target + "x", "m"), -ENAMETOOLONG);
           s.is(s.fs.symlink("", "m"), -ENOENT);
           s.is(s.names("."), std::vector<std::string>{"l"});
         }},
    {.call = "symlink",
     .sentence = "EEXIST: the name stands for anything, a link that leads nowhere too",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("no", "l"), 0);
           for (const char* path : {"f", "d", "d/", "l", ".", "d/.", "d/.."}) {
             s.is(s.fs.symlink("x", path), -EEXIST);
           }
           s.is(says(s, "l"), "no");
         }},
    {.call = "symlink",
     .sentence = "ENOENT, ENOTDIR, ENAMETOOLONG: the way is not there, a file is on it, names",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.symlink("x", "no/l"), -ENOENT);
           s.is(s.fs.symlink("x", "f/l"), -ENOTDIR);
           s.is(s.fs.symlink("x", "l/"), -ENOENT);
           s.is(s.fs.symlink("x", ""), -ENOENT);
           s.is(s.fs.symlink("x", std::string(256, 'n')), -ENAMETOOLONG);
           s.is(s.names("."), std::vector<std::string>{"f"});
         }},
    {.call = "symlink",
     .sentence = "sets size, times, links of it, and those of its directory",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.age("d");
           s.is(s.fs.symlink("target", "d/l"), 0);
           struct stat out {};
           s.is(s.fs.lstat("d/l", &out), 0);
           s.is(static_cast<long>(out.st_size), 6);
           s.is(static_cast<long>(out.st_nlink), 1);
           s.is(static_cast<long>(out.st_mode & 07777), 0777);
           s.holds(out.st_mtim.tv_sec > Stage::kOld, "it is new");
           s.holds(!s.is_aged("d"), "the directory has changed");
         }},
    {.call = "symlink",
     .sentence = "of many clients at once for one name: one makes it, the others get EEXIST",
     .run =
         [](Stage& s) {
           for (int round = 0; round < 20; ++round) {
             const std::string path = "l" + std::to_string(round);
             const auto results = s.race([&path](FileSystem& fs, unsigned index) {
               return static_cast<long>(fs.symlink("t" + std::to_string(index), path));
             });
             long made = 0;
             for (std::size_t i = 0; i < results.size(); ++i) {
               s.holds(results[i] == 0 || results[i] == -EEXIST, "made, or EEXIST");
               made += results[i] == 0 ? 1 : 0;
               if (results[i] == 0) {
                 s.is(says(s, path), "t" + std::to_string(i));
               }
             }
             s.is(made, 1);
           }
         }},
    {.call = "readlink",
     .sentence = "fills what room there is; EINVAL for no room, a file, a directory",
     .run =
         [](Stage& s) {
           s.is(s.fs.symlink("target", "l"), 0);
           s.make("f");
           char buffer[8] = "???????";
           s.is(s.fs.readlink("l", buffer, 3), 3);
           s.is(std::string(buffer), "tar????");
           s.is(s.fs.readlink("l", buffer, 0), -EINVAL);
           s.is(s.fs.readlink("f", buffer, 8), -EINVAL);
           s.is(s.fs.readlink(".", buffer, 8), -EINVAL);
         }},
    {.call = "readlink",
     .sentence = "ENOENT, ENOTDIR: as for every path; with a slash it follows",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("d", "l"), 0);
           s.is(s.fs.symlink("no", "m"), 0);
           s.is(says(s, "no"), std::to_string(-ENOENT));
           s.is(says(s, "f/l"), std::to_string(-ENOTDIR));
           s.is(says(s, "l/"), std::to_string(-EINVAL));
           s.is(says(s, "m/"), std::to_string(-ENOENT));
         }},
    {.call = "open",
     .sentence = "follows links: relative ones, several, and in the middle of the path",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.mkdir("d/e"), 0);
           s.make("d/f", "abc");
           s.is(s.fs.symlink("d/f", "l"), 0);
           s.is(s.fs.symlink("../f", "d/e/up"), 0);
           s.is(s.fs.symlink("d/e", "e"), 0);
           s.is(s.fs.symlink("./e//up", "m"), 0);
           for (const char* path : {"l", "d/e/up", "e/up", "m", "e/../f", "./e/./up"}) {
             s.is(s.text(path), "abc");
           }
         }},
    {.call = "open",
     .sentence = "follows links that begin with \"/\" in the root of the session",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f", "abc");
           s.is(s.fs.symlink(s.fs.directory() + "/d", "l"), 0);
           s.is(s.fs.symlink("/", "root"), 0);
           s.is(s.text("l/f"), "abc");
           s.is(s.text("root" + s.fs.directory() + "/l/f"), "abc");
         },
     .kind = Kind::kOwn,
     .why = "the local directory is not a root"},
    {.call = "open",
     .sentence = "ENOENT: a link that leads nowhere; ENOTDIR: a link to a file on the way",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.symlink("no", "l"), 0);
           s.is(s.fs.symlink("f", "m"), 0);
           s.is(s.fs.open("l", O_RDONLY), -ENOENT);
           s.is(s.fs.open("l/x", O_RDONLY), -ENOENT);
           s.is(s.fs.open("m/x", O_RDONLY), -ENOTDIR);
           s.is(s.fs.open("m/", O_RDONLY), -ENOTDIR);
         }},
    {.call = "open",
     .sentence = "O_CREAT through a link that leads nowhere makes what it names",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("d/new", "l"), 0);
           s.make("l", "abc");
           s.is(s.text("d/new"), "abc");
           s.holds(is_link(s, "l"), "the link stays");
           s.is(s.fs.symlink("no/new", "m"), 0);
           s.is(s.fs.open("m", O_RDWR | O_CREAT), -ENOENT);
         }},
    {.call = "open",
     .sentence = "EEXIST: O_CREAT | O_EXCL on a link, also one that leads nowhere",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.symlink("no", "m"), 0);
           s.is(s.fs.open("l", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
           s.is(s.fs.open("m", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
           s.is(s.names("."), std::vector<std::string>{"f", "l", "m"});
         }},
    {.call = "open",
     .sentence = "ELOOP: O_NOFOLLOW on a link, with O_CREAT too; not on the way, nor on a file",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("d/f", "abc");
           s.is(s.fs.symlink("d/f", "l"), 0);
           s.is(s.fs.symlink("no", "m"), 0);
           s.is(s.fs.symlink("d", "e"), 0);
           s.is(s.fs.open("l", O_RDONLY | O_NOFOLLOW), -ELOOP);
           s.is(s.fs.open("m", O_RDWR | O_CREAT | O_NOFOLLOW), -ELOOP);
           s.is(s.fs.open("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), -ENOTDIR);
           s.holds(s.fs.open("e/f", O_RDONLY | O_NOFOLLOW) >= 0, "a link on the way is followed");
           s.holds(s.fs.open("d/f", O_RDONLY | O_NOFOLLOW) >= 0, "a file is opened");
         }},
    {.call = "open",
     .sentence = "40 links on one path are good; ELOOP: 41, and links in a circle",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           make_chain(s, 41, "f");
           s.is(s.text("l2"), "abc");
           s.is(s.fs.open("l1", O_RDONLY), -ELOOP);
           s.is(s.fs.symlink("b", "a"), 0);
           s.is(s.fs.symlink("a", "b"), 0);
           s.is(s.fs.symlink("self/x", "self"), 0);
           struct stat out {};
           for (const char* path : {"a", "b", "a/x", "self"}) {
             s.is(s.fs.open(path, O_RDWR | O_CREAT), -ELOOP);
             s.is(s.fs.stat(path, &out), -ELOOP);
           }
           s.is(s.fs.stat("self/", &out), -ELOOP);
         }},
    {.call = "open",
     .sentence = "O_TRUNC and writing reach the file behind the link",
     .run =
         [](Stage& s) {
           s.make("f", "abcdef");
           s.is(s.fs.symlink("f", "l"), 0);
           const int file = s.must_open("l", O_RDWR | O_TRUNC);
           s.is(s.fs.pwrite(file, "xy", 2, 0), 2);
           s.is(s.text("f"), "xy");
           s.is(s.fs.truncate("l", 1), 0);
           s.is(s.text("f"), "x");
         }},
    {.call = "stat",
     .sentence = "tells what the link leads to, lstat the link; with a slash both follow",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("f", "abc");
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.symlink("d", "m"), 0);
           s.is(s.fs.symlink("no", "n"), 0);
           s.is(s.size("l"), 3);
           struct stat out {};
           s.is(s.fs.stat("l/", &out), -ENOTDIR);
           s.is(s.fs.lstat("l/", &out), -ENOTDIR);
           s.is(s.fs.lstat("m/", &out), 0);
           s.holds(S_ISDIR(out.st_mode), "a slash means the directory");
           s.is(s.fs.lstat("m", &out), 0);
           s.holds(S_ISLNK(out.st_mode), "without it is the link");
           s.is(s.fs.stat("n", &out), -ENOENT);
           s.is(s.fs.lstat("n/", &out), -ENOENT);
           s.is(s.fs.lstat("n", &out), 0);
         }},
    {.call = "unlink",
     .sentence = "takes the link away, not what it leads to; ENOTDIR with a slash",
     .run =
         [](Stage& s) {
           s.make("f", "abc");
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.symlink("d", "m"), 0);
           s.is(s.fs.unlink("m/"), -ENOTDIR);
           s.is(s.fs.unlink("l"), 0);
           s.is(s.fs.unlink("m"), 0);
           s.is(s.names("."), std::vector<std::string>{"d", "f"});
           s.is(s.text("f"), "abc");
         }},
    {.call = "rmdir",
     .sentence = "ENOTDIR: a link to a directory, with a slash too",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("d", "l"), 0);
           s.is(s.fs.rmdir("l"), -ENOTDIR);
           s.is(s.fs.rmdir("l/"), -ENOTDIR);
           s.is(s.names("."), std::vector<std::string>{"d", "l"});
         }},
    {.call = "mkdir",
     .sentence = "EEXIST: a link, also one that leads nowhere; through one on the way it works",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("d", "l"), 0);
           s.is(s.fs.symlink("no", "m"), 0);
           s.is(s.fs.mkdir("l"), -EEXIST);
           s.is(s.fs.mkdir("m"), -EEXIST);
           s.is(s.fs.mkdir("l/e"), 0);
           s.is(s.names("d"), std::vector<std::string>{"e"});
           s.is(s.fs.rmdir("l/e"), 0);
         }},
    {.call = "rename",
     .sentence = "moves the link itself, and replaces a link itself",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.make("f", "abc");
           s.make("g", "def");
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.rename("l", "d/l"), 0);
           s.is(says(s, "d/l"), "f");
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.rename("g", "l"), 0);
           s.holds(!is_link(s, "l"), "the file has taken the place of the link");
           s.is(s.text("l"), "def");
           s.is(s.text("f"), "abc");
           s.is(s.fs.rename("d/l", "l"), 0);
           s.is(s.text("l"), "abc");
           s.is(s.names("d"), std::vector<std::string>{});
           s.is(s.fs.rename("l/", "m"), -ENOTDIR);
         }},
    {.call = "opendir",
     .sentence = "follows a link; readdir lists links as links",
     .run =
         [](Stage& s) {
           s.is(s.fs.mkdir("d"), 0);
           s.is(s.fs.symlink("no", "d/l"), 0);
           s.is(s.fs.symlink("d", "m"), 0);
           s.is(s.names("m"), std::vector<std::string>{"l"});
           const int directory = s.fs.opendir("m/");
           Entry entry;
           s.is(s.fs.readdir(directory, &entry), 1);
           s.holds(S_ISLNK(entry.attributes.st_mode), "its type is that of a link");
           s.is(static_cast<long>(entry.attributes.st_size), 2);
           s.is(s.fs.symlink("d/l", "file"), 0);
           s.is(s.fs.opendir("file"), -ENOENT);
         }},
    {.call = "chmod",
     .sentence = "and utimens change what the link leads to; lutimens the link",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.symlink("f", "l"), 0);
           s.is(s.fs.chmod("l", 0601), 0);
           s.is(static_cast<long>(s.stat("f").st_mode & 07777), 0601);
           const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 7, .tv_nsec = 8}};
           s.is(s.fs.utimens("l", times), 0);
           s.is(static_cast<long>(s.stat("f").st_mtim.tv_sec), 7);
           const timespec others[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                       {.tv_sec = 17, .tv_nsec = 18}};
           s.is(s.fs.lutimens("l", others), 0);
           struct stat out {};
           s.is(s.fs.lstat("l", &out), 0);
           s.is(static_cast<long>(out.st_mtim.tv_sec), 17);
           s.is(static_cast<long>(out.st_mtim.tv_nsec), 18);
           s.is(static_cast<long>(out.st_mode & 07777), 0777);
           s.is(static_cast<long>(s.stat("f").st_mtim.tv_sec), 7);
           s.is(s.fs.symlink("no", "m"), 0);
           s.is(s.fs.chmod("m", 0600), -ENOENT);
           s.is(s.fs.utimens("m", nullptr), -ENOENT);
           s.is(s.fs.lutimens("m", nullptr), 0);
         }},
    {.call = "lchown",
     .sentence = "changes the owner of the link, chown that of what it leads to",
     .run =
         [](Stage& s) {
           s.make("f");
           s.is(s.fs.symlink("f", "l"), 0);
           struct stat before = s.stat("f");
           s.is(s.fs.lchown("l", 1234, 4321), 0);
           struct stat out {};
           s.is(s.fs.lstat("l", &out), 0);
           s.is(static_cast<long>(out.st_uid), 1234);
           s.is(static_cast<long>(out.st_gid), 4321);
           s.is(static_cast<long>(s.stat("f").st_uid), static_cast<long>(before.st_uid));
           s.is(s.fs.chown("l", 77, 88), 0);
           s.is(static_cast<long>(s.stat("f").st_uid), 77);
           s.is(s.fs.lstat("l", &out), 0);
           s.is(static_cast<long>(out.st_uid), 1234);
         },
     .kind = Kind::kOwn,
     .why = "owners are kept, not enforced; locally only root may"},
});

}  // namespace

std::span<const Row> link_rows() {
  return kRows;
}

}  // namespace benchfs::test
