#!/usr/bin/env python3
"""Goal: what stage-in and stage-out call done is there, whole, with its attributes; what fails is named; a reader never
sees half a file; an interrupted staging goes on and copies nothing twice.

Method: trees with hard names, sizes around the limits, holes and links go in and out and are compared byte by byte;
commands and servers are killed half way; files change while they are staged; destinations are full or read-only."""

import json
import os
import signal
import subprocess
import threading
import time
import unittest

from support import C_LOCALE, TOOL, FilesTest, benchfs, run, servers

MIB = 1 << 20


def attributes(root, skip=()):
    """What must be kept of everything below a directory, by relative path."""
    found = {}
    root = os.fsencode(root)
    for directory, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, root)
            if name.startswith(b".benchfs-stage") or relative in skip:
                continue
            status = os.lstat(path)
            if os.path.islink(path):
                kept = ("link", os.readlink(path), status.st_mtime_ns)
            elif os.path.isdir(path):
                kept = ("directory", status.st_mode, status.st_mtime_ns)
            else:
                with open(path, "rb") as file:
                    kept = ("file", status.st_mode, status.st_mtime_ns, status.st_size, file.read())
            found[relative] = kept + (status.st_uid, status.st_gid)
    return found


def leftovers(root):
    return [name for _, _, files in os.walk(root) for name in files if name.endswith(".part")]


def wait_until(condition, what):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")


