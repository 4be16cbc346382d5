#!/usr/bin/env python3
"""benchfs-bench in small: every pattern over every way to files, verified; and that it fails when it should.

  with_session 1 -- smoke_test.py BENCHFS_BENCH BENCHFS MPIEXEC

Method: runs of a few MiB of two ranks in the session that is up and in a local directory. What a run says it did is
compared with what it was asked to do. Then runs whose files were kept are damaged in between (a byte, a size, a
name), and have to end with status 1 and a sentence that names the file.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH, TOOL, MPIEXEC = sys.argv[1:4]
RANKS = 2
MIB = 1 << 20
SIZES = ["--size", "4M", "--hard-size", "500K", "--random-size", "1M", "--operations", "300", "--files", "60"]
DATA = {"easy-write": 4 * MIB, "easy-read": 4 * MIB, "hard-write": 500 * 1024 // 47008 * 47008, "hard-read": 500 * 1024 // 47008 * 47008,
        "random-write": 300 * 4096, "random-read": 300 * 4096}
FILES = {f"md-{kind}-{act}": 60 for kind, acts in (("easy", "create stat remove"), ("hard", "create stat read remove")) for act in acts.split()}


def bench(*words, ranks=RANKS):
    command = [MPIEXEC, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-n", ranks, BENCH, *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)


def figures(*words, **options):
    done = bench(*words, "--json", "-", **options)
    if done.returncode != 0:
        raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return {phase["phase"]: phase for phase in json.loads(done.stdout)["phases"]}


class EveryWay(unittest.TestCase):
    """Goal: what is asked for is what is done and counted, over every way."""

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="benchfs-smoke-", dir=".")
        self.addCleanup(place.cleanup)
        self.local = place.name

    def check(self, got, with_names):
        for phase, size in DATA.items():
            self.assertEqual(got[phase]["bytes"], size * RANKS, phase)
        for phase, count in FILES.items() if with_names else ():
            self.assertEqual(got[phase]["operations"], count * RANKS, phase)
        if with_names:
            self.assertEqual(got["find"]["operations"], 120 * RANKS + 2 * RANKS + 1)
        for name, phase in got.items():
            self.assertEqual(phase["wrong"], 0, name)
            self.assertGreater(phase["seconds"], 0, name)
            if "latency_us" in phase:
                at = phase["latency_us"]
                self.assertTrue(0 < at["p50"] <= at["p99"] <= at["p99.9"] <= at["max"], name)

    def test_library(self):
        self.check(figures(*SIZES), True)

    def test_library_one_at_a_time_and_sessions_own_phases(self):
        got = figures(*SIZES, "--depth", 1, "--phases", "easy,hard,random,md-easy,md-hard,find,ping,clients", "--clients", 3, "--transfer", "64K")
        self.check(got, True)
        self.assertEqual(got["ping"]["operations"], 300 * RANKS)
        self.assertEqual(got["clients"]["operations"], 3 * RANKS)

    def test_mpiio(self):
        self.check(figures(*SIZES, "--backend", "mpiio", "--path", "benchfs:/"), False)

    def test_hdf5(self):
        self.check(figures(*SIZES, "--backend", "hdf5", "--path", "benchfs:/"), False)

    def test_chfs(self):
        self.check(figures(*SIZES, "--backend", "chfs"), True)

    def test_directory(self):
        self.check(figures(*SIZES, "--backend", "posix", "--path", self.local), True)
        self.assertEqual(os.listdir(self.local), [], "a run clears up")

    def test_odd_sizes_and_three_ranks(self):
        got = figures("--size", "3000008", "--transfer", "1000008", "--hard-size", "47008", "--random-size", "1052672", "--depth", 2, "--operations", 700,
                      "--files", 3, "--shift", 2, ranks=3)
        self.assertEqual(got["easy-read"]["bytes"], 3 * 2 * 1000008)
        self.assertEqual(got["hard-read"]["bytes"], 3 * 47008)
        self.assertEqual(got["random-read"]["operations"], 3 * 700)

    def test_stonewall_ends_all_ranks_at_the_same_count(self):
        got = figures("--phases", "easy,md-easy,find", "--size", "1T", "--files", "1000000000", "--transfer", "64K", "--seconds", "0.3", "--depth", 2)
        for write, read in (("easy-write", "easy-read"), ("md-easy-create", "md-easy-stat"), ("md-easy-create", "md-easy-remove")):
            self.assertGreater(got[write]["operations"], 0)
            self.assertEqual(got[write]["operations"] % RANKS, 0)
            self.assertEqual(got[write]["operations"], got[read]["operations"])
            self.assertLessEqual(got[write]["stonewall"]["operations"], got[write]["operations"])
            self.assertGreaterEqual(got[write]["stonewall"]["seconds"], 0.3)


class Damage(unittest.TestCase):
    """Goal: a run that finds anything wrong has status 1 and says what."""

    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="benchfs-smoke-", dir=".")
        self.addCleanup(place.cleanup)
        self.local = pathlib.Path(place.name)
        self.data = self.local / "benchfs-bench.data"
        self.posix = ["--backend", "posix", "--path", str(self.local), "--depth", 2, *SIZES]

    def fails(self, words, *texts):
        done = bench(*words)
        self.assertEqual(done.returncode, 1, f"{words}\n{done.stdout}{done.stderr}")
        for text in texts:
            self.assertIn(text, done.stdout + done.stderr)

    @staticmethod
    def flip(path, offset):
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 0x10]))

    def test_a_byte_of_each_kind_of_file(self):
        figures(*self.posix, "--keep", "--phases", "easy-write,hard-write,random-write,md-hard-create")
        reads = [*self.posix, "--keep", "--phases", "easy-read,hard-read,random-read,md-hard-read"]
        places = (("easy.0", 4 * MIB - 3), ("hard", 47008 + 4711), ("random.1", MIB - 1), ("md-hard/f.1.59", 3900))
        for name, offset in places:
            self.flip(self.data / name, offset)
        self.fails(reads, "1 WRONG", *(f"benchfs-bench.data/{name}: byte {offset} is 0x" for name, offset in places))
        for name, offset in places:
            self.flip(self.data / name, offset)
        figures(*reads)

    def test_a_byte_in_the_session(self):
        kept = [*SIZES, "--keep", "--path", "/damaged"]
        subprocess.run([TOOL, "mkdir", "/damaged"], check=True)
        figures(*kept, "--phases", "easy-write")
        copy = str(self.local / "copy")
        subprocess.run([TOOL, "cp", "benchfs:/damaged/benchfs-bench.data/easy.1", copy], check=True, capture_output=True)
        self.flip(copy, 1234567)
        subprocess.run([TOOL, "cp", copy, "benchfs:/damaged/benchfs-bench.data/easy.1"], check=True, capture_output=True)
        for backend, path in (("benchfs", "/damaged"), ("mpiio", "benchfs:/damaged")):
            self.fails([*SIZES, "--keep", "--backend", backend, "--path", path, "--phases", "easy-read"], "easy.1: byte 1234567 is 0x")
        subprocess.run([TOOL, "rm", "-r", "/damaged"], check=True)

    def test_what_is_missing(self):
        figures(*self.posix, "--keep", "--phases", "easy-write,md-easy-create,md-hard-create,find")
        os.truncate(self.data / "easy.1", 4 * MIB - 1)
        (self.data / "md-hard/f.0.17").unlink()
        self.fails([*self.posix, "--keep", "--phases", "find,easy-read", "--expected-files", 240 + RANKS],
                   "easy.1: its size is 4194303, not 4194304", "241 files below", "not 242")
        self.fails([*self.posix, "--keep", "--phases", "md-hard-stat"], "md-hard/f.0.17: No such file or directory")
        (self.data / "md-hard/f.0.17").touch()
        self.fails([*self.posix, "--keep", "--phases", "md-hard-stat,md-hard-read"], "md-hard/f.0.17: its size is 0, not 3901", "0 bytes, not 3901")

    def test_what_cannot_be_is_said(self):
        done = bench("--backend", "posix", "--path", "/nowhere/at/all", ranks=1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/at/all", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
