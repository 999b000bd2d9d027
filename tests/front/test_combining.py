"""Several models as one: what may be combined, what it rests on, and that it can be made again."""

import dataclasses
import json
import shutil
from dataclasses import asdict
from types import SimpleNamespace

import faked
import pytest
from material import document, netsuke
from test_units import write_owners
from tiny import tiny_gguf

from netsuke import carve, loop, recipe, voices
from netsuke.consent.ledger import Ledger
from netsuke.errors import ConsentError, GateError, NetsukeError, RecipeError, StoreError
from netsuke.front import combining, targets, worth
from netsuke.nouns import Source
from netsuke.outcome import report_of
from netsuke.pack import manifest
from netsuke.reachability import downstream, gc
from netsuke.step import Local
from netsuke.store import Store, hash_file

WANTED = combining.Wanted("both", ("one", "two"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parents": ("one",)}, "two models at least"),
        ({"parents": ("one", "one")}, "'one' is named twice"),
        ({"name": "one"}, "made from itself"),
        ({"name": "../x"}, "cannot be a model's name"),
        ({"weights": (1.0,)}, "1 weights for 2 models"),
        ({"weights": (0.0, 0.0)}, "all weights are zero"),
        ({"weights": (1.0, -1.0)}, "more than zero"),
        ({"weights": (2.0, -1.0), "method": "ties"}, "ties must not be below zero"),
        ({"method": "slerp", "parents": ("a", "b", "c")}, "there are 3"),
        ({"density": 0.0}, "between 0 and 1"),
        ({"weights": (float("nan"), 1.0)}, "finite numbers: nan, 1.0"),
        ({"weights": (float("inf"), 1.0)}, "finite numbers: inf, 1.0"),
        ({"weights": (1e308, 1e308)}, "finite numbers"),
        ({"weights": (float("inf"), float("-inf")), "method": "task"}, "finite numbers"),
        ({"mb": float("nan")}, "number of megabytes, not nan"),
        ({"mb": float("inf")}, "number of megabytes, not inf"),
    ],
)
def test_what_cannot_be_meant_is_named(changes, message):
    with pytest.raises(RecipeError, match=message):
        combining.checked(dataclasses.replace(WANTED, **changes))


def test_a_combination_is_a_small_file_that_is_read_strictly(tmp_path):
    wanted = dataclasses.replace(WANTED, weights=(0.7, 0.3), method="ties", mb=12.5, search=True)
    combining.save(wanted, tmp_path / "x" / combining.FILE)
    assert combining.of_file(tmp_path / "x" / combining.FILE) == wanted
    path = tmp_path / "x" / combining.FILE
    path.write_text(path.read_text().replace("density", "densty"))
    with pytest.raises(RecipeError, match="unknown key 'combine.densty'") as caught:
        combining.of_file(path)
    assert caught.value.hint == "did you mean 'density'?"


@pytest.mark.parametrize("weight", ["nan", "inf", "-inf", "1e999"])
def test_the_file_of_a_combination_takes_no_weight_without_an_end(tmp_path, weight):
    path = tmp_path / combining.FILE
    combining.save(dataclasses.replace(WANTED, weights=(0.25, 1.0)), path)
    assert combining.of_file(path).weights == (0.25, 1.0)
    path.write_text(path.read_text().replace("0.25", weight))
    with pytest.raises(RecipeError, match="'weights' must be a number"):
        combining.of_file(path)


def test_models_that_are_not_here_are_named(store):
    with pytest.raises(StoreError, match="no model 'one'"):
        combining.make(WANTED, store, lambda title, progress: None)


class Carved(dict):
    """What was carved: its files by name, and the body's folder."""

    def folder(self, name):
        return self[name]


class Known:
    """A model of which only the base and the body are known."""

    def __init__(self, name, base="b", words="w", body="m"):
        self.name, self.content = name, {"base": {"sha256": base, "name": f"base {base}"}}
        self.carved = Carved({"vocabulary.json": words, "model": body})

    def made(self, step):
        assert step == "carve"
        return self.carved


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"base": "c"}, "one and two were carved from different bases: base b and base c"),
        ({"words": "x", "body": "n"}, "one and two keep different words of their base"),
        ({"body": "n"}, "one and two have different bodies"),
    ],
)
def test_models_of_other_bodies_are_named(other, message):
    combining.require_one_body([Known("one"), Known("two")])
    with pytest.raises(RecipeError, match=message):
        combining.require_one_body([Known("one"), Known("two", **other)])


