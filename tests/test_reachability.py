"""What rests on what, and what is swept: on a small house of steps that copy and share files as the real ones do."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest

from netsuke.errors import StoreError
from netsuke.reachability import downstream, gc, verify
from netsuke.step import Local, Progress, step
from netsuke.store import Store, canonical


@step(version=1)
def read(params, out, file):
    (out / "text.json").write_text(json.dumps(file.read_text().strip()))
    yield Progress(1.0)


@step(version=1)
def curate(params, out, files):
    texts = sorted(json.loads(p.read_text()) for p in files.glob("*.json") if p.name != "index.json")
    (out / "train.jsonl").write_text("\n".join(["# train", *texts]))
    (out / "dropped.jsonl").write_text("")  # equal in every run
    yield Progress(1.0)


@step(version=1)
def carve(params, out, model, train):
    (out / "model").mkdir()
    shutil.copyfile(
        model / "config.json", out / "model" / "config.json"
    )  # equal in every run, and in the base
    (out / "model" / "weights").write_bytes((model / "weights").read_bytes() + train.read_bytes())
    (out / "choice.json").write_text(str(train.stat().st_size))
    yield Progress(1.0)


@step(version=1)
def check(params, out, model):
    (out / "report.json").write_text("report of " + (model / "weights").read_text())
    yield Progress(1.0)


@step(version=1)
def trial(params, out, model):
    (out / "trial.json").write_text("trial of " + (model / "weights").read_text())
    yield Progress(1.0)


@step(version=1)
def pack(params, out, model, choice, report, lineage):
    shutil.copyfile(model / "weights", out / "model.gguf")
    shutil.copyfile(report, out / "report.json")
    shutil.copyfile(lineage, out / "lineage.json")
    yield Progress(1.0)


@dataclass
class Made:
    """What one make ran, reused and named."""

    pack: object
    ran: list
    reused: list


def make(store, texts, name=None):
    """A pack of these texts on the one base; steps that were run, and all."""
    local = Local(store)
    files = {}
    for text in texts:
        found = local.run(read, None, file=store.add_bytes(text.encode()))["text.json"]
        files[f"{found}.json"] = found
    files["index.json"] = store.add_bytes(canonical(sorted(texts)))
    data = local.run(curate, None, files=store.add_tree(files))
    base = store.named("bases", "base") or {"ref": a_base(store)}
    carved = local.run(carve, None, model=base["ref"], train=data["train.jsonl"])
    model = carved.folder("model")
    report, tried = local.run(check, None, model=model), local.run(trial, None, model=model)
    story = store.add_bytes(canonical({"carve": carved.run.key}))
    given = {
        "model": model,
        "choice": carved["choice.json"],
        "report": report["report.json"],
        "lineage": story,
    }
    packed = local.run(pack, None, **given)
    if name:
        runs = [run.key for run in (*local.ran, *local.reused)]
        store.name("packs", name, {"ref": packed.ref, "also": [tried.ref], "runs": runs})
    return Made(packed, [run.step for run in local.ran], [run.step for run in local.reused])


def a_base(store):
    ref = store.add_tree({"config.json": store.add_bytes(b"{}"), "weights": store.add_bytes(b"W")})
    store.name("bases", "base", {"ref": ref})
    return ref


def everything(store):
    """Path -> bytes of every file in the home, its locks aside."""
    files = [p for p in store.root.rglob("*") if p.is_file() and p.parent.name != "locks"]
    return {p.relative_to(store.root): p.read_bytes() for p in files}


# -- downstream ------------------------------------------------------------------------------------------
def resting(store, ref):
    """(runs, names of packs) that rest on this."""
    found = downstream(store, [ref])
    return [*found.runs], [*found.packs]


def test_a_document_reaches_every_run_and_pack_that_rests_on_it(store):
    one, two = make(store, ["alpha", "beta"], "one"), make(store, ["beta", "gamma"], "two")
    assert one.pack.ref != two.pack.ref
    runs, packs = resting(store, store.add_bytes(b"alpha"))
    assert packs == ["one"]
    assert [run.step for run in runs] == ["read", "curate", "carve", "check", "trial", "pack"]
    assert runs[-1] == one.pack.run
    assert resting(store, store.add_bytes(b"gamma"))[1] == ["two"]
    assert resting(store, store.add_bytes(b"beta"))[1] == ["one", "two"]
    assert resting(store, store.named("bases", "base")["ref"])[1] == ["one", "two"]
    assert resting(store, store.add_bytes(b"never used")) == ([], [])


def test_what_is_had_without_a_document_does_not_rest_on_it(store):
    """Two files with one text: without one of them the text, and all that follows, is the same."""
    make(store, ["alpha", "alpha\n", "beta"], "one")
    runs, packs = resting(store, store.add_bytes(b"alpha\n"))
    assert [run.step for run in runs] == ["read"] and packs == []
    text = store.add_bytes(b'"alpha"')
    assert resting(store, text)[1] == ["one"]
    assert {run.step for run in resting(store, text)[0]} == {"curate", "carve", "check", "trial", "pack"}


def test_a_folder_reaches_what_rests_on_any_of_its_files(store):
    one = make(store, ["alpha"], "one")
    (curated,) = [run for run in store.runs() if run.step == "curate"]
    runs, packs = resting(store, curated.output)
    assert packs == ["one"] and {run.step for run in runs} == {"carve", "check", "trial", "pack"}
    assert resting(store, one.pack.ref)[1] == ["one"]


# -- gc --------------------------------------------------------------------------------------------------
def test_gc_keeps_what_a_name_reaches_and_nothing_else(store):
    one = make(store, ["alpha", "beta"], "notes")
    kept = {path for path in everything(store) if path.parts[0] in ("objects", "trees", "runs")}
    old = make(store, ["alpha", "SECRET"])
    left = store.scratch(one.pack.run.key) / "scratch"
    left.mkdir(parents=True)
    (left / "checkpoint").write_bytes(bytes(1000))
    store.path(old.pack.ref)
    store.path(one.pack.ref)
    before = everything(store)
    planned = gc(store, dry_run=True)
    assert everything(store) == before
    assert gc(store) == planned
    files, freed = planned
    after = everything(store)
    assert {p for p in after if p.parts[0] in ("objects", "trees", "runs")} == kept
    gone = [p for p in before if p not in after and p.parts[0] != "folders"]
    assert files == len(gone) and freed == sum(len(before[p]) for p in gone) > 1000
    assert not [path for path, data in after.items() if b"SECRET" in data]
    assert list((store.root / "tmp").iterdir()) == []
    assert gc(store) == (0, 0) and verify(store) == []


def test_after_gc_a_second_run_is_fully_cached(store):
    first = make(store, ["alpha", "beta"], "one")
    make(store, ["beta", "gamma"], "two")
    make(store, ["delta"])
    gc(store)
    for texts, name in ((["alpha", "beta"], "one"), (["beta", "gamma"], "two")):
        again = make(store, texts, name)
        assert again.ran == [] and len(again.reused) == 7
    assert make(store, ["alpha", "beta"], "one").pack == first.pack
    assert make(store, ["delta"]).ran == ["read", "curate", "carve", "check", "trial", "pack"]


def test_without_the_keys_of_its_runs_a_name_keeps_all_that_can_have_made_it(store):
    make(store, ["alpha", "beta"], "one")
    record = store.named("packs", "one")
    del record["runs"], record["also"]
    store.name("packs", "one", record)
    make(store, ["delta"])
    make(store, ["beta", "gamma and more"])
    gc(store)
    left = list(store.runs())  # of the others only the read of the document that is in `one` too
    assert [run.step for run in left] == ["read", "read", "curate", "carve", "check", "pack"]
    files = {run.inputs["file"] for run in left if run.step == "read"}
    assert files == {store.add_bytes(b"alpha"), store.add_bytes(b"beta")}
    assert make(store, ["alpha", "beta"]).ran == ["trial"]
    assert "curate" in make(store, ["delta"]).ran


def test_a_name_that_moves_on_lets_the_old_one_go(store):
    """Also where the old one made a file of equal bytes: the choice is the same in both."""
    make(store, ["alpha", "OLD"], "notes")
    make(store, ["alpha", "new"], "notes")
    gc(store)
    assert not [path for path, data in everything(store).items() if b"OLD" in data]
    assert make(store, ["alpha", "new"], "notes").ran == []
    store.unname("packs", "notes")
    gc(store)
    assert list(store.runs()) == [] and store.has(store.named("bases", "base")["ref"])
    store.unname("bases", "base")
    gc(store)
    assert [p for p in everything(store) if p.parts[0] != "ledger.db"] == []


def test_a_laid_out_folder_in_use_outlives_gc(store):
    one = make(store, ["alpha"], "one")
    other = make(store, ["beta"])
    served, gone = store.path(one.pack.ref), store.path(other.pack.ref)
    inode = (served / "model.gguf").stat().st_ino
    gc(store)
    assert (served / "model.gguf").stat().st_ino == inode and not gone.exists()


def test_gc_broken_off_anywhere_leaves_all_whole(store, tmp_path, monkeypatch):
    make(store, ["alpha", "beta"], "one")
    old = make(store, ["gamma", "delta"])
    store.path(old.pack.ref)
    cut, at = True, 0
    while cut:
        at, cut = at + 1, False
        copy = Store(shutil.copytree(store.root, tmp_path / f"home-{at}"))
        calls = itertools.count(1)

        def unlink(*args, stop=at, calls=calls, real=os.unlink, **kwargs):
            if next(calls) == stop:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, "unlink", unlink)
            try:
                gc(copy)
            except KeyboardInterrupt:
                cut = True
        assert verify(copy) == []
        assert make(copy, ["alpha", "beta"], "one").ran == []
        shutil.rmtree(copy.root)
    assert at > 15


def test_gc_refuses_where_it_cannot_tell_what_is_reached(store):
    make(store, ["alpha"], "one")
    path = store.root / "names" / "packs" / "one.json"
    whole = path.read_text()
    before = everything(store)
    for text in ("", whole.replace(json.loads(whole)["ref"], "ab" * 32), whole.replace('"ref"', '"rex"')):
        path.write_text(text)
        with pytest.raises(StoreError) as caught:
            gc(store)
        assert caught.value.hint and caught.value.where == str(path)
        assert [d.packs for d in verify(store)] == [("one",)]
    path.write_text(whole)
    assert everything(store) == before and verify(store) == []


def test_gc_copes_with_what_a_killed_process_may_leave(store):
    room = store.root / "tmp" / ("ab" * 32) / "out"
    room.mkdir(parents=True)
    (room / "nowhere").symlink_to("/nowhere")
    (room / "folder").symlink_to(store.root / "objects")
    os.mkfifo(room / "pipe")
    os.mkfifo(store.root / "tmp" / "pipe")
    kept = store.add_bytes(b"kept")
    store.name("bases", "base", {"ref": kept})
    assert gc(store)[0] == 4
    assert list((store.root / "tmp").iterdir()) == [] and store.path(kept).read_bytes() == b"kept"


# -- gc beside a running make, with processes ------------------------------------------------------------
MAKE = """
import sys
from pathlib import Path
from netsuke.store import Store
store = Store(Path(sys.argv[1]))
with store.lock("gc", exclusive=False):
    ref = store.add_tree({"model": store.add_bytes(b"not named yet")})
    print("making", flush=True)
    sys.stdin.readline()
    store.name("packs", sys.argv[2], {"ref": ref})
