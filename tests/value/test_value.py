"""The whole of value on a tiny model: what is worth what, noise found, nothing of test read, and the command line."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from material import document, netsuke
from valued import noise, write_owned

from netsuke import combine, loop, recipe, value
from netsuke.consent.ledger import Entry, Ledger
from netsuke.engines import hf
from netsuke.errors import ConsentError, RecipeError, StoreError
from netsuke.front import worth
from netsuke.plan import Plan
from netsuke.step import Local
from netsuke.store import Store
from netsuke.studio import model as studio_model
from netsuke.studio import shelf
from netsuke.texts.documents import Lesson, write_rows
from netsuke.value import game, look

pytestmark = pytest.mark.slow  # two makes, and a game


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder, home) of a model of three owners."""
    room = tmp_path_factory.mktemp("value")
    place = write_owned(room / "notes")
    done = netsuke(room / "home", "make", str(place.parent))
    assert done.returncode == 0, done.stderr
    return place.parent, room / "home"


@pytest.fixture(scope="module")
def valued(made):
    """(what `worth` made, its content, the executor)."""
    store = Store(made[1])
    local = Local(store)
    found = worth.find("notes", store)
    parts, units = worth.divided(found, "owner", local)
    result, _ = worth.valued(found, "owner", local, parts, units, worth.Pace.of(found))
    return result, json.loads(store.path(result["value.json"]).read_text()), local


def test_the_values_add_up_to_what_all_saved(valued):
    _, content, _ = valued
    units = content["units"]
    assert [unit["name"] for unit in units] == ["Ann", "Bea", "Cid"] and content["exact"]
    assert content["saved"]["value"] > 0
    assert sum(unit["shapley"] for unit in units) == pytest.approx(content["saved"]["value"], abs=1e-9)
    assert sum(unit["covers"] for unit in units) == content["valid_texts"] > 0
    assert {licence for unit in units for licence in unit["licences"]} >= {"CC-BY-4.0"}
    assert sum(row["bytes"] for row in content["documents"]) == sum(unit["bytes"] for unit in units)


def test_nothing_of_test_is_read(made, valued, monkeypatch, tmp_path):
    store, local = Store(made[1]), valued[2]
    tests = {store.tree(run.output)["test.jsonl"] for run in store.runs() if run.step in ("curate", "render")}
    ran = [run for run in local.ran if run.step in ("divide", "tune", "weigh", "play", "influence", "worth")]
    assert len(ran) > 6 and not {ref for run in ran for ref in run.inputs.values()} & tests
    divide = next(run for run in ran if run.step == "divide")  # it alone is given a folder with test in it
    inputs, real = {name: store.path(ref) for name, ref in divide.inputs.items()}, Path.open

    def opened(path, *args, **kwargs):
        assert path.name != "test.jsonl"
        return real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opened)
    list(value.divide.function(value.Dividing("owner", ("ann", "bea", "cid")), tmp_path, **inputs))
    assert (tmp_path / "units.json").read_bytes() == (store.path(divide.output) / "units.json").read_bytes()


def test_a_second_time_nothing_runs_and_a_plan_says_how_long_the_first_takes(made, valued):
    store = Store(made[1])
    found = worth.find("notes", store)
    parts, units = worth.divided(found, "owner", Local(store))
    again = Local(store)
    result, _ = worth.valued(found, "owner", again, parts, units, worth.Pace.of(found))
    assert result.ref == valued[0].ref and not again.ran
    planner = Plan(store)
    other, sources = worth.divided(found, "source", Local(store))
    assert [unit["name"] for unit in sources] == ["ann", "bea", "cid"]
    made_, seconds = worth.valued(found, "source", planner, other, sources, worth.Pace.of(found))
    assert made_.run is None or worth.expected(planner.lines, seconds) > 0
    known = [line.label for line in planner.lines]
    assert {"play", "influence", "tune on valid"} <= {*known} <= {*seconds, "worth"}


