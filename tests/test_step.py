"""@step: run once, again only for a reason, and whole whatever kills it."""

import contextlib
import importlib.util
import itertools
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest

from netsuke.errors import StoreError
from netsuke.nouns import Measure
from netsuke.plan import Plan
from netsuke.reachability import gc, verify
from netsuke.step import Job, Local, Progress, step
from netsuke.store import Store


@dataclass(frozen=True)
class Params:
    rank: int = 8
    words: tuple[str, ...] = ("a", "b")


@step(version=1, libraries=("click",))
def shout(params, out, text):
    """Capital letters: two inputs that differ in case alone give equal bytes."""
    yield Progress(0.5, "shouting")
    (out / "loud.txt").write_text(text.read_text().upper())
    return [Measure("rank", params.rank if params else 0, "")]


@step(version=1)
def count(params, out, loud, folder=None):
    (out / "count").write_text(str(len(loud.read_text())))
    yield Progress(1.0)


@step(version=1)
def fail(params, out, text):
    (out / "half").write_text("half of it")
    yield Progress(0.5)
    raise {"value": ValueError, "stop": KeyboardInterrupt, "disk": OSError}[text.read_text()](28, "it broke")


def went(store, *steps):
    """Runs (step, params, inputs) one after the other; (names of those that ran, what each made)."""
    local = Local(store)
    made = [local.run(one, params, **inputs) for one, params, inputs in steps]
    return [run.step for run in local.ran], made


# -- the cache -------------------------------------------------------------------------------------------
def test_a_step_runs_once(store):
    text = store.add_bytes(b"hello")
    ran, (first,) = went(store, (shout, Params(), {"text": text}))
    assert ran == ["shout"] and first.value("rank") == 8 and first.value("none", 5.0) == 5.0
    assert store.path(first["loud.txt"]).read_text() == "HELLO"
    ran, (second,) = went(store, (shout, Params(), {"text": text}))
    assert ran == [] and second == first and second.run.measures == (Measure("rank", 8, ""),)
    ran, (third,) = went(Store(store.root), (shout, Params(), {"text": text}))
    assert ran == [] and third.run == first.run
    assert list((store.root / "tmp").iterdir()) == [] and list((store.root / "locks").iterdir()) == []


def test_all_that_a_step_is_given_is_in_its_key(store, monkeypatch):
    one, two = store.add_bytes(b"one"), store.add_bytes(b"two")
    keys = [
        shout.key(Params(), {"text": one}),
        shout.key(Params(), {"text": two}),
        shout.key(Params(rank=9), {"text": one}),
        shout.key(Params(words=("b", "a")), {"text": one}),
        shout.key(None, {"text": one}),
        shout.key(Params(), {"test": one}),
        shout.key(Params(), {"text": one, "more": two}),
        replace(shout, version=2).key(Params(), {"text": one}),
        replace(shout, name="murmur").key(Params(), {"text": one}),
        replace(shout, libraries=("click", "tomlkit")).key(Params(), {"text": one}),
    ]
    assert shout.key(Params(), {"a": one, "b": two}) == shout.key(Params(), {"b": two, "a": one})
    monkeypatch.setattr("netsuke.step._installed", lambda name: "0.0.1")
    keys.append(shout.key(Params(), {"text": one}))
    assert len(set(keys)) == len(keys)


def test_a_changed_input_with_equal_output_stops_there(store):
    def chain(text, **also):
        _, (loud,) = went(store, (shout, Params(), {"text": text}))
        return went(
            store, (shout, Params(), {"text": text}), (count, None, {"loud": loud["loud.txt"], **also})
        )

    ran, made = chain(store.add_bytes(b"hello"))
    assert ran == ["count"]
    ran, again = chain(store.add_bytes(b"HeLLo"))
    assert ran == [] and [m.ref for m in again] == [m.ref for m in made]
    assert again[0].run != made[0].run and again[1].run == made[1].run
    ran, _ = chain(store.add_bytes(b"hullo"))
    assert ran == ["count"]


def test_an_output_that_is_gone_is_made_again(store):
    text = store.add_bytes(b"hello")
    _, (first,) = went(store, (shout, Params(), {"text": text}))
    store.path(first["loud.txt"]).unlink()
    ran, (again,) = went(store, (shout, Params(), {"text": text}))
    assert ran == ["shout"] and again.ref == first.ref and verify(store) == []


