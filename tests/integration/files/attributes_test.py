#!/usr/bin/env python3
"""Goal: chmod, chown, touch, truncate and stat do what those of the coreutils do.

Method: the same change of the same file on this machine and in the session, and the same attributes afterwards."""

import json
import os
import unittest

from support import FilesTest, benchfs

MODES = ["0", "7", "644", "0644", "4755", "1777", "7777", "u+x", "a+x", "+x", "-w", "-rwx", "+w", "=r", "u=rwx,go=rx",
         "u=g", "g=u", "o=", "a=", "go-rwx", "ug+s", "u-s", "+t", "a+X", "u+X", "o+u-x", "g=o", "u+w,u-w", "a=rwx,o-w+t",
         "=", "g+s,o=g", "ugo=rw", "u=s", "=X"]
DIRECTORY_MODES = ["755", "0755", "00755", "2755", "=", "u=rwx", "g=rx", "a=rx", "-s", "g-s", "+X", "o+t", "a="]
NO_MODES = ["8", "77777", "u", "+q", "x+r", "u+x,", ",", "0x1", "", "u~x"]

DATES = ["2001-02-03", "2001-02-03 04:05", "2001-02-03 04:05:06", "2001-02-03 04:05:06.789", "2001-02-03T04:05:06",
         "2001-02-03T04:05:06Z", "2001-02-03 04:05:06 +0100", "2001-02-03 04:05:06+02:00", "2001-02-03T04:05:06-03:30",
         "@1234567890", "@1234567890.987654321", "@0", "2038-01-19 03:14:08"]
RELATIVE_DATES = [("3 days ago", -3 * 86400), ("yesterday", -86400), ("+2 hours", 7200), ("-90 minutes", -5400),
                  ("1 week ago", -7 * 86400), ("tomorrow", 86400), ("now", 0)]
NO_DATES = ["", "x", "2001-13-01", "2001-02-30", "@", "@x", "2001-02-03 25:00", "3 parsecs ago", "infinite-past"]
STAMPS = ["200102030405.06", "200102030405", "0102030405", "9902030405.59"]

SIZES = ["0", "1", "100", "4K", "1M", "+5", "-5", "+0", "-100000", "<10", "<2000", ">10", ">2000", "/100", "/7", "%100",
         "%1000", "%7"]


