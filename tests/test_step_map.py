"""Many small runs: each cached by itself, stored together, whole whatever stops them; the same on Ray."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest

from netsuke.errors import StoreError
from netsuke.nouns import Measure
from netsuke.plan import Plan
from netsuke.reachability import gc, verify
from netsuke.step import Job, Local, Progress, step
from netsuke.store import Store


@dataclass(frozen=True)
class Params:
    times: int = 2


@step(version=1)
def repeat(params, out, text):
    yield Progress(0.0)
    said = text.read_text()
    if said == "bad":
        raise ValueError("it broke")
    (out / "many.txt").write_text(said * params.times)
    return [Measure("length", len(said), "")]


def jobs(store, *texts, times=2):
    return [Job(text, Params(times), {"text": store.add_bytes(text.encode())}) for text in texts]


def test_each_job_runs_once_and_equal_ones_share_a_run(store):
    local = Local(store)
    made = local.map(repeat, jobs(store, "a", "b", "a"))
    assert [store.path(one["many.txt"]).read_text() for one in made] == ["aa", "bb", "aa"]
    assert len(local.ran) == 2 and made[0] == made[2] and made[1].value("length") == 1
    again = Local(Store(store.root))
    assert again.map(repeat, jobs(store, "b", "c", "a"))[2].run == made[0].run
    assert [run.inputs["text"] for run in again.ran] == [store.add_bytes(b"c")] and len(again.reused) == 2
    assert verify(store) == [] and list((store.root / "tmp").iterdir()) == []


def test_a_map_and_a_run_have_one_key(store):
    (job,) = jobs(store, "a")
    (mapped,) = Local(store).map(repeat, [job])
    local = Local(store)
    assert local.run(repeat, job.params, **job.inputs) == mapped and not local.ran


def test_more_jobs_than_a_chunk(store, monkeypatch):
    monkeypatch.setattr("netsuke.step.CHUNK", 3)
    seen = []
    local = Local(store, lambda name, progress: seen.append((progress.fraction, progress.count)))
    made = local.map(repeat, jobs(store, *"abcdefgh"))
    assert [store.path(one["many.txt"]).read_text() for one in made] == [c * 2 for c in "abcdefgh"]
    counts = [count for _, count in seen if count]
    assert counts == list(range(1, 9)) and seen[0] == (0.0, 0) and seen[-1] == (1.0, 0)


def test_a_plan_says_which_jobs_are_there(store):
    Local(store).map(repeat, jobs(store, "a"))
    plan = Plan(store)
    made = plan.map(repeat, jobs(store, "a", "b"))
    assert [(line.label, line.cached) for line in plan.lines] == [("a", True), ("b", False)]
    assert made[0].run and not made[1].run and plan.lines[1].why


def test_what_was_stored_before_a_failure_stays(store, monkeypatch):
    monkeypatch.setattr("netsuke.step.CHUNK", 2)
    with pytest.raises(ValueError, match="it broke"):
        Local(store).map(repeat, jobs(store, "a", "b", "c", "bad"))
    assert list((store.root / "tmp").iterdir()) == [] and verify(store) == []
    local = Local(store)
    local.map(repeat, jobs(store, "a", "b", "c"))
    assert len(local.ran) == 1


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_a_full_disk_leaves_each_job_whole_or_not_there(store, full_disk, at):
    given = jobs(store, "a", "b", "c")
    with full_disk(at) as disk:
        try:
            Local(store).map(repeat, given)
        except (StoreError, OSError):
            assert disk
    assert verify(store) == []
    local = Local(store)
    made = local.map(repeat, given)
    assert [store.path(one["many.txt"]).read_text() for one in made] == ["aa", "bb", "cc"]
    assert verify(store) == []
    gc(store)
    assert list((store.root / "tmp").iterdir()) == []


def test_together_is_all_or_nothing(store, monkeypatch):
    before = {path for path in store.root.rglob("*") if path.is_file()}
    with pytest.raises(RuntimeError), store.together():
        ref = store.add_bytes(b"one")
        store.add_bytes(b"two")
        assert not store.has(ref)
        raise RuntimeError
    assert {path for path in store.root.rglob("*") if path.is_file()} == before
    synced = []
    monkeypatch.setattr(
        os, "sync", lambda: synced.append([p for p in store.root.rglob("*") if p.name == ref])
    )
    with store.together():
        store.add_bytes(b"one")
    assert [len(found) for found in synced] == [0, 1]  # the bytes are on the disk before the name is
    assert store.path(ref).read_bytes() == b"one" and store.path(ref).stat().st_mode & 0o222 == 0


KILLED = """
import os, signal, sys
from netsuke.step import Local, Progress, Job, step
from netsuke.store import Store

@step(version=1)
def slow(params, out, text):
    yield Progress(0.0)
    (out / "text").write_bytes(text.read_bytes())

store = Store()
left = int(sys.argv[1])
def watch(name, progress):
    if progress.count == left:
        os.kill(os.getpid(), signal.SIGKILL)
import netsuke.step
netsuke.step.CHUNK = 4
local = Local(store, watch)
local.map(slow, [Job(str(n), None, {"text": store.add_bytes(b"%d" % n)}) for n in range(12)])
print(len(local.ran))
"""


def test_killed_in_the_middle_it_goes_on(store):
    env = os.environ | {"NETSUKE_HOME": str(store.root)}
    for left, at in ((7, signal.SIGKILL), (99, None)):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(left)], env=env, capture_output=True, text=True
        )
        assert done.returncode == (-at if at else 0), done.stderr
    assert done.stdout.strip() == "8"  # the chunk of four that was stored is not run again
    assert verify(store) == []


RAY = """
import json, sys
from pathlib import Path
from netsuke import curate
from netsuke.engines.ray import Ray
from netsuke.step import Job, Local
from netsuke.store import Store

where, *files = sys.argv[1:]
store = Store()
one = (Ray if where == "ray" else Local)(store)
jobs = [Job(f, curate.ReadParams(suffix=Path(f).suffix), {"file": store.add_file(Path(f))}) for f in files]
made = one.map(curate.read, jobs)
print(json.dumps([m.ref for m in made]))
"""


@pytest.mark.slow
def test_ray_and_local_give_the_same_bytes(tmp_path):
    pytest.importorskip("ray")
    texts = {"a.txt": "Some words of a text.\\n" * 30, "b.md": "# A title\n\nAnd a paragraph.", "c.html": "<p>Hello",
             "d.pdf": "no pdf", "e.csv": "text,label\nfine,good\n", "f.txt": "mail ann@company.org"}  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    found = {}
    for where in ("local", "ray"):
        env = os.environ | {"NETSUKE_HOME": str(tmp_path / where)}
        done = subprocess.run([sys.executable, "-c", RAY, where, *(str(tmp_path / name) for name in texts)],
                              env=env, capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found[where] = json.loads(done.stdout.splitlines()[-1])
        assert verify(Store(tmp_path / where)) == []
    assert found["local"] == found["ray"] and len(set(found["ray"])) == len(texts)