def test_a_damaged_input_is_not_worked_on(store):
    text = store.add_bytes(b"hello")
    store.path(text).chmod(0o644)
    store.path(text).write_bytes(b"hellO")
    with pytest.raises(StoreError, match="damaged"):
        went(store, (shout, Params(), {"text": text}))
    assert list(store.runs()) == []


@pytest.mark.parametrize(
    ("text", "error"), [(b"value", ValueError), (b"stop", KeyboardInterrupt), (b"disk", StoreError)]
)
def test_a_step_that_fails_leaves_no_run_and_no_output(store, text, error):
    ref = store.add_bytes(text)
    before = sorted(store.root.glob("[ot]*/??/*"))
    with pytest.raises(error, match="it broke"):
        went(store, (fail, None, {"text": ref}))
    assert list(store.runs()) == [] and sorted(store.root.glob("[ot]*/??/*")) == before
    assert [p for p in (store.root / "tmp").rglob("*") if p.is_file()] == []
    assert verify(store) == []


def test_a_step_that_leaves_a_link_is_refused(store):
    @step(version=1)
    def link(params, out):
        (out / "link").symlink_to("/etc/hostname")
        yield Progress(1.0)

    with pytest.raises(StoreError, match="symbolic link"):
        went(store, (link, None, {}))
    assert list(store.runs()) == []


def test_progress_is_told_under_the_steps_label_and_ends_once(store):
    told = []
    local = Local(store, lambda title, progress: told.append((title, progress.fraction, progress.text)))
    made = local.run(shout, Params(), label="shout at it", text=store.add_bytes(b"x"))
    assert told == [
        ("shout at it", 0.0, ""),
        ("shout at it", 0.5, "shouting"),
        ("shout at it", 1.0, "rank 8"),
    ]
    told.clear()
    local.run(
        count, None, loud=made["loud.txt"]
    )  # which says itself that it is done, before its files are kept
    assert told == [("count", 0.0, ""), ("count", 0.99, ""), ("count", 1.0, "")]
    told.clear()
    local.run(count, None, loud=made["loud.txt"])
    assert told == []


def test_a_part_of_an_output_is_a_folder_of_its_own(store):
    @step(version=1)
    def model(params, out):
        for name in ("model/config", "model/sub/weights", "modelling", "base"):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(name)
        yield Progress(1.0)

    _, (made,) = went(store, (model, None, {}))
    assert made.folder("model") == store.add_tree(
        {"config": made["model/config"], "sub/weights": made["model/sub/weights"]}
    )
    with pytest.raises(KeyError):
        made["nowhere"]


# -- the plan --------------------------------------------------------------------------------------------
def why(store, one, params, **inputs):
    plan = Plan(store)
    made = plan.run(one, params, **inputs)
    (line,) = plan.lines
    assert line.cached == (made.run is not None) and line.cached == (line.why == "")
    return line.why


def test_a_plan_runs_nothing_and_says_why(store, monkeypatch):
    text = store.add_bytes(b"hello")
    assert why(store, shout, Params(), text=text) == "never run"
    assert why(store, shout, Params(), text=None) == "waits for text"
    assert list(store.runs()) == []
    _, (made,) = went(store, (shout, Params(), {"text": text}))
    assert why(store, shout, Params(), text=text) == ""
    assert why(store, shout, Params(rank=16), text=text) == "rank was 8, is 16"
    assert why(store, shout, Params(words=("c",)), text=text) == "words was ['a', 'b'], is ['c']"
    assert why(store, shout, Params(), text=store.add_bytes(b"other")) == "text changed"
    assert (
        why(store, shout, None, text=text) == "rank was 8, is not there; words was ['a', 'b'], is not there"
    )
    assert why(store, shout, Params(), text=text, more=text) == "more changed"
    assert why(store, shout, Params()) == "text changed"
    assert why(store, replace(shout, version=2), Params(), text=text) == "the step changed (version 1 to 2)"
    both = why(store, replace(shout, version=2), Params(rank=9), text=text)
    assert both == "the step changed (version 1 to 2); rank was 8, is 9"
    with monkeypatch.context() as patch:
        patch.setattr("netsuke.step._installed", lambda name: "0.0.1")
        assert why(store, shout, Params(), text=text).endswith(", is '0.0.1'")
    went(store, (shout, Params(rank=16), {"text": text}))
    store.path(made["loud.txt"]).unlink()
    assert why(store, shout, Params(), text=text) == "its output is gone"


