"""The programs of ROMIO's and MPICH's I/O tests: how each is run, and what it has to print.

Ranks are those of the suites' own scripts (romio/test/runtests.in, mpich/test/mpi/io/testlist.in).
"""

import dataclasses
import re

# What perf, fperf and coll_perf print instead of a verdict.
RATES = (r"Access size per process.*", r"Global array size.*", r"Collective \w+ time.*",
         r".*bandwidth.*= +[0-9.]+ +Mbytes/sec")
# What large_file and large_array do.
LARGE = (r"This program creates an? 4 Gbyte file.*", r"file size = 4294967296 bytes", r"file deleted",
         r"(Process 0: d|D)ata read back is correct")


@dataclasses.dataclass(frozen=True)
class Program:
    name: str
    ranks: int
    # @FILE@ stands for the file that it works on.
    arguments: str = ""
    # Other numbers of ranks work too.
    is_scalable: bool = False
    # Moves gigabytes.
    is_large: bool = False
    # Every line must match this, and the last of them be there, instead of the verdict "No Errors".
    prints: tuple[str, ...] = ()
    # Lines that are Open MPI's or the program's fault, README.md: exactly these, and none else, may say of errors.
    known: tuple[str, ...] = ()
    # Why it is not run, README.md.
    left_out: str = ""
    # Is to find itself in benchfs.
    reads_itself: bool = False

    def problem(self, status: int, output: str) -> str:
        """What is wrong with a run that ended so; empty if nothing."""
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        if self.known:
            # mpirun passes on stdout and stderr apart, in an order that is not that of the program.
            told = sorted(line for line in lines if line.startswith(("Error", "Unexpected", "Found")))
            if told != sorted(self.known):
                return "other errors than those that are known"
            return "" if status in (0, 1) else f"exit status {status}"
        if status != 0:
            return f"exit status {status}"
        if self.prints:
            strange = [line for line in lines if not any(re.fullmatch(known, line) for known in self.prints)]
            if strange:
                return f"prints: {strange[0]}"
            return "" if any(re.fullmatch(self.prints[-1], line) for line in lines) else "does not say how it went"
        return "" if lines == ["No Errors"] else "does not print No Errors and nothing else"


def fname(name: str, ranks: int = 4, **more) -> Program:
    return Program(name, ranks, "-fname @FILE@", is_scalable=ranks == 4, **more)


def view_error(line: int, got: str = "expect MPI_ERR_IO but got ") -> str:
    return f"Error at line {line}: {got}MPI_ERR_TYPE: invalid datatype"


ROMIO = (
    fname("simple"),
    fname("async"),
    fname("async-multiple"),
    fname("atomicity"),
    fname("coll_test"),
    fname("excl"),
    fname("file_info"),
    fname("i_noncontig", 2),
    fname("noncontig", 2),
    fname("noncontig_coll", 2),
    fname("noncontig_coll2"),
    Program("aggregation1", 4, "-h -f @FILE@", is_scalable=True),
    Program("aggregation2", 4, "@FILE@", is_scalable=True),
    Program("hindexed", 4, "@FILE@"),
    fname("misc"),
    fname("shared_fp"),
    fname("ordered_fp"),
    fname("split_coll"),
    fname("psimple"),
    fname("error", 1, known=(
        "Unexpected error message MPI_ERR_ARG: invalid argument of some other kind", "Found 1 errors")),
    fname("status", 1),
    Program("types_with_zeros", 2, "@FILE@"),
    Program("darray_read", 4, "@FILE@"),
    fname("coll_perf", prints=RATES),
    fname("perf", prints=RATES),
    fname("large_file", 1, is_large=True, prints=LARGE),
    fname("large_array", 1, is_large=True, prints=LARGE),
    fname("fcoll_test"),
    fname("fmisc"),
    fname("pfcoll_test"),
    fname("fperf", prints=RATES),
    Program("external32", 1, left_out="opens its file by fopen() too"),
)

MPICH = (
    Program("rdwrord", 4, is_scalable=True),
    Program("rdwrzero", 4, is_scalable=True),
    Program("getextent", 2),
    Program("setinfo", 4, is_scalable=True),
    Program("setviewcur", 4, is_scalable=True),
    Program("i_noncontig", 2),
    Program("async", 4, is_scalable=True),
    Program("async_any", 4, is_scalable=True),
    Program("userioerr", 1),
    Program("resized", 1),
    Program("resized2", 1),
    Program("bigtype", 1, is_large=True),
    Program("hindexed_io", 1),
    Program("tst_fileview", 1, known=tuple(
        view_error(line) for line in (101, 118, 152, 169, 211)) + (
            view_error(228, ""), view_error(262), view_error(279, ""))),
    Program("zero_count", 4, is_scalable=True, reads_itself=True),
    Program("simple_collective", 1, "simple_collective.testfile",
            known=("Error: failed to open simple_collective.testfile", "Found 1 errors")),
    Program("external32_derived_dtype", 1),
    Program("i_bigtype", 1, is_large=True),
    Program("i_hindexed_io", 1),
    Program("i_rdwrord", 4, is_scalable=True),
    Program("i_setviewcur", 4, is_scalable=True),
    Program("i_aggregation1", 4, is_scalable=True),
    Program("i_aggregation2", 4, is_scalable=True),
    Program("i_coll_test", 4),
    Program("i_darray_read", 4),
    Program("i_hindexed", 4),
    Program("i_noncontig_coll", 2),
    Program("i_noncontig_coll2", 4, is_scalable=True),
    Program("i_types_with_zeros", 2),
)
