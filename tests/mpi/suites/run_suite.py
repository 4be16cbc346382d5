#!/usr/bin/env python3
"""Runs the programs of a suite (suites.py) under mpirun, in the session that is up, and judges each.

    run_suite.py romio|mpich --programs DIR --mpirun FILE --benchfs FILE [--built "A;B"] [--ranks N] [--large]
                 [--only A,B] [--repeat N]

A program that fails is told with all that it printed. The last line counts; the exit status is 0 only if all passed.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import suites

# A hang is a failure. The slowest moves gigabytes.
SECONDS_MAX = 240


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", choices=("romio", "mpich"))
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="the folder that they were built into")
    parser.add_argument("--mpirun", required=True)
    parser.add_argument("--benchfs", required=True)
    parser.add_argument("--built", default="", help="what was built, by ';': has to be what the table has")
    parser.add_argument("--ranks", type=int, default=0, help="of programs that do not ask for a number")
    parser.add_argument("--large", action="store_true", help="those that move gigabytes too")
    parser.add_argument("--only", default="", help="these, by commas")
    parser.add_argument("--repeat", type=int, default=1)
    return parser.parse_args()


def run(command: list[str], folder: str, environment: dict[str, str]) -> tuple[int, str]:
    """Status and output. What runs too long is ended with all that it started."""
    with subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace") as process:
        try:
            output, _ = process.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)  # mpirun ends its ranks then.
            try:
                output, _ = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                output, _ = process.communicate()
            return 124, output + f"\nnot done after {SECONDS_MAX} s"
        return process.returncode, output


def in_benchfs(tool: str, *words: str) -> None:
    subprocess.run([tool, *words], check=True, stdin=subprocess.DEVNULL)


def try_program(program: suites.Program, options: argparse.Namespace) -> tuple[str, str]:
    """What is wrong, empty if nothing; and the output."""
    file = options.programs / program.name
    ranks = options.ranks if options.ranks and program.is_scalable else program.ranks
    # Programs of MPICH have names of their own in the folder that they start in: the whole folder is in benchfs,
    # and if a file were made elsewhere it would be found there.
    environment = dict(os.environ, OMPI_MCA_mpi_yield_when_idle="1")
    root = f"benchfs:/suite_{options.suite}"
    with tempfile.TemporaryDirectory(prefix="benchfs-suite-") as folder:
        if options.suite == "mpich":
            environment["OMPI_MCA_io_benchfs_all"] = "1"
            root = f"benchfs:{folder}"
        in_benchfs(options.benchfs, "mkdir", "-p", root)
        if program.reads_itself:
            in_benchfs(options.benchfs, "mkdir", "-p", f"benchfs:{file.parent}")
            in_benchfs(options.benchfs, "cp", str(file), f"benchfs:{file}")
        words = program.arguments.replace("@FILE@", f"{root}/{program.name}").split()
        status, output = run([options.mpirun, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none",
                              "-n", str(ranks), str(file), *words], folder, environment)
        problem = program.problem(status, output)
        strays = os.listdir(folder)
        in_benchfs(options.benchfs, "rm", "-r", root)
        if program.reads_itself:
            in_benchfs(options.benchfs, "rm", f"benchfs:{file}")
    if not problem and strays:
        problem = f"made {', '.join(strays)} outside of benchfs"
    return problem, output


def main() -> int:
    options = arguments()
    table = suites.ROMIO if options.suite == "romio" else suites.MPICH
    names = {program.name for program in table}
    built = {name for name in options.built.split(";") if name}
    only = {name for name in options.only.split(",") if name}
    for wrong in sorted((built ^ names if built else set()) | (only - names)):
        print(f"FAIL  {wrong}: either not built or not in suites.py")
        return 1
    chosen = [program for program in table if not only or program.name in only]
    passed = failed = 0
    for turn in range(options.repeat):
        for program in chosen:
            if program.left_out or (program.is_large and not options.large):
                if turn == 0:
                    print(f"--    {program.name}: {program.left_out or 'moves gigabytes: with --large only'}")
                continue
            begin = time.monotonic()
            problem, output = try_program(program, options)
            seconds = time.monotonic() - begin
            passed += not problem
            failed += bool(problem)
            if problem:
                print(f"FAIL  {program.name}: {problem}\n{output}", flush=True)
            elif turn == 0:
                print(f"ok    {program.name} ({seconds:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