# -- of models whose records alone are there --------------------------------------------------------------
def test_a_model_is_called_as_it_is_named_after_another_was_made_from_its_recipe(tmp_path, store):
    rows = [faked.row("hers/a.md", 0), faked.row("b.md", 0)]
    faked.model(store, faked.write_recipe(tmp_path / "notes", "notes"), rows)
    faked.model(store, faked.write_recipe(tmp_path / "notes", "small"), rows, learnt="less")
    for name in ("notes", "small"):
        assert targets.find_recipe(name, store)[0].name == combining.parent_of(name, store).recipe.name == name
    both = [combining.parent_of(name, store) for name in ("notes", "small")]
    combining.require_consent(both, store)
    Ledger(store.root / "ledger.db").decide_standing("path", "notes/hers", "out", "", "me")
    with pytest.raises(ConsentError, match=r"notes rests on notes/hers/a\.md, which may not be used"):
        combining.require_consent(both, store)
    combining.require_consent(both[1:], store)


A, B, BEA = Source("a"), Source("b"), Source("c", owner="Bea")
ROWS = [faked.row("x.md", 0), faked.row("x.md", 1), faked.row("y.md", 2, "Bea", split="dropped")]


@pytest.mark.parametrize("changed", [(B, A, BEA), (A, BEA, B), (A, B), (A, Source("d"), BEA), (BEA, A, B)])
def test_a_recipe_with_other_sources_than_the_models_pays_and_permits_nobody(tmp_path, store, changed):
    place = faked.write_recipe(tmp_path / "notes", "notes", A, B, BEA)
    faked.model(store, place, ROWS)

    def read():
        worth.require_consent(of_worth("notes", store))
        combining.require_consent([combining.parent_of("notes", store)], store)

    faked.write_recipe(tmp_path / "notes", "notes", A, B, BEA, Source("e"))
    read()
    faked.write_recipe(tmp_path / "notes", "notes", *changed)
    for check in (read, lambda: combining.require_consent([combining.parent_of("notes", store)], store)):
        with pytest.raises(RecipeError, match="notes has other sources than it was made from") as caught:
            check()
        assert caught.value.hint == "make it again first: netsuke make notes"
    place.unlink()
    worth.require_consent(of_worth("notes", store))


def of_worth(name, store):
    parent = combining.parent_of(name, store)
    documents = parent.made("data")["documents.jsonl"]
    return worth.Model(name, store, parent.record, (), None, documents, documents)


@pytest.mark.parametrize("is_combined", [False, True])
def test_the_adapters_of_parents_are_no_owners_even_of_their_names(store, monkeypatch, is_combined):
    """A model of ann and bea as their mean is not the sum of what the owners ann and bea have taught it."""
    rows = [{"name": name, "ref": name, "weight": 1.0} for name in ("ann", "bea")]
    weighed = dataclasses.replace(faked.made(store, "weigh", {"weights.json": {"parents": rows}}).run,
                                  inputs={"parents": "f" * 64})  # fmt: skip
    record = {"combined": {"order": ["ann", "bea"]}} if is_combined else {}
    found = worth.Model("both", store, record, (), weighed, "0" * 64, "0" * 64)
    monkeypatch.setattr(worth, "adapters_of", lambda *args: [])
    monkeypatch.setattr(worth, "weights_of", lambda *args: {"ann": 0.5, "bea": 0.5})
    parents, weights = worth.combined(found, "owner", None, rows, None, None, {})
    assert (parents, weights["ann"]) == ((None, 0.5) if is_combined else ("f" * 64, 1.0))


def test_a_no_to_a_path_of_a_parent_holds_for_what_was_combined(tmp_path, store):
    for name in ("one", "two"):
        faked.model(store, faked.write_recipe(tmp_path / name, name))
    rows = [faked.row("a.md", 0) | {"of": "one"}, faked.row("a.md", 0) | {"of": "two", "source": 1}]
    faked.combination(store, "both", "one", "two", rows=rows)
    worth.require_consent(of_worth("both", store))
    Ledger(store.root / "ledger.db").decide_standing("path", "two/a.md", "out", "", "me")
    with pytest.raises(ConsentError, match=r"a\.md was withdrawn since it was made"):
        worth.require_consent(of_worth("both", store))


def untouched(*args, **kwargs):
    raise AssertionError("nothing may run")


