"""What has been measured: for each figure one value of each round."""
import statistics


class Samples:
    def __init__(self):
        self.values = {}
        self.missing = {}  # Figures that could not be measured, and why.

    def add(self, name, value):
        self.values.setdefault(name, []).append(value)

    def take(self, other):
        """Behind these, what another has."""
        for name, values in other.values.items():
            self.values.setdefault(name, []).extend(values)
        self.missing.update(other.missing)

    def add_phases(self, prefix, phases):
        """All that benchfs-bench tells of its phases, as "PREFIX PHASE FIGURE"."""
        for name, phase in phases.items():
            for figure in ("mib_per_s", "operations_per_s", "client_cpu_s", "server_cpu_s", "operations", "bytes", "seconds", "server_memory_peak_bytes"):
                self.add(f"{prefix} {name} {figure}", phase[figure])
            for percentile, value in phase.get("latency_us", {}).items():
                self.add(f"{prefix} {name} {percentile}", value)
            before, after = phase["server_memory_bytes"]
            self.add(f"{prefix} {name} memory_growth", after - before)
            self.add(f"{prefix} {name} memory_before", before)

    def __contains__(self, name):
        return name in self.values

    def ratio(self, numerator, denominator, scale=1.0):
        """Round by round, since the two of a round were measured close to each other."""
        return [scale * a / b for a, b in zip(self.values[numerator], self.values[denominator]) if b]


def spread(values, digits=2):
    """The median, and the smallest and the largest of more than one."""
    text = f"{statistics.median(values):,.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
