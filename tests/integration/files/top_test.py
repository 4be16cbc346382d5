#!/usr/bin/env python3
"""Goal: top, report and the metrics endpoint say exactly what was done; a server that does not answer is a row that says
so and comes back; nothing that a client of the endpoint sends is answered with anything but HTTP.

Method: known work by the file commands between two looks, with servers that are stopped, killed and started again; the
endpoint's text is read by Prometheus' own parser."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from support import C_LOCALE, TOOL, FilesTest, run, servers

SERVERS = 3
MEBIBYTES = 12
SIZE = MEBIBYTES << 20
# What a busy machine may take for what should take a moment.
SECONDS_MAX = 60


class Top:
    """benchfs top --json, line by line."""

    def __init__(self, *words):
        self.process = subprocess.Popen([TOOL, "top", "--json", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, env=C_LOCALE)

    def next(self):
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS_MAX)
        assert ready, "no line in time"
        return json.loads(self.process.stdout.readline())

    def until(self, what):
        """The first line of which it is true."""
        end = time.monotonic() + SECONDS_MAX
        while time.monotonic() < end:
            line = self.next()
            if what(line):
                return line
        raise AssertionError("never came true")

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        _, complaint = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, complaint

    def kill(self):
        self.process.kill()
        self.process.communicate()


def fetch(endpoint, path="/metrics", method="GET"):
    request = urllib.request.Request(f"http://{endpoint}{path}", method=method)
    with urllib.request.urlopen(request, timeout=SECONDS_MAX) as reply:
        return reply.read().decode()


def say(endpoint, request):
    """The bytes that come back for bytes."""
    host, port = endpoint.rsplit(":", 1)
    with socket.create_connection((host, int(port)), SECONDS_MAX) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


class Live(FilesTest):
    def setUp(self):
        super().setUp()
        self.file = self.here / "file"
        self.file.write_bytes(os.urandom(SIZE))

    def report(self):
        return json.loads(self.ok("report", "--json"))

    def top(self, *words):
        top = Top(*words)
        self.addCleanup(top.kill)
        return top

    def test_the_report_counts_exactly_what_was_done(self):
        before = self.report()["total"]
        self.ok("cp", str(self.file), "benchfs:/file")
        self.ok("cp", "benchfs:/file", str(self.here / "back"))
        self.assertEqual((self.here / "back").read_bytes(), self.file.read_bytes())
        for number in range(7):
            self.fails(1, b"No such file", "stat", f"/missing{number}")
        after = self.report()
        total = after["total"]

        def done(name, what):
            return total["requests"][name][what] - before["requests"].get(name, {what: 0})[what]

        # A request moves 1 MiB at the most, and no more than a chunk.
        self.assertEqual((done("write", "count"), done("write", "bytes")), (MEBIBYTES, SIZE))
        self.assertEqual((done("read", "count"), done("read", "bytes")), (MEBIBYTES, SIZE))
        self.assertEqual(total["written_bytes"] - before["written_bytes"], SIZE)
        self.assertEqual(total["read_bytes"] - before["read_bytes"], SIZE)
        self.assertGreaterEqual(done("lookup", "error_count"), 7)
        self.assertGreaterEqual(total["errors"]["not_found"] - before["errors"].get("not_found", 0), 7)
        # Of those that have ended each is in the histogram, and the percentiles are in order.
        for name, figures in total["requests"].items():
            latency = figures["latency_ns"]
            if name != "metrics":
                self.assertEqual(latency["count"], figures["count"], name)
            self.assertTrue(latency["p50"] <= latency["p99"] <= latency["p999"] <= latency["max"], name)
        # All of it went to the drives, which are one of this machine.
        drive = total["drive"]
        self.assertGreaterEqual(drive["write"]["bytes"] - before["drive"]["write"]["bytes"], SIZE)
        self.assertGreaterEqual(drive["read"]["bytes"] - before["drive"]["read"]["bytes"], SIZE)
        self.assertEqual(drive["in_flight"], 0)
        self.assertGreater(drive["in_flight_max"], 0)
        self.assertEqual(sum(device["write"]["bytes"] for device in after["devices"]), drive["write"]["bytes"])
        for what in ("written_bytes", "read_bytes", "cpu_ns", "memory_bytes", "used"):
            self.assertEqual(sum(server[what] for server in after["servers"]), total[what], what)
        page = self.ok("report").decode()
        for word in ("3 of 3 servers answer", "write", "DEVICE", "answered with an error: "):
            self.assertIn(word, page)

    def test_intervals_add_up_to_what_was_done(self):
        top = self.top("--interval", "200ms")
        top.next()  # From here on everything is in a later one.
        self.ok("cp", str(self.file), "benchfs:/file")
        count = size = 0

        def all_there(line):
            nonlocal count, size
            write = line["total"]["requests"].get("write", {"count": 0, "bytes": 0})
            count += write["count"]
            size += write["bytes"]
            return count >= MEBIBYTES

        line = top.until(all_there)
        self.assertEqual((count, size), (MEBIBYTES, SIZE))
        self.assertEqual([server["state"] for server in line["servers"]], ["up"] * SERVERS)
        quiet = top.until(lambda later: not later["total"]["requests"].get("write"))
        self.assertEqual(quiet["total"]["written_bytes"], 0)
        self.assertEqual(top.interrupt(), (130, b""))

    def test_once_is_one_line_and_a_number_is_so_many(self):
        self.assertEqual(len(self.ok("top", "--once", "--json", "--interval", "100ms").splitlines()), 1)
        lines = self.ok("top", "--count", "3", "--json", "--interval", "100ms").splitlines()
        self.assertEqual([json.loads(line)["up_count"] for line in lines], [SERVERS] * 3)
        page = self.ok("top", "--once", "--interval", "100ms").decode()
        self.assertIn("3 of 3 servers answer", page)
        self.assertNotIn("\x1b", page)
        self.fails(2, b"--interval", "top", "--interval", "soon")
        self.fails(2, b"less than 50ms", "top", "--interval", "0")
        self.fails(2, b"excludes", "top", "--once", "--count", "2")
        self.fails(1, b"session", "top", "--session", str(self.here / "nowhere"))
        self.fails(1, b"session", "report", "--session", str(self.here / "nowhere"))

    def test_on_a_terminal_it_is_a_screen_until_q(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        process = subprocess.Popen([TOOL, "top", "--interval", "100ms"], stdin=slave, stdout=slave, stderr=slave,
                                   env=C_LOCALE)
        self.addCleanup(process.kill)
        os.close(slave)
        seen = b""
        while seen.count(b"q: quit") < 3:
            ready, _, _ = select.select([master], [], [], SECONDS_MAX)
            self.assertTrue(ready, seen)
            seen += os.read(master, 65536)
        self.assertIn(b"\x1b[H\x1b[J", seen)
        os.write(master, b"xq")
        end = time.monotonic() + SECONDS_MAX
        while process.poll() is None and time.monotonic() < end:
            ready, _, _ = select.select([master], [], [], 0.1)
            try:
                seen += os.read(master, 65536) if ready else b""
            except OSError:
                break  # It has closed its side.
        self.assertEqual(process.wait(SECONDS_MAX), 0)

    def test_the_endpoint_says_the_same_as_the_report(self):
        self.ok("cp", str(self.file), "benchfs:/file")
        report = self.report()
        endpoints = [server["metrics_endpoint"] for server in report["servers"]]
        self.assertEqual(len(set(endpoints)), SERVERS, endpoints)
        for server in report["servers"]:
            samples = {}
            page = fetch(server["metrics_endpoint"])
            for family in text_string_to_metric_families(page):
                self.assertTrue(family.name.startswith("benchfs_"), family.name)
                self.assertTrue(family.documentation, family.name)
                self.assertIn(family.type, ("counter", "gauge", "histogram"), family.name)
                for sample in family.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    self.assertNotIn(key, samples)
                    self.assertEqual(sample.labels["server"], str(server["server"]))
                    samples[key] = sample.value

            def value(name, **labels):
                labels["server"] = str(server["server"])
                return samples["benchfs_" + name, tuple(sorted(labels.items()))]

            write = server["requests"]["write"]
            self.assertEqual(value("requests_total", op="write"), write["count"])
            self.assertEqual(value("request_payload_bytes_total", op="write"), write["bytes"])
            self.assertEqual(value("request_duration_seconds_count", op="write"), write["count"])
            self.assertEqual(value("request_duration_seconds_bucket", op="write", le="+Inf"), write["count"])
            self.assertEqual(value("written_bytes_total"), server["written_bytes"])
            self.assertEqual(value("drive_bytes_total", op="write"), server["drive"]["write"]["bytes"])
            self.assertEqual(value("store_capacity_bytes"), server["capacity"])
            self.assertEqual(value("incarnation"), server["incarnation"])
            # Cumulative, in the order of the edges.
            buckets = sorted((float(dict(labels)["le"]), count) for (name, labels), count in samples.items()
                             if name == "benchfs_request_duration_seconds_bucket" and dict(labels)["op"] == "write")
            self.assertEqual(buckets, sorted(buckets, key=lambda bucket: bucket[1]))
            self.assertEqual(fetch(server["metrics_endpoint"], method="HEAD"), "")

    def test_the_endpoint_refuses_what_it_does_not_have(self):
        endpoint = self.report()["servers"][0]["metrics_endpoint"]
        self.assertTrue(endpoint.startswith("127.0.0.1:"), endpoint)
        for status, path, method in ((404, "/", "GET"), (404, "/metrics/x", "GET"), (405, "/metrics", "POST")):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                fetch(endpoint, path, method)
            self.assertEqual(refused.exception.code, status, (path, method))
        for request in (b"rubbish\r\n", b"\0\0\0\n", b"GET /metrics\r\n\r\n", b"GET /metrics HTTP/3\r\n\r\n", os.urandom(2000) + b"\n"):
            self.assertTrue(say(endpoint, request).startswith(b"HTTP/1.1 400 "), request)
        self.assertTrue(say(endpoint, b"GET /" + b"a" * 5000).startswith(b"HTTP/1.1 431 "))
        # Those that say nothing are nobody else's trouble.
        host, port = endpoint.rsplit(":", 1)
        silent = [socket.create_connection((host, int(port))) for _ in range(4)]
        self.assertIn("benchfs_clients", fetch(endpoint))
        for connection in silent:
            connection.close()

    def test_a_server_that_is_silent_is_a_row_and_comes_back(self):
        pid = servers()[1]
        top = self.top("--interval", "200ms", "--timeout", "500ms")
        top.until(lambda line: line["up_count"] == SERVERS)
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        begun = time.monotonic()
        line = top.until(lambda line: line["servers"][1]["state"] != "up")
        self.assertLess(time.monotonic() - begun, 10)
        self.assertEqual((line["servers"][1]["state"], line["up_count"]), ("not answering", SERVERS - 1))
        self.assertIn("server 1", line["servers"][1]["trouble"])
        once = run([TOOL, "top", "--once", "--interval", "100ms", "--timeout", "500ms"], env=C_LOCALE)
        self.assertEqual(once.returncode, 1)
        self.assertIn(b"server 1: not answering", once.stdout)
        report = run([TOOL, "report", "--timeout", "500ms"], env=C_LOCALE)
        self.assertEqual(report.returncode, 1)
        self.assertIn(b"2 of 3 servers answer", report.stdout)
        os.kill(pid, signal.SIGCONT)
        top.until(lambda line: line["up_count"] == SERVERS)
        self.assertEqual(top.interrupt(), (130, b""))

    def test_a_server_that_starts_again_comes_back_with_new_figures(self):
        pid = servers()[2]
        top = self.top("--interval", "200ms", "--timeout", "1s")
        top.until(lambda line: line["up_count"] == SERVERS)
        os.kill(pid, signal.SIGKILL)
        top.until(lambda line: line["servers"][2]["state"] != "up")
        self.ok("restart", "2")
        line = top.until(lambda line: line["up_count"] == SERVERS)
        self.assertTrue(line["servers"][2]["restarted"])
        self.assertEqual(line["servers"][2]["incarnation"], 2)
        self.assertIn("start number 2", self.ok("report").decode())
        self.assertTrue(fetch(self.report()["servers"][2]["metrics_endpoint"]))
        self.assertEqual(top.interrupt(), (130, b""))


if __name__ == "__main__":
    unittest.main(verbosity=2)
