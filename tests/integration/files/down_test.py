#!/usr/bin/env python3
"""Goal: a file command that needs a server which is gone says so, fails, and does not take for ever. Those that do not
need it go on.

Method: of three servers one is killed; then every command works on so many names that some are that server's."""

import os
import signal
import time
import unittest

from support import C_LOCALE, TOOL, FilesTest, run, servers

TIMEOUT = "1s"
# The time-out is waited for once, by all that is under way; the rest is what a busy machine may take.
SECONDS_MAX = 20
NAMES = [f"/there/f{number:02}" for number in range(40)]
MISSING = [f"/there/new{number:02}" for number in range(40)]
ENVIRONMENT = dict(C_LOCALE, BENCHFS_TIMEOUT=TIMEOUT)

# Each of these meets the server that is gone.
COMMANDS = [
    ["ls", "/there"], ["ls", "-R"], ["stat", *NAMES], ["find", "/"], ["find", "/there", "-delete"], ["du", "/"],
    ["du", "--json", "/there"], ["df"], ["df", "--servers"], ["cat", "/big"], ["tail", "-n", "+1", "/big"],
    ["tail", "-n", "+1", "-f", "/big"], ["tail", "-n", "+1", "-F", "/big"], ["readlink", "-v", *[f"/there/l{number:02}" for number in range(40)]],
    ["mkdir", *MISSING], ["mkdir", "-p", *[name + "/sub" for name in MISSING]], ["rm", *NAMES], ["rm", "-r", "/there"],
    ["rm", "-rf", "/there"], ["rmdir", "/there"], ["mv", *NAMES, "/into"], ["ln", "-sf", *NAMES, "/into"],
    ["chmod", "600", *NAMES], ["chmod", "-R", "600", "/there"], ["chown", "-R", "1:1", "/there"], ["touch", *NAMES],
    ["touch", "-h", *NAMES], ["truncate", "-s", "5M", *NAMES], ["sync"], ["sync", *NAMES], ["cp", "benchfs:/big", "out"],
    ["cp", "--resume", "--verify", "benchfs:/big", "out"], ["cp", "-r", "benchfs:/there", "out"],
    ["cp", "--verify", "in", "benchfs:/copy"], ["cp", "-r", "benchfs:/there", "benchfs:/two"],
]


class Down(FilesTest):
    def clear_session(self):
        """Nothing can be cleared any more."""

    def test_every_command_fails_in_time_and_says_which_server(self):
        (self.here / "in").write_bytes(os.urandom(8 << 20))
        self.ok("cp", str(self.here / "in"), "benchfs:/big")
        self.ok("mkdir", "/there", "/into")
        self.ok("touch", *NAMES)
        for number in range(40):
            self.ok("ln", "-s", "x", f"/there/l{number:02}")
        gone = 1
        os.kill(servers()[gone], signal.SIGKILL)

        for command in COMMANDS:
            with self.subTest(command[:3]):
                begun = time.monotonic()
                result = run([TOOL, *command], env=ENVIRONMENT, cwd=self.here)
                took = time.monotonic() - begun
                print(f"{' '.join(command[:3]):40.40} status {result.returncode}, {took:4.1f} s, "
                      f"{result.stderr.decode().splitlines()[0] if result.stderr else ''}")
                self.assertNotEqual(result.returncode, 0, command)
                # By its number, or by that of one that has told of it.
                self.assertRegex(result.stderr, rb"Host is down \(.*server \d", command)
                self.assertLess(took, SECONDS_MAX, command)
        # Nothing was left half done beside the target.
        self.assertEqual([name for name in os.listdir(self.here) if name == "out" and (self.here / name).is_file()], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
