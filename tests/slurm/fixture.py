"""A Slurm cluster for the tests of a file, with benchfs installed on it, and the jobs that run there."""
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
SOURCE = HERE.parent.parent
BUILD = pathlib.Path(os.environ["BENCHFS_BUILD"])
USER_ID = 20001
NUMBERS = itertools.count(1)
PENDING_OR_RUNNING = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"}


def run(*words, time_max_s=60, **more):
    """A command's output; its status and what it said are in the exception otherwise."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=time_max_s, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def wait_until(what, time_max_s, holds):
    """Asks every 50 ms; fails, naming what was waited for, if it never held."""
    end = time.monotonic() + time_max_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {time_max_s} s: {what}")
        time.sleep(0.05)


class Cluster:
    """Comes down with this process, however that ends. `configuration`: lines for slurm.conf; `files`: name and text of
    others in its directory."""

    def __init__(self, nodes=2, configuration="", files=None):
        self.name = f"test-{os.getpid()}-{next(NUMBERS)}"
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self.base = pathlib.Path(f"/tmp/benchfs-cluster-{self.name}")
        self.prefix = self.base / "opt"
        self.scripts = self.prefix / "share/benchfs/slurm"
        with tempfile.TemporaryDirectory(dir="/tmp") as directory:
            more = pathlib.Path(directory)
            (more / "more").write_text(configuration)
            (more / "files").mkdir()
            for name, text in (files or {}).items():
                (more / "files" / name).write_bytes(
                    text if isinstance(text, bytes) else text.replace("@BASE@", str(self.base)).encode())
            self.command("up", "--nodes", nodes, "--with", os.getpid(), "--configuration", more / "more",
                         "--files", more / "files")
        run("cmake", "--install", BUILD, "--prefix", self.prefix)
        run("install", BUILD / "tests/slurm/slurm_exchange", HERE / "checkpoint", self.prefix / "bin")
        self.before = {node: self.traces(node) for node in self.nodes}

    def command(self, *words, **more):
        return run(HERE / "cluster", "--name", self.name, *words, **more)

    def on(self, node, *words):
        return self.command("exec", node, *words)

    def login(self, *words, **more):
        return self.command("login", "head", "env", f"PATH={self.prefix}/bin:/usr/bin:/bin", *words, **more)

    def traces(self, node):
        """All that could be left on a node: processes of the user, files, shared memory."""
        found = self.on(node, "sh", "-c", f"ps -o pid=,args= -u {USER_ID}; "
                        "find /tmp /dev/shm $(ls -d /run/benchfs 2> /dev/null) -mindepth 1 -maxdepth 1 -printf '%p\\n'")
        # The last are of Slurm's own plugin for PMIx, which forgets them when it has to kill a step.
        return sorted(line.strip() for line in found.splitlines() if "/spmix_appdir_" not in line)

    def submit(self, script, *words, options=()):
        """`script`: a file, or the text of one."""
        if isinstance(script, str):
            path = self.base / "home" / f"job-{time.monotonic_ns()}"
            path.write_text("#!/bin/bash\n" + script)
            script = path
        number = self.login("sbatch", "--parsable", "--output", "%j.out", *options, script, *words)
        return Job(self, number.strip().splitlines()[-1])

    def states(self):
        lines = self.on("head", "sinfo", "--noheader", "--Node", "--format", "%N %T").split("\n")
        return dict(line.split() for line in lines if line)

    def down(self):
        self.command("down")


class Job:
    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number

    def field(self, name):
        shown = self.cluster.on("head", "scontrol", "show", "job", "-o", self.number)
        return re.search(rf"\b{name}=(\S+)", shown)[1]

    def state(self):
        return self.field("JobState")

    def output(self):
        path = self.cluster.base / "home" / f"{self.number}.out"
        return path.read_text() if path.exists() else ""

    def wait(self, time_max_s=60):
        """Until it has ended, and the epilogs with it; returns its state and the exit status of its script."""
        try:
            wait_until(f"the end of job {self.number}", time_max_s, lambda: self.state() not in PENDING_OR_RUNNING)
        except AssertionError as error:
            raise AssertionError(f"{error}; its output:\n{self.output()}") from None
        return self.state(), int(self.field("ExitCode").split(":")[0])

    def wait_for(self, text, time_max_s=30):
        """Until its output has that."""
        wait_until(f"'{text}' in the output of job {self.number}", time_max_s,
                   lambda: text in self.output() or self.state() not in PENDING_OR_RUNNING)
        if text not in self.output():
            raise AssertionError(f"job {self.number} ended without '{text}':\n{self.output()}")


class ClusterTest(unittest.TestCase):
    """Each test starts and ends with nodes that are idle and clean."""
    nodes = 2
    configuration = ""
    files = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(cls.nodes, cls.configuration, cls.files)
        cls.addClassCleanup(cls.cluster.down)

    def tearDown(self):
        self.expect_clean()

    def expect_clean(self):
        wait_until("all nodes idle again: " + str(self.cluster.states()), 20,
                   lambda: set(self.cluster.states().values()) == {"idle"})
        for node in self.cluster.nodes:
            self.assertEqual(self.cluster.traces(node), self.cluster.before[node], f"left on {node}")

    def expect(self, job, state, status=None, time_max_s=60):
        found = job.wait(time_max_s)
        self.assertEqual(found[0], state, job.output())
        if status is not None:
            self.assertEqual(found[1], status, job.output())

    def expect_exchange(self, job, ranks):
        """Every rank ran, on all nodes alike, and read all that the others wrote."""
        output = job.output()
        places = re.findall(r"rank \d+ of (\d+) on (\w+)", output)
        self.assertEqual(len(places), ranks, output)
        for node in self.cluster.nodes:
            self.assertEqual(places.count((str(ranks), node)), ranks // len(self.cluster.nodes), output)
        self.assertIn("ok    every byte of every rank is right", output)
        self.assertIn("exchanged after", output)
        self.assertNotIn("FAIL", output)

    def server_of(self, node):
        return self.cluster.on(node, "pgrep", "-x", "benchfsd").split()[0]

    def servers_on(self, node):
        return self.cluster.on(node, "sh", "-c", "pgrep -c -x benchfsd || true").strip()

    def wait_for_state(self, node, state, time_max_s=60):
        wait_until(f"{node} {state}", time_max_s, lambda: self.cluster.states()[node].startswith(state))


class AdministratorTest(ClusterTest):
    """A cluster where the hooks are set up; `settings` are the administrator's, all but the defaults here."""
    settings = {}
    configuration = """
PrologFlags=Alloc
Prolog=@BASE@/hooks/prolog
TaskProlog=@BASE@/hooks/task_prolog
TaskEpilog=@BASE@/hooks/task_epilog
Epilog=@BASE@/hooks/epilog
HealthCheckProgram=@BASE@/hooks/sweep
HealthCheckInterval=600
"""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        hooks = cls.cluster.base / "hooks"
        hooks.mkdir()
        cls.configure()
        for hook in ("prolog", "task_prolog", "task_epilog", "epilog", "sweep"):
            # What an administrator who keeps his settings elsewhere writes; the clean-up of a test can count them.
            script = hooks / hook
            script.write_text(f"#!/bin/sh\n{{ echo {hook} $(hostname) $SLURM_JOB_RESTART_COUNT >> {hooks}/ran.$SLURM_JOB_ID; }} 2> /dev/null\n"
                              f"export BENCHFS_SLURM_CONF={hooks}/conf\nexec {cls.cluster.scripts}/{hook}\n")
            script.chmod(0o755)
        hooks.chmod(0o1777)

    @classmethod
    def configure(cls, **changes):
        settings = {"stores": "/tmp", "on_failure": "cancel", "start_time_s": "20", "capacity": "256M"}
        (cls.cluster.base / "hooks/conf").write_text(
            "".join(f"{name}={value}\n" for name, value in (settings | cls.settings | changes).items()))

    def hooks_of(self, job):
        return (self.cluster.base / f"hooks/ran.{job.number}").read_text()