def test_a_plan_names_the_file_that_changed_in_a_folder(store):
    def folder(**files):
        return store.add_tree({name: store.add_bytes(data) for name, data in files.items()})

    loud = store.add_bytes(b"LOUD")
    went(store, (count, None, {"loud": loud, "folder": folder(a=b"1", b=b"2", c=b"3")}))
    assert why(store, count, None, loud=loud, folder=folder(a=b"1", b=b"9", c=b"3")) == "folder: b changed"
    changed = why(store, count, None, loud=loud, folder=folder(a=b"1", b=b"9", d=b"4"))
    assert changed == "folder: d added; c gone; b changed"
    many = folder(a=b"1", b=b"2", c=b"3", **{f"n{i}": b"" for i in range(5)})
    assert why(store, count, None, loud=loud, folder=many) == "folder: n0, n1, n2 … added"


def test_a_plan_of_many_says_what_changed_where_the_bytes_did_not(store):
    texts = [store.add_bytes(data) for data in (b"one", b"two")]
    went(store, (shout, Params(), {"text": texts[0]}))
    plan = Plan(store)
    plan.map(replace(shout, version=2), [Job(str(text), Params(), {"text": text}) for text in texts])
    assert [line.why for line in plan.lines] == ["the step changed (version 1 to 2)", "new or changed"]


def test_of_what_was_never_made_nothing_changed(store):
    texts = [store.add_bytes(data) for data in (b"one", b"two")]
    went(store, (shout, Params(), {"text": texts[0]}))
    plan = Plan(store, first=True)
    plan.run(shout, Params(), text=texts[0])
    plan.run(shout, Params(), text=texts[1])
    plan.map(shout, [Job("b", Params(), {"text": texts[1]})])
    assert [line.why for line in plan.lines] == ["", "not made yet", "not made yet"]


def test_a_plan_compares_with_the_most_similar_run(store):
    texts = [store.add_bytes(bytes([65 + i])) for i in range(3)]
    for text, rank in itertools.product(texts[:2], (8, 9)):
        went(store, (shout, Params(rank=rank), {"text": text}))
    assert why(store, shout, Params(rank=10), text=texts[0]) == "rank was 9, is 10"
    assert why(store, shout, Params(rank=9), text=texts[2]) == "text changed"


# -- kills, with processes -------------------------------------------------------------------------------
WORKER = '''
import os, signal, sys
from pathlib import Path
from netsuke.nouns import Measure
from netsuke.step import Local, Progress, step
from netsuke.store import Store

@step(version=1)
def long(params, out, scratch, text):
    """Three files, a note of each in scratch; measures how often it was begun, and what it found in its way."""
    begun = scratch / "begun"
    with begun.open("a") as file:
        file.write("x")
    found = len(list(out.iterdir()))
    (out / "sub").mkdir()
    for number in range(3):
        (out / "sub" / str(number)).write_text(text.read_text() * number)
        yield Progress(number / 3)
    return [Measure("begun", begun.stat().st_size, ""), Measure("found", found, "")]

def setup(home):
    store = Store(Path(home))
    return store, store.add_bytes(b"text")

class Die:
    """Kills this process at the n-th thing that it asks of the disk, or tells."""
    def __init__(self, at):
        self.left = at
    def take(self, *_):
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
    def before(self, name):
        real = getattr(os, name)
        def call(*args, **kwargs):
            self.take()
            return real(*args, **kwargs)
        setattr(os, name, call)

def killed_at(home, at):
    store, text = setup(home)
    die = Die(at)
    for name in ("fsync", "replace", "rename", "link", "mkdir", "unlink", "rmdir", "chmod", "open"):
        die.before(name)
    Local(store, die.take).run(long, None, text=text)

def every_kill(prefix):
    """One home for each moment at which a run can be killed; says how many."""
    for at in range(1, 1000):
        child = os.fork()
        if not child:
            killed_at(f"{prefix}{at}", at)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != signal.SIGKILL:
            print(at, status)
            return

if __name__ == "__main__":
    every_kill(sys.argv[1])
'''

