"""One adapter for each owner: nobody's text touches another's, and forgetting one trains nobody again."""

import dataclasses
import json
import shutil

import pytest
from material import SECTIONS, document
from tiny import tiny_gguf

from netsuke import loop, recipe, voices
from netsuke.engines.llama import Engine
from netsuke.errors import RecipeError
from netsuke.front import foretold
from netsuke.outcome import Learnt, report_of
from netsuke.pack import manifest
from netsuke.step import Local, Made
from netsuke.store import Store

OWNERS = ("me", "Bea", "Carlo")
FIRST = {"me": 0, "Bea": 40, "Carlo": 80}


def write_owners(room, owners=OWNERS, documents=9, **files):
    """A folder for each owner, a tiny base and a recipe that trains an adapter for each."""
    folder = room / "notes"
    folder.mkdir(parents=True)
    for owner in owners:
        (folder / owner).mkdir()
        for number in range(FIRST[owner], FIRST[owner] + documents):
            (folder / owner / f"note-{number:03}.md").write_text(document(number))
    tiny_gguf(room / "tiny.gguf")
    return write_recipe(folder, owners, room / "tiny.gguf")


def write_recipe(folder, owners, base):
    rows = [
        f'[[sources]]\npath = "{owner}"\nowner = "{owner}"\nlicence = "CC0-1.0"\nconsent = "in"' for owner in owners
    ]
    top = f'name = "notes"\nbase = "{base}"\nminutes = 0.05\n'
    settings = SECTIONS.replace('[[sources]]\npath = "."\n', "") + 'units = "per-owner"\n[pack]\nvoices = "on"\n'
    (folder / "netsuke.toml").write_text(top + "\n".join(rows) + settings)
    return folder / "netsuke.toml"


def make(place, store, **tune):
    """(outcome, titles of the steps that ran)."""
    wanted = recipe.load(place, loop.SECTIONS)
    params = {**wanted.params, "tune": dataclasses.replace(wanted.params["tune"], **tune)}
    ran = []

    class Told(Local):
        def _work(self, step, key, params, inputs, title):
            ran.append(title)
            return super()._work(step, key, params, inputs, title)

    wanted = dataclasses.replace(wanted, params=params)
    return loop.make(wanted, place, store, lambda title, progress: None, executor=Told), ran


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    room = tmp_path_factory.mktemp("units")
    place = write_owners(room)
    outcome, ran = make(place, Store(room / "home"))
    return room, outcome, ran


@pytest.fixture
def again(first, tmp_path):
    """A copy of all that, to do things to; the recipe still names the first one's base."""
    room, _, _ = first
    shutil.copytree(room / "notes", tmp_path / "notes")
    shutil.copytree(room / "home", tmp_path / "home", symlinks=True)
    return tmp_path / "notes" / "netsuke.toml", Store(tmp_path / "home")


@pytest.mark.slow
def test_each_owner_is_learnt_apart_and_the_report_says_so(first):
    room, outcome, ran = first
    assert [title for title in ran if title.startswith("tune")] == ["tune Bea", "tune Carlo", "tune me"]
    store = Store(room / "home")
    files = store.tree(outcome.pack.ref)
    learning = json.loads(store.path(files["report.json"]).read_text())["learning"]
    assert sorted(part["name"] for part in learning["parts"]) == ["Bea", "Carlo", "me"]
    assert len({part["weight"] for part in learning["parts"]}) == 1
    assert len(learning["tried"]) == 5
    assert "Each owner's text was learnt apart" in store.path(files["report.md"]).read_text()
    rows = {row["name"]: row for row in report_of(store, outcome)["measures"]}
    assert rows["domain"]["change"] < -0.02


@pytest.mark.slow
def test_each_owners_adapter_lies_in_the_pack_and_changes_its_model(first):
    room, outcome, ran = first
    folder = Store(room / "home").path(outcome.pack.ref)
    assert ran.count("voice") == 1 and manifest.faults(folder) == []
    found = voices.read(folder)
    assert sorted(one.name for one in found) == ["Bea", "Carlo", "me"]
    listed, report = manifest.read(folder)["files"], json.loads((folder / "report.json").read_text())
    assert {voices.FILE, *(one.file for one in found)} <= set(listed)
    parts = {part["name"]: part["weight"] for part in report["learning"]["parts"]}
    assert [(one.name, one.weight) for one in found] == [(row["name"], row["weight"]) for row in report["voices"]]
    assert {one.name: one.weight for one in found} == parts
    assert all(row["bytes"] == listed[one.file]["bytes"] for one, row in zip(found, report["voices"], strict=True))
    assert "lie 3 adapters" in (folder / "report.md").read_text()
    assert "lie 3 adapters" in (folder / "report.html").read_text()
    with Engine(folder / "model.gguf", threads=1, voices=[folder / one.file for one in found]) as engine:
        asked = {"n_predict": 1, "n_probs": 20, "temperature": 0.0, "cache_prompt": False}
        moved = [[{"id": place, "scale": scale}] for place, scale in ((0, 0.0), (0, 0.5), (1, 0.5), (2, 0.5))]
        said = [engine.complete("The old river", **asked, lora=one)["completion_probabilities"] for one in moved]
        assert len({json.dumps(one) for one in said}) == 4


