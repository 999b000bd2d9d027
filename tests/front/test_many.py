"""Many models from one file, one after the other and on a real Ray."""

import json
import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest
from material import netsuke, write_material

from netsuke.engines import ray
from netsuke.errors import RecipeError
from netsuke.front import many, targets

MANY = """
[[make]]
target = "ann"
name = "ann"

[[make]]
target = "none"
name = "none"

[[make]]
target = "bob"
name = "bob"
set = {"tune.rank" = 2, "tune.method" = "lora"}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder with two folders and a third that has nothing to learn from, what making them came to)."""
    room = tmp_path_factory.mktemp("many")
    for name in ("ann", "bob"):
        write_material(room / name)
    write_material(room / "none", documents=1)
    (room / "many.toml").write_text(MANY)
    return room, netsuke(room / "home", "make", str(room / "many.toml"), "--json")


@pytest.mark.slow
def test_one_that_fails_stops_no_other_and_is_told(made):
    room, done = made
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == ["ann", "none", "bob"]
    assert [bool(row["pack"]) for row in rows] == [True, False, True], done.stderr
    assert done.returncode == rows[1]["exit"] != 0 and rows[1]["error"] in done.stderr
    assert rows[0]["pack"] != rows[2]["pack"]
    assert "rank = 2" in (room / "bob" / "bob.netsuke.toml").read_text()


@pytest.mark.slow
def test_on_ray_they_are_the_same_packs(made, tmp_path):
    pytest.importorskip("ray")
    room, before = made
    for name in ("ann", "none", "bob"):  # with their locks
        shutil.copytree(room / name, tmp_path / name)
    (tmp_path / "many.toml").write_text(MANY)
    done = netsuke(tmp_path / "home", "make", str(tmp_path / "many.toml"), "--on", "ray", "--json")
    packs = [[row["pack"] for row in json.loads(one.stdout)] for one in (before, done)]
    assert packs[0] == packs[1], done.stderr
    assert done.returncode == before.returncode and "✓ ann: tune" in done.stderr
    again = netsuke(tmp_path / "home", "make", str(tmp_path / "many.toml"))  # nothing runs again
    assert [line.split()[0] for line in again.stdout.splitlines()[1:4]] == ["ann", "none", "bob"]
    assert "not made" in again.stdout and "tune" not in again.stderr