SHARED = '''
import os, sys
from pathlib import Path
from netsuke.step import Local, Progress, step
from netsuke.store import Store

def say(text):
    print(text, flush=True)

@step(version=1)
def slow(params, out, text):
    """Waits for a word of the test; counts itself in a file that no step should know."""
    with open(os.environ["COUNT"], "a") as file:
        file.write("worked ")
    say("working")
    sys.stdin.readline()
    (out / "done").write_text(text.read_text())
    yield Progress(1.0)

def watch(title, progress):
    if "waiting" in progress.text:
        say("waiting")

store = Store(Path(sys.argv[1]))
local = Local(store, watch)
made = local.run(slow, None, text=store.add_bytes(b"text"))
say(f"{made.ref} {len(local.ran)}")
'''


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a process that works at the one key of one home."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    with contextlib.ExitStack() as stack:

        def one():
            command = [sys.executable, str(script), str(tmp_path / "home")]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield one


def test_killed_at_any_moment_the_next_run_makes_it_whole(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable, str(script), str(tmp_path / "home-")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    last, status = map(int, done.stdout.split())
    assert status == 0 and last > 40
    spec = importlib.util.spec_from_file_location("worker", script)
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    outputs, begun, ran = set(), [], []
    for at in range(1, last + 1):
        store, text = worker.setup(tmp_path / f"home-{at}")
        assert verify(store) == [], f"killed at {at}"
        local = Local(store)
        made = local.run(worker.long, None, text=text)
        outputs.add(made.ref)
        begun.append(made.value("begun"))
        ran.append(len(local.ran))
        assert made.value("found") == 0, f"killed at {at}, and its half output was found"
        assert {n: store.path(r).read_text() for n, r in store.tree(made.ref).items()} == {
            "sub/0": "", "sub/1": "text", "sub/2": "texttext"}  # fmt: skip
        assert verify(store) == [] and len(list(store.runs())) == 1
        gc(store)
        assert list((store.root / "tmp").iterdir()) == []
    assert len(outputs) == 1
    # Killed before the first note; after it, and scratch outlived the kill; after the record, and nothing was to do.
    assert [times for times, _ in itertools.groupby(begun)] == [1, 2, 1] and begun.count(2) > 20
    assert [times for times, _ in itertools.groupby(ran)] == [1, 0] and ran.count(0) > 2


def test_two_processes_at_one_key_work_once(start, tmp_path):
    one = start()
    assert one.stdout.readline() == "working\n"
    two, three = start(), start()
    assert two.stdout.readline() == three.stdout.readline() == "waiting\n"
    one.stdin.write("go\n")
    one.stdin.close()
    lines = [process.stdout.readline().split() for process in (one, two, three)]
    assert [process.wait(timeout=30) for process in (one, two, three)] == [0, 0, 0]
    assert len({ref for ref, _ in lines}) == 1 and [ran for _, ran in lines] == ["1", "0", "0"]
    assert (tmp_path / "count").read_text() == "worked "
    assert verify(Store(tmp_path / "home")) == []


def test_who_waits_goes_on_where_the_other_was_killed(start, tmp_path):
    one = start()
    assert one.stdout.readline() == "working\n"
    two = start()
    assert two.stdout.readline() == "waiting\n"
    one.kill()
    assert one.wait(timeout=30) == -signal.SIGKILL
    assert two.stdout.readline() == "working\n"
    two.stdin.write("go\n")
    two.stdin.close()
    assert two.stdout.readline().split()[1] == "1" and two.wait(timeout=30) == 0
    assert (tmp_path / "count").read_text() == "worked worked "
    store = Store(tmp_path / "home")
    (run,) = store.runs()
    assert verify(store) == [] and store.path(store.tree(run.output)["done"]).read_text() == "text"
    assert json.loads((store.root / "runs" / run.key[:2] / f"{run.key}.json").read_text())["step"] == "slow"
