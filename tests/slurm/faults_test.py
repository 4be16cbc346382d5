"""Goal: whatever breaks under a job with a burst buffer, the job ends within a bound and in the state that Slurm has for it,
what is still whole goes on, and nothing is left on any node once it is back.
Method: one cluster for each kind of fault, side by side; the fault is done to the real processes, cables and nodes; after
it processes, files and shared memory of every node are what they were. Time-outs of Slurm are short, so that nodes are
declared dead in seconds."""
import unittest

import fixture

ASKS = ("--comment", "benchfs,capacity=64M")
# How long a server may live on whose session or step is gone: slurm/README.md has it.
WATCH_S = 15


def hooks(**changes):
    """Slurm's settings for a cluster with hooks and short time-outs."""
    lines = {"SlurmdTimeout": 4, "HealthCheckInterval": 5} | changes
    text = fixture.AdministratorTest.configuration.replace("HealthCheckInterval=600\n", "")
    return text + "".join(f"{name}={value}\n" for name, value in lines.items())


class FaultTest(fixture.AdministratorTest):
    configuration = hooks()
    settings = {"job_check_s": "1"}

    def begin(self, text, *options):
        """A job on all nodes whose script has said "begun" when its servers are up."""
        nodes = len(self.cluster.nodes)
        job = self.cluster.submit("echo begun\n" + text,
                                  options=("--nodes", nodes, "--ntasks-per-node", 1, *ASKS, *options))
        job.wait_for("begun")
        return job

    def expect_state_in(self, job, states, time_max_s=60):
        state, _ = job.wait(time_max_s)
        self.assertIn(state, states, job.output())

    def expect_swept(self, node):
        self.wait_for_state(node, "idle")
        fixture.wait_until(f"{node} swept", 40, lambda: self.cluster.traces(node) == self.cluster.before[node])

    def start_slurmd(self, node):
        self.cluster.on(node, "slurmd")


class Processes(FaultTest):
    def test_an_application_that_is_killed_fails_the_job_and_leaves_nothing(self):
        job = self.begin("srun --mpi=pmix slurm_exchange benchfs:/x 60")
        job.wait_for("ok    the file closes")
        self.cluster.on("n2", "pkill", "-KILL", "-x", "slurm_exchange")
        self.expect(job, "FAILED", 137, time_max_s=40)

    def test_a_full_store_is_an_error_of_the_program_and_no_more(self):
        job = self.begin("head -c 200M /dev/zero > big; benchfs cp big benchfs:/big; status=$?; rm big\n"
                         "benchfs rm benchfs:/big; head -c 4M /dev/urandom > new\n"
                         "benchfs cp --verify new benchfs:/new && echo goes on; rm new; exit $status")
        self.expect(job, "FAILED", 1)
        self.assertIn("No space left on device", job.output())
        self.assertIn("goes on", job.output())

    def test_a_prolog_that_is_killed_half_way_leaves_nothing(self):
        """Slurm drains the node for it, and holds the job."""
        hook = self.cluster.base / "hooks/prolog"
        whole = hook.read_text()
        real = f"{self.cluster.scripts}/prolog"
        hook.write_text(whole.replace(f"exec {real}", f"[ $(hostname) = n1 ] && exec {real}\n{real} &\n"
                                      "until [ -d /run/benchfs/$SLURM_JOB_ID ]; do sleep 0.01; done; kill -KILL $! $$"))
        try:
            job = self.cluster.submit("true", options=("--nodes", 2, *ASKS))
            self.wait_for_state("n2", "drain")
        finally:
            hook.write_text(whole)
        self.cluster.login("scancel", job.number)
        fixture.wait_until("the job is over", 30, lambda: job.state() not in fixture.PENDING_OR_RUNNING)
        self.cluster.on("head", "scontrol", "update", "nodename=n2", "state=resume")

    def test_servers_end_when_their_session_directory_is_removed(self):
        job = self.begin(f"srun --nodelist=n2 -N1 -n1 rm -r $BENCHFS_SESSION; sleep {2 * WATCH_S}")
        fixture.wait_until("no server on n2", WATCH_S, lambda: self.servers_on("n2") == "0")
        self.assertEqual(self.servers_on("n1"), "1")
        self.cluster.login("scancel", job.number)
        self.expect(job, "CANCELLED")


class Daemons(FaultTest):
    def test_a_job_outlives_the_death_of_slurmd_and_its_end_is_made_up_for(self):
        job = self.begin("sleep 1; srun --nodelist=n1 -N1 -n1 benchfs status; benchfs cp /etc/hosts benchfs:/hosts")
        self.cluster.on("n2", "pkill", "-KILL", "-x", "slurmd")
        fixture.wait_until("the job's end", 40, lambda: job.state() != "RUNNING")
        self.start_slurmd("n2")
        self.expect(job, "COMPLETED", 0)

    def test_servers_end_when_no_epilog_comes(self):
        """Those of the first node are of no step: their guard asks the controller."""
        job = self.begin("sleep 60")
        self.cluster.on("n1", "pkill", "-KILL", "-x", "slurmd")
        self.cluster.login("scancel", job.number)
        for node in self.cluster.nodes:
            fixture.wait_until(f"no server on {node}", 3 * WATCH_S, lambda: self.servers_on(node) == "0")
        self.start_slurmd("n1")
        # The first node is declared dead in between, or not.
        self.expect_state_in(job, {"CANCELLED", "NODE_FAIL"})

    def test_a_job_outlives_the_controller(self):
        # The controller saves its state seconds after a change; one that dies before forgets the job's start.
        job = self.begin("sleep 12; srun --mpi=pmix slurm_exchange benchfs:/x")
        state = self.cluster.base / "state/job_state"
        before = state.stat().st_mtime if state.exists() else 0
        self.cluster.on("head", "scontrol", "update", f"jobid={job.number}", "name=saved")
        fixture.wait_until("the state is saved", 20, lambda: state.exists() and state.stat().st_mtime > before)
        self.cluster.on("head", "pkill", "-KILL", "-x", "slurmctld")
        self.cluster.on("head", "setpriv", "--reuid", "slurm", "--regid", "slurm", "--clear-groups",
                        "slurmctld", "-L", self.cluster.base / "state/log")
        fixture.wait_until("the controller", 20, lambda: "n1" in self.cluster.states())
        self.expect(job, "COMPLETED", 0)
        self.assertIn("exchanged after", job.output())


