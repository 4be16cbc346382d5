"""What is measured, case by case; each adds its figures to the samples. One round runs every case once."""
import json
import os
import time

from . import machine
from .session import finish, stop

ENDS = ("--check", "ends")
MIB = 1 << 20


def transfers(session, samples, o, directory):
    """easy, hard and random beside fio, with as many clients and as much under way."""
    for transfer in (1, 4):
        phases = "easy,hard,random" if transfer == 1 else "easy"
        samples.add_phases(f"data{transfer}", session.bench(
            2, *ENDS, "--phases", phases, "--transfer", transfer * MIB, "--size", o.size // 2, "--hard-size", o.size // 4,
            "--random-size", o.size // 4, "--operations", o.operations))
        for mode in ("write", "read"):
            samples.add(f"fio{transfer} {mode}", machine.fio(directory, mode, jobs=2, transfer=transfer * MIB, size=o.size))
    for mode in ("randwrite", "randread"):
        samples.add(f"fio {mode}", machine.fio(directory, mode, jobs=2, transfer=4096, size=o.size // 2, operations=o.operations))
    samples.add_phases("fresh", session.bench(2, *ENDS, "--phases", "easy", "--size", o.size // 8))


def one_client(session, samples, o):
    """One operation at a time: round trips, and what names cost in them."""
    samples.add_phases("one", session.bench(1, "--depth", 1, "--phases", "ping,md-easy,md-hard", "--files", o.files // 10, "--operations", o.round_trips))
    samples.add("ucx round trip", machine.ucx_round_trip_us(o.tls))
    samples.add_phases("pause", session.bench(1, "--phases", "wake", "--operations", o.round_trips // 40))


def names(session, samples, o):
    """32 names under way, of 2 clients; and what a client costs that only has joined."""
    samples.add_phases("names", session.bench(2, "--depth", 16, "--phases", "md-easy,md-hard,find", "--files", o.files))
    samples.add_phases("crowd", session.bench(1, "--phases", "clients", "--clients", o.clients))


def idle(session, samples, o):
    """An idle server, and what it takes before anybody has asked it anything."""
    samples.add("server memory", session.status()["memory_bytes"])
    before = session.status()["cpu_ns"]
    time.sleep(o.idle)  # Not a wait for something: this is the interval over which idling is measured.
    samples.add("idle percent", (session.status()["cpu_ns"] - before) / 1e9 / o.idle * 100)


def wire(samples, o, programs):
    for test in ("ucp_am_bw", "ucp_put_bw"):
        samples.add(test, machine.ucx_mib_per_s(test, o.tls))
    samples.add("memory copy", machine.memory_copy_mib_per_s(programs.node, 4 * o.size))


def micro(samples, o, programs, directory):
    """Each component by itself; ns of one operation."""
    environment = dict(os.environ, BENCHFS_MICRO_DIR=str(directory), **({"UCX_TLS": o.tls} if o.tls else {}))
    out = machine.run([programs.micro, "--benchmark_format=json", f"--benchmark_min_time={o.micro}"], env=environment)
    for one in json.loads(out)["benchmarks"]:
        samples.add(f"micro {one['name']}", 1e9 / one["items_per_second"])


def tail(session, samples, o):
    """4 KiB reads, one at a time, alone and beside another client that streams."""
    kept = ("--random-size", o.size // 8, "--keep")
    session.bench(1, *ENDS, *kept, "--phases", "random-write", "--operations", o.tail_operations)
    read = (1, *ENDS, *kept, "--phases", "random-read", "--depth", 1, "--operations", o.tail_operations)
    samples.add_phases("quiet", session.bench(*read))
    session.make_directory("/streamer")
    before = session.status()["written_bytes"]
    # More than it will get done: it is stopped when the reads are over.
    writer = session.start(1, *ENDS, "--phases", "easy-write", "--size", o.stream, "--path", "/streamer")
    try:
        while session.status()["written_bytes"] < before + o.size // 16 and writer.poll() is None:
            pass  # Each question is an answer from the server: it streams once the bytes grow.
        phases = session.bench(*read)
        if writer.poll() is None:
            samples.add_phases("beside", phases)
        else:
            samples.missing["tail"] = "the streaming writer ended before the reads did: a larger --size is needed"
    finally:
        stop(writer)


def job(samples, o, programs, session, local, alone_s):
    """The job's own speed while as much is written, by one rank, to the session and to a local directory."""
    samples.add("compute idle", machine.compute_s(programs.node, o.steps) / alone_s)
    for name, backend, path in (("session", "benchfs", "/"), ("local", "posix", local)):
        before = time.monotonic()
        writer = session.start(1, *ENDS, "--backend", backend, "--path", path, "--phases", "easy-write", "--size", o.checkpoint, "--depth", 4)
        try:
            beside_s = machine.compute_s(programs.node, o.steps)
            wrote = finish(writer)["easy-write"]
        finally:
            stop(writer)
        samples.add(f"compute {name}", beside_s / alone_s)
        samples.add(f"checkpoint {name} mib_per_s", wrote["mib_per_s"])
        samples.add(f"compute {name} core_s_per_gib", (beside_s - alone_s) * o.cores / (o.checkpoint / 2**30))
        samples.add(f"compute {name} covered", min(1.0, beside_s / (time.monotonic() - before)))


def way_list(session, samples, local):
    """Every way to files: name, options of benchfs-bench, depth, whether it has names, more processes to watch."""
    ways = [("C++ API", ["--backend", "benchfs"], 16, True, ()),
            ("MPI-IO", ["--backend", "mpiio", "--path", "benchfs:/"], 16, False, ()),
            ("HDF5", ["--backend", "hdf5", "--path", "benchfs:/"], 1, False, ()),
            ("libchfs", ["--backend", "chfs"], 16, True, ())]
    point, why = session.mount()
    if point is None:
        samples.missing["mount"] = why
    else:
        ways.append(("mount", ["--backend", "posix", "--path", point], 16, True, session.mount_processes()))
    ways.append(("local directory", ["--backend", "posix", "--path", local], 16, True, ()))
    return ways


def side_by_side(session, samples, o, local):
    """Throughput with much under way of two clients, and the latency of one transfer or name at a time, by every way."""
    for name, options, depth, has_names, watch in way_list(session, samples, local):
        samples.add_phases(f"way {name}", session.bench(
            2, *options, *ENDS, "--depth", depth, "--phases", "easy,hard,random", "--size", o.size // 8, "--hard-size", o.size // 16,
            "--random-size", o.size // 16, "--operations", o.operations // 8, watch=watch))
        phases = "random,md-easy,md-hard" if has_names else "random"
        samples.add_phases(f"one by {name}", session.bench(
            1, *options, *ENDS, "--depth", 1, "--phases", phases, "--random-size", o.size // 16, "--operations", o.operations // 16,
            "--files", max(o.files // 50, 20), watch=watch))
