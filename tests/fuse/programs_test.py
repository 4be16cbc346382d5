"""Goal: programs that know only POSIX work on a mount as they do on a local disk, two mounts at once where that is
their business. Method: the programs themselves, and what they have made compared byte by byte.

Run by with_session. Argument: the program `benchfs`.
"""

import hashlib
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

TOOL = sys.argv.pop()
SECONDS_MAX = 100
PYTHON = "/usr/bin/python3"  # The system's, which has h5py.

# One process of two. It waits for the other where the database is locked, and nowhere else.
TRANSACTIONS = """
import sqlite3, sys
path, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
base = sqlite3.connect(path, timeout=90, isolation_level=None)
for i in range(count):
    base.execute("BEGIN IMMEDIATE")
    (total,) = base.execute("SELECT total FROM account").fetchone()
    base.execute("INSERT INTO entry VALUES (?, ?, ?)", (who, i, "x" * (i % 5000)))
    base.execute("UPDATE account SET total = ?", (total + 1,))
    base.execute("ROLLBACK" if i % 5 == 4 else "COMMIT")
"""


def run(*argv, cwd=None, env=None):
    variables = {**os.environ, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "", **(env or {})}
    done = subprocess.run(argv, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=SECONDS_MAX, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{argv}: status {done.returncode}\n{done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()


def contents(root):
    """What is below a directory: types, modes, links, and the bytes of files."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        what = os.readlink(path) if path.is_symlink() else None if path.is_dir() else hashlib.sha256(
            path.read_bytes()).hexdigest()
        found[path.relative_to(root).as_posix()] = (oct(status.st_mode), what)
    return found


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = pathlib.Path(tempfile.mkdtemp(prefix="programs-", dir=os.getcwd()))
        cls.mounts = [cls.place / "a", cls.place / "b"]
        cls.addClassCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        for mount in cls.mounts:
            mount.mkdir()
            run(TOOL, "mount", str(mount))
            cls.addClassCleanup(run, TOOL, "unmount", "--force", str(mount))
        cls.tree = cls.place / "tree"
        cls.make_tree(cls.tree)

    @staticmethod
    def make_tree(tree):
        drawn = random.Random(7)
        for number in range(30):
            directory = tree / f"d{number % 7}" / f"e{number % 3}"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"file {number}").write_bytes(drawn.randbytes(drawn.choice((0, 1, 513, 4096, 70_001))))
        (tree / "large").write_bytes(drawn.randbytes((3 << 20) + 17))
        (tree / "run").write_text("#!/bin/sh\necho it runs\n")
        (tree / "run").chmod(0o755)
        (tree / "link").symlink_to("d1/e1")
        (tree / "dangling").symlink_to("/no/such/place")

    def setUp(self):
        self.a, self.b = (mount / self.id().rpartition(".")[2] for mount in self.mounts)
        self.a.mkdir()

    def test_sqlite_commits_transactions_of_two_mounts(self):
        with sqlite3.connect(self.a / "base") as base:
            base.execute("CREATE TABLE account (total INTEGER)")
            base.execute("CREATE TABLE entry (who TEXT, number INTEGER, text TEXT)")
            base.execute("INSERT INTO account VALUES (0)")
        base.close()
        count = 35
        both = [subprocess.Popen([PYTHON, "-c", TRANSACTIONS, str(place / "base"), who, str(count)],
                                 stderr=subprocess.PIPE) for place, who in ((self.a, "a"), (self.b, "b"))]
        for process in both:
            self.addCleanup(process.kill)
        for process in both:
            _, complaints = process.communicate(timeout=SECONDS_MAX)
            self.assertEqual((process.returncode, complaints), (0, b""))
        committed = count - count // 5
        for place in (self.a, self.b):
            base = sqlite3.connect(place / "base")
            self.assertEqual(base.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(base.execute("SELECT total FROM account").fetchall(), [(2 * committed,)])
            for who in "ab":
                numbers = base.execute("SELECT number FROM entry WHERE who = ? ORDER BY number", who).fetchall()
                self.assertEqual(numbers, [(i,) for i in range(count) if i % 5 != 4])
            base.close()

    def test_git_commits_clones_and_collects(self):
        env = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a",
               "GIT_COMMITTER_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(self.place)}
        run("git", "init", "-q", "one", cwd=self.a, env=env)
        shutil.copytree(self.tree / "d1", self.a / "one" / "tree")
        for number in range(2):
            (self.a / "one" / "text").write_text(f"{number}\n")
            run("git", "add", "-A", cwd=self.a / "one", env=env)
            run("git", "commit", "-qm", f"change {number}", cwd=self.a / "one", env=env)
        run("git", "gc", "-q", "--prune=now", cwd=self.a / "one", env=env)
        run("git", "clone", "-q", "--no-hardlinks", "one", "two", cwd=self.b, env=env)
        run("git", "fsck", "--full", "--strict", cwd=self.b / "two", env=env)
        self.assertEqual(run("git", "status", "--porcelain", cwd=self.a / "two", env=env), "")
        self.assertEqual(run("git", "rev-list", "--count", "HEAD", cwd=self.a / "two", env=env), "2\n")
        self.assertEqual(contents(self.b / "two" / "tree"), contents(self.tree / "d1"))

    def test_tar_and_rsync_bring_a_tree_in_and_out(self):
        run("tar", "-cf", str(self.a / "in.tar"), "-C", str(self.tree), ".")
        (self.a / "tar").mkdir()
        run("tar", "-xf", str(self.b / "in.tar"), "-C", str(self.b / "tar"))
        self.assertEqual(contents(self.a / "tar"), contents(self.tree))
        run("tar", "--compare", "-f", str(self.a / "in.tar"), "-C", str(self.a / "tar"))
        run("rsync", "-ac", f"{self.tree}/", f"{self.a}/rsync/")
        self.assertEqual(run("rsync", "-aci", f"{self.tree}/", f"{self.b}/rsync/"), "", "nothing is different")
        (self.b / "rsync" / "large").write_bytes(b"another")
        self.assertIn("large", run("rsync", "-aci", f"{self.tree}/", f"{self.a}/rsync/"))
        run("rsync", "-ac", f"{self.b}/rsync/", f"{self.place}/out/")
        self.assertEqual(contents(self.place / "out"), contents(self.tree))
        self.assertEqual(run(str(self.a / "rsync" / "run")), "it runs\n")

    def test_python_and_hdf5_read_what_they_have_written(self):
        (self.a / "module.py").write_text("import mmap\ndef map(path):\n  with open(path, 'r+b') as file:\n"
                                          "    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)\n")
        (self.a / "data").write_bytes(b"mapped, privately")
        program = "import module, sys; m = module.map('data'); m[0:6] = b'MAPPED'; sys.stdout.write(m[:].decode())"
        for place in (self.a, self.b):  # The second with the first's compiled module.
            self.assertEqual(run(PYTHON, "-c", program, cwd=place), "MAPPED, privately")
        self.assertTrue(list((self.b / "__pycache__").glob("module.*.pyc")))
        self.assertEqual((self.b / "data").read_bytes(), b"mapped, privately")
        shutil.make_archive(str(self.a / "archive"), "zip", self.tree / "d1")
        shutil.unpack_archive(self.b / "archive.zip", self.b / "unpacked")
        self.assertEqual(contents(self.a / "unpacked"), contents(self.tree / "d1"))
        run(PYTHON, "-c", "import h5py, numpy; f = h5py.File('f.h5', 'w'); f.create_dataset("
            "'v', data=numpy.arange(300000), chunks=(1000,), compression='gzip'); f.close()", cwd=self.a)
        shown = run("h5dump", "-d", "v", "-y", "-w", "1", str(self.b / "f.h5"))
        numbers = [int(line.strip(" ,")) for line in shown.splitlines() if line.strip(" ,").isdigit()]
        self.assertEqual(numbers, list(range(300_000)))

    def test_a_program_is_configured_built_and_tested(self):
        source = self.a / "source"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(small C)\nenable_testing()\n"
            "add_library(part STATIC part.c)\nadd_executable(small main.c)\ntarget_link_libraries(small part)\n"
            "add_test(NAME small COMMAND small)\n")
        (source / "part.h").write_text("int part(int x);\n")
        (source / "part.c").write_text('#include "part.h"\nint part(int x) { return 2 * x; }\n')
        (source / "main.c").write_text('#include "part.h"\nint main(void) { return part(21) == 42 ? 0 : 1; }\n')
        run("cmake", "-G", "Ninja", "-S", str(source), "-B", str(self.a / "build"))
        run("cmake", "--build", str(self.a / "build"))
        run("ctest", "--test-dir", str(self.a / "build"), "--output-on-failure")
        self.assertIn("no work to do", run("cmake", "--build", str(self.a / "build")))
        (self.b / "source" / "part.c").write_text('#include "part.h"\nint part(int x) { return 3 * x; }\n')
        run("cmake", "--build", str(self.a / "build"))  # Times tell that the other mount has changed it.
        with self.assertRaisesRegex(AssertionError, "1 tests failed"):
            run("ctest", "--test-dir", str(self.a / "build"))


if __name__ == "__main__":
    unittest.main()
