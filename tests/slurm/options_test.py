"""Goal: a job can ask for a burst buffer by a comment, by --benchfs and by #BB_LUA, and gets what it asked for; what makes no
sense, or what this benchfs cannot do, is refused when it is submitted, in words that reach the user. The examples do what
they say, as they stand.
Method: the SPANK plugin and burst_buffer.lua as they are installed, on a real Slurm."""
import unittest

import fixture

PLUGIN = fixture.BUILD / "slurm/benchfs_spank.so"
POOL = 'return {{ capacity = "1G", bin = "@BASE@/{}" }}\n'
LUA = {"burst_buffer.lua": (fixture.SOURCE / "slurm/burst_buffer.lua").read_text().replace(
    "/etc/benchfs/burst_buffer.conf.lua", "/etc/slurm/pool.lua"), "pool.lua": POOL.format("opt/bin")}
SHOW = "srun -l sh -c 'echo $BENCHFS_SESSION'; benchfs status; [ -z $ROMIO_HINTS ] || cat $ROMIO_HINTS\n"


class OptionTest(fixture.AdministratorTest):
    def submitted(self, *options, script=SHOW, nodes=2):
        return self.cluster.submit(script, options=("--nodes", nodes, "--ntasks-per-node", 1, *options))

    def refused(self, *options, script="true\n"):
        """What sbatch says."""
        try:
            job = self.submitted(*options, script=script)
        except AssertionError as error:
            return str(error)
        self.cluster.login("scancel", job.number)
        raise AssertionError(f"{options} was not refused")

    def expect_servers(self, job, count, capacity):
        self.assertIn(f"{count} of {count} servers answer", job.output())
        rows = [line for line in job.output().splitlines() if " up " in line and " n" in line]
        self.assertEqual(len([row for row in rows if capacity in row]), count, job.output())


class Plugin(OptionTest):
    configuration = fixture.AdministratorTest.configuration + "PlugStackConfig=/etc/slurm/plugstack.conf\n"

    @classmethod
    def setUpClass(cls):
        if not PLUGIN.exists():
            raise AssertionError("the SPANK plugin was not built: launcher/setup build installs libslurm-dev")
        # Slurm loads it before anything is installed.
        cls.files = {"benchfs_spank.so": PLUGIN.read_bytes(), "plugstack.conf":
                     "required /etc/slurm/benchfs_spank.so hooks=@BASE@/opt/share/benchfs/slurm\n"}
        super().setUpClass()

    def test_help_tells_of_it(self):
        for command in ("sbatch", "salloc", "srun"):
            self.assertIn("--benchfs=[", self.cluster.login(command, "--help"))

    def test_what_makes_no_sense_is_refused_at_submission(self):
        self.assertIn("capacity=1Q: is not a size such as 64M or 100G", self.refused("--benchfs=capacity=1Q"))
        self.assertIn("asks for 'size=1G'; there is capacity=SIZE", self.refused("--benchfs=size=1G"))
        self.assertIn("stripe=0: is not a number from 1 to 999", self.refused("--benchfs=stripe=0"))
        self.assertIn("stage_in=a:/b: write SRC:DST", self.refused("--benchfs=stage_in=a:/b"))

    def test_a_job_gets_what_it_asks_for(self):
        job = self.submitted("--benchfs=capacity=64M,servers=2,stripe=1,chunk=128K")
        self.expect(job, "COMPLETED", 0)
        self.expect_servers(job, 4, "60.0 MiB")
        self.assertIn("striping_factor 1\nbenchfs_chunk_size 128K\n", job.output())
        for node in range(2):
            self.assertIn(f"{node}: /run/benchfs/{job.number}/session", job.output())

    def test_without_a_value_it_is_the_default(self):
        job = self.submitted("--benchfs")
        self.expect(job, "COMPLETED", 0)
        self.expect_servers(job, 2, "240.0 MiB")

    def test_srun_makes_a_job_with_it(self):
        said = self.cluster.login("srun", "-N2", "--benchfs=capacity=64M", "printenv", "BENCHFS_SESSION")
        self.assertEqual(said.count("/run/benchfs/"), 2, said)


