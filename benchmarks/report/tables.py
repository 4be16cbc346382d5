"""Tables of text."""
from .samples import spread
from .targets import judged


def table(title, head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(str(word).ljust(width) if i == 0 else str(word).rjust(width) for i, (word, width) in enumerate(zip(row, widths))).rstrip()
             for row in [head, *rows]]
    return "\n".join(["", title, "-" * len(title), *lines, ""])


def cell(samples, name, digits=0, scale=1.0):
    return spread([scale * value for value in samples.values[name]], digits) if name in samples else "-"


def per(samples, numerator, denominator, scale, digits):
    values = samples.ratio(numerator, denominator, scale) if numerator in samples else []
    return spread(values, digits) if values else "-"


def targets(samples):
    rows = [(row["name"], row["text"], row["target"], f"{row['of_target']:.2f}" if "of_target" in row else "-",
             row["verdict"] + (f": {row['why']}" if "why" in row else "")) for row in judged(samples)]
    return table("Targets: median (smallest-largest)", ("what", "measured", "target", "of target", "verdict"), rows)


def limits(samples):
    rows = []
    for transfer in (1, 4):
        for mode in ("write", "read"):
            ours, limit = f"data{transfer} easy-{mode} mib_per_s", f"fio{transfer} {mode}"
            rows.append((f"easy {mode}, {transfer} MiB", cell(samples, ours), cell(samples, limit), per(samples, ours, limit, 1, 2)))
    for mode in ("write", "read"):
        rows.append((f"hard {mode}, 47008 bytes", cell(samples, f"data1 hard-{mode} mib_per_s"), "-", "-"))
        ours, limit = f"data1 random-{mode} mib_per_s", f"fio rand{mode}"
        rows.append((f"random {mode}, 4 KiB", cell(samples, ours), cell(samples, limit), per(samples, ours, limit, 1, 2)))
    rows.append(("read of what was just written", cell(samples, "fresh easy-read mib_per_s"), "-", "-"))
    text = table("Transfers of 2 clients with 16 under way each, MiB/s", ("what", "benchfs", "fio", "ratio"), rows)
    others = [(name, cell(samples, name)) for name in ("ucp_am_bw", "ucp_put_bw", "memory copy")]
    return text + table("Other limits of the machine, MiB/s", ("what", "measured"), others)


def latencies(samples):
    names = [("empty round trip", "one ping"), ("the same after 3 ms of silence", "pause wake"), ("create", "one md-easy-create"), ("stat", "one md-easy-stat"),
             ("remove", "one md-easy-remove"), ("create, 3901 bytes", "one md-hard-create"), ("read, 3901 bytes", "one md-hard-read"),
             ("4 KiB read", "quiet random-read"), ("4 KiB read beside a writer", "beside random-read")]
    rows = [(label, *(cell(samples, f"{name} {at}", 1) for at in ("p50", "p99", "p99.9", "max"))) for label, name in names]
    rows.append(("ucp_am_lat, there and back", cell(samples, "ucx round trip", 2), "", "", ""))
    return table("One client, one operation at a time, us", ("what", "p50", "p99", "p99.9", "max"), rows)


def names(samples):
    phases = [f"md-{kind}-{act}" for kind, acts in (("easy", "create stat remove"), ("hard", "create stat read remove")) for act in acts.split()]
    rows = [(phase, cell(samples, f"names {phase} operations_per_s"),
             per(samples, f"names {phase} server_cpu_s", f"names {phase} operations", 1e6, 2)) for phase in [*phases, "find"]]
    return table("Names, 2 clients with 16 under way each", ("phase", "per s", "server CPU s per million"), rows)


def server(samples):
    rows = []
    for case, label in (("data1", "1 MiB"), ("data4", "4 MiB")):
        for phase in ("easy-write", "easy-read", "hard-write", "hard-read", "random-write", "random-read"):
            name = f"{case} {phase}"
            if f"{name} bytes" in samples:
                rows.append((phase + (f", {label}" if "easy" in phase else ""),
                             per(samples, f"{name} server_cpu_s", f"{name} bytes", 2**30, 3),
                             per(samples, f"{name} server_cpu_s", f"{name} operations", 1e6, 2),
                             per(samples, f"{name} client_cpu_s", f"{name} bytes", 2**30, 3),
                             cell(samples, f"{name} server_memory_peak_bytes", 0, 2**-20)))
    return table("CPU time and memory", ("phase", "server s/GiB", "server s/million", "clients s/GiB", "server's peak so far, MiB"), rows)


WAYS = ("C++ API", "MPI-IO", "HDF5", "libchfs", "mount", "local directory")


def ways(samples):
    phases = ("easy-write", "easy-read", "hard-write", "hard-read", "random-write", "random-read")
    rows = [(way, *(cell(samples, f"way {way} {phase} mib_per_s") for phase in phases)) for way in WAYS]
    text = table("Ways to files: MiB/s of 2 clients with 16 under way each (HDF5: 1)", ("way", *phases), rows)
    one = (("random-write", "4 KiB write"), ("random-read", "4 KiB read"), ("md-easy-create", "create"), ("md-easy-stat", "stat"), ("md-easy-remove", "remove"),
           ("md-hard-read", "read file"))
    rows = [(way, *(cell(samples, f"one by {way} {phase} p50", 1) for phase, _ in one)) for way in WAYS]
    text += table("Ways to files: us of one operation at a time, median", ("way", *(label for _, label in one)), rows)
    rows = [(way, *(per(samples, f"way {way} {phase} {side}_cpu_s", f"way {way} {phase} bytes", 2**30, 2) for phase in ("easy-write", "easy-read") for side in ("server", "client")))
            for way in WAYS]
    text += table("Ways to files: CPU s/GiB; the server's is with the mount's process", ("way", "write, server", "write, clients", "read, server", "read, clients"), rows)
    missing = samples.missing.get("mount")
    return text + (f"\nmount: not measured: {missing}\n" if missing else "")


def job(samples):
    rows = [("beside an idle server", cell(samples, "compute idle", 3), "-", "-", "-")]
    for name, label in (("session", "while a checkpoint goes to the session"), ("local", "while it goes to a local directory")):
        rows.append((label, cell(samples, f"compute {name}", 3), cell(samples, f"compute {name} core_s_per_gib", 2),
                     cell(samples, f"checkpoint {name} mib_per_s"), cell(samples, f"compute {name} covered", 2)))
    return table("The job's own speed: a compute kernel on all cores",
                 ("kernel", "time, to alone", "core s lost per GiB", "checkpoint MiB/s", "kernel's share of the writer's time"), rows)


def micro(samples):
    rows = [(name.removeprefix("micro ").removesuffix("/real_time"), cell(samples, name, 1)) for name in samples.values if name.startswith("micro ")]
    return table("Components by themselves, ns an operation", ("benchmark", "ns"), rows) if rows else ""


def everything(samples, head):
    parts = [head, targets(samples), limits(samples), latencies(samples), names(samples), server(samples), ways(samples), job(samples), micro(samples)]
    return "".join(parts)
