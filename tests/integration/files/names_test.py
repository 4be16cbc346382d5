#!/usr/bin/env python3
"""Goal: mkdir, rm, rmdir, mv, ln and readlink do what those of the coreutils do, to whatever names there are.

Method: the same commands on this machine and in the session; then both hold the same."""

import unittest

from support import HARD_NAMES, FilesTest, benchfs, run

# Each is a command, run in an empty directory. Status and what is there afterwards have to agree.
STORIES = [
    [["mkdir", "a"], ["mkdir", "a"]],
    [["mkdir", "-p", "a/b/c"], ["mkdir", "-p", "a/b/c"], ["rmdir", "a/b"], ["rmdir", "a/b/c"]],
    [["mkdir", "a/b"]],
    [["mkdir", "-p", "a/b/c"], ["rmdir", "-p", "--ignore-fail-on-non-empty", "a/b/c"]],
    [["mkdir", "-p", "a/b/c"], ["rmdir", "--ignore-fail-on-non-empty", "a", "a/b/c"]],
    [["mkdir", "-m", "0700", "a"], ["mkdir", "-m", "u=rwx,go=x", "b"], ["mkdir", "-m", "1777", "c"]],
    [["touch", "f"], ["mkdir", "f"], ["mkdir", "-p", "f"], ["mkdir", "-p", "f/g"], ["rmdir", "f"]],
    [["touch", "f"], ["rm", "f"], ["rm", "f"], ["rm", "-f", "f"]],
    [["mkdir", "a"], ["rm", "a"], ["rm", "-d", "a"]],
    [["mkdir", "-p", "a/b"], ["rm", "-d", "a"], ["rm", "-r", "a"]],
    [["mkdir", "-p", "a/b"], ["touch", "a/b/c", "a/d"], ["rm", "-rf", "a", "nothing"]],
    [["touch", "f"], ["rm", "-f", "f/g"], ["rm", "-r", "f"]],
    [["touch", "f", "g"], ["mv", "f", "h"], ["mv", "g", "h"], ["mv", "nothing", "h"]],
    [["touch", "f"], ["mkdir", "d"], ["mv", "f", "d"], ["mv", "d/f", "."]],
    [["touch", "f"], ["truncate", "-s", "5", "g"], ["mv", "-n", "f", "g"], ["mv", "-f", "f", "g"]],
    [["touch", "f", "g"], ["mkdir", "d"], ["mv", "-t", "d", "f", "g"]],
    [["touch", "f", "g", "h"], ["mv", "f", "g", "h"]],
    [["mkdir", "a", "b", "d"], ["touch", "a/f", "b/f", "b/g"], ["mv", "a/f", "b/f", "b/g", "d"], ["mv", "-n", "b/f", "d"]],
    [["mkdir", "-p", "a/b", "c"], ["mv", "a", "a/b"], ["mv", "-T", "a", "c"], ["mv", "c", "c"]],
    [["mkdir", "d", "e"], ["touch", "e/f", "g"], ["mv", "-T", "d", "e"], ["mv", "-T", "g", "d"], ["mv", "d", "g"]],
    [["ln", "-s", "target", "l"], ["ln", "-s", "other", "l"], ["ln", "-sf", "other", "l"]],
    [["mkdir", "d"], ["ln", "-s", "d", "l"], ["ln", "-s", "x", "l"], ["ln", "-sfn", "y", "l"]],
    [["mkdir", "d"], ["ln", "-s", "../x", "../y", "d"], ["ln", "-st", "d", "z"]],
    [["ln", "-s", "l", "l"], ["rm", "l"]],
    [["mkdir", "d"], ["touch", "d/f"], ["ln", "-s", "d", "l"], ["rm", "-r", "l"]],
    [["ln", "-s", "nowhere", "l"], ["touch", "-c", "l"], ["mv", "l", "m"], ["rm", "m"]],
    [["mkdir", "d"], ["ln", "-sf", "x", "d/"], ["ln", "-sT", "x", "d"]],
]


