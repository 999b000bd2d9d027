"""The whole loop on a tiny base: what is made, what is made again, and what a kill, a gate or a full disk leaves."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import faked
import pytest
from material import document, netsuke, whole_make, write_material

from netsuke import loop, recipe, search, signing
from netsuke.consent.ledger import Ledger
from netsuke.errors import BudgetError, GateError, RecipeError
from netsuke.front import foretold, targets
from netsuke.nouns import Run
from netsuke.outcome import report_of
from netsuke.pack import manifest
from netsuke.plan import Planned
from netsuke.reachability import downstream, gc, verify
from netsuke.step import Local
from netsuke.store import Store, hash_file, key_of
from netsuke.texts.documents import write_json

DOCUMENTS = 16


def make(place, store, **changes):
    """Makes in this process; (outcome, names of the steps that ran)."""
    wanted = dataclasses.replace(recipe.load(place, loop.SECTIONS), **changes)
    ran = []

    class Told(Local):
        def _many(self, step, todo):
            ran.extend([step.name] * len(todo))
            return super()._many(step, todo)

        def _work(self, step, *rest):
            ran.append(step.name)
            return super()._work(step, *rest)

    return loop.make(wanted, place, store, lambda title, progress: None, executor=Told), ran


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with its recipe and lock, and a home in which it has been made once."""
    room = whole_make(tmp_path_factory)
    store = Store(room / "home")
    outcome, _ = make(room / "notes" / "netsuke.toml", store)
    return room, outcome, [run.step for run in store.runs()]


@pytest.fixture
def again(first, tmp_path):
    """A copy of all that, to do things to."""
    room, _, _ = first
    shutil.copytree(room / "notes", tmp_path / "notes")
    shutil.copytree(room / "home", tmp_path / "home", symlinks=True)
    shutil.copyfile(room / "tiny.gguf", tmp_path / "tiny.gguf")
    return tmp_path / "notes" / "netsuke.toml", Store(tmp_path / "home")


def test_a_folder_becomes_a_checked_pack(first):
    room, outcome, ran = first
    store = Store(room / "home")
    assert ran.count("read") == DOCUMENTS
    assert {"curate", "unpack", "carve", "tune", "combine", "quantise", "check", "trial", "pack"} <= set(ran)
    folder = store.path(store.named("packs", "notes")["ref"])
    assert manifest.faults(folder) == []
    rows = {r["name"]: r for r in manifest.read(folder)["measures"]}
    assert rows["domain"]["change"] < -0.1
    assert rows["size"]["ours"] == (folder / "model.gguf").stat().st_size
    assert (room / "notes" / "netsuke.lock").exists()
    ledger = (folder / "ledger.jsonl").read_text().splitlines()
    assert len(ledger) == DOCUMENTS and all(json.loads(row)["decision"] == "in" for row in ledger)


def test_a_second_make_runs_nothing(again):
    place, store = again
    outcome, ran = make(place, store)
    assert ran == []
    assert all(line.cached for line in foretold.plan(recipe.load(place, loop.SECTIONS), place, store))


def test_a_pack_names_the_runs_that_every_setting_went_into(first):
    room, outcome, _ = first
    store = Store(room / "home")
    lineage = manifest.read_from(store, outcome.pack.ref)["lineage"]
    told = {step: store.find(row["key"]).params for step, row in lineage.items()}
    steps = "data render carve tune combine quantise check recall calibrate judge"
    assert told.keys() == {*steps.split()}
    wanted = recipe.load(room / "notes" / "netsuke.toml", loop.SECTIONS)
    gates, checks = wanted.gates, wanted.params["check"]
    assert (told["calibrate"]["limit"], told["judge"]["limit"]) == (gates.confidence, gates.safety)
    assert (told["recall"]["limit"], told["recall"]["samples"]) == (gates.recalled, checks.samples)


def test_a_pack_is_signed_beside_it_and_stays_so(again):
    place, store = again
    record = store.named("packs", "notes")
    assert signing.FILE not in store.tree(record["ref"])  # the key is no part of what was made
    found, told = targets.pack_faults("notes", store)
    assert found == [] and told.endswith("and it holds")
    make(place, store)
    assert store.named("packs", "notes")["signature"] == record["signature"]  # not signed again for nothing
    gc(store)
    assert targets.pack_faults("notes", store)[0] == []
    signing.keys_in(store.root).secret.unlink()
    make(place, store)  # a new key: the same pack under another signature
    now = store.named("packs", "notes")
    assert now["ref"] == record["ref"] and now["signature"] != record["signature"]
    found, told = targets.pack_faults("notes", store)
    assert found == [] and told.endswith("and it holds")


