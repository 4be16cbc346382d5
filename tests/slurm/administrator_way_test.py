"""Goal: where prolog, task_prolog and epilog are set up, a job gets its burst buffer by its comment; a failure costs
the job what README.md says and the node nothing; whatever happens, nothing is left on any node.
Method: the scripts of slurm/ as they are installed, on a real Slurm; after each test processes, files and shared memory
of every node are what they were, and all nodes are idle."""
import sys
import unittest

import fixture

EXAMPLE = "examples/administrator_way.sbatch"
ASKS = ("--comment", "benchfs,capacity=256M")


class AdministratorWay(fixture.AdministratorTest):
    def setUp(self):
        self.configure()

    def submit(self, *words, options=ASKS):
        cluster = self.cluster
        return cluster.submit(cluster.scripts / EXAMPLE, *words, options=("--nodes", len(cluster.nodes), *options))

    def test_the_example_exchanges_data_over_all_nodes(self):
        job = self.submit("slurm_exchange", "benchfs:/x")
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 2 * len(self.cluster.nodes))
        for node in self.cluster.nodes:
            self.assertIn(f"epilog {node} 0\n", self.hooks_of(job))

    def test_mpirun_and_the_script_itself_have_the_session(self):
        job = self.cluster.submit("mpirun slurm_exchange benchfs:/x && benchfs ls benchfs:/ && ls -ln $BENCHFS_SESSION",
                                  options=("--nodes", 2, "--ntasks-per-node", 2, *ASKS))
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 4)
        self.assertRegex(job.output(), rf"-rw------- 1 {fixture.USER_ID} {fixture.USER_ID} .* session\n")

    def test_a_job_that_does_not_ask_gets_none(self):
        job = self.submit("sh", "-c", "echo [$BENCHFS_SESSION$(pgrep -x benchfsd)]",
                          options=("--comment", "nothing of ours"))
        self.expect(job, "COMPLETED", 0)
        self.assertEqual(job.output().splitlines().count("[]"), 2 * len(self.cluster.nodes), job.output())

    def test_a_job_whose_servers_cannot_start_is_cancelled_and_told_why(self):
        self.configure(stores="/tmp/missing")
        job = self.submit("slurm_exchange", "benchfs:/x")
        self.expect(job, "CANCELLED")
        self.assertRegex(job.output(), r"no burst buffer for job \d+: (.|\n)*/tmp/missing/benchfs-slurm-\d+")

    def test_a_store_missing_on_one_node_is_told_as_well(self):
        self.configure(stores="/tmp/drive")
        self.cluster.on("n1", "mkdir", "/tmp/drive")
        try:
            job = self.submit("slurm_exchange", "benchfs:/x")
            self.expect(job, "CANCELLED")
            self.assertRegex(job.output(), r"no burst buffer for job \d+: (.|\n)*/tmp/drive/benchfs-slurm-\d+")
        finally:
            self.cluster.on("n1", "rmdir", "/tmp/drive")

    def test_a_job_goes_on_without_where_that_is_wanted(self):
        self.configure(stores="/tmp/missing", on_failure="continue")
        job = self.submit("sh", "-c", "echo [$BENCHFS_SESSION]")
        self.expect(job, "COMPLETED", 0)
        self.assertEqual(job.output().splitlines().count("[]"), 2 * len(self.cluster.nodes), job.output())
        self.assertIn("no burst buffer for job", job.output())

    def test_an_option_that_there_is_not_is_named(self):
        job = self.submit("true", options=("--comment", "benchfs,size=1G"))
        self.expect(job, "CANCELLED")
        self.assertIn("asks for 'size=1G'; there is capacity=SIZE", job.output())

    def test_servers_that_are_killed_leave_nothing(self):
        job = self.submit("slurm_exchange", "benchfs:/killed", "60")
        job.wait_for("ok    the file closes")
        self.cluster.on("n2", "kill", "-KILL", self.server_of("n2"))
        # Each rank and each server waits for the lost one, for a time-out from when it sees the
        # loss; they may see it in different calls: write, sync, read, close.
        self.expect(job, "FAILED", 1, time_max_s=100)
        self.assertIn("FAIL", job.output())

    def test_a_job_that_is_cancelled_leaves_nothing(self):
        job = self.submit("slurm_exchange", "benchfs:/cancelled", "60")
        job.wait_for("ok    the file closes")
        self.cluster.login("scancel", job.number)
        self.expect(job, "CANCELLED")

    def test_epilog_clears_what_a_prolog_that_ran_twice_has_made_and_does_nothing_without_one(self):
        job = self.submit("slurm_exchange", "benchfs:/twice", "5")
        job.wait_for("ok    the file closes")
        hooks = self.cluster.base / "hooks"
        about = ("env", f"SLURM_JOB_ID={job.number}", f"SLURM_JOB_UID={fixture.USER_ID}",
                 f"SLURM_JOB_GID={fixture.USER_ID}", "SLURM_JOB_COMMENT=benchfs", "SLURM_NODELIST=n[1-2]")
        for node in self.cluster.nodes:
            self.cluster.on(node, *about, f"SLURMD_NODENAME={node}", hooks / "prolog")
        self.expect(job, "COMPLETED", 0)
        self.expect_clean()
        for node in self.cluster.nodes:
            self.cluster.on(node, *about, hooks / "epilog")


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
