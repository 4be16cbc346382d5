#!/usr/bin/env python3
"""Goal: cat, tail and sync deal in the right bytes; manual pages, --help and completion agree with the commands.

Method: beside cat(1) and tail(1) on the same files; a file is appended to while `tail -f` follows it."""

import os
import re
import select
import subprocess
import time
import unittest

from support import APPEND, HARD_NAMES, TOOL, C_LOCALE, FilesTest, run

DOCUMENTATION = os.environ["BENCHFS_DOCUMENTATION"]
FOLLOW_SECONDS_MAX = 60


class Follower:
    """`tail -f` under way."""

    def __init__(self, test, *words, pid=None):
        self.test = test
        self.process = subprocess.Popen([TOOL, "tail", "-s", "0.05", *words], env=C_LOCALE, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        test.addCleanup(self.end)
        self.seen = b""

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def expect(self, expected):
        """Waits until exactly this has come since the beginning."""
        deadline = time.monotonic() + FOLLOW_SECONDS_MAX
        while len(self.seen) < len(expected) and time.monotonic() < deadline:
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                block = os.read(self.process.stdout.fileno(), 1 << 20)
                if not block:
                    break
                self.seen += block
        self.test.assertEqual(self.seen, expected)

    def complaint(self, expected):
        """Waits for a line on standard error."""
        deadline = time.monotonic() + FOLLOW_SECONDS_MAX
        text = b""
        while expected not in text and time.monotonic() < deadline:
            if select.select([self.process.stderr], [], [], 0.1)[0]:
                block = os.read(self.process.stderr.fileno(), 65536)
                if not block:
                    break
                text += block
        self.test.assertIn(expected, text)


class Tail(FilesTest):
    def append(self, path, data):
        result = subprocess.run([APPEND, path], input=data, capture_output=True, timeout=FOLLOW_SECONDS_MAX, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_ends_are_those_of_tail(self):
        texts = {"empty": b"", "one": b"one line\n", "open": b"no end", "nul": b"a\0b\nc\0\n\nd",
                 "lines": b"".join(b"%d\n" % number for number in range(500_000)),
                 "long": os.urandom(1 << 20).replace(b"\n", b"x") + b"\n" + b"y" * (3 << 20)}
        for name, text in texts.items():
            (self.here / name).write_bytes(text)
            self.ok("cp", str(self.here / name), "benchfs:/" + name)
        options = [[], ["-n", "1"], ["-n", "0"], ["-n", "3"], ["-n", "-2"], ["-n", "+1"], ["-n", "+3"], ["-n", "+0"],
                   ["-c", "0"], ["-c", "5"], ["-c", "+3"], ["-c", "1M"], ["-n", "1000000"], ["-c", "100M"], ["-2"],
                   ["-v", "-n", "1"]]
        for name in texts:
            for words in options:
                with self.subTest(name=name, words=words):
                    ours = self.ok("tail", *words, "/" + name)
                    theirs = self.coreutils("tail", *words, str(self.here / name))
                    self.assertEqual(ours, theirs.replace(os.fsencode(self.here), b""))
        many = ["one", "empty", "open"]
        for words in (["-n", "1"], ["-q"], ["-v"]):
            ours = self.ok("tail", *words, *["/" + name for name in many])
            theirs = self.coreutils("tail", *words, *[str(self.here / name) for name in many])
            self.assertEqual(ours, theirs.replace(os.fsencode(self.here), b""))
        self.assertEqual(self.ok("tail", "-n", "+400001", "/lines"), texts["lines"][texts["lines"].index(b"\n400000\n") + 1:])
        self.fails(1, b"cannot open '/nope'", "tail", "/nope", "/one")
        self.fails(2, b"'x'", "tail", "-n", "x", "/one")

    def test_what_is_appended_is_shown_byte_by_byte(self):
        expected = b"begin\n"
        self.append("/log", expected)
        with subprocess.Popen(["sleep", "1000"]) as writer:
            try:
                follower = Follower(self, "-f", "--pid", str(writer.pid), "/log")
                follower.expect(expected)
                for size in (1, 10, 100_000, 3_000_000):
                    more = os.urandom(size)
                    self.append("/log", more)
                    expected += more
                    follower.expect(expected)
            finally:
                writer.kill()
        # The last is not missed, and then it ends.
        self.assertEqual(follower.process.wait(timeout=FOLLOW_SECONDS_MAX), 0)

    def test_a_file_that_is_cut_is_followed_from_its_new_end(self):
        self.append("/log", b"0123456789\n")
        follower = Follower(self, "-f", "/log")
        follower.expect(b"0123456789\n")
        self.ok("truncate", "-s", "3", "/log")
        follower.complaint(b"file truncated")
        self.append("/log", b"more\n")
        follower.expect(b"0123456789\nmore\n")
        follower.process.terminate()
        self.assertEqual(follower.process.wait(timeout=FOLLOW_SECONDS_MAX), 130)

    def test_a_name_is_followed_to_another_file_and_through_its_absence(self):
        self.append("/log", b"first\n")
        follower = Follower(self, "-F", "/log")
        follower.expect(b"first\n")
        self.ok("mv", "/log", "/log.1")
        follower.complaint(b"become inaccessible")
        self.append("/log", b"second\n")
        follower.expect(b"first\nsecond\n")

    def test_a_file_that_is_not_there_is_not_followed(self):
        self.fails(1, b"no files remaining", "tail", "-f", "/nope")


class Contents(FilesTest):
    def test_cat_gives_every_byte_in_order(self):
        parts = [os.urandom(size) for size in (0, 1, 5_000_000, 17)]
        for index, part in enumerate(parts):
            (self.here / str(index)).write_bytes(part)
            self.ok("cp", str(self.here / str(index)), f"benchfs:/{index}")
        self.assertEqual(self.ok("cat", "/0", "/1", "/2", "/3", "/2"), b"".join([*parts, parts[2]]))
        self.fails(1, b"cannot open '/nope'", "cat", "/nope")
        self.fails(1, b"Is a directory", "cat", "/")
        for index, name in enumerate(HARD_NAMES):
            self.ok("cp", str(self.here / "3"), b"benchfs:/" + name)
            self.assertEqual(self.ok("cat", "--", name), parts[3], name)

    def test_cat_tells_of_output_that_is_full(self):
        self.ok("touch", "/f")
        self.ok("truncate", "-s", "5M", "/f")
        with open("/dev/full", "wb") as full:
            result = subprocess.run([TOOL, "cat", "/f"], stdout=full, stderr=subprocess.PIPE, check=False, env=C_LOCALE,
                                    timeout=FOLLOW_SECONDS_MAX)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"No space left on device", result.stderr)

    def test_sync_reaches_every_file_and_tells_of_those_that_are_not_there(self):
        self.make_tree()
        self.ok("sync")
        self.ok("sync", "/tree/sub", "/tree/run", "/tree/link", "/tree/to_dir")
        self.fails(1, b"'/nope': No such file or directory", "sync", "/nope", "/tree")
        self.fails(1, b"'/tree/loop'", "sync", "/tree/loop")


class Documentation(FilesTest):
    def commands(self):
        lines = self.ok("--help").decode().splitlines()
        return [match[1] for match in (re.match(r"  ([a-z][a-z-]*)  ", line) for line in lines) if match]

    def test_every_command_has_a_page_with_all_of_its_options(self):
        commands = self.commands()
        self.assertIn("find", commands)
        self.assertNotIn("documentation", commands)
        pages = sorted(os.listdir(os.path.join(DOCUMENTATION, "man1")))
        self.assertEqual(pages, sorted(["benchfs.1", *[f"benchfs-{command}.1" for command in commands]]))
        for command in commands:
            with open(os.path.join(DOCUMENTATION, "man1", f"benchfs-{command}.1"), encoding="utf-8") as file:
                page = file.read().replace("\\-", "-")
            text = self.ok(command, "--help").decode()
            options = set(re.findall(r"(?<![\w-])--?[a-zA-Z0-9][a-z-]*", text.split("Options:")[-1].split("Tests,")[0]))
            for option in options - {"-printf", "-print0", "-name"}:
                self.assertIn(option, page, command)

    def test_pages_are_roff_without_a_warning(self):
        for page in os.listdir(os.path.join(DOCUMENTATION, "man1")):
            made = run(["groff", "-man", "-Tutf8", "-ww", os.path.join(DOCUMENTATION, "man1", page)])
            self.assertEqual((made.returncode, made.stderr), (0, b""), page)
            self.assertIn(b"EXIT STATUS", re.sub(rb"\x1b\[[0-9;]*m|.\x08", b"", made.stdout), page)

    def completions(self, line):
        script = (f"export PATH={os.path.dirname(TOOL)}:$PATH; source {DOCUMENTATION}/bash-completion/benchfs; "
                  'COMP_LINE=$1 COMP_POINT=${#1}; _benchfs; [[ ${#COMPREPLY[@]} -eq 0 ]] || printf "%s\\n" "${COMPREPLY[@]}"')
        result = run(["bash", "-c", script, "bash", line], cwd=self.here)
        self.assertEqual((result.returncode, result.stderr), (0, b""), line)
        return sorted(result.stdout.decode().splitlines())

    def test_completion_knows_commands_options_and_names(self):
        self.ok("mkdir", "-p", "/ckpt/step1", "/ckpt/step2")
        self.ok("touch", "/ckpt/state", "/ckpt/sp ace")
        (self.here / "local").write_text("")
        self.assertEqual(self.completions("benchfs trunc"), ["truncate"])
        self.assertEqual(self.completions("benchfs tr"), ["truncate"])
        self.assertEqual(self.completions("benchfs rm --rec"), ["--recursive"])
        self.assertEqual(self.completions("benchfs ls /ck"), ["/ckpt/"])
        self.assertEqual(self.completions("benchfs ls /ckpt/s"), ["/ckpt/sp\\ ace", "/ckpt/state", "/ckpt/step1/",
                                                                "/ckpt/step2/"])
        self.assertEqual(self.completions("benchfs cat ckpt/sta"), ["ckpt/state"])
        # bash has broken the word at the colon.
        self.assertEqual(self.completions("benchfs cp benchfs:/ckpt/st"), ["/ckpt/state", "/ckpt/step1/", "/ckpt/step2/"])
        self.assertEqual(self.completions("benchfs cp lo"), ["local"])
        self.assertEqual(self.completions("benchfs mv -t /ckpt/step"), ["/ckpt/step1/", "/ckpt/step2/"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