WRONG = {
    '[[make]]\n': "'make.target' is missing",
    '[[make]]\ntarget = ""\n': "'make.target' is empty",
    '[[make]]\ntarget = 3\n': "line 2: 'target' must be a text, not 3",
    '[[make]]\ntarget = "a"\nminuts = 3\n': "line 3: unknown key 'make.minuts'",
    '[[make]]\ntarget = "a"\nmb = "big"\n': "'mb' must be a number, not 'big'",
    '[[make]]\ntarget = "x/a"\n[[make]]\ntarget = "y/a"\n': "two models are called 'a'",
    '[[make]]\ntarget = "a"\nset = 3\n': "'set' must be a table, not 3",
    'name = "a"\n[[make]]\ntarget = "a"\n': "unknown key 'name'",
    '[[make]]\ntarget = "a\n': "not TOML",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_in_the_file_is_named(tmp_path, store, text):
    (tmp_path / "many.toml").write_text(text)
    assert many.is_many(tmp_path / "many.toml")
    with pytest.raises(RecipeError, match=WRONG[text]) as raised:
        many.read(tmp_path / "many.toml", store)
    assert "many.toml" in str(raised.value)


def test_a_home_folder_of_nobody_in_the_file_is_named(tmp_path, store):
    for text in ('target = "~nosuchuser/x"', 'target = "a"\nbase = "~nosuchuser/x"'):
        (tmp_path / "many.toml").write_text(f"[[make]]\n{text}\n")
        with pytest.raises(RecipeError, match="no home folder"):
            many.read(tmp_path / "many.toml", store)


def test_dials_beside_the_file_are_refused(tmp_path):
    (tmp_path / "many.toml").write_text('[[make]]\ntarget = "a"\n')
    done = netsuke(tmp_path / "home", "make", str(tmp_path / "many.toml"), "--mb", "60")
    assert done.returncode == 2 and "say it in the file" in done.stderr
    done = netsuke(tmp_path / "home", "make", str(tmp_path / "many.toml"))
    assert done.returncode == 2 and "no folder, recipe or model 'a'" in done.stderr


@pytest.mark.parametrize("head", ["\ufeff[[make]]", "[[ make ]]", "  [[\t'make' ]]"])
def test_a_mark_and_blanks_make_no_other_file_of_it(tmp_path, store, head):
    (tmp_path / "many.toml").write_text(f'{head}\ntarget = "a"\n', encoding="utf-8")
    assert many.is_many(tmp_path / "many.toml")
    assert [one.target for one in many.read(tmp_path / "many.toml", store)] == ["a"]


def test_accept_template_takes_those_of_the_bases_that_the_file_names(tmp_path, store, monkeypatch, command):
    import tiny

    monkeypatch.setattr(tiny, "CHAT_TEMPLATE", "{{ 'Buy now.' }}" + tiny.CHAT_TEMPLATE)
    tiny.tiny_gguf(tmp_path / "theirs.gguf")
    (tmp_path / "notes").mkdir()
    (tmp_path / "many.toml").write_text('[[make]]\ntarget = "notes"\nbase = "theirs.gguf"\n')
    done = command(store.root, "make", str(tmp_path / "many.toml"))
    assert done.returncode == 2 and "--accept-template takes this one" in done.stderr
    assert not (tmp_path / "notes" / "netsuke.toml").exists()
    done = command(store.root, "make", str(tmp_path / "many.toml"), "--accept-template")
    assert done.returncode and "template" not in done.stderr and "no file to read" in done.stderr


def test_paths_in_the_file_are_beside_it(tmp_path, store, monkeypatch):
    (tmp_path / "there" / "ann").mkdir(parents=True)
    (tmp_path / "there" / "tiny.gguf").touch()
    text = '[[make]]\ntarget = "ann"\nbase = "tiny.gguf"\n[[make]]\ntarget = "a-name"\nbase = "known"\n'
    (tmp_path / "there" / "many.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    here, named = many.read(Path("there/many.toml"), store)
    assert (here.target, here.base) == (str(tmp_path / "there" / "ann"), str(tmp_path / "there" / "tiny.gguf"))
    assert (named.target, named.base, named.name) == ("a-name", "known", "a-name")
    (tmp_path / "netsuke.toml").write_text("# a recipe may speak of [[make]]\n")
    assert not many.is_many(tmp_path / "netsuke.toml")


def rows_of(tmp_path, store, *rows):
    (tmp_path / "many.toml").write_text("".join(f"[[make]]\n{row}\n" for row in rows))
    return many.read(tmp_path / "many.toml", store)


def test_a_model_is_called_as_its_recipe_says(tmp_path, store):
    for folder, name in (("a", "letters"), ("b", "recipes")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "netsuke.toml").write_text(f'name = "{name}"\nbase = "x"\n[[sources]]\npath = "."\n')
    wanted = rows_of(tmp_path, store, 'target = "a"', 'target = "b/netsuke.toml"')
    assert [one.name for one in wanted] == ["letters", "recipes"]


def test_two_models_of_one_folder_have_a_recipe_each(tmp_path, store):
    """Or the second would be made with what the first was told."""
    (tmp_path / "notes").mkdir()
    rows = ['target = "notes"\nname = "small"\nmb = 60', 'target = "notes"\nname = "big"\nmb = 90']
    with pytest.raises(RecipeError, match="two models are to be made of .*notes, which has no recipe yet"):
        rows_of(tmp_path, store, *rows)
    with pytest.raises(RecipeError, match="two models"):
        rows_of(tmp_path, store, rows[0], rows[1].replace("notes", "notes/../notes"))
    (tmp_path / "notes" / "netsuke.toml").write_text('name = "small"\nbase = "x"\n[[sources]]\npath = "."\n')
    places = [targets.find_recipe(one.target, store, one.name)[1].name for one in rows_of(tmp_path, store, *rows)]
    assert places == ["netsuke.toml", "big.netsuke.toml"]


def test_what_nobody_foresaw_ends_one_and_not_the_others(tmp_path, store, monkeypatch):
    def broken(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr(targets, "find_recipe", broken)
    row = many.make_one(many.Wanted("notes", "notes"), store, lambda *_: None)
    assert row["exit"] == 1 and row["error"] == "PermissionError: not yours" and "--debug" in row["hint"]


def test_one_without_room_on_the_disk_is_told_before_it_begins(tmp_path, store, monkeypatch):
    place, told = write_material(tmp_path / "notes"), []
    free = namedtuple("free", "total used free")(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr("netsuke.store.shutil.disk_usage", lambda _: free)
    row = many.make_one(many.Wanted(str(place), "notes"), store, lambda name, step, progress: told.append(step))
    assert row["exit"] == 6 and "making notes needs about" in row["error"] and "netsuke gc" in row["hint"]
    assert "read" in told and "carve" not in told


def test_a_dial_of_nothing_is_read_and_not_passed_over(tmp_path, store, monkeypatch):
    """No minutes are too few, and told at their line; no megabytes are a recipe's word for "at the knee"."""
    (tmp_path / "notes").mkdir()
    with pytest.raises(RecipeError, match="'minutes' must be between 0.05 and") as told:
        rows_of(tmp_path, store, 'target = "notes"\nminutes = 0')
    assert told.value.where.endswith("many.toml, line 3")
    (tmp_path / "notes" / "netsuke.toml").write_text('name = "n"\nbase = "x"\nmb = 60\n[[sources]]\npath = "."\n')
    made = []
    monkeypatch.setattr(many.bases, "resolve", lambda *_: None)
    monkeypatch.setattr(many.foretold, "begun", lambda *_: SimpleNamespace(pace=None))
    monkeypatch.setattr(many.loop, "make", lambda chosen, *_, **__: made.append(chosen.mb))
    for row in ('target = "notes"', 'target = "notes"\nmb = 0'):
        many.make_one(*rows_of(tmp_path, store, row), store, lambda *_: None)
    assert made == [60, 0]


def test_each_gets_its_part_of_the_cores_and_no_more_than_a_node_has():
    """Two nodes of four cores and one that is gone: one model cannot ask for eight."""
    rows = [{"Alive": alive, "Resources": {"CPU": 4.0}} for alive in (True, True, False)]
    cluster = SimpleNamespace(nodes=lambda: rows)
    assert [ray._cores_each(cluster, count) for count in (1, 2, 4, 99)] == [4, 4, 2, 1]


@pytest.mark.slow
def test_one_whose_task_breaks_on_ray_is_told_and_the_others_come():
    """math.sqrt takes no second argument, as a task gets one; what is told of it comes in its place."""
    pytest.importorskip("ray")
    found = list(ray.spread("math", "sqrt", [1, 4], lambda news: None, lambda one, why: (one, why)))
    assert sorted(one for one, _ in found) == [1, 4] and all("TypeError" in why for _, why in found)
