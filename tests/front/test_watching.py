"""A watched model: its state, when it is due, and that it is trained again once and not twice for the same."""

import contextlib
import dataclasses
import json
import os
import time

import pytest
from packed import small_pack
from searched import searchable_pack

from netsuke import loop, recipe, traffic, watch
from netsuke.chain import transaction
from netsuke.consent import corrections
from netsuke.errors import RecipeError, StoreError
from netsuke.front import tending, watching
from netsuke.nouns import Source
from netsuke.render import task
from netsuke.serve import book, events
from netsuke.serve.record import Record
from netsuke.serve.writer import Writer, write
from netsuke.texts.documents import write_rows

RULE = "corrections >= 3 or down_share > 0.5 or days >= 7"


def named(store, folder, rule=RULE, documents=False, name="notes", **files):
    """A pack of this name, with a recipe that has this rule."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "netsuke.toml"
    place.write_text(
        f'name = "{name}"\nbase = "tiny.gguf"\n[[sources]]\npath = "."\n[watch]\nretrain_when = "{rule}"\n'
    )
    pack = searchable_pack(folder / "pack") if documents else small_pack(folder / "pack", name=name).folder
    for file, content in files.items():
        (pack / file.replace("_", ".")).write_text(content)
    record = {"ref": store.add_folder(pack), "also": [], "runs": [], "trial": [], "recipe": str(place)}
    store.name("packs", name, record)
    return place


def asked(store, *shares, **more):
    one = Record("POST", "/v1/completions", who="owner", model="notes", status=200, reached=True, seconds=0.5,
                 **more)  # fmt: skip
    one.familiar = [(share, 4) for share in shares]
    write(store.root, [one])


def keep(store, *numbers, owner="shop"):
    return [corrections.keep(store.root, "notes", owner, f"question {n}", f"answer {n}") for n in numbers]


def test_a_new_model_is_not_due(store, tmp_path):
    named(store, tmp_path / "notes")
    state = watching.state("notes", store)
    assert state.reasons() == [] and watching.due(store) == [] and state.rule == RULE
    assert state.last(3600) == traffic.Numbers() and state.days == [] and state.unlike() is None
    assert {name: state.value(name) for name in ("corrections", "down_share", "drift_p")} == {
        "corrections": 0.0, "down_share": None, "drift_p": None,
    }  # fmt: skip


def test_each_word_of_a_rule_comes_true(store, tmp_path):
    named(store, tmp_path / "notes", rule="corrections >= 3")
    keep(store, 1, 2)
    assert watching.due(store) == []
    keep(store, 3)
    assert watching.due(store) == [("notes", ["corrections >= 3"])]
    named(store, tmp_path / "other", rule="down_share > 0.5")
    for number in range(watching.FEWEST_THUMBS):
        assert watching.due(store) == []
        events.put_thumb(store.root, "shop", f"chatcmpl-{number}", "notes", "down")
    assert watching.due(store) == [("notes", ["down_share > 0.5"])]
    named(store, tmp_path / "more", rule="days >= 7")
    assert watching.due(store) == []
    assert watching.state("notes", store, time.time() + 8 * watching.DAY).reasons() == ["days >= 7"]
    named(store, tmp_path / "last", rule="drift_p < 0.01")
    asked(store, *([0.9, 0.8, 0.7] * 20))
    assert watching.due(store) == []
    asked(store, *([0.1, 0.3, 0.2] * 20))
    assert watching.due(store) == [("notes", ["drift_p < 0.01"])]


def test_days_are_the_same_whether_they_were_folded_or_not(store, tmp_path):
    named(store, tmp_path / "notes")
    now = time.time()
    for ago in (0.0, 0.5, 1.2, 3.1, 3.2, 9.0, 40.0):
        asked(store, time=now - ago * watching.DAY)
    before = watching.state("notes", store, now)
    days, requests = before.days, len(before.requests)
    with contextlib.closing(book.connected(store.root, 1)) as database, transaction(database):
        events.fold(database, now, {})
    after = watching.state("notes", store, now)
    assert after.days == days and len(after.requests) < requests == 6
    assert sum(row.requests for _, row in after.days) == 6 and after.last(watching.DAY).requests == 2


def test_a_day_without_a_row_is_told_by_its_requests(store, tmp_path):
    named(store, tmp_path / "notes")
    midnight = time.time() // watching.DAY * watching.DAY
    for moment in (midnight - 1.5 * watching.DAY, midnight - 0.9 * watching.DAY, midnight + 5, midnight - 20):
        asked(store, time=moment)
        with contextlib.closing(book.connected(store.root, 1)) as database, transaction(database):
            events.fold(database, midnight + 6, {})
    state = watching.state("notes", store, midnight + events.LATE_SECONDS / 2)
    assert [row.requests for _, row in state.days] == [1, 2, 1] and len(state._over) == 1


def test_what_was_trained_with_is_new_no_more(store, tmp_path):
    named(store, tmp_path / "notes")
    keep(store, 1, 2, 3)
    assert watching.due(store)
    watching.mark("notes", store)
    state = watching.state("notes", store)
    assert watching.due(store) == [] and (len(state.corrections), state.new) == (3, [])
    (one,) = keep(store, 4)
    assert watching.state("notes", store).new == [one] and watching.due(store) == []
    keep(store, 5, 6)
    assert watching.due(store) == [("notes", ["corrections >= 3"])]


def test_what_a_plain_make_read_is_new_no_more(store, tmp_path):
    had, new = keep(store, 1, 2)
    (data := tmp_path / "data").mkdir()
    write_rows(data / "documents.jsonl", [{"file": had.id, "split": "train"}, {"path": "of an older netsuke"}])
    place = named(store, tmp_path / "notes", rule="corrections >= 2")
    assert watching.due(store) == [("notes", ["corrections >= 2"])]
    manifest = json.loads((place.parent / "pack" / "netsuke.json").read_text())
    manifest["lineage"] = {"data": {"key": "0" * 64, "output": store.add_folder(data)}}
    named(store, tmp_path / "again", rule="corrections >= 2", netsuke_json=json.dumps(manifest))
    assert watching.state("notes", store).new == [new] and watching.due(store) == []


def test_thumbs_and_prompts_of_before_the_training_do_not_count(store, tmp_path):
    named(store, tmp_path / "notes", documents=True)
    asked(store, *[0.5] * (2 * watch.BLOCK))
    events.put_thumb(store.root, "shop", "chatcmpl-1", "notes", "down")
    state = watching.state("notes", store)
    assert state.drift.prompts == 2 * watch.BLOCK and state.down == 1
    watching.mark("notes", store)
    state = watching.state("notes", store)
    assert state.drift.prompts == 0 and state.thumbs == [] and len(state.requests) == 1 and state.unlike() is None


def test_the_server_keeps_the_prompts_that_drift_is_held_against(store, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MOST_PROMPTS", watch.BLOCK)
    named(store, tmp_path / "notes", documents=True)
    asked(store, *[0.5] * watch.BLOCK, time=time.time() - 9)
    watching.mark("notes", store)
    asked(store, *[0.9] * watch.BLOCK)
    asked(store, *[0.6] * watch.BLOCK)
    asked(store, *[0.1] * watch.BLOCK)
    Writer(store.root)._fold(1)
    drift = watching.state("notes", store).drift
    assert (drift.prompts, drift.first, drift.last) == (2 * watch.BLOCK, 0.9, 0.1)
    assert len(events.prompts(store.root, "notes", 0)) == 2 * watch.BLOCK


def test_prompts_are_held_against_the_documents(store, tmp_path):
    named(store, tmp_path / "notes", documents=True)
    asked(store, *[0.0] * 30)
    found = watching.state("notes", store).unlike()
    assert found.prompts == 30 and found.prompt == 0.0 and 0.5 <= found.less <= 1


@pytest.mark.parametrize("text", ["", "not TOML [", "[watch]\nretrain_when = 3", "watch = 3", None])
def test_no_rule_says_never(store, tmp_path, text):
    place = named(store, tmp_path / "notes")
    keep(store, 1, 2, 3)
    place.unlink() if text is None else place.write_text(text)
    assert watching.rule_of(place) == "" and watching.due(store) == []


def test_a_wrong_rule_stops_nobody_elses(store, tmp_path):
    named(store, tmp_path / "notes")
    keep(store, 1, 2, 3)
    named(store, tmp_path / "a", rule="corrections >> 3", name="another")
    assert [name for name, _ in watching.due(store)] == ["notes"]
    with pytest.raises(RecipeError, match="retrain_when"):
        watching.state("another", store).reasons()


@pytest.mark.parametrize("data", ["", "{", "[]", '{"time": "x", "corrections": []}', '{"time": 1}'])
def test_a_damaged_note_is_none(store, tmp_path, data):
    named(store, tmp_path / "notes")
    keep(store, 1)
    (corrections.room(store.root, "notes") / "trained.json").write_text(data)
    assert watching.state("notes", store).trained == {} and len(watching.state("notes", store).new) == 1


def test_nobody_is_told_by_the_names_there_are(store, tmp_path):
    named(store, tmp_path / "notes")
    for name in ("nobody", "", "../notes", ".notes"):
        with pytest.raises(StoreError) as caught:
            watching.state(name, store)
        assert "notes" in caught.value.hint


# -- the rule, set ---------------------------------------------------------------------------------------------
def test_a_rule_is_set_and_the_rest_of_the_recipe_stays(store, tmp_path):
    place = named(store, tmp_path / "notes")
    place.write_text("# ours\n" + place.read_text() + "# the end\n")
    before = place.read_text()
    watching.set_rule("notes", store, "  corrections >= 1\n or days >= 30 ")
    assert place.read_text() == before.replace(RULE, "corrections >= 1 or days >= 30")
    keep(store, 1)
    assert watching.due(store) == [("notes", ["corrections >= 1"])]
    watching.set_rule("notes", store, "")
    assert place.read_text() == before.replace(RULE, "") and watching.due(store) == []


def test_a_wrong_rule_in_a_recipe_can_be_set_right(store, tmp_path):
    place = named(store, tmp_path / "notes", rule="corrections >> 3")
    watching.set_rule("notes", store, "corrections >= 3")
    assert watching.rule_of(place) == "corrections >= 3"


@pytest.mark.parametrize("rule", ["corrections", "corrections >= three", "x > 1", "days >= 1 and", "\x00"])
def test_what_is_no_rule_is_not_set(store, tmp_path, rule):
    place = named(store, tmp_path / "notes")
    before = place.read_bytes()
    with pytest.raises(RecipeError, match="retrain_when"):
        watching.set_rule("notes", store, rule)
    assert place.read_bytes() == before and [file.name for file in tmp_path.rglob("*.part")] == []


def test_a_model_without_a_recipe_of_its_own_takes_no_rule(store, tmp_path):
    place = named(store, tmp_path / "notes")
    assert watching.state("notes", store).fixed is None
    record = store.named("packs", "notes")
    store.name("packs", "notes", {**record, "combined": {"parents": [{"name": "a"}, {"name": "b"}]}})
    with pytest.raises(RecipeError, match="notes was combined from a and b"):
        watching.set_rule("notes", store, RULE)
    for gone in (str(place), "", str(tmp_path)):
        place.unlink(missing_ok=True)
        store.name("packs", "notes", {**record, "recipe": gone})
        with pytest.raises(RecipeError, match="the recipe of notes is gone") as caught:
            watching.set_rule("notes", store, RULE)
        assert f"{watching.state('notes', store).fixed}" == f"{caught.value}" and "put it back" in caught.value.hint
    with pytest.raises(StoreError, match="nobody"):
        watching.set_rule("nobody", store, RULE)


# -- suggestions -----------------------------------------------------------------------------------------------
def test_suggestions_are_told_by_what_they_are_and_are_no_requests(store, tmp_path):
    named(store, tmp_path / "notes")
    now = time.time()
    for path, ago, broke in (("/infill", 10, False), ("/m/notes/ghost", 20, True), ("/m/notes/ghost", 7200, False),
                             ("/m/notes/rewrite", 30, False), ("/m/notes/ghost", 2 * watching.DAY, False)):  # fmt: skip
        one = Record("POST", path, now - ago, "owner", "notes", 200, reached=True, seconds=0.5, broke=broke,
                     suggests=True)  # fmt: skip
        one.familiar = [(0.5, 4)]
        write(store.root, [one])
    state = watching.state("notes", store, now)
    told = [(what, hour.requests, day.requests, day.failed, day.median) for what, hour, day in state.suggestions]
    assert told == [("going on", 2, 3, 1, 0.5), ("rewriting", 1, 1, 0, 0.5)]
    assert state.requests == [] and state.days == [] and state.drift.prompts == 0


# -- the sources of a recipe ---------------------------------------------------------------------------------
def plain(*sources):
    return dataclasses.replace(recipe.fresh("notes", loop.SECTIONS), sources=(Source("."), *sources))


def test_few_corrections_wait_where_there_is_no_task(store, tmp_path):
    named(store, tmp_path / "notes")
    keep(store, *range(task.FEWEST - 1))
    assert watching.with_corrections(plain(), store) == plain()
    keep(store, 99, owner="owner")
    found = watching.with_corrections(plain(), store)
    assert [(one.owner, one.consent) for one in found.sources[1:]] == [("me", "unknown"), ("shop", "in")]
    assert watching.with_corrections(found, store) == found  # again and again


def test_one_correction_is_enough_where_there_is_a_task(store, tmp_path):
    named(store, tmp_path / "notes", task_json="{}")
    keep(store, 1)
    assert len(watching.with_corrections(plain(), store).sources) == 2


def test_corrections_that_are_gone_are_no_source_any_more(store, tmp_path):
    named(store, tmp_path / "notes", task_json="{}")
    keep(store, 1)
    others = Source("../more", owner="shop", consent="in")
    found = watching.with_corrections(plain(others), store)
    corrections.drop(store.root, owner="shop")
    assert watching.with_corrections(found, store) == plain(others)
    assert os.path.isdir(found.sources[-1].path)  # a recipe that still names it can be made


def test_a_home_that_was_moved_takes_its_corrections_along(store, tmp_path):
    named(store, tmp_path / "notes", task_json="{}")
    keep(store, 1)
    moved = Source("/old/home/watched/notes/corrections/shop", owner="shop", consent="in", profile="examples")
    assert watching.with_corrections(plain(moved), store) == watching.with_corrections(plain(), store)


def test_two_do_not_train_one_model_again(store):
    with watching.alone("notes", store), watching.alone("other", store):
        with pytest.raises(RecipeError, match="already"), watching.alone("notes", store):
            pass
    with watching.alone("notes", store):
        pass


# -- by itself -----------------------------------------------------------------------------------------------
class Child:
    """Makes that start nothing, or refuse."""

    jobs: list = []
    busy = False

    def __init__(self, home):
        self.home = home

    def start(self, job):
        if self.busy:
            raise RecipeError("a make of notes is running")
        self.jobs.append(job)


@pytest.fixture
def makes(monkeypatch):
    monkeypatch.setattr("netsuke.studio.makes.Makes", Child)
    monkeypatch.setattr(Child, "jobs", [])
    return Child


def test_what_is_due_is_begun_once(store, tmp_path, makes, monkeypatch):
    named(store, tmp_path / "notes")
    keep(store, 1, 2, 3)
    said = []
    monkeypatch.setattr(makes, "busy", True)
    tending.look(store, said.append)
    assert said == [] and watching.due(store)  # a make runs: it is due still
    monkeypatch.setattr(makes, "busy", False)
    for _ in range(3):
        tending.look(store, said.append)
    assert said == ["training notes again: corrections >= 3"]
    assert [(job["target"], job["again"]) for job in makes.jobs] == [("notes", True)]
    keep(store, 4, 5, 6)
    tending.look(store, said.append)
    assert len(said) == 2


def test_one_at_a_look(store, tmp_path, makes):
    for name in ("one", "notes"):
        named(store, tmp_path / name, name=name, rule="days >= 0")
    said = []
    tending.look(store, said.append)
    assert len(said) == 1


def test_a_server_looks_while_it_serves_and_survives_what_it_sees(store, tmp_path, makes, monkeypatch):
    named(store, tmp_path / "notes")
    keep(store, 1, 2, 3)
    monkeypatch.setattr(tending, "LOOK_SECONDS", 0.02)
    said, broken = [], [True]
    real = watching.due

    def due(home):
        if broken.pop() if broken else False:
            raise StoreError("the server's book cannot be used")
        return real(home)

    monkeypatch.setattr(watching, "due", due)
    with tending.tending(store, said.append):
        until = time.monotonic() + 20
        while not said and time.monotonic() < until:
            time.sleep(0.02)
    assert said == ["training notes again: corrections >= 3"] and not broken


# -- the command line ----------------------------------------------------------------------------------------
def cli(*words):
    from click.testing import CliRunner

    from netsuke.cli import netsuke

    return CliRunner().invoke(netsuke, ["watch", *words])


def test_the_command_line_shows_it_in_80_columns(store, tmp_path):
    named(store, tmp_path / "notes", documents=True, rule="corrections >= 20 or days >= 30")
    asked(store, *[0.5, 0.25] * 60, first_seconds=0.1, prompt_tokens=123456, completion_tokens=654321)
    asked(store, broke=True)
    found = cli("notes")
    assert found.exit_code == 0, found.output
    assert max(map(len, found.output.splitlines())) <= 80
    assert "last hour" in found.output and "p = " in found.output and "corrections: 0, 0" in found.output
    told = json.loads(cli("notes", "--json").output)
    assert told["hour"]["requests"] == 2 and told["hour"]["failed"] == 1 and told["drift"]["prompts"] == 120
    assert told["due"] == [] and told["unlike"]["prompts"] == 120


def test_a_wrong_rule_hides_no_figures_and_trains_nothing(store, tmp_path):
    named(store, tmp_path / "notes", rule="corections >= 3")
    asked(store)
    found = cli("notes")
    assert found.exit_code == 0 and "last hour" in found.output
    assert "'corections" in found.output.split("train again when: never")[1]
    assert max(map(len, found.output.splitlines())) <= 80
    told = json.loads(cli("notes", "--json").output)
    assert told["due"] == [] and "'corections" in told["wrong"] and told["hour"]["requests"] == 1
    assert isinstance(cli("notes", "--retrain").exception, RecipeError)


def test_corrections_are_listed_and_deleted(store, tmp_path):
    named(store, tmp_path / "notes")
    assert "no corrections yet" in cli("notes", "--corrections").output
    one, two = keep(store, 1, 2)
    table = cli("notes", "--corrections").output
    assert one.id[:10] in table and "question 1" in table and max(map(len, table.splitlines())) <= 80
    assert cli("notes", "--forget", one.id[:10]).exit_code == 0
    rows = json.loads(cli("notes", "--corrections", "--json").output)["corrections"]
    assert [row["id"] for row in rows] == [two.id]
    assert isinstance(cli("notes", "--forget", one.id[:10]).exception, StoreError)


def test_a_rule_that_does_not_hold_ends_with_its_own_code(store, tmp_path):
    named(store, tmp_path / "notes")
    found = cli("notes", "--retrain")
    assert found.exit_code == 10 and "not due" in found.output
    assert not (corrections.room(store.root, "notes") / "trained.json").exists()
    assert json.loads(cli("notes", "--retrain", "--json").output)["due"] == []
