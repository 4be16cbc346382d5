"""What the tests of the file commands share: running them, and a tree with names that are hard on programs."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

TOOL = os.environ["BENCHFS_TOOL"]
APPEND = os.environ["BENCHFS_APPEND"]
# For one command; nothing here moves much data.
SECONDS_MAX = 120

# Bytes of names, as they are: spaces, a newline, no UTF-8, dashes, patterns, the greatest length.
HARD_NAMES = [b"sp ace", b"new\nline", b"\xff\xfe\x80", b"-dash", b"--", b"*", b"[a-z]", b"{}", b"%%", b"back\\slash",
              b'quo"te\'s', b"tab\there", b"%s%n", b".hidden", b"a" * 255, "größe".encode(), b"\x01\x7f"]

C_LOCALE = dict(os.environ, LC_ALL="C", TZ="UTC")


def run(argv, **options):
    options.setdefault("env", C_LOCALE)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(argv, capture_output=True, timeout=SECONDS_MAX, check=False, **options)


def benchfs(*words, **options):
    return run([TOOL, *words], **options)


class FilesTest(unittest.TestCase):
    """A directory on this machine, and a clean session."""

    def setUp(self):
        self.here = pathlib.Path(tempfile.mkdtemp(prefix="benchfs-files-", dir=os.getcwd()))
        self.addCleanup(shutil.rmtree, self.here, ignore_errors=True)
        self.addCleanup(self.clear_session)

    def clear_session(self):
        names = benchfs("find", "/", "-mindepth", "1", "-maxdepth", "1", "-print0").stdout.split(b"\0")[:-1]
        if names:
            benchfs("rm", "-rf", "--", *names)

    def ok(self, *words, **options):
        """The output of a command that has to succeed and has nothing to complain of."""
        result = benchfs(*words, **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), words)
        return result.stdout

    def fails(self, status, complaint, *words, **options):
        result = benchfs(*words, **options)
        self.assertEqual(result.returncode, status, (words, result))
        self.assertIn(complaint, result.stderr, words)
        return result

    def coreutils(self, *argv, **options):
        result = run(list(argv), **options)
        self.assertEqual((result.returncode, result.stderr), (0, b""), argv)
        return result.stdout

    def make_tree(self):
        """A tree below self.here / "tree", and the same in the session as /tree."""
        tree = self.here / "tree"
        (tree / "sub" / "deep" / "deeper").mkdir(parents=True)
        (tree / "void").mkdir()
        (tree / "hard").mkdir()
        for index, name in enumerate(HARD_NAMES):
            path = os.path.join(os.fsencode(tree), b"hard", name)
            with open(path, "wb") as file:
                file.write(name * (index + 1))
            os.utime(path, ns=(10**18 + index, 1_600_000_000 * 10**9 + index * 86_400 * 10**9 + 7))
        for size in (0, 1, 511, 512, 513, 1023, 1024, 1025, 4096, 1 << 20, (1 << 20) + 1):
            path = tree / "sub" / f"size{size}.dat"
            path.write_bytes(os.urandom(size))
            path.chmod(0o600 | (size % 8) << 3)
        (tree / "sub" / "deep" / "deeper" / "README.TXT").write_text("text\n")
        (tree / "run").write_text("#!/bin/sh\n")
        (tree / "run").chmod(0o4755)
        for name, target in (("link", "sub/size1.dat"), ("to_dir", "sub"), ("loop", "loop"), ("up", ".."),
                             ("circle", "sub/back"), ("sub/back", "../circle"), ("dangling", "/no/such/place")):
            (tree / name).symlink_to(target)
        self.ok("cp", "-r", str(tree), "benchfs:/tree")
        return tree


def servers():
    """Process ids by server number, from what the launcher has written."""
    with open(os.path.join(os.environ["BENCHFS_SESSION"], "launcher"), encoding="utf-8") as file:
        record = json.load(file)
    return [server["process"]["pid"] for server in record["servers"]]
