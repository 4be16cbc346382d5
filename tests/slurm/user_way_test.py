"""Goal: a job gets a burst buffer over all of its nodes without an administrator, by `benchfs up` in its script, and
leaves nothing on any node, however it ends.
Method: the examples of slurm/, as they stand, on a real Slurm; after each test processes, files and shared memory of
every node are what they were."""
import sys
import unittest

import fixture

EXAMPLE = "examples/several_nodes.sbatch"
SMALL = "BENCHFS_CAPACITY=256M"


class UserWay(fixture.ClusterTest):
    def submit(self, *command, more=""):
        cluster = self.cluster
        return cluster.submit(cluster.scripts / EXAMPLE, *command,
                              options=("--nodes", len(cluster.nodes), "--export", f"ALL,{SMALL}{more}"))

    def test_srun_exchanges_data_over_all_nodes(self):
        job = self.submit("srun", "--mpi=pmix", "slurm_exchange", "benchfs:/srun")
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 2 * len(self.cluster.nodes))
        self.assertIn(f"{len(self.cluster.nodes)} servers up", job.output())

    def test_mpirun_exchanges_data_over_all_nodes(self):
        job = self.submit("mpirun", "slurm_exchange", "benchfs:/mpirun")
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 2 * len(self.cluster.nodes))

    def test_a_server_that_is_killed_fails_the_program_and_not_the_cleaning(self):
        job = self.submit("srun", "--mpi=pmix", "slurm_exchange", "benchfs:/killed", "60")
        job.wait_for("ok    the file closes")
        self.cluster.on("n2", "kill", "-KILL", self.server_of("n2"))
        # Each rank and each server waits for the lost one, for a time-out from when it sees the loss.
        self.expect(job, "FAILED", 1, time_max_s=100)
        self.assertIn("FAIL", job.output())
        self.assertIn("cleared 1 other node", job.output())

    def test_a_job_that_is_cancelled_leaves_nothing(self):
        job = self.submit("srun", "--mpi=pmix", "slurm_exchange", "benchfs:/cancelled", "60")
        job.wait_for("ok    the file closes")
        self.cluster.login("scancel", job.number)
        self.expect(job, "CANCELLED")

    def test_servers_that_cannot_start_on_one_node_start_on_none(self):
        self.cluster.on("n1", "install", "-d", "-m", "1777", "/tmp/drive")
        try:
            job = self.submit("true", more=",BENCHFS_STORE=/tmp/drive")
            self.expect(job, "FAILED", 1)
            self.assertRegex(job.output(), r"/tmp/drive/benchfs-store-\d+: cannot be made: No such file or directory")
            self.assertNotIn("servers up", job.output())
        finally:
            self.cluster.on("n1", "rmdir", "/tmp/drive")

    def test_a_session_without_servers_is_cleared_on_every_node(self):
        """What was stopped by signals, as by the end of the job's step, leaves its stores to `down`."""
        job = self.cluster.submit("""
export BENCHFS_SESSION=/tmp/benchfs-$SLURM_JOB_ID
benchfs up --store /tmp/benchfs-store --capacity 256M || exit 2
srun --overlap --ntasks-per-node=1 pkill -TERM -x benchfsd
while pgrep -x mpirun > /dev/null; do sleep 0.1; done
srun --ntasks-per-node=1 ls -d /tmp/benchfs-store
benchfs down
""", options=("--nodes", len(self.cluster.nodes), "--ntasks-per-node", 1))
        self.expect(job, "COMPLETED", 0)
        self.assertEqual(job.output().splitlines().count("/tmp/benchfs-store"), len(self.cluster.nodes), job.output())


class UserWayOnFourNodes(fixture.ClusterTest):
    nodes = 4
    submit = UserWay.submit
    test_srun_exchanges_data_over_all_nodes = UserWay.test_srun_exchanges_data_over_all_nodes


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv)