class BurstBuffer(OptionTest):
    configuration = fixture.AdministratorTest.configuration + "BurstBufferType=burst_buffer/lua\n"
    files = LUA
    settings = {"burst_buffer": "yes", "stage_time_s": "30"}

    def ask(self, line, script=SHOW):
        return {"script": f"#BB_LUA {line}\n{script}"}

    def test_what_makes_no_sense_is_refused_at_submission(self):
        for line, said in (
                ("pool=benchfs capacity=64Q", "capacity=64Q: is not a size such as 64M or 400G"),
                ("pool=benchfs capacity=2G", "capacity=2G is more than the 1G that all nodes have"),
                ("pool=benchfs", "write capacity=SIZE: the space of all servers of the job together"),
                ("pool=benchfs capacity=64M drive=2", "'drive=2' is not known; there are pool, capacity"),
                ("pool=benchfs capacity=64M stage_in=here:/x", "stage_in=here:/x: write SRC:DST, two absolute paths")):
            self.assertIn("benchfs: " + said, self.refused(**self.ask(line)))

    def test_staging_is_refused_where_it_cannot_be_done(self):
        older = self.cluster.base / "older"
        older.mkdir()
        (older / "benchfs").write_text("#!/bin/sh\nexit 2\n")
        (older / "benchfs").chmod(0o755)
        pool = self.cluster.base / "etc/slurm/pool.lua"
        now = pool.read_text()
        pool.write_text(POOL.format("older").replace("@BASE@", str(self.cluster.base)))
        try:
            for way in ("in", "out"):
                said = self.refused(**self.ask(f"pool=benchfs capacity=64M stage_{way}=/a:/b"))
                self.assertIn(f"has no command stage-{way}", said)
        finally:
            pool.write_text(now)

    def test_what_is_to_be_staged_is_there_before_the_script_and_out_after_it(self):
        home = self.cluster.base / "home"
        (home / "input").write_text("from outside\n")
        job = self.submitted(**self.ask(
            f"pool=benchfs capacity=64M stage_in={home}/input:/in stage_out=/out/:{home}/results",
            "srun benchfs cat benchfs:/in/input; benchfs mkdir /out; benchfs cp benchfs:/in/input benchfs:/out/output\n"))
        self.expect(job, "COMPLETED", 0)
        self.assertEqual(job.output().count("from outside"), 2, job.output())
        self.assertEqual((home / "results/output").read_text(), "from outside\n")
        job = self.submitted(**self.ask(f"pool=benchfs capacity=64M stage_in={home}/missing:/x", "sleep 60"))
        self.expect(job, "CANCELLED")
        self.assertRegex(job.output(), "no burst buffer for job .* has failed: (.|\n)*missing")
        job = self.submitted(**self.ask(f"pool=benchfs capacity=64M stage_out=/none:{home}/none", "true"))
        self.expect(job, "COMPLETED", 0)
        self.assertIn(f"benchfs: stage_out=/none:{home}/none has failed with status 1", job.output())


class FourNodes(OptionTest):
    nodes = 4

    def test_one_server_on_each_node(self):
        job = self.cluster.submit(self.cluster.scripts / "examples/administrator_way.sbatch", "slurm_exchange", "benchfs:/x",
                                  options=("--nodes", 4, "--comment", "benchfs,capacity=64M"))
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 8)

    def test_several_servers_on_each_node(self):
        job = self.submitted("--comment", "benchfs,total=512M,servers=2", nodes=4,
                             script=SHOW + "srun --mpi=pmix slurm_exchange benchfs:/x\n")
        self.expect(job, "COMPLETED", 0)
        self.expect_servers(job, 8, "60.0 MiB")
        self.expect_exchange(job, 4)

    def test_several_servers_on_each_node_by_the_user(self):
        job = self.submitted(nodes=4, script="""
export BENCHFS_SESSION=/tmp/benchfs-$SLURM_JOB_ID
trap 'benchfs down' EXIT
benchfs up --temporary --servers 8 --store /tmp/benchfs-store-$SLURM_JOB_ID --capacity 64M
benchfs status
benchfs run -- srun --mpi=pmix slurm_exchange benchfs:/x
""")
        self.expect(job, "COMPLETED", 0)
        self.expect_servers(job, 8, "60.0 MiB")
        self.expect_exchange(job, 4)


class Examples(OptionTest):
    """The others are run by the other tests."""
    ASKS = ("--comment", "benchfs,capacity=64M")

    def test_a_program_goes_to_the_burst_buffer_by_hint_alone(self):
        job = self.cluster.submit(self.cluster.scripts / "examples/by_hint.sbatch", "slurm_exchange", "/plain",
                                  options=self.ASKS)
        self.expect(job, "COMPLETED", 0)
        self.expect_exchange(job, 4)
        self.assertRegex(job.output(), r"4000000 .* plain\n")

    def test_every_task_of_an_array_has_its_own(self):
        results = self.cluster.base / "home/results"
        command = "echo $SLURM_ARRAY_TASK_ID > /tmp/t.$SLURM_JOB_ID; benchfs cp /tmp/t.$SLURM_JOB_ID benchfs:/out/number; " \
            "rm /tmp/t.$SLURM_JOB_ID; test $(benchfs ls benchfs:/out | wc -l) = 1"
        job = self.cluster.submit(self.cluster.scripts / "examples/job_array.sbatch", results, "sh", "-c", command,
                                  options=(*self.ASKS, "--array=0-3"))
        fixture.wait_until("the end of all tasks", 90, lambda: not self.cluster.on(
            "head", "squeue", "--noheader", "--states", "all", "--jobs", job.number, "--format", "%T")
            .replace("COMPLETED", "").strip())
        self.assertEqual({path.name: (path / "number").read_text() for path in results.iterdir()},
                         {str(task): f"{task}\n" for task in range(4)})


del OptionTest

if __name__ == "__main__":
    unittest.main(verbosity=2)
