"""What the machine has free just now, and what a child is started with."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path

SPIN_COUNT = "500"  # turns at a barrier before a thread sleeps


def child_environment(**more: str) -> dict[str, str]:
    """The environment of a child of ours: this one, in which this package can be imported, and what else is given."""
    paths = [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def wait_passively() -> None:
    """Let OpenMP's threads sleep soon when they wait for each other; call before torch is imported.

    They spin by default: beside any other work, two spinning threads on two cores stand still (docs/log.md).
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def _open_to_us() -> set[int]:
    """The numbers of the cores that this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {*range(os.cpu_count() or 1)}


CGROUPS = Path("/sys/fs/cgroup")


def _quota(own: Path = Path("/proc/self/cgroup")) -> float:
    """Cores that a container's quota comes to, the least of our control group and those above it; inf without one.

    Of version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max) and of 1 (cpu.cfs_quota_us).
    """
    found = [math.inf]
    with contextlib.suppress(OSError, ValueError):
        for line in own.read_text(encoding="utf-8").splitlines():
            _, names, path = line.split(":", 2)
            if names and "cpu" not in names.split(","):
                continue
            top = CGROUPS / "cpu" if names else CGROUPS
            folder = top / path.lstrip("/")  # in a container often not there: its own is the top then
            found += [_allowed(place) for place in (folder, *folder.parents) if place.is_relative_to(top)]
    return min(found)


def _allowed(group: Path) -> float:
    """Cores that one control group may use; inf where it does not say."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = ((group / name).read_text(encoding="utf-8") for name in names)
        return int(quota) / int(period) if int(quota) > 0 else math.inf  # -1: no quota
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number either
        return math.inf


def cores() -> int:
    """Cores that this process may use: those open to it, and no more than its container's quota comes to.

    OMP_NUM_THREADS, which Ray sets for a task, may say fewer.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    there = max(1, math.ceil(min(len(_open_to_us()), _quota())))
    return min(there, int(told)) if told.isdecimal() and int(told) else there


def free_threads(look_seconds: float = 0.1) -> int:
    """Cores that nobody else is using, at least one: two jobs that spin on the same cores starve each other.

    Looks at what the cores do for a moment; the load average would still count what has just ended.
    """
    if cores() == 1:
        return 1
    before = _busy_seconds()
    if before is None:
        return max(1, min(cores(), round(len(_open_to_us()) - os.getloadavg()[0])))
    started = time.monotonic()
    time.sleep(look_seconds)
    busy = ((_busy_seconds() or before) - before) / (time.monotonic() - started)
    return max(1, min(cores(), round(len(_open_to_us()) - busy)))


def _busy_seconds(place: Path = Path("/proc/stat")) -> float | None:
    """Seconds that the cores open to us were together not idle since the machine started; None where nothing tells."""
    ours, total = {f"cpu{number}" for number in _open_to_us()}, 0
    try:
        for line in place.read_text(encoding="utf-8").splitlines():
            name, *ticks = line.split()
            if name in ours:
                user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
                total += user + nice + system + irq + softirq + steal
    except (OSError, ValueError):
        return None
    return total / os.sysconf("SC_CLK_TCK")


def peak_memory_bytes(pid: int) -> int | None:
    """The most memory that a process has held at once; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, StopIteration):
        return None


RAPL = Path("/sys/class/powercap")


def joules(place: Path = RAPL) -> float | None:
    """What the processor packages have used since some moment; None where the machine does not tell (or not to us).

    Linux counts in microjoules and begins anew at a limit, so a difference of two readings can be negative: then it
    is no reading (https://docs.kernel.org/power/powercap/powercap.html).
    """
    try:
        counts = [int((zone / "energy_uj").read_text(encoding="utf-8")) for zone in sorted(place.glob("intel-rapl:?"))]
    except (OSError, ValueError):
        return None
    return sum(counts) / 1e6 if counts else None