class UserWay(fixture.ClusterTest):
    UP = ('export BENCHFS_SESSION=/tmp/benchfs-$SLURM_JOB_ID\n'
          'benchfs up --temporary --store /tmp/benchfs-store-$SLURM_JOB_ID --capacity 64M && echo begun\n')

    def test_a_script_that_is_killed_with_its_trap_leaves_nothing(self):
        job = self.cluster.submit(self.UP + "trap 'benchfs down' EXIT; read -t 60 <> <(:)",
                                  options=("--nodes", 2, "--ntasks-per-node", 1))
        job.wait_for("begun")
        self.cluster.on("n1", "pkill", "-KILL", "-f", "slurm_script")
        self.expect(job, "FAILED", 0)


class LostNode(fixture.ClusterTest):
    """By the user's way, since the job goes on without the node."""
    nodes = 3
    configuration = "SlurmdTimeout=4\n"

    def test_a_lost_node_costs_its_own_servers_only(self):
        job = self.cluster.submit(UserWay.UP + """
trap 'benchfs down' EXIT
until [ -e lost ]; do sleep 0.1; done
export BENCHFS_TIMEOUT=1s
benchfs status
echo status $?
benchfs run -- srun --overlap -N1 -n1 --nodelist=n2 benchfs status
echo asked from n2
""", options=("--nodes", 3, "--ntasks-per-node", 1, "--no-kill"))
        job.wait_for("begun")
        self.cluster.command("crash", "n3")
        self.wait_for_state("n3", "down")
        (self.cluster.base / "home/lost").touch()
        job.wait()
        (self.cluster.base / "home/lost").unlink()
        self.assertIn("2 of 3 servers answer", job.output())
        self.assertIn("status 1\n", job.output())
        self.assertEqual(job.output().count("2 of 3 servers answer"), 2, job.output())
        self.cluster.command("boot", "n3")
        # Where nobody has set up a sweep, what a node had on its drive when it crashed stays there.
        self.wait_for_state("n3", "idle")
        self.cluster.on("n3", "rm", "-rf", "/tmp/ompi.n3.20001",
                        *(f"/tmp/benchfs-{name}{job.number}" for name in ("", "store-")))


class LinkDownForShort(FaultTest):
    configuration = hooks(SlurmdTimeout=60)

    def test_a_job_that_does_not_use_it_meanwhile_does_not_notice(self):
        job = self.begin("sleep 28; srun --mpi=pmix slurm_exchange benchfs:/x")
        self.cluster.command("link", "n2", "down")
        fixture.time.sleep(25)
        self.cluster.command("link", "n2", "up")
        self.expect(job, "COMPLETED", 0)
        self.assertIn("exchanged after", job.output())


class LinkDownForLong(FaultTest):
    def test_the_job_fails_and_the_node_is_clean_once_it_is_back(self):
        job = self.begin("sleep 60", "--no-requeue")
        self.cluster.command("link", "n2", "down")
        self.wait_for_state("n2", "down")
        self.expect(job, "NODE_FAIL")
        self.assertEqual(self.servers_on("n1"), "0")
        self.cluster.command("link", "n2", "up")
        self.expect_swept("n2")


class Crash(FaultTest):
    def test_the_job_fails_and_the_node_is_clean_when_it_boots(self):
        job = self.begin("sleep 60", "--no-requeue")
        self.cluster.command("crash", "n2")
        self.expect(job, "NODE_FAIL")
        self.cluster.command("boot", "n2")
        self.expect_swept("n2")


class CrashWithRequeue(FaultTest):
    """On the nodes that are left. So long, and not two minutes, a job waits before it runs again."""
    nodes = 3
    configuration = hooks(AuthInfo="cred_expire=10")

    def test_the_example_goes_on_from_its_last_checkpoint(self):
        keep = self.cluster.base / "home/keep"
        job = self.cluster.submit(
            self.cluster.scripts / "examples/checkpoint_restart.sbatch", keep, "checkpoint", "6", "2",
            options=("--nodes", 2, "--ntasks-per-node", 1, *ASKS))
        job.wait_for("checkpoint 2 is safe", 60)
        self.cluster.command("crash", "n2")
        self.expect(job, "COMPLETED", 0, time_max_s=90)
        self.assertRegex(job.output(), r"run 1 goes on from checkpoint [2-5]\n")
        self.assertIn("checkpoint 6 is safe", job.output())
        self.assertEqual(sorted(path.name for path in keep.iterdir()), [f"{i}.h5" for i in range(1, 7)])
        self.cluster.command("boot", "n2")
        self.expect_swept("n2")


del FaultTest  # It has no tests of its own, and needs no cluster.

if __name__ == "__main__":
    unittest.main(verbosity=2)