class Stage(FilesTest):
    def report(self, *words, status=0, **options):
        result = benchfs(*words, "--json", **options)
        self.assertEqual(result.returncode, status, (words, result))
        return json.loads(result.stdout), result.stderr

    def make_local_tree(self):
        tree = self.make_tree()
        self.ok("rm", "-rf", "/tree")
        for size in (MIB - 1, 3 * MIB + 1, 20 * MIB + 12345):
            (tree / "sub" / f"large{size}").write_bytes(os.urandom(size))
        with open(tree / "sparse", "wb") as file:
            file.truncate(30 * MIB)
            file.seek(9 * MIB + 5)
            file.write(b"island")
        with open(tree / "sparse_small", "wb") as file:
            file.truncate(400_000)
            file.seek(200_000)
            file.write(b"island")
        with open(tree / "void" / "only_a_hole", "wb") as file:
            file.truncate(5 * MIB)
        for number in range(300):
            (tree / "void" / f"many{number}").write_bytes(b"%d\n" % number * (number % 50))
        os.chown(tree / "run", 12, 34)
        os.chmod(tree / "run", 0o4751)
        os.utime(tree / "sub" / "deep", ns=(10**18, 1_111_111_111 * 10**9 + 1))
        os.chmod(tree / "sub" / "deep", 0o710)
        return tree

    def test_a_tree_comes_back_as_it_went(self):
        tree = self.make_local_tree()
        before = attributes(tree)
        count = sum(1 for kept in before.values() if kept[0] == "file")
        for verify in ([], ["--verify"]):
            report, _ = self.report("stage-in", str(tree) + "/", "/in", *verify)
            self.assertEqual((report["files"], report["failed"]), (count, []))
            report, _ = self.report("stage-out", "benchfs:/in/", str(self.here / "out"), *verify)
            self.assertEqual((report["files"], report["failed"]), (count, []))
            self.assertEqual(attributes(self.here / "out"), before)
            self.assertEqual(leftovers(self.here / "out"), [])
            self.assertNotIn(b".part", self.ok("find", "/"))
        for name in ("sparse", "sparse_small", "void/only_a_hole"):  # Holes stay holes.
            self.assertLessEqual((self.here / "out" / name).stat().st_blocks, 64, name)
        # By another way, too: what the servers have is what was there.
        self.assertEqual(self.ok("cat", "/in/sub/large20983865"), (tree / "sub" / "large20983865").read_bytes())
        # Under its own name, into a directory that is there; chunks of another size.
        self.ok("stage-in", "--chunk-size", "64K", str(tree / "sub"), str(tree / "run"), "benchfs:/odd")
        self.ok("stage-out", "/odd/sub", "/odd/run", str(self.here / "odd"))
        self.assertEqual(attributes(self.here / "odd" / "sub"), attributes(tree / "sub"))
        self.assertEqual((self.here / "odd" / "run").read_bytes(), (tree / "run").read_bytes())

    def test_filters_choose(self):
        tree = self.here / "tree"
        for name in ("keep/a.h5", "keep/b.tmp", "keep/deep/c.h5", "scratch/d.h5", "e.h5", "f.txt"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(name)
        self.ok("stage-in", "--exclude", "scratch/", "--include", "*.h5", str(tree) + "/", "/in")
        files = self.ok("find", "/in", "-type", "f", "-not", "-name", ".benchfs*").split()
        self.assertEqual(sorted(files), [b"/in/e.h5", b"/in/keep/a.h5", b"/in/keep/deep/c.h5"])
        self.ok("stage-out", "--exclude", "keep/*.h5", "/in/", str(self.here / "out"))
        self.assertEqual(sorted(attributes(self.here / "out")), [b"e.h5", b"keep", b"keep/deep", b"keep/deep/c.h5"])

    def test_newer_leaves_what_is_as_new(self):
        tree = self.here / "tree"
        tree.mkdir()
        for name in ("old", "new"):
            (tree / name).write_text(name)
        self.ok("stage-in", str(tree) + "/", "/in")
        self.ok("stage-out", "/in/", str(self.here / "out"))
        (self.here / "out" / "old").write_text("kept")
        os.utime(self.here / "out" / "new", ns=(1, 1))
        report, _ = self.report("stage-out", "--newer", "/in/", str(self.here / "out"))
        self.assertEqual((report["files"], report["not_newer"]), (1, 1))
        self.assertEqual((self.here / "out" / "old").read_text(), "kept")

    def test_a_rate_is_kept(self):
        (self.here / "file").write_bytes(os.urandom(6 * MIB))
        begun = time.monotonic()
        self.ok("stage-in", "--rate-limit", "4M/s", str(self.here / "file"), "/in")
        self.assertGreater(time.monotonic() - begun, 1.0)

    def test_resume_copies_only_what_is_not_done(self):
        tree = self.here / "tree"
        (tree / "sub").mkdir(parents=True)
        for number, size in enumerate((0, 1, 1000, MIB, MIB + 1, 3 * MIB)):
            (tree / "sub" / f"file{number}").write_bytes(os.urandom(size))
        for words in (["stage-in", str(tree) + "/", "benchfs:/in"], ["stage-out", "/in/", str(self.here / "out")]):
            first, _ = self.report(*words)
            again, _ = self.report(*words, "--resume")
            self.assertEqual((again["files"], again["complete_before"]), (0, first["files"]), words)
        (self.here / "out" / "sub" / "file2").unlink()
        self.ok("touch", "/in/sub/file4")
        again, _ = self.report("stage-out", "/in/", str(self.here / "out"), "--resume")
        self.assertEqual((again["files"], again["complete_before"]), (2, 4))

    def test_resume_after_the_command_was_killed(self):
        tree = self.here / "tree"
        tree.mkdir()
        for number in range(12):
            (tree / f"large{number}").write_bytes(os.urandom(MIB + 1))
        for number in range(50):
            (tree / f"small{number}").write_bytes(os.urandom(1000))
        before = attributes(tree)
        for words, manifest in (
                (["stage-in", str(tree) + "/", "/in", "--manifest", str(self.here / "in.manifest")], "in.manifest"),
                (["stage-out", "/in/", str(self.here / "out"), "--manifest", str(self.here / "out.manifest")],
                 "out.manifest")):
            with subprocess.Popen([TOOL, *words, "--rate-limit", "8M/s"], env=C_LOCALE) as command:
                wait_until((self.here / manifest).exists, "the manifest")
                # In, a file is told only once it is synced; out at once.
                lines = (lambda name=manifest: (self.here / name).read_bytes().count(b" file "))
                wait_until(lambda: lines() > 0 or "in" in manifest, "a file that is done")
                if manifest == "in.manifest":
                    time.sleep(0.5)
                command.send_signal(signal.SIGKILL)
            done = lines()
            self.assertLess(done, len(before), "it was killed too late")
            with open(self.here / manifest, "ab") as file:
                file.write(b"00000000 file 1 torn")
            report, _ = self.report(*words, "--resume")
            self.assertEqual((report["files"], report["complete_before"]), (len(before) - done, done))
        self.assertEqual(attributes(self.here / "out"), before)
        self.assertEqual(leftovers(self.here / "out"), [])
        self.assertNotIn(b".part", self.ok("find", "/"))

    def test_a_reader_never_sees_half_a_file(self):
        (self.here / "file").write_bytes(b"a" * (8 * MIB))
        self.ok("stage-in", str(self.here / "file"), "/in")
        self.ok("stage-out", "/in/file", str(self.here / "out"))
        (self.here / "file").write_bytes(b"b" * (8 * MIB))
        self.ok("stage-in", str(self.here / "file"), "/in")
        seen = set()
        with subprocess.Popen([TOOL, "stage-out", "--rate-limit", "16M/s", "/in/file", str(self.here / "out")],
                              env=C_LOCALE) as command:
            while command.poll() is None:
                content = (self.here / "out" / "file").read_bytes()
                self.assertEqual(len(content), 8 * MIB)
                self.assertEqual(len(set(content)), 1)
                seen.add(content[:1])
        self.assertEqual(command.returncode, 0)
        self.assertIn(b"a", seen)
        self.assertEqual((self.here / "out" / "file").read_bytes()[:1], b"b")

    def test_what_changes_is_never_a_mix(self):
        """Somebody puts another file in its place all the time, each of one letter."""
        size = 4 * MIB
        (self.here / "a").write_bytes(b"a" * size)
        (self.here / "b").write_bytes(b"b" * size)
        self.ok("stage-in", str(self.here / "a"), "/in")
        stop = self.here / "stop"
        loop = (f"while [ ! -e {stop} ]; do for x in a b; do {TOOL} cp -T {self.here}/$x benchfs:/in/copy &&"
                f" {TOOL} mv -T /in/copy /in/a; done; done")
        with subprocess.Popen(["sh", "-c", loop], env=C_LOCALE, stderr=subprocess.DEVNULL) as writer:
            try:
                for _ in range(3):
                    result = benchfs("stage-out", "--rate-limit", "40M/s", "/in/a", str(self.here / "out"))
                    target = self.here / "out" / "a"
                    if result.returncode == 0:
                        content = target.read_bytes()
                        self.assertEqual((len(content), len(set(content))), (size, 1))
                    else:
                        self.assertEqual(result.returncode, 1)
                        self.assertIn(b"/in/a", result.stderr)
            finally:
                stop.touch()
                writer.wait(60)

    def test_a_file_that_never_rests_is_not_called_done(self):
        self.ok("truncate", "-s", "2M", "/busy")
        stop = self.here / "stop"
        loop = (f"while [ ! -e {stop} ]; do printf x | {os.environ['BENCHFS_APPEND']} /busy ||"
                f" {TOOL} truncate -s +1 /busy; done")
        with subprocess.Popen(["sh", "-c", loop], env=C_LOCALE, stderr=subprocess.DEVNULL) as writer:
            try:
                result = benchfs("stage-out", "--rate-limit", "8M/s", "/busy", str(self.here / "out"))
                self.assertEqual(result.returncode, 1, result)
                self.assertIn(b"/busy': it changes while it is being copied", result.stderr)
            finally:
                stop.touch()
                writer.wait(60)
        self.assertFalse((self.here / "out" / "busy").exists())
        self.assertEqual(leftovers(self.here / "out"), [])

    def test_verify_finds_a_damaged_copy(self):
        tree = self.here / "tree"
        tree.mkdir()
        for name, size in (("large", 3 * MIB), ("small", 1000), ("fine", 1000)):
            (tree / name).write_bytes(os.urandom(size))
        self.ok("stage-in", str(tree) + "/", "/in")
        out = self.here / "out"
        self.ok("stage-out", "/in/", str(out))
        for name in ("large", "small"):
            status = (out / name).stat()
            with open(out / name, "r+b") as file:
                file.seek(500)
                byte = file.read(1)
                file.seek(500)
                file.write(bytes([byte[0] ^ 1]))
            os.utime(out / name, ns=(status.st_atime_ns, status.st_mtime_ns))
        report, complaints = self.report("stage-out", "--resume", "--verify", "/in/", str(out), status=1)
        self.assertEqual((report["complete_before"], len(report["failed"])), (1, 2))
        for name in (b"large", b"small"):
            self.assertIn(b"/in/" + name, complaints)
        report, _ = self.report("stage-out", "--resume", "--verify", "/in/", str(out))
        self.assertEqual((report["files"], report["complete_before"]), (2, 1))
        self.assertEqual(attributes(out), attributes(tree))

    def test_errors_are_named_and_the_others_go_on(self):
        tree = self.here / "tree"
        tree.mkdir()
        (tree / "fine").write_text("fine")
        os.mkfifo(tree / "pipe")
        (tree / "into").write_text("a file")
        (tree / "into_large").write_bytes(os.urandom(2 * MIB))
        self.ok("mkdir", "-p", "/in/into", "/in/into_large")
        report, complaints = self.report("stage-in", str(tree) + "/", "/in", status=1)
        self.assertEqual(report["files"], 1)
        self.assertEqual(sorted(one["path"].rsplit("/", 1)[1] for one in report["failed"]),
                         ["into", "into_large", "pipe"])
        self.assertIn(b"Is a directory", complaints)
        self.assertEqual(self.ok("cat", "/in/fine"), b"fine")
        self.assertNotIn(b".part", self.ok("find", "/"))
        self.fails(1, b"no/such", "stage-in", "no/such", "/in")
        self.fails(2, b"outside of benchfs", "stage-in", "benchfs:/in", "/x")
        self.fails(2, b"outside of benchfs", "stage-out", "/in", "benchfs:/x")
        self.fails(2, b"missing destination", "stage-out", "/in")
        self.fails(1, b"Not a directory", "stage-in", str(tree), "/in/fine")
        (self.here / "other").write_text("something else\n")
        self.fails(1, b"is no manifest", "stage-in", "--manifest", str(self.here / "other"), str(tree / "fine"), "/in")

    def on_a_small_file_system(self, options, script):
        """Runs a script of sh with $MNT on a tmpfs that the servers see too."""
        mount = self.here / "mnt"
        mount.mkdir()
        made = run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(mount)])
        self.assertEqual(made.returncode, 0, "this test mounts a tmpfs, which needs root: %r" % made.stderr)
        try:
            return script(mount)
        finally:
            run(["umount", "-l", str(mount)])

    def test_a_full_destination_is_told(self):
        tree = self.here / "tree"
        tree.mkdir()
        (tree / "large").write_bytes(os.urandom(8 * MIB))
        for number in range(20):
            (tree / f"small{number}").write_bytes(os.urandom(100_000))
        self.ok("stage-in", str(tree) + "/", "/in")

        def script(mount):
            report, complaints = self.report("stage-out", "/in/", str(mount / "out"), status=1)
            self.assertIn(b"/in/large", complaints)
            self.assertIn(b"No space left on device", complaints)
            for path in (mount / "out").glob("[ls]*"):
                self.assertEqual(path.read_bytes(), (tree / path.name).read_bytes())
            done = len(list((mount / "out").glob("[ls]*")))
            self.assertEqual(report["files"], done)
            self.assertEqual(leftovers(mount), [])
            self.assertEqual(run(["mount", "-o", "remount,size=32m", str(mount)]).returncode, 0)
            report, _ = self.report("stage-out", "--resume", "/in/", str(mount / "out"))
            self.assertEqual((report["files"], report["complete_before"]), (21 - done, done))

        self.on_a_small_file_system("size=4m", script)

    def test_a_read_only_destination_is_told(self):
        (self.here / "file").write_bytes(os.urandom(3000))
        self.ok("stage-in", str(self.here / "file"), "/in")

        def script(mount):
            (mount / "out").mkdir()
            self.assertEqual(run(["mount", "-o", "remount,ro", str(mount)]).returncode, 0)
            self.fails(1, b"Read-only file system", "stage-out", "/in/file", str(mount / "out"))
            self.fails(1, b"Read-only file system",
                       "stage-out", "--manifest", str(self.here / "m"), "/in/file", str(mount / "out"))

        self.on_a_small_file_system("size=4m", script)


