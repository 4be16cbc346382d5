#!/usr/bin/env python3
"""Goal: a copy is the file, whole, or there is none; what was interrupted goes on where it was; many files are copied
at once.

Method: trees in, within and out again, compared by diff and by attributes; copies that are interrupted by a signal,
ended by a limit or spoilt on their way."""

import json
import os
import resource
import signal
import subprocess
import time
import unittest

from support import C_LOCALE, TOOL, FilesTest, benchfs, run

WAIT_SECONDS_MAX = 60
MIB = 1 << 20


class Copy(FilesTest):
    def attributes(self, *argv):
        return sorted(run([*argv, "-mindepth", "1", "-printf", r"%P %y %m %l %T@\0"]).stdout.split(b"\0"))

    def part_files(self, directory):
        return [name for name in os.listdir(directory) if name.startswith(".benchfs-cp.")]

    def make_file(self, name, size):
        path = self.here / name
        path.write_bytes(os.urandom(size))
        return path

    def test_trees_go_in_within_and_out_unchanged(self):
        tree = self.make_tree()
        self.ok("cp", "-r", "--verify", "-j", "8", "benchfs:/tree", "benchfs:/two")
        out = self.here / "out"
        self.ok("cp", "-a", "--verify", "benchfs:/two", str(out))
        self.coreutils("diff", "-r", "--no-dereference", str(tree), str(out))
        self.assertEqual(self.attributes("find", str(tree)), self.attributes("find", str(out)))
        self.assertEqual(self.attributes("find", str(tree)), self.attributes(TOOL, "find", "/two"))

    def test_destinations_are_those_of_cp(self):
        for name in ("f", "g"):
            (self.here / name).write_text(name)
        self.ok("mkdir", "/d")
        f, g = str(self.here / "f"), str(self.here / "g")
        self.ok("cp", f, g, "benchfs:/d")
        self.assertEqual(self.ok("find", "/d", "-type", "f"), b"/d/f\n/d/g\n")
        self.fails(1, b"are the same file", "cp", "-t", "benchfs:/d", "benchfs:/d/f")
        self.ok("cp", "-T", f, "benchfs:/d/g")
        self.assertEqual(self.ok("cat", "/d/g"), b"f")
        self.ok("cp", "-n", g, "benchfs:/d/g")
        self.assertEqual(self.ok("cat", "/d/g"), b"f")
        self.ok("touch", "-d", "now", "/d/g")
        self.ok("cp", "-u", g, "benchfs:/d/g")
        self.assertEqual(self.ok("cat", "/d/g"), b"f")
        self.ok("touch", "-d", "@1", "/d/g")
        self.ok("cp", "-u", g, "benchfs:/d/g")
        self.assertEqual(self.ok("cat", "/d/g"), b"g")
        self.fails(1, b"cannot overwrite directory", "cp", "-T", f, "benchfs:/d")
        self.fails(1, b"Not a directory", "cp", f, g, "benchfs:/d/f")
        self.fails(1, b"-r not given", "cp", "benchfs:/d", "benchfs:/e")
        self.fails(1, b"into itself", "cp", "-r", "benchfs:/d", "benchfs:/d/e")
        self.fails(1, b"cannot stat", "cp", "benchfs:/nope", "benchfs:/e")
        self.fails(2, b"missing destination", "cp", "benchfs:/d/f")
        self.fails(2, b"none of the paths", "cp", f, g)
        self.ok("chown", "11:22", "/d/f")
        self.ok("cp", "-p", "benchfs:/d/f", "benchfs:/kept")
        self.assertEqual(self.ok("stat", "-c", "%u:%g", "/kept"), b"11:22\n")

    def test_two_sources_of_one_name_are_not_copied_over_each_other(self):
        for name in ("a", "b"):
            (self.here / name / "sub").mkdir(parents=True)
            (self.here / name / "f").write_text(name)
            (self.here / name / "sub" / "g").write_text(name)
            (self.here / name / "sub" / f"only_{name}").write_text(name)
            os.symlink(name, self.here / name / "l")
        a, b = str(self.here / "a"), str(self.here / "b")
        self.ok("mkdir", "/d", "/e", "/n")
        self.fails(1, b"will not overwrite just-created 'benchfs:/d/f'", "cp", f"{a}/f", f"{b}/f", "benchfs:/d")
        self.assertEqual(self.ok("cat", "/d/f"), b"a")
        self.fails(1, b"will not overwrite just-created 'benchfs:/e/sub/g'", "cp", "-r", f"{a}/.", f"{b}/.", "benchfs:/e")
        self.assertEqual(self.ok("cat", "/e/f", "/e/sub/g", "/e/sub/only_a", "/e/sub/only_b"), b"aaab")
        self.assertEqual(self.ok("readlink", "/e/l"), b"a\n")
        self.ok("cp", "-n", f"{a}/f", f"{b}/f", "benchfs:/n")
        self.assertEqual(self.ok("cat", "/n/f"), b"a")

    def test_one_file_that_fails_does_not_stop_the_others(self):
        tree = self.make_tree()
        os.mkfifo(tree / "fifo")
        self.ok("mkdir", "-p", "/into/tree/run/in/the/way")
        result = benchfs("cp", "-r", str(tree), "benchfs:/into")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"cannot overwrite directory", result.stderr)
        self.assertIn(b"fifo' is neither a file", result.stderr)
        names = self.ok("find", "/into/tree", "-name", "*.dat", "-printf", "%f\\n").split()
        self.assertEqual(len(names), 11)

    def test_progress_tells_of_all_files_together(self):
        tree = self.make_tree()
        result = benchfs("cp", "-r", "--progress", str(tree), "benchfs:/progress")
        last = result.stderr.decode().splitlines()[-1]
        count = len(run(["find", str(tree), "-type", "f", "-printf", "x"]).stdout)
        self.assertTrue(last.startswith(f"{count} of {count} files"), last)
        self.assertIn("100%", last)

    def interrupt(self, source, target, is_under_way):
        """Begins to copy, and ends that by a signal once it is under way."""
        with subprocess.Popen([TOOL, "cp", "--resume", source, target], env=C_LOCALE, stderr=subprocess.PIPE) as copy:
            deadline = time.monotonic() + WAIT_SECONDS_MAX
            while not is_under_way() and copy.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            copy.send_signal(signal.SIGINT)
            _, complaint = copy.communicate(timeout=WAIT_SECONDS_MAX)
            return copy.returncode, complaint

    def test_an_interrupted_copy_goes_on_from_where_it_was(self):
        source = self.make_file("source", 320 * MIB)
        # Interrupted in the middle, so that there is something to go on from; where that is depends on the machine.
        def far_enough():
            sizes = self.ok("find", "/", "-maxdepth", "1", "-name", ".benchfs-cp.*", "-printf", "%s\\n").split()
            return any(int(size) > 64 * MIB for size in sizes)
        status, complaint = self.interrupt(str(source), "benchfs:/target", far_enough)
        self.assertEqual(status, 130, "it was done before it could be interrupted")
        self.assertIn(b"the same command goes on", complaint)
        names = self.ok("ls", "-A").decode().split()
        self.assertEqual(len(names), 1)
        self.assertTrue(names[0].startswith(".benchfs-cp.") and names[0].endswith(".part"), names)
        inode = self.ok("stat", "-c", "%i", "/" + names[0])
        began = self.written_bytes()
        self.ok("cp", "--resume", str(source), "benchfs:/target")
        self.assertEqual(self.ok("ls", "-A"), b"target\n")
        self.assertEqual(self.ok("stat", "-c", "%i", "/target"), inode)
        self.assertLess(self.written_bytes() - began, 320 * MIB - 24 * MIB)
        copy = self.here / "copy"
        self.ok("cp", "benchfs:/target", str(copy))
        self.coreutils("cmp", str(source), str(copy))
        # Nothing is left to do.
        began = self.written_bytes()
        self.ok("cp", "--resume", str(source), "benchfs:/target")
        self.assertEqual(self.written_bytes(), began)

    def written_bytes(self):
        status = json.loads(self.ok("status", "--json"))
        return sum(server["written_bytes"] for server in status["servers"])

    def limited(self, size):
        """For a child: files may not become longer than this."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        return limit

    def test_a_copy_to_this_machine_goes_on_from_where_it_was(self):
        source = self.make_file("source", 96 * MIB)
        self.ok("cp", str(source), "benchfs:/source")
        target = self.here / "target"
        cut = run([TOOL, "cp", "--resume", "benchfs:/source", str(target)], preexec_fn=self.limited(70 * MIB))
        self.assertEqual(cut.returncode, 1)
        self.assertIn(b"File too large", cut.stderr)
        self.assertFalse(target.exists())
        (part,) = self.part_files(self.here)
        # The beginning is taken on trust; with --verify it is not.
        with open(self.here / part, "r+b") as file:
            file.seek(MIB)
            file.write(b"spoilt")
        self.fails(1, b"differs", "cp", "--resume", "--verify", "benchfs:/source", str(target))
        self.assertFalse(target.exists())
        self.assertEqual(self.part_files(self.here), [])
        self.ok("cp", "--resume", "--verify", "benchfs:/source", str(target))
        self.coreutils("cmp", str(source), str(target))

    def test_an_unfinished_copy_of_another_source_is_not_gone_on_with(self):
        source = self.make_file("source", 96 * MIB)
        self.ok("cp", str(source), "benchfs:/source")
        target = self.here / "target"
        run([TOOL, "cp", "--resume", "benchfs:/source", str(target)], preexec_fn=self.limited(70 * MIB))
        self.assertEqual(len(self.part_files(self.here)), 1)
        other = self.make_file("other", 96 * MIB)
        self.ok("cp", str(other), "benchfs:/source")
        self.ok("cp", "--resume", "benchfs:/source", str(target))
        self.coreutils("cmp", str(other), str(target))

    def test_without_resume_a_copy_that_fails_leaves_nothing(self):
        source = self.make_file("source", 32 * MIB)
        self.ok("cp", str(source), "benchfs:/source")
        cut = run([TOOL, "cp", "benchfs:/source", str(self.here / "target")], preexec_fn=self.limited(20 * MIB))
        self.assertEqual(cut.returncode, 1)
        self.assertEqual(sorted(os.listdir(self.here)), ["source"])

    def test_resume_leaves_out_what_is_there_and_verify_looks_at_it(self):
        tree = self.make_tree()
        self.assertEqual(self.ok("cp", "-rv", "--resume", "-T", str(tree), "benchfs:/tree").count(b".dat"), 0)
        # The same size and time, but not the same bytes.
        victim = tree / "sub" / "size4096.dat"
        times = (victim.stat().st_atime_ns, victim.stat().st_mtime_ns)
        victim.write_bytes(os.urandom(4096))
        os.utime(victim, ns=times)
        self.assertEqual(self.ok("cp", "-rv", "--resume", "-T", str(tree), "benchfs:/tree").count(b".dat"), 0)
        said = self.ok("cp", "-rv", "--resume", "--verify", "-T", str(tree), "benchfs:/tree")
        self.assertEqual(said.count(b"size4096.dat' ->"), 1, said)
        self.assertEqual(said.count(b".dat' ->"), 1, said)
        self.assertEqual(self.ok("cat", "/tree/sub/size4096.dat"), victim.read_bytes())

    def test_what_cannot_be_read_back_is_not_called_verified(self):
        self.ok("touch", "/f")
        self.fails(1, b"cannot verify", "cp", "--verify", "benchfs:/f", "/dev/null")


if __name__ == "__main__":
    unittest.main(verbosity=2)