def test_two_that_learnt_the_very_same_are_named(tmp_path, store):
    for name, learnt in (("one", "as one"), ("two", "as one"), ("three", "otherwise")):
        faked.model(store, faked.write_recipe(tmp_path / name, name), learnt=learnt)
    combining.require_different([combining.parent_of(name, store) for name in ("one", "three")])
    wanted = combining.Wanted("all", ("one", "three", "two"), weights=(0.7, 0.2, 0.3))
    with pytest.raises(RecipeError, match="one and two learnt the very same") as caught:
        combining.run(wanted, store, untouched)
    assert caught.value.hint == "leave out two and give one a larger weight"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("v1", "v1, which is combined from v2, which is combined from v1"),
        ("v0", "v0, which is combined from v2, which is combined from v1, which is combined from v0"),
    ],
)
def test_a_circle_of_combinations_is_named(tmp_path, store, name, way):
    for one in ("a", "c"):
        faked.model(store, faked.write_recipe(tmp_path / one, one))
    faked.combination(store, "v0", "a", "c")
    faked.combination(store, "v1", "a", "v0")
    faked.combination(store, "v2", "v1", "c")
    with pytest.raises(RecipeError, match=f"{name!r} would be made from itself: {way}$"):
        combining.make(combining.Wanted(name, ("c", "v2")), store, lambda title, progress: None)
    combining.require_no_circle(combining.Wanted("v3", ("c", "v2", "v1")), store)
    combining.require_no_circle(combining.Wanted("v2", ("v1", "c")), store)  # again, as it is


def test_what_is_a_circle_already_is_named_and_not_followed_for_ever(store):
    faked.combination(store, "v1", "v2", "c")
    faked.combination(store, "v2", "v1", "c")
    with pytest.raises(RecipeError, match="'v1' would be made from itself: v1, which is combined from v2, which"):
        combining.plan(combining.Wanted("v3", ("v1", "v2")), store)


def test_what_its_gates_refuse_leaves_the_file_of_the_combination_that_stays(store, monkeypatch):
    parents, told = [faked.parent("one"), faked.parent("two")], lambda title, progress: None
    joint = recipe.fresh("both", loop.SECTIONS)

    def come_to(passed):
        made = faked.outcome(store, "both", passed)
        monkeypatch.setattr(combining, "run", lambda wanted, store, execute: (joint, made, parents))
        return made

    path = combining.place_of("both", store)
    come_to(False)
    with pytest.raises(GateError):
        combining.make(WANTED, store, told)
    assert not path.exists() and store.named("packs", "both") is None
    first = come_to(True)
    combining.make(dataclasses.replace(WANTED, weights=(0.7, 0.3)), store, told)
    come_to(False)
    with pytest.raises(GateError, match="writes worse"):
        combining.make(dataclasses.replace(WANTED, weights=(0.1, 0.9)), store, told)
    assert combining.known("both", store).weights == (0.7, 0.3)
    assert store.named("packs", "both")["ref"] == first.pack.ref


@pytest.mark.parametrize(("general", "gate"), [(("off", "gate"), 0.05), (("off", "off"), carve.FREE)])
def test_what_a_combination_is_checked_by_is_the_stricter_in_any_order(general, gate):
    """The order of the parents is that of hashes, which nobody chose."""
    parents = []
    for number, (name, counts) in enumerate(zip(("one", "two"), general, strict=True)):
        wanted = recipe.fresh(name, loop.SECTIONS)
        changes = {
            "carve": {"general": counts}, "curate": {"countries": (("DE",), ("US", "DE"))[number]},
            "check": {"pieces": (9, 5)[number], "samples": (0, 7)[number], "canaries": 2},
            "task": {"items": (10, 30)[number], "shots": (4, 0)[number]}, "tune": {"patience": 3 + number},
        }  # fmt: skip
        params = {**wanted.params, **{n: dataclasses.replace(wanted.params[n], **new) for n, new in changes.items()}}
        gates = dataclasses.replace(wanted.gates, general=(0.1, 0.05)[number], recalled=(0.0, 0.1)[number])
        made = dataclasses.replace(wanted, params=params, gates=gates, seed=number)
        parents.append(SimpleNamespace(recipe=made, record={"recipe": f"/nowhere/{name}/netsuke.toml"}))
    joint, other = (combining.joined_recipe(WANTED, order) for order in (parents, parents[::-1]))
    assert dataclasses.replace(joint, sources=()) == dataclasses.replace(other, sources=())
    assert loop.general_gate_of(joint) == gate and joint.gates.recalled == 0.0
    found = joint.params
    assert (found["check"].pieces, found["check"].samples, found["check"].canaries) == (9, 7, 0)
    assert (found["task"].items, found["task"].shots, found["curate"].countries) == (30, 4, ("DE", "US"))
    assert found["tune"].patience == 3