class Last(FilesTest):
    """A server is killed, and started again on its store."""

    def report_of(self, words, status):
        result = run([TOOL, *words, "--json"], env=dict(C_LOCALE, BENCHFS_TIMEOUT="1s"))
        self.assertEqual(result.returncode, status, result)
        return json.loads(result.stdout), result.stderr

    def test_a_lost_server_makes_files_fail_and_resume_goes_on(self):
        tree = self.here / "tree"
        tree.mkdir()
        for number in range(8):
            (tree / f"large{number}").write_bytes(os.urandom(2 * MIB))
        for number in range(100):
            (tree / f"small{number}").write_bytes(os.urandom(2000))
        before = attributes(tree)
        for words in (["stage-in", str(tree) + "/", "/in"],
                      ["stage-out", "/in/", str(self.here / "out"), "--manifest", str(self.here / "manifest")]):
            with self.subTest(words[0]):
                victim = servers()[-1]
                killer = threading.Timer(0.7, os.kill, (victim, signal.SIGKILL))
                killer.start()
                report, complaints = self.report_of([*words, "--rate-limit", "10M/s"], 1)
                killer.join()
                failed = {os.path.basename(one["path"]) for one in report["failed"]}
                self.assertEqual(report["files"] + len(failed & {os.fsdecode(name) for name in before}), len(before))
                self.assertRegex(complaints, rb"Host is down|is gone|changes while|started again")
                self.ok("restart")
                again, _ = self.report_of([*words, "--resume"], 0)
                self.assertEqual(again["complete_before"], report["files"])
                self.assertEqual(again["files"], len(before) - report["files"])
        self.assertEqual(attributes(self.here / "out"), before)
        self.assertEqual(leftovers(self.here / "out"), [])
        self.assertNotIn(b".part", self.ok("find", "/"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