"""

COLLECT = """
import sys
from pathlib import Path
from netsuke.reachability import gc
from netsuke.store import Store
waiting = lambda: print("waiting", flush=True)
print("done", *gc(Store(Path(sys.argv[1])), wait_note=waiting), flush=True)
"""


@pytest.fixture
def start(store):
    """Starts Python on some code with the home as its argument; killed at the end."""
    with contextlib.ExitStack() as stack:

        def one(code, *words):
            command = [sys.executable, "-c", code, str(store.root), *words]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield one


def finish(process):
    process.stdin.write("go\n")
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def test_gc_waits_for_every_running_make(start, store):
    unnamed = store.add_bytes(b"nobody's")
    one, two = start(MAKE, "one"), start(MAKE, "two")
    assert one.stdout.readline() == two.stdout.readline() == "making\n"  # makes do not wait for each other
    collector = start(COLLECT)
    assert collector.stdout.readline() == "waiting\n"
    finish(one)
    assert collector.poll() is None and store.has(unnamed)
    finish(two)
    assert collector.stdout.readline() == f"done 1 {len(b'nobody' + b'x' * 2)}\n"
    assert collector.wait(timeout=30) == 0
    assert not store.has(unnamed) and verify(store) == []
    assert [store.has(store.named("packs", name)["ref"]) for name in ("one", "two")] == [True, True]


def test_gc_goes_on_where_a_make_was_killed(start, store):
    make_process = start(MAKE, "one")
    assert make_process.stdout.readline() == "making\n"
    collector = start(COLLECT)
    assert collector.stdout.readline() == "waiting\n"
    make_process.kill()
    assert collector.stdout.readline().startswith("done 2 ") and collector.wait(timeout=30) == 0
    assert verify(store) == [] and everything(store) == {}
