#!/usr/bin/env python3
"""Goal: h5py over MPI works on benchfs as it is: what it writes in every layout, all ranks and later readers find.

Method: every element is a function of data set, row and column. Each rank writes its own columns and reads those of
another, through the file that wrote them and through one that was opened again. Run under mpirun with 2 or more ranks.
Arguments: a file of benchfs; and `benchfs`, which copies it out, for a reader without MPI-IO.
"""

import os
import subprocess
import sys
import tempfile

import h5py
import numpy
from mpi4py import MPI

COMM = MPI.COMM_WORLD
ROWS = 211
COLUMNS = 97  # Of each rank.
SMALL_COUNT = 150
STEPS = 5

LAYOUTS = {
    "contiguous": {},
    "chunked": {"chunks": (32, 40)},
    "shuffled and deflated": {"chunks": (64, COLUMNS), "shuffle": True, "compression": "gzip", "compression_opts": 3},
    "checksummed": {"chunks": (50, 50), "fletcher32": True},
}
failures = 0


def check(sentence: str, holds_here: bool) -> None:
    """Collective: it holds if it holds on every rank."""
    global failures
    holds = COMM.allreduce(bool(holds_here), op=MPI.LAND)
    failures += not holds
    if COMM.rank == 0:
        print(f"{'ok   ' if holds else 'FAIL '} {sentence}", flush=True)


def values(seed: int, rows: numpy.ndarray, columns: numpy.ndarray) -> numpy.ndarray:
    return seed * 1e9 + rows[:, None] * 1e4 + columns[None, :] + 0.25


def columns_of(rank: int) -> slice:
    return slice(rank * COLUMNS, (rank + 1) * COLUMNS)


def expected(seed: int, rows: slice, columns: slice) -> numpy.ndarray:
    return values(seed, numpy.arange(rows.start, rows.stop), numpy.arange(columns.start, columns.stop))


ALL_ROWS = slice(0, ROWS)


def write_layouts(file: h5py.File) -> None:
    mine = columns_of(COMM.rank)
    for seed, (name, options) in enumerate(LAYOUTS.items()):
        data = file.create_dataset(name, (ROWS, COLUMNS * COMM.size), dtype="f8", **options)
        data.attrs["seed"] = seed
        # Filters can be written collectively only.
        with data.collective:
            data[:, mine] = expected(seed, ALL_ROWS, mine)
    independent = file.create_dataset("independent", (ROWS, COLUMNS * COMM.size), dtype="f8", chunks=(16, 16))
    for row in range(ROWS):
        independent[row, mine] = expected(50, slice(row, row + 1), mine)[0]


def write_growing(file: h5py.File) -> None:
    """One more row of each rank in each step, as a simulation appends to its results."""
    growing = file.create_dataset("growing", (0, COLUMNS), maxshape=(None, COLUMNS), chunks=(4, COLUMNS), dtype="f8")
    for step in range(STEPS):
        growing.resize(((step + 1) * COMM.size, COLUMNS))
        row = step * COMM.size + COMM.rank
        with growing.collective:
            growing[row:row + 1, :] = expected(60, slice(row, row + 1), slice(0, COLUMNS))


def write_many_small(file: h5py.File) -> None:
    group = file.create_group("small")
    for i in range(SMALL_COUNT):
        data = group.create_dataset(f"{i:04d}", (COMM.size, 3), dtype="i4")
        data[COMM.rank] = [i, COMM.rank, i * 1000 + COMM.rank]


def check_all(file: h5py.File, how: str) -> None:
    theirs = columns_of((COMM.rank + 1) % COMM.size)
    for seed, name in enumerate(LAYOUTS):
        data = file[name]
        with data.collective:
            read = data[:, theirs]
        check(f"{name}, read collectively {how}", numpy.array_equal(read, expected(seed, ALL_ROWS, theirs)))
        check(f"{name}, read independently {how}",
              numpy.array_equal(data[:, theirs], expected(seed, ALL_ROWS, theirs)))
        check(f"{name}, its attribute {how}", data.attrs["seed"] == seed)
    check(f"independent {how}", numpy.array_equal(file["independent"][:, theirs], expected(50, ALL_ROWS, theirs)))
    growing = file["growing"]
    rows = slice(0, STEPS * COMM.size)
    check(f"growing {how}", growing.shape == (rows.stop, COLUMNS) and
          numpy.array_equal(growing[:], expected(60, rows, slice(0, COLUMNS))))
    small = file["small"]
    check(f"{SMALL_COUNT} small data sets {how}", len(small) == SMALL_COUNT and all(
        numpy.array_equal(small[f"{i:04d}"][r], [i, r, i * 1000 + r])
        for i in range(SMALL_COUNT) for r in range(COMM.size)))


def open_file(name: str, mode: str) -> h5py.File:
    """By h5py's low-level interface, and with the formats of the newest release."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_mpio(COMM, MPI.Info.Create())
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_LATEST)
    if mode == "w":
        return h5py.File(h5py.h5f.create(name.encode(), h5py.h5f.ACC_TRUNC, fapl=access))
    return h5py.File(h5py.h5f.open(name.encode(), h5py.h5f.ACC_RDONLY, fapl=access))


def check_copy(name: str, tool: str) -> None:
    """A reader that knows nothing of MPI finds the same in a copy."""
    same = True
    if COMM.rank == 0:
        with tempfile.TemporaryDirectory(prefix="benchfs-h5py-") as folder:
            copy = os.path.join(folder, "copy.h5")
            subprocess.run([tool, "cp", name, copy], check=True)
            with h5py.File(copy, "r") as file:
                whole = slice(0, COLUMNS * COMM.size)
                same = all(numpy.array_equal(file[layout][:], expected(seed, ALL_ROWS, whole))
                           for seed, layout in enumerate(LAYOUTS))
    check("a copy outside of benchfs, read without MPI", same)


def main() -> int:
    if len(sys.argv) != 3 or COMM.size < 2:
        print("usage: mpirun -n N h5py_test.py FILE BENCHFS, with 2 or more ranks", file=sys.stderr)
        return 2
    name, tool = sys.argv[1:]
    check("h5py was built with MPI", h5py.get_config().mpi)
    with open_file(name, "w") as file:
        write_layouts(file)
        write_growing(file)
        write_many_small(file)
        file.flush()
        COMM.Barrier()
        check_all(file, "through the file that wrote it")
    with h5py.File(name, "r", driver="mpio", comm=COMM) as file:
        check_all(file, "after it was opened again")
    with open_file(name, "r") as file:
        check_all(file, "after it was opened again by the low-level interface")
    check_copy(name, tool)
    # A file that is written again is another one.
    with h5py.File(name, "w", driver="mpio", comm=COMM) as file:
        file.create_dataset("only", (COMM.size,), dtype="i8")[COMM.rank] = COMM.rank + 7
    with h5py.File(name, "r", driver="mpio", comm=COMM) as file:
        check("a file written again holds what is new alone", list(file) == ["only"] and
              numpy.array_equal(file["only"][:], numpy.arange(COMM.size) + 7))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