def test_an_estimate_knows_that_a_small_folder_ends_before_the_minutes_do(again):
    place, store = again
    seconds = {}
    for minutes, passes in ((600, 4.0), (6000, 4.0), (600, 8.0)):
        wanted = dataclasses.replace(recipe.load(place, loop.SECTIONS), minutes=minutes)
        wanted.params["tune"] = dataclasses.replace(wanted.params["tune"], max_epochs=passes)
        lock = recipe.load_lock(place.with_suffix(".lock"))
        lines = [Planned("tune", "tune", False, ""), *foretold.plan(wanted, place, store)]
        lines = [line for line in lines if line.cached or line is lines[0]]  # tuning alone is to be done
        seconds[minutes, passes], _ = foretold.estimate(lines, wanted, place.parent, store, lock)
    assert seconds[600, 4.0] == seconds[6000, 4.0] < 600 * 60  # four passes over so little text
    assert seconds[600, 8.0] - 10 == pytest.approx(2 * (seconds[600, 4.0] - 10))
    read = next(line for line in lines if line.step == "curate")
    files = store.tree(read.output)
    both = store.add_tree(files | {"examples/train.jsonl": files["train.jsonl"]})  # as much of examples again
    taught = [dataclasses.replace(line, output=both) if line is read else line for line in lines]
    params = dataclasses.replace(wanted.params["tune"], max_epochs=0.0)  # two passes, four with examples
    alone, beside = (foretold.learning(known, params, store, lock, 1.0) - 10 for known in (lines, taught))
    assert beside == pytest.approx(4 * alone)
    nothing_read = [line for line in lines if line.step != "curate"]
    assert foretold.estimate(nothing_read, wanted, place.parent, store, lock)[0] == 600 * 60


def test_a_step_takes_as_long_as_in_the_makes_of_its_model_and_a_file_as_most_files(tmp_path):
    store = Store(tmp_path / "home")

    def ran(step, seconds):
        params = {"n": seconds}
        key = key_of(step, 1, params, {}, {})
        run = Run(key, step, 1, params, {}, {}, store.add_bytes(b"x"), seconds)
        store.record(run)
        return run.key

    own = ran("carve", 20.0)
    store.name("packs", "notes", {"ref": store.add_bytes(b"x"), "runs": [own]})
    for step, seconds in (("carve", 2400.0), ("check", 50.0), ("read", 0.01), ("read", 0.02), ("read", 60.0)):
        ran(step, seconds)
    assert foretold.usual("notes", store) == {"carve": 20.0, "check": 50.0, "read": 0.02}
    assert foretold.usual("other", store)["carve"] == 2400.0


def test_any_table_of_examples_is_expected_to_be_one(tmp_path):
    wanted = recipe.fresh("notes", loop.SECTIONS)
    for name, expected in (("a.md", False), ("b.ndjson", True), ("c.CSV", True)):
        (tmp_path / name.partition(".")[0]).mkdir()
        (tmp_path / name.partition(".")[0] / name).write_text("x")
        assert foretold.may_have_examples(wanted, tmp_path / name.partition(".")[0]) is expected


@pytest.mark.parametrize("named, called", [("_posts", "posts"), ("__", "model"), ("-_x", "x"), ("a b", "a-b")])
def test_any_folder_has_a_name_for_a_model(named, called):
    assert targets.model_name(named) == called
    recipe.check_name(called, "here")


@pytest.mark.slow
def test_one_changed_document_reads_one_document(again):
    place, store = again
    path = place.parent / "note-03.md"
    path.write_text(path.read_text() + "\nAnd the river of the kettle went on.\n")
    lines = foretold.plan(recipe.load(place, loop.SECTIONS), place, store)
    assert [line.label for line in lines if line.step == "read" and not line.cached] == ["read note-03.md"]
    _, ran = make(place, store)
    assert ran.count("read") == 1 and "unpack" not in ran and "curate" in ran


@pytest.mark.slow
def test_a_changed_test_document_does_not_train_again(again):
    place, store = again
    outcome, _ = make(place, store)
    test = [json.loads(line) for line in store.path(outcome.data["test.jsonl"]).read_text().splitlines()]
    assert (
        len(test) >= 2
    )  # an emptied split would take a document from training, which is right, and another case
    (place.parent / test[0]["path"]).unlink()
    _, ran = make(place, store)
    assert ran == ["curate", "render", "check", "recall", "calibrate", "show", "index", "pack"]


