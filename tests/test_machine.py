"""What the machine has free: bounded by its cores, less what is busy, at least one."""

import functools
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from netsuke import machine


@pytest.fixture(autouse=True)
def groups(monkeypatch, tmp_path):
    """Where the control groups lie: without any quota, whatever this machine's are."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "groups")
    return tmp_path / "groups"


@pytest.mark.parametrize(("own", "files", "wanted"), [
    ("0::/", {"cpu.max": "150000 100000"}, 2),
    ("0::/", {"cpu.max": "max 100000"}, 8),
    ("0::/", {"cpu.max": "1000 100000"}, 1),
    ("0::/", {"cpu.max": "6400000 100000"}, 8),
    ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
    ("0::/outside/of/it", {"cpu.max": "400000 100000"}, 4),
    ("0::/../..", {"cpu.max": "400000 100000"}, 4),
    ("3:cpu,cpuacct:/x\n0::/", {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"}, 3),
    ("3:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ("3:memory:/", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ("0::/", {"cpu.max": "much"}, 8),
])  # fmt: skip
def test_a_container_s_quota_bounds_the_cores(monkeypatch, groups, own, files, wanted):
    for name, text in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(f"{text}\n")
    (groups.parent / "own").write_text(f"{own}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "_quota", functools.partial(machine._quota, groups.parent / "own"))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert machine.cores() == wanted


@pytest.mark.parametrize(("busy", "threads"), [(0.0, 4), (0.3, 4), (1.6, 2), (3.9, 1), (50.0, 1)])
def test_free_threads(monkeypatch, busy, threads):
    clock = iter([0.0, 1.0])
    counted = iter([100.0, 100.0 + busy])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(counted))
    monkeypatch.setattr(machine, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    assert machine.free_threads() == threads


def test_what_others_do_on_cores_that_are_not_ours_takes_none_of_ours(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 3}, raising=False)
    stat, tick = tmp_path / "stat", os.sysconf("SC_CLK_TCK")
    rows = [f"cpu{n} {busy * tick} 0 0 9 9 0 0 0 0 0" for n, busy in enumerate((500, 500, 1, 2))]
    stat.write_text("\n".join(["cpu  9 9 9 9 9 9 9 9", *rows, "intr 5 5"]))
    assert machine._busy_seconds(stat) == 3.0
    assert machine._busy_seconds(tmp_path / "gone") is None


def test_a_share_of_the_cores_is_all_free_while_others_use_theirs(monkeypatch):
    """Four of sixteen for this process, as Ray tells a task; twelve are busy."""
    clock, counted = iter([0.0, 1.0]), iter([0.0, 12.0])
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(machine, "_busy_seconds", lambda: next(counted))
    monkeypatch.setattr(machine, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _: None))
    assert machine.free_threads() == 4


def test_without_the_systems_word_the_load_decides(monkeypatch):
    monkeypatch.setattr(machine, "_busy_seconds", lambda: None)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (2.9, 0.0, 0.0))
    assert machine.free_threads() == 1


def test_waiting_passively_is_set_unless_the_person_has(monkeypatch):
    code = "from netsuke.machine import *; import os; wait_passively(); print(os.environ['GOMP_SPINCOUNT'])"
    bare = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
    for given, wanted in (({}, machine.SPIN_COUNT), ({"GOMP_SPINCOUNT": "7"}, "7")):
        shown = subprocess.check_output([sys.executable, "-c", code], env=bare | given, text=True)
        assert shown.strip() == wanted


def test_the_memory_of_a_process_that_is_gone_is_not_told():
    assert machine.peak_memory_bytes(2**30) is None


def test_energy_is_what_all_packages_used_or_nothing(tmp_path):
    assert machine.joules(tmp_path) is None
    for number, count in enumerate(("1500000\n", "500000\n")):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(count)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of package 0, which counts in it
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("9000000\n")
    assert machine.joules(tmp_path) == 2.0
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("no number")
    assert machine.joules(tmp_path) is None