# -- whole combinations ----------------------------------------------------------------------------------
def make(place, store, **changes):
    wanted = dataclasses.replace(recipe.load(place, loop.SECTIONS), **changes)
    return loop.make(wanted, place, store, lambda title, progress: None)


def combined(store, **changes):
    """(outcome, titles of the steps that ran)."""
    ran = []

    class Told(Local):
        def _work(self, step, key, params, inputs, title):
            ran.append(title)
            return super()._work(step, key, params, inputs, title)

    wanted = dataclasses.replace(WANTED, **changes)
    return combining.make(wanted, store, lambda title, progress: None, executor=Told), ran


def write_one(folder, name, first, base, owner="me", licence="unknown"):
    """A recipe and its documents; the body keeps all words, so that others have the same."""
    folder.mkdir()
    for number in range(first, first + 12):
        (folder / f"note-{number:03}.md").write_text(document(number))
    (folder / "netsuke.toml").write_text(
        f'name = "{name}"\nbase = "{base}"\nminutes = 0.05\n[[sources]]\npath = "."\nowner = "{owner}"\n'
        f'licence = "{licence}"\nconsent = "in"\n[curate]\ntest = 0.25\nvalid = 0.15\n[tune]\nmax_epochs = 1.5\n'
        '[carve]\nwords = "all"\n[gates]\nsafety = 1\n'
    )
    return folder / "netsuke.toml"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Two models of one body, and what they were combined to."""
    room = tmp_path_factory.mktemp("combining")
    tiny_gguf(room / "tiny.gguf")
    store = Store(room / "home")
    make(write_one(room / "one", "one", 0, room / "tiny.gguf"), store)
    make(write_one(room / "two", "two", 40, room / "tiny.gguf", "Bea", "CC-BY-SA-4.0"), store)
    outcome, ran = combined(store, search=True)
    return room, outcome, ran


@pytest.fixture
def again(first, tmp_path):
    room, _, _ = first
    shutil.copytree(room / "home", tmp_path / "home", symlinks=True)
    return Store(tmp_path / "home")


@pytest.mark.slow
def test_two_models_become_a_checked_pack_with_both_their_documents(first):
    room, outcome, ran = first
    store = Store(room / "home")
    assert {"unite", "weigh", "join", "quantise", "check", "pack"} <= set(ran)
    assert not {"carve", "tune", "unpack", "curate"} & set(ran)
    files = store.tree(outcome.pack.ref)
    rows = [json.loads(row) for row in store.path(files["ledger.jsonl"]).read_text().splitlines()]
    assert {row["owner"] for row in rows} == {"me", "Bea"} and len(rows) == 24
    assert "Models of one body were combined (linear)" in store.path(files["report.md"]).read_text()
    record = store.named("packs", "both")
    assert {row["name"] for row in record["combined"]["parents"]} == {"one", "two"}
    assert all(row["weight"] > 0 for row in record["combined"]["weights"])
    measures = {row["name"]: row for row in report_of(store, outcome)["measures"]}
    assert measures["domain"]["change"] < -0.01
    gc(store)
    assert combined(Store(room / "home"), search=True)[1] == []


@pytest.mark.slow
def test_order_changes_nothing_and_the_name_stands_for_the_file(again):
    pack = again.named("packs", "both")["ref"]
    outcome, ran = combined(again, parents=("two", "one"), search=True)
    assert ran == [] and outcome.pack.ref == pack
    assert all(line.cached for line in combining.plan(combining.known("both", again), again))
    assert combining.known("one", again) is None
    with pytest.raises(RecipeError, match="both was combined from"):
        targets.find_recipe("both", again)
    done = netsuke(again.root, "plan", "both", "--json")
    assert done.returncode == 0 and all(step["cached"] for step in json.loads(done.stdout)["steps"])
    done = netsuke(again.root, "make", "both", "--mb", "3")
    assert done.returncode == 2 and "was combined, and has no such dials" in done.stderr


@pytest.mark.slow
def test_it_rests_on_the_documents_of_both_and_a_no_stops_it(first, again):
    room, _, _ = first
    document = room / "two" / "note-041.md"
    assert downstream(again, [hash_file(document)]).packs == ("both", "two")
    Ledger(again.root / "ledger.db").decide_standing("document", hash_file(document), "out", "", "Bea")
    with pytest.raises(ConsentError, match=r"two rests on two/note-041\.md, which may not be used") as caught:
        combined(again)
    assert caught.value.hint == "make it again first: netsuke make two"
    assert again.named("packs", "both")["ref"]


@pytest.mark.slow
def test_other_bases_and_licences_that_exclude_each_other_are_named(first, again):
    room, _, _ = first
    base = room / "tiny.gguf"
    tiny_gguf(room / "other.gguf", seed=1)
    make(write_one(room / "few", "few", 80, room / "other.gguf"), again)
    with pytest.raises(RecipeError, match="(one and few|few and one) were carved from different bases"):
        combined(again, parents=("one", "few"))
    make(write_one(room / "gpl", "gpl", 120, base, "Gus", "GPL-2.0-only"), again)
    with pytest.raises(ConsentError, match="CC-BY-SA-4.0 of two and GPL-2.0-only of gpl exclude each other"):
        combined(again, name="three", parents=("two", "gpl"))
    with pytest.raises(RecipeError, match="a model named 'one' was made from"):
        combined(again, name="one", parents=("two", "few"))
    assert issubclass(ConsentError, NetsukeError)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["task", "ties"])
def test_a_combination_can_be_combined_again_and_so_can_models_of_several_owners(first, tmp_path, method):
    room = tmp_path / "owners"
    room.mkdir()
    place = write_owners(room, owners=("me", "Carlo"))
    store = Store(tmp_path / "home")
    text = place.read_text() + '[carve]\nwords = "all"\n'
    place.write_text(text)
    make(place, store)
    make(write_one(room / "two", "two", 40, room / "tiny.gguf"), store)
    outcome, _ = combined(store, parents=("notes", "two"), method=method, weights=(0.5, 0.5), voices=True)
    folder = store.path(outcome.pack.ref)
    assert [(one.name, one.weight) for one in voices.read(folder)] == [("two", 0.5)]
    assert "without a voice: notes" in (folder / "report.md").read_text() and manifest.faults(folder) == []
    assert combining.known("both", store).voices and combined(store, **asdict(combining.known("both", store)))[1] == []
    make(write_one(room / "three", "three", 160, room / "tiny.gguf"), store)
    with pytest.raises(RecipeError, match="both and notes were changed as a whole"):
        combined(store, name="all", parents=("both", "notes"), voices=True)
    whole, _ = combined(store, name="all", parents=("both", "three"))
    assert voices.read(store.path(whole.pack.ref)) == ()
    rows = store.path(store.tree(whole.pack.ref)["ledger.jsonl"]).read_text().splitlines()
    assert len(rows) == 18 + 12 + 12
    assert {row.get("of") for row in combining.parent_of("all", store).rows} == {"notes", "two", "three"}


@pytest.mark.slow
def test_what_a_parent_forgets_the_combination_forgets_too(first, again):
    from netsuke.forget import journal, prove, run
    from netsuke.forget.scope import wanted
    from netsuke.studio import shelf

    store = again
    before = {name: store.named("packs", name)["ref"] for name in ("one", "two", "both")}
    row = next(row for row in shelf.find("two", store).rows("documents.jsonl") if row["split"] == "test")
    begun = journal.begun("document", wanted("document", row["file"], store).targets, "asked", "me", False)
    content = run.forget(begun, store, lambda title, progress: None)
    assert [pack["name"] for pack in content["packs"]] == ["both", "two"] and content["searched"]["found"] == []
    assert all("after" in pack for pack in content["packs"]), content["packs"]
    assert store.named("packs", "one")["ref"] == before["one"] and not store.has(before["both"])
    assert row["file"] not in {row["file"] for row in shelf.find("both", store).rows("documents.jsonl")}
    assert {parent["ref"] for parent in store.named("packs", "both")["combined"]["parents"]} == {
        before["one"], store.named("packs", "two")["ref"]}  # fmt: skip
    proof = prove.prove(content, store, lambda title, progress: None)["proof"]
    assert [(row["name"], row["differs"], row["equal"]) for row in proof] == [("both", [], True), ("two", [], True)]