@pytest.mark.slow
def test_a_document_that_is_taken_out_is_not_found_any_more(again):
    place, store = again
    outcome, _ = make(place, store)

    def found():
        folder = store.path(store.named("packs", "notes")["ref"])
        index = search.open_pack(folder, manifest.read(folder), "notes")
        paths = {path for (path,) in index.rows("SELECT path FROM documents")}
        index.close()
        return paths, (folder / "search.db").read_bytes()

    train = [json.loads(line) for line in store.path(outcome.data["train.jsonl"]).read_text().splitlines()]
    gone = train[0]
    paths, data = found()
    sentence = gone["text"].split("\n\n")[1][:60].encode()
    assert len(paths) == DOCUMENTS and sentence in data
    rest = downstream(store, [outcome.data["train.jsonl"]])
    assert rest.packs == ("notes",) and "index" in {run.step for run in rest.runs}
    (place.parent / gone["path"]).unlink()
    make(place, store)
    paths, data = found()
    assert gone["path"] not in paths and sentence not in data
    gc(store)
    assert not any(sentence in path.read_bytes() for path in (store.root / "objects").glob("*/*"))


@pytest.mark.slow
def test_the_same_lock_gives_the_same_bytes_in_another_home(first, tmp_path):
    room, outcome, _ = first
    elsewhere, _ = make(room / "notes" / "netsuke.toml", Store(tmp_path / "other"))
    assert elsewhere.pack.ref == outcome.pack.ref


