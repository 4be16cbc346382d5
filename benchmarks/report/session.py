"""A session of one server that lives as long as a `with` block, and the programs that work in it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

from .machine import run


class Programs:
    """What has been built in a build directory."""

    def __init__(self, build):
        self.tool = build / "bin/benchfs"
        self.bench = build / "benchmarks/system/benchfs-bench"
        self.node = build / "benchmarks/system/benchfs-node"
        self.micro = build / "benchmarks/micro/benchfs-micro"
        for program in (self.tool, self.bench, self.node, self.micro):
            if not program.exists():
                sys.exit(f"{program} is not built: cmake --build --preset release")


class Session:
    def __init__(self, programs, directory, *, capacity, tls=None, options=()):
        self.programs = programs
        self.up_options = ["--servers", 1, "--capacity", capacity, *options]
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="benchfs-suite-", dir=directory))
        self.environment = dict(os.environ, BENCHFS_SESSION=str(self.home / "session"))
        if tls:
            self.environment["UCX_TLS"] = tls
        self.mount_point = None

    def __enter__(self):
        try:
            run([self.programs.tool, "up", "--store", self.home / "store", *self.up_options], env=self.environment)
        except BaseException:
            self.__exit__()
            raise
        self.server = self.status()["pid"]
        return self

    def __exit__(self, failure=None, *_):
        if failure is not None:
            self.show_log()
        # `down` unmounts too. What it has to say after a failure is not what there is to be said.
        subprocess.run([str(self.programs.tool), "down", "--force"], env=self.environment, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def show_log(self):
        """What the server said last, for whoever has to find out why a measurement failed."""
        log = self.home / "session" / "servers.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["there is no log"]
        print("the end of the server's log:", *lines[-20:], sep="\n  ", file=sys.stderr)

    def status(self):
        return json.loads(run([self.programs.tool, "status", "--json"], env=self.environment))["servers"][0]

    def make_directory(self, path):
        run([self.programs.tool, "mkdir", path], env=self.environment)

    def mount(self):
        """Mounts the session; returns the directory, or None and why not."""
        point = self.home / "mount"
        point.mkdir(exist_ok=True)
        done = subprocess.run([str(self.programs.tool), "mount", str(point)], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            return None, done.stderr.strip()
        self.mount_point = point
        return point, ""

    def mount_processes(self):
        """The processes that serve the mount."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue  # It has ended meanwhile.
            if words and words[0].endswith(b"benchfs-fuse") and str(self.mount_point).encode() in words:
                found.append(int(entry.name))
        return found

    def command(self, ranks, *words, watch=()):
        as_root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        pids = ",".join(str(pid) for pid in [self.server, *watch])
        return [str(word) for word in (
            self.programs.tool, "run", "--", "mpirun", *as_root, "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", 1,
            "-n", ranks, self.programs.bench, "--json", "-", "--watch", pids, *words)]

    def bench(self, ranks, *words, watch=()):
        """Runs benchfs-bench; its phases by name."""
        if self.status()["pid"] != self.server:
            sys.exit("the server has been started again meanwhile: it crashed, and no figure of this round counts")
        return phases_of(run(self.command(ranks, *words, watch=watch), env=self.environment))

    def start(self, ranks, *words):
        """The same beside what follows, until finish() or stop()."""
        return subprocess.Popen(self.command(ranks, *words), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                start_new_session=True)


def finish(process):
    """Waits for what start() has begun; its phases by name."""
    out, err = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(process.args)}\n{out}{err}exit status {process.returncode}")
    return phases_of(out)


def stop(process):
    """Ends it, whatever it is at."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    process.communicate()


def phases_of(text):
    return {phase["phase"]: phase for phase in json.loads(text[text.index("{"):])["phases"]}