def test_the_combination_in_the_game_is_the_one_that_combine_writes(made, valued, tmp_path):
    store, local = Store(made[1]), valued[2]
    play = next(run for run in local.ran if run.step == "play")
    weights = {name: weight for name, weight in play.params["weights"].items()}
    model, parents = store.path(play.inputs["model"]), store.path(play.inputs["parents"])
    rows = json.loads((parents / combine.PARENTS).read_text())
    hf.use(worth.find("notes", store).training.compute)
    mixture = game.Mixture(model, [parents / row["ref"] for row in rows])
    mixture.set([weights[row["name"]] for row in rows])
    (tmp_path / "weights.json").write_text(json.dumps(
        {"parents": [row | {"weight": weights[row["name"]]} for row in rows]}
    ))
    (tmp_path / "out").mkdir()
    how = combine.Joining("task", 0.5, 0, worth.find("notes", store).training.compute)
    list(combine.join.function(how, tmp_path / "out", model, parents, tmp_path / "weights.json"))
    joined = hf.load_model(tmp_path / "out")
    for name, weight in mixture.live.items():
        assert weight.float() == pytest.approx(joined.get_parameter(name).float(), abs=0.02, rel=0.02), name


def test_a_killed_game_goes_on_to_the_same_scores(made, valued, tmp_path):
    store, local = Store(made[1]), valued[2]
    play = next(run for run in local.ran if run.step == "play")
    whole = json.loads((store.path(play.output) / "game.json").read_text())
    inputs = {name: store.path(ref) for name, ref in play.inputs.items()}
    params = value.Playing(**{**play.params, "compute": worth.find("notes", store).training.compute,
                              "names": tuple(play.params["names"]), "orders": ()})  # fmt: skip
    scratch, out = tmp_path / "scratch", tmp_path / "out"
    scratch.mkdir()
    out.mkdir()
    for number, _ in enumerate(value.play.function(params, out, scratch, **inputs)):
        if number == 4:
            break
    kept = (scratch / "scored.jsonl").read_bytes()
    assert kept.count(b"\n") == 3
    (scratch / "scored.jsonl").write_bytes(kept + b'{"coalition": 5, "bi')  # the power went
    list(value.play.function(params, out, scratch, **inputs))
    assert json.loads((out / "game.json").read_text()) == whole


def test_planted_noise_is_the_least_helpful_a_byte(made, valued, tmp_path):
    store, local = Store(made[1]), valued[2]
    run = next(run for run in local.ran if run.step == "influence")
    inputs = {name: store.path(run.inputs[name]) for name in ("model", "mirror", "valid")}
    texts = [document(100 + number) if number % 3 else noise(number) for number in range(9)]
    write_rows(tmp_path / "train.jsonl", ({"text": text} for text in texts))
    (tmp_path / "units.json").write_text(json.dumps([{"pieces": [{"row": row} for row in range(9)]}]))
    looking = value.Looking(worth.find("notes", store).training.compute, 10**6)
    more = {"train": tmp_path / "train.jsonl", "units": tmp_path / "units.json"}
    list(value.influence.function(looking, tmp_path, **inputs, **more))
    rows = json.loads((tmp_path / "influence.json").read_text())
    a_byte = [row["influence"] / len(texts[row["row"]].encode()) for row in rows]
    by_help = sorted(range(9), key=lambda number: a_byte[number])
    assert {*by_help[:3]} == {0, 3, 6} and all(row["read"] == 1 for row in rows)


def test_of_a_longer_document_the_front_is_read_and_a_lesson_whole():
    assert look.front("é" * 1000, 0.5) == "é" * 500 and look.front("abc", 2.0) == "abc"
    assert look.front("x" * 1000, 0.01) == "x" * look.SHORTEST
    assert look.front(Lesson("x" * 1000, 3), 0.01) == "x" * 1000