class Attributes(FilesTest):
    def check(self, argv_of, values, make_local, form="%a"):
        """`argv_of(value, path)` on one file for each value, here and in the session."""
        names = [f"f{index}" for index in range(len(values))]
        (self.here / "x").mkdir()
        self.ok("mkdir", "/x")
        for name in names:
            make_local(self.here / "x" / name)
        self.ok("cp", "-r", "-T", str(self.here / "x"), "benchfs:/x")
        for value, name in zip(values, names):
            self.ok(*argv_of(value, "/x/" + name), umask=0o022)
            self.coreutils(*argv_of(value, str(self.here / "x" / name)), umask=0o022)
        ours = self.ok("stat", "-c", form, *["/x/" + name for name in names]).splitlines()
        theirs = self.coreutils("stat", "-c", form, *[str(self.here / "x" / name) for name in names]).splitlines()
        self.assertEqual(dict(zip(values, ours)), dict(zip(values, theirs)))

    def test_chmod_of_files(self):
        def make(path):
            path.write_text("x")
            path.chmod(0o2645)
        self.check(lambda mode, path: ["chmod", "--", mode, path], MODES, make)

    def test_chmod_of_directories(self):
        def make(path):
            path.mkdir()
            path.chmod(0o2705)
        self.check(lambda mode, path: ["chmod", "--", mode, path], DIRECTORY_MODES, make)

    def test_chmod_refuses_what_is_no_mode(self):
        self.ok("touch", "/f")
        for mode in NO_MODES:
            self.assertEqual(benchfs("chmod", "--", mode, "/f").returncode, 2, mode)
        self.fails(2, b"missing path", "chmod", "644")
        self.fails(1, b"'/nope'", "chmod", "644", "/nope")
        self.assertEqual(benchfs("chmod", "-f", "644", "/nope").stderr, b"")

    def test_chmod_takes_a_mode_that_looks_like_an_option(self):
        self.ok("touch", "/f")
        self.ok("chmod", "777", "/f")
        self.ok("chmod", "-w", "/f", umask=0)
        self.assertEqual(self.ok("stat", "-c", "%a", "/f"), b"555\n")

    def test_recursive_changes_reach_everything_but_links(self):
        tree = self.make_tree()
        self.ok("chmod", "-R", "u=rwX,go=", "/tree")
        self.coreutils("chmod", "-R", "u=rwX,go=", str(tree))
        self.ok("chown", "-R", "12:34", "/tree")
        form = r"%P %m %y\0"
        ours = self.ok("find", "/tree", "-printf", form).split(b"\0")
        self.assertEqual(sorted(ours), sorted(self.coreutils("find", str(tree), "-printf", form).split(b"\0")))
        self.assertEqual(set(self.ok("find", "/tree", "-printf", "%U:%G\\n").split()), {b"12:34"})
        said = self.ok("chmod", "-Rc", "u=rwX,go=", "/tree")
        self.assertEqual(said, b"")

    def test_chown_by_name_number_and_reference(self):
        self.ok("touch", "/f", "/g")
        for spec, expected in (("1:2", "1:2"), (":3", "1:3"), ("4", "4:3"), ("root:", "0:0"), ("daemon:5", "1:5"),
                               (":root", "1:0")):
            self.ok("chown", spec, "/f")
            self.assertEqual(self.ok("stat", "-c", "%u:%g", "/f").decode().strip(), expected, spec)
        self.ok("chown", "--reference=/f", "/g")
        self.assertEqual(self.ok("stat", "-c", "%u:%g", "/g"), b"1:0\n")
        for spec in ("nobody-at-all", ":no-such-group", "4:no-such", "5:"):
            self.assertEqual(benchfs("chown", spec, "/f").returncode, 2, spec)
        self.ok("ln", "-s", "f", "/l")
        self.ok("chown", "-h", "7:8", "/l")
        self.assertEqual(self.ok("stat", "-c", "%u:%g", "/l", "/f"), b"7:8\n1:0\n")

    def test_touch_understands_what_touch_does(self):
        self.check(lambda date, path: ["touch", "-d", date, path], DATES, lambda path: path.write_text(""),
                   "%.9X %.9Y")

    def test_touch_stamps_and_relative_dates(self):
        self.check(lambda stamp, path: ["touch", "-t", stamp, path], STAMPS, lambda path: path.write_text(""), "%X %Y")
        self.ok("touch", "/now")
        now = int(self.ok("stat", "-c", "%Y", "/now"))
        for date, seconds in RELATIVE_DATES:
            self.ok("touch", "-d", date, "/f")
            self.assertAlmostEqual(int(self.ok("stat", "-c", "%Y", "/f")), now + seconds, delta=60, msg=date)
        for date in NO_DATES:
            self.fails(2, b"invalid date", "touch", "-d", date, "/f")
        self.fails(1, b"not a time since 1970", "touch", "-d", "@-1.5", "/f")
        for stamp in ("1", "200113010000", "x", "200102030405.61", "200102300000"):
            self.fails(2, b"invalid date", "touch", "-t", stamp, "/f")

    def test_touch_sets_what_it_is_told_to(self):
        self.ok("touch", "-d", "@1000", "/f")
        self.ok("touch", "-a", "-d", "@2000", "/f")
        self.assertEqual(self.ok("stat", "-c", "%X %Y", "/f"), b"2000 1000\n")
        self.ok("touch", "-m", "-d", "@3000", "/f")
        self.assertEqual(self.ok("stat", "-c", "%X %Y", "/f"), b"2000 3000\n")
        self.ok("touch", "-r", "/f", "/g")
        self.assertEqual(self.ok("stat", "-c", "%X %Y", "/g"), b"2000 3000\n")
        self.ok("touch", "-c", "/nothing")
        self.assertEqual(self.ok("ls"), b"f\ng\n")
        self.ok("ln", "-s", "f", "/l")
        self.ok("touch", "-h", "-d", "@4000", "/l")
        self.assertEqual(self.ok("stat", "-c", "%Y", "/l", "/f"), b"4000\n3000\n")
        self.fails(1, b"'/no/f': No such file or directory", "touch", "/no/f")

    def test_truncate_comes_to_the_sizes_of_truncate(self):
        self.check(lambda size, path: ["truncate", "-s", size, path], SIZES, lambda path: path.write_bytes(b"x" * 1234),
                   "%s")
        for size in ("%0", "/0", "x", "", "1.2", "--5"):
            self.assertEqual(benchfs("truncate", "-s", size, "/f").returncode, 2, size)

    def test_truncate_keeps_what_is_before_and_adds_zeros(self):
        data = os.urandom(3_000_000)
        (self.here / "data").write_bytes(data)
        self.ok("cp", str(self.here / "data"), "benchfs:/f")
        self.ok("truncate", "-s", "2000001", "/f")
        self.ok("truncate", "-s", "+999", "/f")
        self.assertEqual(self.ok("cat", "/f"), data[:2000001] + bytes(999))
        self.ok("touch", "/g")
        self.ok("truncate", "-r", "/f", "/g", "/h")
        self.assertEqual(self.ok("stat", "-c", "%s", "/g", "/h"), b"2001000\n2001000\n")
        self.ok("truncate", "-r", "/f", "-s", "-1000", "/g")
        self.assertEqual(self.ok("stat", "-c", "%s", "/g"), b"2000000\n")
        self.ok("truncate", "-c", "-s", "1", "/nothing")
        self.fails(1, b"'/nothing'", "stat", "/nothing")
        self.fails(2, b"--size", "truncate", "/f")

    def test_stat_formats(self):
        tree = self.make_tree()
        form = "%a|%A|%f|%F|%g|%G|%h|%s|%u|%U|%Y|%y|%.3Y|%04a|%#a|%-12s|%12s"
        names = ["run", "link", "sub/size513.dat", "sub/size0.dat", "dangling"]
        ours = self.ok("stat", "-c", form, *[f"/tree/{name}" for name in names])
        theirs = self.coreutils("stat", "-c", form, *[str(tree / name) for name in names])
        self.assertEqual(ours, theirs)
        self.assertEqual(self.ok("stat", "-L", "-c", "%F %s", "/tree/link"), b"regular file 1\n")
        self.assertEqual(self.ok("stat", "-c", "%N", "/tree/link"), b"'/tree/link' -> 'sub/size1.dat'\n")
        self.assertEqual(self.ok("stat", "--printf", r"%n\t\101\0", "/tree/run"), b"/tree/run\tA\0")
        self.assertEqual(json.loads(self.ok("stat", "--json", "/tree/run"))[0]["mode"], 0o4755)
        self.fails(2, b"'%q'", "stat", "-c", "%q", "/tree")
        self.fails(1, b"'/nope'", "stat", "/nope", "/tree")


if __name__ == "__main__":
    unittest.main(verbosity=2)