@pytest.mark.slow
def test_an_untuned_body_that_ships_instead_has_no_voices(first):
    room, _, _ = first
    store = Store(room / "home")
    runs = {run.step: Made(store, run) for run in store.runs()}
    learnt = Learnt(runs["join"], {}, None, None, runs["voice"])
    assert learnt.beside(runs["join"].ref) == {"voices": runs["voice"].ref}
    assert learnt.beside(runs["carve"].folder("model")) == {}
    assert dataclasses.replace(learnt, voices=None).beside(runs["join"].ref) == {}
    planned = Learnt(Made(store, None), {}, None, None, Made(store, None))
    assert planned.beside(None) == {"voices": None}  # not known yet


@pytest.mark.slow
def test_what_is_learnt_at_once_has_one_voice(first, tmp_path):
    place = first[0] / "notes" / "netsuke.toml"
    wanted = recipe.with_settings(recipe.load(place, loop.SECTIONS), {"tune.units": "joint"}, loop.SECTIONS)
    with pytest.raises(RecipeError, match=r"pack\.voices is on, and all text is learnt at once") as caught:
        loop.make(wanted, place, Store(tmp_path / "home"), lambda title, progress: None)
    assert "tune.units=per-owner" in caught.value.hint
    assert list(Store(tmp_path / "home").runs()) == []


@pytest.mark.slow
def test_a_second_make_runs_nothing_and_a_plan_says_so(again):
    place, store = again
    assert make(place, store)[1] == []
    assert all(line.cached for line in foretold.plan(recipe.load(place, loop.SECTIONS), place, store))


def test_a_plan_of_what_was_never_made_names_the_owners(tmp_path):
    place, store = write_owners(tmp_path, documents=2), Store(tmp_path / "home")
    lines = foretold.plan(recipe.load(place, loop.SECTIONS), place, store)
    assert [line.label for line in lines if line.step == "tune"] == ["tune Bea", "tune Carlo", "tune me"]
    assert [line.why for line in lines if line.step == "weigh"] == ["waits for model, parents, choice, …"]
    assert store.names("packs") == []


@pytest.mark.slow
def test_who_leaves_costs_no_training_and_leaves_the_bytes_of_a_build_that_never_saw_them(first, again, tmp_path):
    place, store = again
    shutil.rmtree(place.parent / "Bea")
    write_recipe(place.parent, ("me", "Carlo"), first[0] / "tiny.gguf")
    outcome, ran = make(place, store)
    assert not [title for title in ran if title.split()[0] in ("read", "unpack", "carve", "tune", "render Carlo")]
    assert {"curate", "parts", "weigh", "join", "quantise", "check", "pack"} <= set(ran)
    fresh = tmp_path / "fresh" / "notes"
    shutil.copytree(place.parent, fresh)
    never, ran = make(fresh / "netsuke.toml", Store(fresh.parent / "home"))
    assert [title for title in ran if title.startswith("tune")] == ["tune Carlo", "tune me"]
    assert never.pack.ref == outcome.pack.ref
    assert [one.name for one in voices.read(store.path(outcome.pack.ref))].count("Bea") == 0
    keys = [{run.key for run in s.runs() if run.step == "tune"} for s in (Store(fresh.parent / "home"), store)]
    assert keys[0] < keys[1]


@pytest.mark.slow
def test_who_comes_is_learnt_beside_the_others(first, again):
    place, store = again
    (place.parent / "Dora").mkdir()
    for number in range(9):
        (place.parent / "Dora" / f"note-{number}.md").write_text(document(120 + number))
    write_recipe(place.parent, (*OWNERS, "Dora"), first[0] / "tiny.gguf")
    _, ran = make(place, store)
    assert [title for title in ran if title.startswith("tune")] == ["tune Dora"] and "carve" not in ran


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"method": "full"}, "tune.method is 'full'"), ({"start": "ab" * 32}, "cannot go on from the one adapter")],
)
@pytest.mark.slow
def test_what_cannot_be_had_an_owner_at_a_time_is_named(again, setting, message):
    place, store = again
    with pytest.raises(RecipeError, match=message):
        make(place, store, **setting)


@pytest.mark.slow
def test_who_has_nothing_but_examples_that_teach_nothing_is_not_tuned(tmp_path):
    place = write_owners(tmp_path, ("me", "Bea"))
    store, table = Store(tmp_path / "home"), place.parent / "Carlo"
    table.mkdir()
    write_recipe(place.parent, ("me", "Bea", "Carlo"), tmp_path / "tiny.gguf")
    rows = [f"the {number}th of them,boat" for number in range(40)]
    (table / "signs.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    _, ran = make(place, store)
    assert "render Carlo" in ran and [title for title in ran if title.startswith("tune")] == ["tune Bea", "tune me"]
