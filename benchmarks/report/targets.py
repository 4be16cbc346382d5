"""The targets, and whether what was measured meets them. A row without a measurement says why; none is left out."""
import statistics

from .samples import spread

AT_LEAST, AT_MOST = "at least", "at most"
MIB = 1 << 20
# name, figure (a function of the samples), bound, target, digits
ROWS = [
    ("easy write, 1 MiB, to fio", lambda s: s.ratio("data1 easy-write mib_per_s", "fio1 write"), AT_LEAST, 0.95, 2),
    ("easy write, 4 MiB, to fio", lambda s: s.ratio("data4 easy-write mib_per_s", "fio4 write"), AT_LEAST, 0.95, 2),
    ("easy read, 1 MiB, to fio", lambda s: s.ratio("data1 easy-read mib_per_s", "fio1 read"), AT_LEAST, 0.95, 2),
    ("easy read, 4 MiB, to fio", lambda s: s.ratio("data4 easy-read mib_per_s", "fio4 read"), AT_LEAST, 0.95, 2),
    ("easy read of what was just written, MiB/s", lambda s: s.values["fresh easy-read mib_per_s"], AT_LEAST, 6144, 0),
    ("hard write to easy write", lambda s: s.ratio("data1 hard-write mib_per_s", "data1 easy-write mib_per_s"), AT_LEAST, 0.8, 2),
    ("hard read to easy read", lambda s: s.ratio("data1 hard-read mib_per_s", "data1 easy-read mib_per_s"), AT_LEAST, 0.8, 2),
    ("random 4 KiB read to fio", lambda s: s.ratio("data1 random-read mib_per_s", "fio randread"), AT_LEAST, 0.8, 2),
    ("random 4 KiB write to fio", lambda s: s.ratio("data1 random-write mib_per_s", "fio randwrite"), AT_LEAST, 1.2, 2),
    ("empty round trip to ucp_am_lat's", lambda s: s.ratio("one ping p50", "ucx round trip"), AT_MOST, 1.5, 2),
    ("create, in empty round trips", lambda s: s.ratio("one md-easy-create p50", "one ping p50"), AT_MOST, 3, 2),
    ("stat, in empty round trips", lambda s: s.ratio("one md-easy-stat p50", "one ping p50"), AT_MOST, 2, 2),
    ("remove, in empty round trips", lambda s: s.ratio("one md-easy-remove p50", "one ping p50"), AT_MOST, 3, 2),
    ("creates per s, 32 under way", lambda s: s.values["names md-easy-create operations_per_s"], AT_LEAST, 250000, 0),
    ("stats per s, 32 under way", lambda s: s.values["names md-easy-stat operations_per_s"], AT_LEAST, 400000, 0),
    ("server CPU of 1 MiB writes, s/GiB", lambda s: s.ratio("data1 easy-write server_cpu_s", "data1 easy-write bytes", 2**30), AT_MOST, 0.15, 3),
    ("server CPU where no copy is the server's, s/GiB", lambda s: s.values["no copy"], AT_MOST, 0.05, 3),
    ("idle server, % of a core", lambda s: s.values["idle percent"], AT_MOST, 0.3, 3),
    ("server memory at the start, MiB", lambda s: [value / MIB for value in s.values["server memory"]], AT_MOST, 256, 1),
    ("server memory per empty file, bytes", lambda s: s.ratio("names md-easy-create memory_growth", "names md-easy-create operations"), AT_MOST, 200, 0),
    ("server memory per client, KiB", lambda s: s.ratio("crowd clients memory_growth", "crowd clients operations", 1 / 1024), AT_MOST, 16, 1),
    ("p99.9 of 4 KiB reads beside a writer, to their median", lambda s: s.ratio("beside random-read p99.9", "beside random-read p50"), AT_MOST, 20, 1),
]
WHY_MISSING = {"server CPU where no copy is the server's, s/GiB": "needs RDMA hardware or a local path that copies nothing"}


def judged(samples):
    """A dictionary for each row of the targets."""
    rows = []
    for name, figure, bound, target, digits in ROWS:
        row = {"name": name, "target": f"{bound} {target:,}"}
        try:
            values = figure(samples)
        except KeyError as missing:
            values = []
            beside = samples.missing.get("tail") if name.startswith("p99.9") else None
            row["why"] = beside or WHY_MISSING.get(name, f"no figure {missing}")
        if values:
            median = statistics.median(values)
            row.update(median=median, values=values, text=spread(values, digits), of_target=median / target,
                       verdict="met" if (median >= target if bound == AT_LEAST else median <= target) else "missed")
        else:
            row.update(text="-", verdict="not measured")
        rows.append(row)
    return rows
