"""What the machine can do without benchfs: fio, ucx_perftest, memory copies, a compute kernel."""
import json
import os
import socket
import subprocess
import sys
import time


def run(command, **options):
    """Standard output of a command; ends the program with all that it said if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}exit status {done.returncode}")
    return done.stdout


def fio(directory, mode, *, jobs, transfer, size, depth=16, operations=0):
    """MiB/s with io_uring and O_DIRECT, one file a job, fsync included when writing. `size`: bytes of all files."""
    words = ["fio", "--name=limit", f"--directory={directory}", "--ioengine=io_uring", "--direct=1", f"--rw={mode}", f"--bs={transfer}",
             f"--iodepth={depth}", f"--numjobs={jobs}", f"--size={size // jobs}", "--group_reporting", "--output-format=json",
             "--fallocate=native", "--fixedbufs=1", "--registerfiles=1"]
    if "write" in mode:
        words.append("--end_fsync=1")
    if operations:
        words.append(f"--number_ios={operations}")
    out = run(words)
    job = json.loads(out[out.index("{"):])["jobs"][0]
    moved = sum(job[way]["io_bytes"] for way in ("read", "write"))
    # The time until the last job's end, fsync and all: what benchfs-bench counts too.
    return moved / 2**20 / (job["job_runtime"] / jobs / 1000)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ucx(test, tls, *, size, count):
    """The line of results of ucx_perftest between two processes of this machine, as words."""
    environment = dict(os.environ)
    if tls:
        environment["UCX_TLS"] = tls
    words = ["ucx_perftest", "-t", test, "-s", str(size), "-n", str(count), "-p", str(free_port())]
    server = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while True:  # The server says nowhere that it listens; a refused client is tried again.
            client = subprocess.run([words[0], "127.0.0.1", *words[1:]], env=environment, capture_output=True, text=True, timeout=60)
            if client.returncode == 0 or time.monotonic() > deadline:
                break
        final = next((line for line in client.stdout.splitlines() if line.startswith("Final:")), None)
        if final is None:
            sys.exit(f"ucx_perftest -t {test} failed: {client.stdout}{client.stderr}")
        return final.split()
    finally:
        server.kill()
        server.wait()


def ucx_round_trip_us(tls):
    """It reports the way there alone."""
    return 2 * float(ucx("ucp_am_lat", tls, size=8, count=50000)[2])


def ucx_mib_per_s(test, tls):
    return float(ucx(test, tls, size=1 << 20, count=2000)[6])  # "MB/s" there are MiB/s.


def memory_copy_mib_per_s(node, size):
    return json.loads(run([node, "copy", "--size", size]))["mib_per_s"]


def compute_s(node, steps):
    return json.loads(run([node, "compute", "--steps", steps]))["seconds"]


def description():
    """What a reader has to know of the machine to make something of the figures."""
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown processor")
    return {"processor": model, "cores": os.cpu_count(), "kernel": os.uname().release, "load": os.getloadavg()[0]}
