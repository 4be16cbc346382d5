#!/usr/bin/env python3
"""Runs the public pjdfstest suite on a mount and judges what fails by pjdfstest.expected: no more and no less.

    autoreconf -ifs && ./configure && make pjdfstest      in a clone of github.com/pjd/pjdfstest
    with_session 2 -- tests/fuse/pjdfstest.py BENCHFS CLONE [FILE...]

As root, some minutes. BENCHFS is the program; FILE such as chmod/00: only these. Each file is run as it is, where only
listed files may fail, and with the types of files that benchfs has alone, where the rows have to be the listed ones.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SECONDS_MAX = 600  # For one file.
TYPES_WE_LACK = re.compile(r" (?:fifo|block|char|socket)\b")
ROW = re.compile(r"^(not )?ok (\d+)(?!.*# TODO)", re.MULTILINE)


def parse_rows(words):
    rows = set()
    for word in words:
        first, _, last = word.partition("-")
        rows.update(range(int(first), int(last or first) + 1))
    return rows


def read_expected(path):
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {words[0]: parse_rows(words[1:]) for words in lines}


def without_types_we_lack(path):
    """In place. Only loops over types: what a file does with one of them alone stays, and fails."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(TYPES_WE_LACK.sub("", line) if line.lstrip().startswith("for type") else line
                            for line in lines))


def run(file, place):
    """The rows that have failed."""
    place.mkdir()
    done = subprocess.run(["sh", str(file)], cwd=place, capture_output=True, timeout=SECONDS_MAX, check=False)
    rows = ROW.findall(done.stdout.decode(errors="replace"))
    if not rows and b"1..0" not in done.stdout:
        raise RuntimeError(f"{file} has no results: {done.stderr.decode(errors='replace')}")
    return {int(number) for failed, number in rows if failed}


def judge(tool, clone, wanted):
    expected = read_expected(pathlib.Path(__file__).with_name("pjdfstest.expected"))
    with tempfile.TemporaryDirectory(prefix="pjdfstest-") as scratch:
        scratch = pathlib.Path(scratch)
        mount = scratch / "mount"
        mount.mkdir()
        subprocess.run([tool, "mount", "--allow-other", str(mount)], check=True)
        try:
            # Other users have to reach it.
            scratch.chmod(0o755)
            for suite in ("whole", "ours"):
                shutil.copytree(clone / "tests", scratch / suite / "tests")
                shutil.copy(clone / "pjdfstest", scratch / suite)
            wrong = 0
            names = wanted or sorted(path.relative_to(clone / "tests").with_suffix("").as_posix()
                                     for path in (clone / "tests").rglob("*.t"))
            for number, name in enumerate(names):
                ours = scratch / "ours" / "tests" / f"{name}.t"
                without_types_we_lack(ours)
                whole = run(scratch / "whole" / "tests" / f"{name}.t", mount / f"{number}w")
                rows = run(ours, mount / f"{number}o") if whole else set()
                is_right = rows == expected.get(name, set()) and (not whole or name in expected)
                if whole or not is_right:
                    print("as listed" if is_right else "OTHERWISE", name, len(whole), "rows;", sorted(rows), flush=True)
                wrong += not is_right
            print(f"{len(names)} files, {wrong} not as pjdfstest.expected has them")
            return 1 if wrong or not names else 0
        finally:
            subprocess.run([tool, "unmount", "--force", str(mount)], check=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(judge(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]))