class Names(FilesTest):
    def snapshot(self, argv, format_):
        return sorted(run([*argv, "-mindepth", "1", "-printf", format_], cwd=self.here / "story").stdout.split(b"\0"))

    def test_commands_leave_what_those_of_the_coreutils_leave(self):
        story_directory = self.here / "story"
        for story in STORIES:
            story_directory.mkdir()
            # So that `rmdir -p` ends there.
            (story_directory / ".keep").write_text("")
            self.ok("mkdir", "/story")
            self.ok("touch", "/story/.keep")
            for command, *words in story:
                ours = benchfs(command, *in_session(command, words))
                theirs = run([command, *words], cwd=story_directory)
                with self.subTest(story=story, command=[command, *words]):
                    self.assertEqual(ours.returncode, theirs.returncode, (ours.stderr, theirs.stderr))
                    self.assertEqual(bool(ours.stderr), bool(theirs.stderr), (ours.stderr, theirs.stderr))
                    text = theirs.stderr.rsplit(b": ", 1)[-1].strip()
                    if theirs.stderr.count(b"\n") == 1 and text in (
                            b"No such file or directory", b"File exists", b"Not a directory", b"Is a directory",
                            b"Directory not empty"):
                        self.assertIn(text, ours.stderr)
            form = r"%P %y %m %l\0"
            ours = sorted(self.ok("find", "/story", "-mindepth", "1", "-printf", form).split(b"\0"))
            with self.subTest(story=story):
                self.assertEqual(ours, self.snapshot(["find", "."], form))
            self.ok("rm", "-rf", "/story")
            run(["rm", "-rf", str(story_directory)])

    def test_every_name_can_be_made_moved_and_removed(self):
        for make, remove in (("touch", ["rm"]), ("mkdir", ["rmdir"])):
            self.ok("mkdir", "/names", "/moved")
            self.ok(make, *[b"/names/" + name for name in HARD_NAMES])
            listed = self.ok("find", "/names", "-mindepth", "1", "-printf", r"%f\0").split(b"\0")[:-1]
            self.assertEqual(sorted(listed), sorted(HARD_NAMES))
            self.ok("mv", *[b"/names/" + name for name in HARD_NAMES], "/moved")
            self.assertEqual(self.ok("ls", "-A", "/names"), b"")
            self.ok(*remove, *[b"/moved/" + name for name in HARD_NAMES])
            self.assertEqual(self.ok("ls", "-A", "/moved"), b"")
            self.ok("rmdir", "/names", "/moved")

    def test_a_leading_dash_and_names_of_commands_are_names(self):
        self.ok("touch", "--", "-r", "-rf", "--help", "ls", "rm")
        self.assertEqual(self.ok("ls", "-A"), b"--help\n-r\n-rf\nls\nrm\n")
        self.ok("mv", "--", "-r", "-q")
        self.ok("rm", "--", "-q", "-rf", "--help", "ls", "rm")
        self.assertEqual(self.ok("ls", "-A"), b"")

    def test_names_that_are_too_long_or_none(self):
        self.fails(1, b"File name too long", "mkdir", "/" + "x" * 256)
        self.fails(1, b"File name too long", "touch", "/" + "x/" * 2100)
        self.fails(2, b"an empty path names nothing", "rm", "-rf", "")
        for path in ("/", "benchfs:", ".", "..", "/..", "/x/."):
            self.fails(1, b"refusing to remove", "rm", "-rf", path)

    def test_links_say_what_they_were_told(self):
        for target in HARD_NAMES:
            self.ok("ln", "-sfT", "--", target, "/link")
            self.assertEqual(self.ok("readlink", "-n", "/link"), target)
        self.assertEqual(self.ok("readlink", "-z", "/link"), HARD_NAMES[-1] + b"\0")
        self.ok("ln", "-sfT", "benchfs:/target", "/link")
        self.assertEqual(self.ok("readlink", "/link"), b"/target\n")
        self.ok("touch", "/file")
        self.assertEqual(benchfs("readlink", "/file", "/nope").returncode, 1)
        self.fails(1, b"Invalid argument", "readlink", "-v", "/file")
        self.fails(1, b"hard links are not supported", "ln", "/file", "/other")

    def test_what_was_done_is_told(self):
        self.assertEqual(self.ok("mkdir", "-pv", "/a/b"), b"created directory '/a'\ncreated directory '/a/b'\n")
        self.assertEqual(self.ok("mv", "-v", "/a/b", "/a/c"), b"renamed '/a/b' -> '/a/c'\n")
        self.assertEqual(self.ok("ln", "-sv", "x", "/a/l"), b"'/a/l' -> 'x'\n")
        self.assertEqual(sorted(self.ok("rm", "-rv", "/a").splitlines()),
                         [b"removed '/a/l'", b"removed directory '/a'", b"removed directory '/a/c'"])


def in_session(command, words):
    """The words of a command with its paths below /story instead of the working directory."""
    after_mode = [index + 1 for index, word in enumerate(words) if command in ("mkdir", "truncate") and
                  word in ("-m", "-s")]
    if command == "ln":  # What links say stays.
        paths = [words.index("-st") + 1] if "-st" in words else [len(words) - 1]
    else:
        paths = [index for index, word in enumerate(words) if not word.startswith("-") and index not in after_mode]
    return [("/story" if word == "." else "/story/" + word) if index in paths else word
            for index, word in enumerate(words)]


if __name__ == "__main__":
    unittest.main(verbosity=2)
