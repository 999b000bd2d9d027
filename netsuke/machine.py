"""What the machine has free just now."""

from __future__ import annotations

import os
import time
from pathlib import Path

SPIN_COUNT = "500"  # turns at a barrier before a thread sleeps


def wait_passively() -> None:
    """Let OpenMP's threads sleep soon when they wait for each other; call before torch is imported.

    They spin by default: beside any other work, two spinning threads on two cores stand still (docs/log.md).
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def cores() -> int:
    """Cores that this process may use; OMP_NUM_THREADS, which Ray sets for a task, may say fewer."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    told = os.environ.get("OMP_NUM_THREADS", "")
    return min(there, int(told)) if told.isdecimal() and int(told) else there


def free_threads(look_seconds: float = 0.1) -> int:
    """Cores that nobody else is using, at least one: two jobs that spin on the same cores starve each other.

    Looks at what the cores do for a moment; the load average would still count what has just ended.
    """
    before = _busy_seconds()
    if before is None:
        return max(1, min(cores(), round(cores() - os.getloadavg()[0])))
    started = time.monotonic()
    time.sleep(look_seconds)
    busy = ((_busy_seconds() or before) - before) / (time.monotonic() - started)
    return max(1, min(cores(), round(cores() - busy)))


def _busy_seconds() -> float | None:
    """Seconds that all cores together were not idle since the machine started; None where the system has no word."""
    try:
        ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    except (OSError, ValueError):
        return None
    user, nice, system, _idle, _wait, irq, softirq, steal = ticks[:8]
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
