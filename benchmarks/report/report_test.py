#!/usr/bin/python3
"""The report tells what the samples hold, whether each target is met, and what was not measured.

  report_test.py [BUILD]

Method: samples made up so that every verdict is known, through the suite's own --from. With BUILD, the suite measures one
case there as well, in small: a session, its limits, and the report of it.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SUITE = pathlib.Path(__file__).resolve().parent.parent / "suite"
sys.path.insert(0, str(SUITE.parent))
from report import targets  # noqa: E402
from report.samples import Samples, spread  # noqa: E402

BUILD = sys.argv[1] if len(sys.argv) > 1 else None
ABOUT = {"processor": "P", "cores": 2, "kernel": "6.1", "load": 0.0, "load_after": 0.5, "repeats": 2, "size": 1 << 30, "tls": "default", "quick": False}


def made_up():
    """Two rounds: easy write at 0.9 and 1.0 of fio, create at 2 round trips, an idle server at 0.4 %."""
    return {"data1 easy-write mib_per_s": [900, 2000], "fio1 write": [1000, 2000], "one ping p50": [2.0, 4.0], "one md-easy-create p50": [4.0, 8.0],
            "idle percent": [0.4, 0.4], "server memory": [100 << 20, 104 << 20], "beside random-read p99.9": [100, 100], "beside random-read p50": [50, 50]}


class Verdicts(unittest.TestCase):
    def rows(self, values, missing=None):
        samples = Samples()
        samples.values, samples.missing = values, missing or {}
        return {row["name"]: row for row in targets.judged(samples)}

    def test_a_median_is_held_against_its_bound(self):
        rows = self.rows(made_up())
        self.assertEqual(rows["easy write, 1 MiB, to fio"]["values"], [0.9, 1.0])
        self.assertEqual(rows["easy write, 1 MiB, to fio"]["verdict"], "met")  # 0.95 of 0.95
        self.assertEqual(rows["create, in empty round trips"]["verdict"], "met")
        self.assertEqual(rows["idle server, % of a core"]["verdict"], "missed")
        self.assertEqual(rows["server memory at the start, MiB"]["text"], "102.0 (100.0-104.0)")
        self.assertAlmostEqual(rows["idle server, % of a core"]["of_target"], 4 / 3)

    def test_what_was_not_measured_is_a_row_that_says_why(self):
        values = {name: of for name, of in made_up().items() if not name.startswith("beside")}
        rows = self.rows(values, {"tail": "the writer ended"})
        self.assertEqual(len(rows), len(targets.ROWS))
        self.assertEqual(rows["random 4 KiB read to fio"]["verdict"], "not measured")
        self.assertIn("data1 random-read", rows["random 4 KiB read to fio"]["why"])
        self.assertIn("RDMA", rows["server CPU where no copy is the server's, s/GiB"]["why"])
        tail = next(row for name, row in rows.items() if name.startswith("p99.9"))
        self.assertEqual((tail["verdict"], tail["why"]), ("not measured", "the writer ended"))

    def test_spread_is_median_smallest_largest(self):
        self.assertEqual(spread([3, 1, 20], 1), "3.0 (1.0-20.0)")
        self.assertEqual(spread([1234.5], 0), "1,234")


class Report(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="benchfs-report-", dir=".")
        self.addCleanup(place.cleanup)
        self.place = pathlib.Path(place.name)

    def suite(self, *words):
        return subprocess.run([str(SUITE), "--output", str(self.place / "out"), *map(str, words)], capture_output=True, text=True, timeout=120)

    def write(self, name, **about):
        path = self.place / name
        path.write_text(json.dumps({"about": {**ABOUT, **about}, "values": made_up(), "missing": {"mount": "no /dev/fuse"}}))
        return path

    def test_several_runs_become_one_report_with_pictures(self):
        done = self.suite("--from", self.write("a"), "--from", self.write("b", repeats=3, load_after=7.0))
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("5 rounds of 1024 MiB", "7.0 after", "easy write, 1 MiB, to fio", "0.95 (0.90-1.00)", "mount: not measured: no /dev/fuse"):
            self.assertIn(text, done.stdout)
        report = json.loads((self.place / "out/report.json").read_text())
        self.assertEqual(len(report["targets"]), len(targets.ROWS))
        for picture in ("targets", "transfers", "ways", "job"):
            self.assertEqual((self.place / f"out/{picture}.png").read_bytes()[:4], b"\x89PNG")

    def test_runs_of_different_sizes_are_not_mixed(self):
        done = self.suite("--from", self.write("a"), "--from", self.write("b", size=1 << 20))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no rounds of one measurement", done.stderr)

    def test_nonsense_is_refused(self):
        self.assertIn("no size of at least 32M", self.suite("--size", "12Q").stderr)
        self.assertIn("is not built", self.suite("--build", "/nowhere").stderr)

    @unittest.skipIf(BUILD is None, "no build directory was given")
    def test_a_case_is_measured(self):
        done = self.suite("--build", BUILD, "--directory", self.place, "--quick", "--repeats", 1, "--only", "one_client", "--only", "idle")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        verdicts = {row["name"]: row["verdict"] for row in json.loads((self.place / "out/report.json").read_text())["targets"]}
        for measured in ("empty round trip to ucp_am_lat's", "create, in empty round trips", "idle server, % of a core", "server memory at the start, MiB"):
            self.assertIn(verdicts[measured], ("met", "missed"), measured)
        self.assertEqual(verdicts["easy write, 1 MiB, to fio"], "not measured")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
