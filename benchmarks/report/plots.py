"""Pictures of the tables (python3-matplotlib)."""
import statistics

from .tables import WAYS
from .targets import judged


def bars(axes, labels, groups):
    """Groups of bars with their spread: a dictionary of lists of samples, one list for each label."""
    width = 0.8 / len(groups)
    for number, (group, lists) in enumerate(groups.items()):
        medians = [statistics.median(values) if values else 0 for values in lists]
        errors = [[median - min(values) if values else 0 for median, values in zip(medians, lists)],
                  [max(values) - median if values else 0 for median, values in zip(medians, lists)]]
        axes.bar([i + number * width for i in range(len(labels))], medians, width, yerr=errors, capsize=2, label=group)
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(labels))], labels, rotation=30, ha="right", fontsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)


def targets(axes, samples):
    rows = [row for row in judged(samples) if "of_target" in row][::-1]
    colours = ["tab:green" if row["verdict"] == "met" else "tab:red" for row in rows]
    axes.barh([row["name"] for row in rows], [row["of_target"] for row in rows], color=colours)
    for i, row in enumerate(rows):
        axes.text(row["of_target"] * 1.05, i, f"{row['text']}, {row['target']}", va="center", fontsize=6)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(right=max(row["of_target"] for row in rows) * 30)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("measured / target; green: met")


def transfers(axes, samples):
    pairs = [(f"easy {mode}\n{transfer} MiB", f"data{transfer} easy-{mode} mib_per_s", f"fio{transfer} {mode}") for transfer in (1, 4) for mode in ("write", "read")]
    pairs += [(f"hard {mode}", f"data1 hard-{mode} mib_per_s", None) for mode in ("write", "read")]
    pairs += [(f"random {mode}\n4 KiB", f"data1 random-{mode} mib_per_s", f"fio rand{mode}") for mode in ("write", "read")]
    of = samples.values
    bars(axes, [label for label, _, _ in pairs], {"benchfs": [of.get(ours, []) for _, ours, _ in pairs], "fio": [of.get(limit, []) for _, _, limit in pairs]})
    axes.set_ylabel("MiB/s, 2 clients")


def ways(axes, samples):
    phases = ("easy-write", "easy-read", "hard-write", "hard-read", "random-write", "random-read")
    bars(axes, phases, {way: [samples.values.get(f"way {way} {phase} mib_per_s", []) for phase in phases] for way in WAYS})
    axes.set_ylabel("MiB/s, 2 clients")


def job(axes, samples):
    names = ("idle", "session", "local")
    bars(axes, ["beside an idle server", "checkpoint to the session", "checkpoint to a local directory"],
         {"kernel's time, to alone": [samples.values.get(f"compute {name}", []) for name in names]})
    axes.axhline(1, color="black", linewidth=0.8)


def draw(samples, directory):
    """Writes the pictures; returns their paths."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    written = []
    for name, function, size in (("targets", targets, (9, 6)), ("transfers", transfers, (8, 4.5)), ("ways", ways, (8, 4.5)), ("job", job, (6, 4))):
        figure, axes = pyplot.subplots(figsize=size, layout="constrained")
        function(axes, samples)
        written.append(directory / f"{name}.png")
        figure.savefig(written[-1], dpi=120)
        pyplot.close(figure)
    return written