SUICIDE = """
import os, signal
from netsuke.front import show
count = 0
def watch(self, step, progress):
    global count
    count += 1
    if count == {event}:
        os.kill(os.getpid(), signal.SIGKILL)
show.Watcher.__call__ = watch
"""


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_to_the_same_bytes(first, tmp_path):
    room, outcome, _ = first
    home = tmp_path / "home"
    for event in (3, 40, 52, 75, 95):
        done = netsuke(home, "make", str(room / "notes"), prelude=SUICIDE.format(event=event))
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        assert verify(Store(home)) == []
        assert Store(home).names("packs") == []
    done = netsuke(home, "make", str(room / "notes"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pack"] == outcome.pack.ref


IN_TUNE = """
import os, signal, sys
from netsuke.tune import train
train.CHECKPOINT_TOKENS, train.CHECKPOINT_SHARE = 1, 1e9  # one behind every step
learnt, resume = train.Job.train_step, train.Job._resume
def step(self, *given):
    if self.step == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return learnt(self, *given)
def resumed(self):
    resume(self)
    print("goes on behind step", self.step, file=sys.stderr)
train.Job.train_step, train.Job._resume = step, resumed
"""


@pytest.mark.slow
def test_killed_in_tuning_it_goes_on_from_the_checkpoint_to_the_same_bytes(first, tmp_path):
    room, outcome, _ = first
    home = tmp_path / "home"
    done = netsuke(home, "make", str(room / "notes"), prelude=IN_TUNE.format(at=5))
    assert done.returncode == -9 and "goes on behind step 0" in done.stderr, done.stderr
    (whole,) = home.rglob("checkpoint-*/state.json")
    assert json.loads(whole.read_text())["step"] == 5 and Store(home).names("packs") == []
    done = netsuke(home, "make", str(room / "notes"), "--json", prelude=IN_TUNE.format(at=-1))
    assert done.returncode == 0 and "goes on behind step 5" in done.stderr, done.stderr
    assert json.loads(done.stdout)["pack"] == outcome.pack.ref and not whole.exists()


@pytest.mark.slow
def test_two_makes_at_once_in_one_home(first, tmp_path):
    room, outcome, _ = first
    home = tmp_path / "home"
    env = {**os.environ, "NETSUKE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "netsuke", "make", str(room / "notes"), "--json"]
    both = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)
    ]
    results = [process.communicate(timeout=110) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert {json.loads(out)["pack"] for out, _ in results} == {outcome.pack.ref}
    runs = [run.key for run in Store(home).runs()]
    assert len(runs) == len(set(runs)) and verify(Store(home)) == []


def test_a_worse_pack_does_not_ship(again):
    place, store = again
    old = store.named("packs", "notes")
    strict = recipe.Gates(domain=-0.99)
    with pytest.raises(GateError, match="held-out documents") as caught:
        make(place, store, gates=strict)
    assert caught.value.exit_code == 3
    assert store.named("packs", "notes") == old


@pytest.mark.slow
def test_what_changed_since_the_last_one_is_shown_and_is_no_part_of_the_pack(again, tmp_path):
    place, store = again
    assert store.named("packs", "notes")["since"] == []
    path = place.parent / "note-03.md"
    path.write_text(document(78))
    outcome, _ = make(place, store)
    rows = {row["name"]: row for row in store.named("packs", "notes")["since"]}
    assert {"domain", "general", "size"} <= rows.keys() and rows["domain"]["n_texts"] >= 1
    make(place, store)
    assert store.named("packs", "notes")["since"] == [*rows.values()]  # the same pack again changes nothing
    elsewhere, _ = make(place, Store(tmp_path / "other"))
    assert elsewhere.pack.ref == outcome.pack.ref


def test_what_is_checked_is_in_the_pack_and_quotes_stand_apart(first):
    room, outcome, _ = first
    store = Store(room / "home")
    folder = store.path(outcome.pack.ref)
    content = json.loads((folder / "report.json").read_text())
    names = {gate["name"] for gate in content["gates"]}
    assert {"domain", "general", "size", "recalled", "private", "safety"} <= names | {"size"}
    assert content["memory"]["extraction"]["pieces"] > 0 and content["safety"]["probes"] >= 200
    quoted = json.loads((folder / "quotes.json").read_text())
    given = quoted["samples"][0]["given"]
    assert given and json.dumps(given)[1:-1] not in (folder / "report.json").read_text()
    assert given.split("\n")[0][:30] in (folder / "report.html").read_text()
    assert sorted(manifest.read(folder)["gates"], key=str) == sorted(content["gates"], key=str)


@pytest.mark.slow
def test_a_budget_that_cannot_be_reached_names_the_smallest(again):
    place, store = again
    with pytest.raises(BudgetError, match="smallest"):
        make(place, store, mb=0.01)
    with pytest.raises(BudgetError) as caught:
        make(place, store, mb=0.02)
    smallest = float(caught.value.hint.split("--mb ")[1].split()[0])
    outcome, _ = make(place, store, mb=smallest)
    assert store.size(outcome.pack.ref) > 0


@pytest.mark.parametrize("what", ["nothing", "only hidden files", "only a broken pdf", "too little"])
def test_too_little_material_is_named(tmp_path, store, what):
    place = write_material(tmp_path / "notes", documents=0)
    if what == "only hidden files":
        (place.parent / ".secret.md").write_text(document(1))
    elif what == "only a broken pdf":
        (place.parent / "a.pdf").write_bytes(b"%PDF-1.7\nnot really")
    elif what == "too little":
        (place.parent / "a.md").write_text("A line.")
    with pytest.raises(RecipeError):
        make(place, store)


def test_a_source_that_is_not_there_is_named(tmp_path, store):
    place = write_material(tmp_path / "notes", documents=1)
    place.write_text(place.read_text().replace('path = "."', 'path = "nowhere"'))
    with pytest.raises(RecipeError, match="no such file or folder"):
        make(place, store)


def test_a_third_party_without_a_licence_stays_out(again):
    place, store = again
    other = place.parent.parent / "theirs"
    other.mkdir()
    (other / "theirs.md").write_text(document(99) + "\nXYZZY-MARKER\n")
    text = place.read_text().replace("[tune]", '[[sources]]\npath = "../theirs"\nowner = "them"\n\n[tune]')
    place.write_text(text)
    outcome, ran = make(place, store)
    rows = [json.loads(r) for r in store.path(outcome.data["documents.jsonl"]).read_text().splitlines()]
    (row,) = [r for r in rows if r["owner"] == "them"]
    assert row["decision"] == "out" and "read" not in ran
    found = [p for p in store.root.rglob("*") if p.is_file() and b"XYZZY-MARKER" in p.read_bytes()]
    assert found == []


@pytest.mark.slow
def test_downstream_finds_the_pack_of_a_document_and_gc_keeps_it(again):
    place, store = again
    found = downstream(store, [hash_file(place.parent / "note-01.md")])
    assert found.packs == ("notes",) and {"read", "curate", "pack"} <= {run.step for run in found.runs}
    path = place.parent / "note-05.md"
    path.write_text(document(77))
    make(place, store)
    gc(store)
    assert verify(store) == []
    _, ran = make(place, store)
    assert ran == []


def test_a_flipped_bit_is_named_set_aside_and_made_again(again):
    place, store = again
    outcome, _ = make(place, store)
    blob = store.path(outcome.pack["model.gguf"])
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 4
    blob.chmod(0o644)
    blob.write_bytes(data)
    (damage,) = verify(store, repair=True)
    assert damage.packs == ("notes",)
    made, ran = make(place, store)
    assert "quantise" in ran and "tune" not in ran
    assert made.pack.ref == outcome.pack.ref and verify(store) == []


@pytest.mark.parametrize("damage", ["none", "flipped", "gone", "no report", "no pack"])
def test_a_damaged_report_of_the_last_pack_keeps_no_new_one_from_its_name(store, tmp_path, damage):
    sizes = [{"measures": [{"name": "size", "ours": size}], "texts": {}, "gates": []} for size in (100, 150)]
    last = faked.made(store, "pack", {"report.json": sizes[0]} if damage != "no report" else {"card.md": ""})
    store.name("packs", "notes", {"ref": last.ref if damage != "no pack" else "0" * 64})
    if damage in ("flipped", "gone"):
        blob = store.path(last["report.json"])
        blob.chmod(0o644)
        blob.write_text("{}") if damage == "flipped" else blob.unlink()
    now = faked.made(store, "check", {"report.json": sizes[1]})
    outcome = dataclasses.replace(faked.outcome(store, "notes", True), report=now)
    loop.name_pack(store, "notes", tmp_path / "netsuke.toml", outcome, [])
    named = store.named("packs", "notes")
    assert named["ref"] == outcome.pack.ref
    assert [row["change"] for row in named["since"]] == ([0.5] if damage == "none" else [])


@pytest.mark.slow
def test_without_any_network_it_is_made_all_the_same(first, tmp_path):
    room, outcome, _ = first
    cut_off = ["unshare", "--net", "--map-root-user"]  # not even a loopback that is up
    if subprocess.run([*cut_off, "true"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    env = {**os.environ, "NETSUKE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [*cut_off, sys.executable, "-m", "netsuke", "make", str(room / "notes"), "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pack"] == outcome.pack.ref


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_said_and_loses_nothing(first, tmp_path):
    room, outcome, _ = first
    home = tmp_path / "home"
    home.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", home]).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        for size in ("1m", "2m"):
            subprocess.run(["mount", "-o", f"remount,size={size}", home], check=True)
            done = netsuke(home, "make", str(room / "notes"))
            assert done.returncode == 6, done.stderr
            assert "Traceback" not in done.stderr and "hint:" in done.stderr
            assert verify(Store(home)) == []
        subprocess.run(["mount", "-o", "remount,size=100m", home], check=True)
        done = netsuke(home, "make", str(room / "notes"), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pack"] == outcome.pack.ref
    finally:
        subprocess.run(["umount", home], check=True)


@pytest.mark.slow
def test_an_untied_hugging_face_folder_is_a_base(tmp_path, store):
    """With an output head of its own and more rows than words, as real folders have."""
    import torch

    from netsuke.engines import gguf, hf
    from netsuke.engines.llama import Engine

    place = write_material(tmp_path / "notes")
    folder = tmp_path / "tiny-hf"
    folder.mkdir()
    gguf.unpack(tmp_path / "tiny.gguf", folder)
    weights = hf.load_weights(folder / "model.safetensors")
    rows = weights["model.embed_tokens.weight"]
    rows = torch.cat([rows, rows.new_zeros(8, rows.shape[1])])
    head = torch.randn(rows.shape, generator=torch.Generator().manual_seed(1)).to(rows.dtype) * 0.1
    hf.save_weights(
        {**weights, "model.embed_tokens.weight": rows, "lm_head.weight": head}, folder / "model.safetensors"
    )
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, "tie_word_embeddings": False, "vocab_size": len(rows)})
    outcome, _ = make(place, store, base=str(folder))
    report = {r["name"]: r for r in report_of(store, outcome)["measures"]}
    assert report["domain"]["change"] < -0.1
    with Engine(store.path(outcome.pack["model.gguf"]), threads=1) as engine:
        assert engine.complete("In the river", n_predict=4)["tokens_predicted"] == 4
    record = manifest.read(store.path(outcome.pack.ref))
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.slow
def test_one_long_file_is_material_enough(tmp_path):
    write_material(tmp_path / "notes", documents=0)
    (tmp_path / "book.txt").write_text("\n\n".join(document(n) for n in range(12)))
    dials = ("--base", str(tmp_path / "tiny.gguf"), "--minutes", "0.05")
    done = netsuke(tmp_path / "home", "make", str(tmp_path / "book.txt"), *dials)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "book.txt.netsuke.toml").exists()
    assert "cut into parts" in netsuke(tmp_path / "home", "report", "book").stdout


def test_a_plan_writes_nothing_to_the_ledger(again):
    place, store = again
    before = Ledger(store.root / "ledger.db").head()
    renamed = dataclasses.replace(recipe.load(place, loop.SECTIONS), name="other")
    assert foretold.plan(renamed, place, store) and Ledger(store.root / "ledger.db").head() == before
