"""How much memory this process takes."""

import re
import resource
from pathlib import Path

# Of /proc/self/status; some sandboxes lack it. What getrusage tells is the parent's where that had more.
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_mb() -> float:
    """The most that this process has had so far [MB]."""
    found = PEAK.search(Path("/proc/self/status").read_text())
    kib = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib * 1024 / 1e6