def test_what_is_shown_is_of_this_very_model(made, valued, tmp_path):
    """Another of the same text and base, trained otherwise, has a worth of its own, or none yet."""
    store, result = Store(made[1]), valued[0]
    assert worth.latest("notes", store) == result.ref
    home = tmp_path / "home"
    shutil.copytree(made[1], home, symlinks=True)
    other = netsuke(home, "make", "notes", "--name", "longer", "--set", "tune.max_epochs=2")
    assert other.returncode == 0, other.stderr
    assert worth.find("longer", Store(home)).text("train") == worth.find("notes", Store(home)).text("train")
    assert worth.latest("longer", Store(home)) is None and worth.latest("notes", Store(home)) == result.ref


# -- bad input ---------------------------------------------------------------------------------------------
def test_an_unknown_model_is_named(store):
    with pytest.raises(StoreError, match="no model 'nobody'"):
        worth.find("nobody", store)


def test_withdrawn_documents_are_named_and_nothing_is_worked_out(made, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(made[1], home, symlinks=True)
    store = Store(home)
    ledger = Ledger(home / "ledger.db")
    ledger.record([Entry("", "", -1, "Ann", "", "out", "she asked us to", "me", scope="owner")])
    with pytest.raises(ConsentError, match="withdrawn since") as caught:
        worth.find("notes", store)
    assert "netsuke make notes" in caught.value.hint
    assert worth.latest("notes", store) is None


def test_a_model_whose_runs_are_gone_is_named(made, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(made[1], home, symlinks=True)
    store = Store(home)
    for run in list(store.runs()):
        if run.step == "render":
            (home / "runs" / run.key[:2] / f"{run.key}.json").unlink()
    with pytest.raises(StoreError, match="is not in this home"):
        worth.find("notes", store)


def test_a_model_of_an_older_netsuke_is_named(made, monkeypatch):
    def older(**params):
        raise TypeError("missing")

    monkeypatch.setattr(worth.tune, "Training", older)
    with pytest.raises(StoreError, match="older netsuke"):
        worth.find("notes", Store(made[1]))


def test_a_model_without_valid_text_is_named_before_anything_runs(made, monkeypatch):
    monkeypatch.setattr(Store, "size", lambda store, ref: 0)
    with pytest.raises(RecipeError, match="no valid text"):
        worth.find("notes", Store(made[1]))


def test_without_valid_text_nothing_can_be_valued(made, tmp_path):
    store = Store(made[1])
    write_rows(tmp_path / "valid.jsonl", [])
    model = store.path(worth.find("notes", store).body["model"])
    with pytest.raises(RecipeError, match="no valid text") as caught:
        game.Held.of(model, tmp_path / "valid.jsonl", 1000)
    assert "curate.valid" in caught.value.hint


# -- the command line --------------------------------------------------------------------------------------
def test_the_verb_prints_tables_of_80_columns_and_writes_files(made, valued, tmp_path):
    home = made[1]
    done = netsuke(home, "value", "notes", "--split", "1000", "EUR", "--csv", str(tmp_path / "v.csv"),
                   "--svg", str(tmp_path / "v.svg"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    for words in ("Shapley", "without", "test was not read", "BM25", "paid to", "1,000.00", "CC-BY-4.0", "The rule:"):
        assert words in done.stdout, words
    assert (tmp_path / "v.csv").read_text().startswith("kind,name") and "<svg" in (tmp_path / "v.svg").read_text()
    again = netsuke(home, "value", "notes", "--csv", str(tmp_path / "v.csv"))
    assert again.returncode == 6 and "there is a file already" in again.stderr
    shown = json.loads(netsuke(home, "value", "notes", "--json", "--split", "0.07", "USD").stdout)
    cents = [round(100 * float(row["amount"])) for row in shown["split"]["payments"]]
    assert sum(cents) == 7 and shown["units"][0]["name"] == "Ann"


@pytest.mark.parametrize(("words", "code", "expected"), [
    (["nobody"], 6, "no model 'nobody'"),
    (["notes", "--split", "-5", "EUR"], 2, "cannot be divided"),
    (["notes", "--split", "5", "--json"], 2, "is no currency"),
    (["notes", "--split", "5"], 2, "requires 2 arguments"),
    (["notes", "--split", "five", "EUR"], 2, "is no sum"),
    (["notes", "--csv", "/nope/v.csv"], 6, "there is no such folder to write into"),
    (["notes", "--by", "nobody"], 2, "is not one of"),
])  # fmt: skip
def test_bad_input_is_named(made, words, code, expected):
    done = netsuke(made[1], "value", *words)
    assert done.returncode == code and expected in done.stderr and "Traceback" not in done.stderr


def test_what_takes_longer_than_a_minute_is_asked_for(made, monkeypatch):
    from netsuke.cli import valuing

    valuing.permitted("notes", 59, False)
    valuing.permitted("notes", 600, True)
    with pytest.raises(RecipeError, match="longer than a minute") as caught:
        valuing.permitted("notes", 600, False)
    assert "--yes" in caught.value.hint
    with pytest.raises(RecipeError, match="each document was worth would take longer than a minute"):
        valuing.permitted("notes", 600, False, True)


def test_the_other_division_is_named_only_where_it_divides(capsys, monkeypatch):
    from netsuke.cli import valuing

    model = SimpleNamespace(name="notes")
    for others, told in ((["a", "b"], "--by source tells more"), (["a"], "of one source, a: there is nothing to")):
        monkeypatch.setattr(worth, "divided", lambda *_, others=others: (None, [{"name": one} for one in others]))
        assert valuing.divides(model, "owner", "me", None, False) == (len(others) > 1)
        said = capsys.readouterr().err
        assert told in " ".join(said.split()) and ("--by" in said) == (len(others) > 1)
        with pytest.raises(RecipeError, match="nothing to divide") as caught:
            valuing.divides(model, "owner", "me", None, True)
        assert ("--by" in caught.value.hint) == (len(others) > 1)


# -- where it is shown -------------------------------------------------------------------------------------
def test_the_studio_and_the_report_show_it(made, valued, tmp_path):
    store = Store(made[1])
    found = studio_model.told(shelf.find("notes", store))
    assert "<svg" in found["worth"] and "Bea" in found["worth"]
    done = netsuke(made[1], "report", "notes", "--html", str(tmp_path / "page.html"))
    assert done.returncode == 0 and "What each part of the material was worth" in (tmp_path / "page.html").read_text()


# -- one owner, and one adapter an owner -------------------------------------------------------------------
def test_of_one_owner_all_is_theirs_and_there_is_nothing_to_divide(tmp_path):
    place = write_owned(tmp_path / "notes", documents=14, owners=1)
    assert netsuke(tmp_path / "home", "make", str(place.parent)).returncode == 0
    done = netsuke(tmp_path / "home", "value", "notes", "--json")
    assert done.returncode == 0 and "there is nothing to divide" in " ".join(done.stderr.split())
    assert "--by" not in done.stderr
    found = json.loads(done.stdout)
    (unit,) = found["units"]
    assert unit["shapley"] == -unit["without"] == found["saved"]["value"] > 0
    done = netsuke(tmp_path / "home", "value", "notes", "--split", "5", "EUR")
    assert done.returncode == 2 and "nothing to divide" in done.stderr and "--by" not in done.stderr


def test_a_model_with_an_adapter_an_owner_is_valued_without_training_them(tmp_path, store):
    place = write_owned(tmp_path / "notes")
    place.write_text(place.read_text() + 'units = "per-owner"\n')
    loop.make(recipe.load(place, loop.SECTIONS), place, store, lambda title, progress: None)
    local, found = Local(store), worth.find("notes", store)
    assert len(found.tuned) == 3 and found.weighed
    parts, units = worth.divided(found, "owner", local)
    result, _ = worth.valued(found, "owner", local, parts, units, worth.Pace.of(found))
    assert [run.step for run in local.ran].count("tune") == 1  # the valid text's alone
    content = json.loads(store.path(result["value.json"]).read_text())
    assert sum(unit["shapley"] for unit in content["units"]) == pytest.approx(content["saved"]["value"])
