"""netsuke.toml and netsuke.lock: what is written is read again, and what is wrong is named with its line."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.disk import write_whole
from netsuke.errors import BudgetError, RecipeError, StoreError
from netsuke.nouns import Gates, Recipe, Source
from netsuke.recipe import Lock, change, fresh, load, load_lock, save, save_lock, with_settings, written


@dataclass(frozen=True)
class Carve:
    margin: float = 0.5
    words: str = "auto"


@dataclass(frozen=True)
class Tune:
    rank: int = 16
    rate: float = 8e-4
    fast: bool = False
    method: Literal["lora", "full"] = "lora"
    depth: Literal[1, 2] = 1


SECTIONS = {"carve": Carve, "tune": Tune}
WHOLE = """\
# The recipe of our notes.
name = "notes"   # ours

base = 'smollm2'
minutes = 10     # of tuning

[[sources]]
path = "."       # here

[[sources]]
path = "../theirs"
owner = "them"
licence = "MIT"

[tune]           # how it learns
# eight was too few
rank = 16
rate = 1e-3

[gates]
general = 0.1
"""


def write(folder, text):
    path = folder / "netsuke.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder, text):
    """The RecipeError that a recipe gets."""
    path = write(folder, text)
    with pytest.raises(RecipeError) as caught:
        load(path, SECTIONS)
    assert caught.value.where.startswith(str(path))
    return caught.value


def line_of(error):
    return int(error.where.rsplit(", line ")[1])


# -- what is written is read again -----------------------------------------------------------------------
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(-1e9, 1e9, allow_nan=False)
sources = st.builds(
    Source, path=texts, owner=texts, licence=texts, consent=st.sampled_from(["in", "out", "unknown"]),
    profile=st.sampled_from(["auto", "prose", "notes", "code", "catalogue", "examples"]),
)  # fmt: skip
recipes = st.builds(
    Recipe,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    base=texts.filter(bool),
    sources=st.lists(sources, min_size=1, max_size=3).map(tuple),
    mb=st.just(0.0) | st.floats(0.001, 100_000),
    minutes=st.floats(0.05, 10_000),
    seed=st.integers(0, 2**31),
    params=st.fixed_dictionaries(
        {
            "carve": st.builds(Carve, margin=numbers, words=texts),
            "tune": st.builds(
                Tune,
                rank=st.integers(-(2**63), 2**63 - 1),
                rate=numbers,
                fast=st.booleans(),
                method=st.sampled_from(["lora", "full"]),
            ),
        }  # fmt: skip
    ),
    gates=st.builds(Gates, domain=st.floats(-1, 100), general=st.floats(0, 100)),
)


@given(recipes, recipes)
@settings(max_examples=60)
def test_any_recipe_comes_back_equal_also_over_another(one, two):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "netsuke.toml"
        for recipe in (one, two, one):
            save(recipe, path)
            assert load(path, SECTIONS) == recipe
        assert os.listdir(folder) == ["netsuke.toml"]


@given(recipes)
@settings(max_examples=25)
def test_any_recipe_can_be_written_over_one_by_hand(recipe):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), WHOLE)
        save(recipe, path)
        assert load(path, SECTIONS) == recipe
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# The recipe of our notes.\n") and "# eight was too few\n" in text


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        'sources = [{path = "."}]\nname = "x"\nbase = "y"\ntune = {rank = 3}\nseed = 4\n',
        'name = "x"\nbase = "y"\ntune.rank = 3\ntune.method = "full"\n[[sources]]\npath = "."\n',
        '[[sources]]\npath = "."\n["tune"]\n"rank" = 3\n[[sources]]\npath = "b"\n',
        'name = "x"\r\nbase = "y"\r\n[[sources]]\r\npath = "."\r\n',
        '\ufeffname = "x"\nbase = "y"\n[[sources]]\npath = "."\n',
    ],
    ids=["tables", "inline", "dotted", "out of order", "CRLF", "byte order mark"],
)
def test_every_way_to_write_toml_can_be_changed(tmp_path, text):
    if "base" not in text:
        text = 'name = "x"\nbase = "y"\n' + text
    path = write(tmp_path, text)
    old = load(path, SECTIONS)
    save(old, path)
    assert load(path, SECTIONS) == old
    new = replace(old, mb=64.0, minutes=0.5, params={"carve": Carve(words="b"), "tune": Tune(rank=4, fast=True)},
                  gates=Gates(domain=0.5), sources=(*old.sources, Source("more", owner="them")))  # fmt: skip
    save(new, path)
    assert load(path, SECTIONS) == new


def test_comments_and_order_survive(tmp_path):
    path = write(tmp_path, WHOLE)
    recipe = load(path, SECTIONS)
    save(recipe, path)
    assert path.read_text() == WHOLE
    changed = replace(
        recipe, minutes=2.5, params={**recipe.params, "tune": replace(recipe.params["tune"], rank=32)}
    )
    save(changed, path)
    assert path.read_text() == WHOLE.replace("minutes = 10 ", "minutes = 2.5 ").replace(
        "rank = 16", "rank = 32"
    )
    save(replace(recipe, mb=64.0), path)
    text = path.read_text()
    assert text.replace("mb = 64\n", "") == WHOLE and text.index("mb = 64\n") < text.index("[[sources]]")


def test_a_default_is_written_where_the_file_says_otherwise(tmp_path):
    path = write(tmp_path, WHOLE)
    recipe = load(path, SECTIONS)
    save(replace(recipe, params={**recipe.params, "tune": Tune()}, gates=Gates()), path)
    assert load(path, SECTIONS).params["tune"] == Tune() and "rate = 0.0008\n" in path.read_text()


def test_a_fresh_recipe_is_short(tmp_path):
    path = tmp_path / "netsuke.toml"
    save(fresh("notes", SECTIONS), path)
    assert load(path, SECTIONS) == fresh("notes", SECTIONS)
    assert "[tune]" not in path.read_text() and "minutes" not in path.read_text()


def test_a_name_that_is_not_utf8_is_said_and_the_old_recipe_stays(tmp_path):
    path = write(tmp_path, WHOLE)
    recipe = load(path, SECTIONS)
    with pytest.raises(RecipeError, match="UTF-8") as caught:
        save(replace(recipe, sources=(Source(os.fsdecode(b"caf\xe9")),)), path)
    assert caught.value.hint and caught.value.where == str(path)
    assert path.read_text() == WHOLE and os.listdir(tmp_path) == ["netsuke.toml"]


def test_what_is_saved_keeps_its_link_its_mode_and_its_ends_of_lines(tmp_path):
    (tmp_path / "kept").mkdir()
    kept, path = tmp_path / "kept" / "recipe.toml", tmp_path / "netsuke.toml"
    kept.write_bytes(("\ufeff" + WHOLE.replace("\n", "\r\n")).encode())
    kept.chmod(0o640)
    path.symlink_to("kept/recipe.toml")
    save(replace(load(path, SECTIONS), seed=7, params={"tune": Tune(), "carve": Carve(words="all")}), path)
    change(path, "carve", "margin", 0.125, SECTIONS)
    new = kept.read_bytes()
    assert path.is_symlink() and kept.stat().st_mode & 0o777 == 0o640
    assert new.startswith(b"\xef\xbb\xbf") and b"\n" not in new.replace(b"\r\n", b"")
    assert load(path, SECTIONS).seed == 7 and load(path, SECTIONS).params["carve"] == Carve(0.125, "all")
    assert os.listdir(tmp_path / "kept") == ["recipe.toml"]


def test_who_writes_at_the_same_time_takes_nothing_away(tmp_path):
    path = write(tmp_path, WHOLE)
    recipe = load(path, SECTIONS)

    def saving(seed):
        for _ in range(30):
            save(replace(recipe, seed=seed), path)
            write_whole(tmp_path / "state.json", b"%d" % seed)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(saving, range(1, 5)))
    assert load(path, SECTIONS).seed in range(1, 5) and sorted(os.listdir(tmp_path)) == ["netsuke.toml", "state.json"]
    for turn in range(10):  # of two who change a key each, neither takes the other's back
        pairs = [("words", str(turn)), ("margin", float(turn))]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda pair: change(path, "carve", *pair, SECTIONS), pairs))
        assert load(path, SECTIONS).params["carve"] == Carve(turn, str(turn))


@pytest.mark.parametrize("what", ["recipe", "lock"])
def test_a_full_disk_leaves_the_old_one(tmp_path, full_disk, what):
    path, lock = write(tmp_path, WHOLE), tmp_path / "netsuke.lock"
    recipe = load(path, SECTIONS)
    save_lock(LOCK, lock)
    at = 0
    while True:
        at += 1
        error = None
        with full_disk(at) as disk:
            try:
                if what == "recipe":
                    save(replace(recipe, seed=7), path)
                else:
                    save_lock(replace(LOCK, threads=1), lock)
            except StoreError as caught:
                error = caught
        assert sorted(os.listdir(tmp_path)) == ["netsuke.lock", "netsuke.toml"]
        if not disk.struck:
            break
        assert "disk is full" in error.hint
        assert load(path, SECTIONS) == recipe and load_lock(lock) == LOCK
    assert error is None and at > 4
    assert (load(path, SECTIONS).seed, load_lock(lock).threads) == ((7, 2) if what == "recipe" else (0, 1))


# -- what is wrong is named ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "message", "hint", "line"),
    [
        ("minutes = 10 ", "minuets = 10 ", "unknown key 'minuets'", "did you mean 'minutes'?", 5),
        ("rank = 16", "rnak = 16", "unknown key 'tune.rnak'", "did you mean 'rank'?", 17),
        ("rank = 16", "zzz = 16", "unknown key 'tune.zzz'", "known keys: rank, rate, fast, method, depth", 17),
        ("[tune] ", "[tuen] ", "unknown key 'tuen'", "did you mean 'tune'?", 15),
        ("[tune] ", "[tune.rank] ", "'rank' must be a whole number", None, 15),
        ('[[sources]]\npath = "../', '[[source]]\npath = "../', "unknown key 'source'", "did you mean 'sources'?", 10),
        ('licence = "MIT"', 'license = "MIT"', "unknown key 'sources.license'", "did you mean 'licence'?", 13),
        ('path = "../theirs"', "path = 3", "'path' must be a text, not 3", None, 11),
        ('path = "../theirs"\n', "", "'sources.path' is missing", None, 10),
        ('owner = "them"', 'consent = "maybe"', "'consent' must be one of 'in', 'out', 'unknown'", None, 12),
        ("general = 0.1", "genral = 0.1", "unknown key 'gates.genral'", "did you mean 'general'?", 21),
        ("general = 0.1", "general = nan", "'general' must be a number, not nan", None, 21),
        ("general = 0.1", "general = -inf", "'general' must be a number, not -inf", None, 21),
        ("rate = 1e-3", "rate = true", "'rate' must be a number, not True", None, 18),
        ("rate = 1e-3", 'rate = "1e-3"', "'rate' must be a number, not '1e-3'", None, 18),
        ("rank = 16", "rank = true", "'rank' must be a whole number, not True", None, 17),
        ("rank = 16", "rank = 16.0", "'rank' must be a whole number, not 16.0", None, 17),
        ("rank = 16", "rank = 2020-01-01", "'rank' must be a whole number", None, 17),
        ("rank = 16", "fast = 1", "'fast' must be true or false, not 1", None, 17),
        ("rank = 16", "fast = 0", "'fast' must be true or false, not 0", None, 17),
        ("rank = 16", "depth = true", "'depth' must be one of 1, 2, not True", None, 17),
        ("rank = 16", "depth = 2.0", "'depth' must be one of 1, 2, not 2.0", None, 17),
        ("rank = 16", 'method = "bitfit"', "'method' must be one of 'lora', 'full', not 'bitfit'", None, 17),
        ('name = "notes"', "name = 3", "'name' must be a text, not 3", None, 2),
        ("minutes = 10 ", "minutes = true ", "'minutes' must be a number, not True", None, 5),
        ("minutes = 10 ", "minutes = 0 ", "'minutes' must be between 0.05 and 10000, not 0", None, 5),
        ("minutes = 10 ", "minutes = nan ", "'minutes' must be", None, 5),
        ("minutes = 10 ", f"minutes = 1{'0' * 400} ", "'minutes' must be", None, 5),
        ("minutes = 10 ", "mb = -1 ", "'mb' must be between 0 and 100000, not -1", None, 5),
        ("minutes = 10 ", "mb = inf ", "'mb' must be", None, 5),
        ("minutes = 10 ", "seed = -1 ", "'seed' must be between", None, 5),
        ("minutes = 10 ", f"seed = 1{'0' * 400} ", "'seed' must be between", None, 5),
        ("minutes = 10 ", "seed = 1.5 ", "'seed' must be a whole number, not 1.5", None, 5),
        ("minutes = 10 ", "carve = 10 ", "'carve' must be a table", "write it as [carve]", 5),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(tmp_path, old, new, message, hint, line):
    assert WHOLE.count(old) == 1
    error = refused(tmp_path, WHOLE.replace(old, new))
    assert message in error.what and line_of(error) == line
    assert hint is None or error.hint == hint


def test_lines_are_those_of_an_editor(tmp_path):
    odd = "# a tun of comments \u2028 and \x85 more, about rank and tun\n" * 3
    assert line_of(refused(tmp_path, odd + 'name = "x"\nbase = "rank"\n[tun]\nrank = 3\n')) == 6
    assert line_of(refused(tmp_path, odd + WHOLE.replace("rank = 16", "rank = []"))) == 20
    assert (
        line_of(refused(tmp_path, 'name = "x"\nbase = "y"\nsources = [{path = "."}]\ntune = {rank = "a"}\n'))
        == 4
    )
    assert (
        line_of(refused(tmp_path, 'name = "x"\nbase = "y"\nsources = [{path = "."}]\ntune.rank = "a"\n')) == 4
    )
    three = WHOLE.replace("[tune]", '[[sources]]\npath = "c"\nowner = 3\n[tune]')
    assert line_of(refused(tmp_path, three)) == 17


def test_a_size_that_cannot_be_reached_takes_no_edit_back(tmp_path):
    path = write(tmp_path, WHOLE)
    with pytest.raises(BudgetError), written(replace(load(path, SECTIONS), mb=1.0), path):
        path.write_text("# edited while it was made\n" + WHOLE)
        raise BudgetError("1 MB cannot be reached")
    assert path.read_text() == "# edited while it was made\n" + WHOLE


@given(st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\ufeff"]), st.text(st.characters(exclude_categories="C")))
def test_one_key_is_changed_and_nothing_else_moves(ends, mark, words):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "netsuke.toml"
        old = (mark + WHOLE.replace("\n", ends) + f'{ends}[carve] # here{ends}words = "x"   # ours{ends}').encode()
        path.write_bytes(old)
        assert change(path, "carve", "words", words, SECTIONS) == load(path, SECTIONS)
        assert load(path, SECTIONS).params["carve"] == Carve(words=words)
        new = path.read_bytes()
        assert new.splitlines()[:-1] == old.splitlines()[:-1] and new.endswith(b"   # ours" + ends.encode())
        change(path, "carve", "words", words, SECTIONS)
        assert path.read_bytes() == new
        change(path, "carve", "words", "x", SECTIONS)
        assert path.read_bytes() == old


@pytest.mark.parametrize("more", ["", "\n[carve]\n", "\n[carve]\nmargin = 0.25 # a\n"])
def test_a_key_that_was_not_there_comes_behind_what_was(tmp_path, more):
    path = write(tmp_path, WHOLE + more)
    change(path, "carve", "words", "auto", SECTIONS)
    assert path.read_text() == WHOLE + more  # it is so anyway
    change(path, "carve", "words", "all", SECTIONS)
    assert path.read_text().startswith((WHOLE + more).rstrip())
    assert load(path, SECTIONS).params["carve"].words == "all"


@pytest.mark.parametrize("row", ["carve = {margin = 0.25}", "carve.margin = 0.25", '"carve" . margin = 0.25'])
def test_a_section_may_be_written_in_one_line(tmp_path, row):
    path = write(tmp_path, WHOLE.replace("minutes = 10     # of tuning", f"{row}  # of carving"))
    assert change(path, "carve", "words", "all", SECTIONS).params["carve"] == Carve(0.25, "all")
    assert "# of carving" in path.read_text() and load(path, SECTIONS).params["carve"] == Carve(0.25, "all")


@pytest.mark.parametrize(
    ("old", "new", "value", "message"),
    [
        ("[tune]", "[tune]", 3, "'method' must be"), ("[tune]", "[tun]", "full", "unknown key 'tun'"),
        ("rank = 16", "rank = true", "full", "'rank' must be"), ("[tune]", "[tune", "full", "not TOML"),
        ('name = "notes"', 'name = "notes"\ntune = 3', "full", "not TOML"),
        ('path = "."', 'path = 3', "full", "'path' must be"),
    ],
)  # fmt: skip
def test_a_change_that_would_make_it_no_recipe_leaves_it_alone(tmp_path, old, new, value, message):
    path = write(tmp_path, WHOLE.replace(old, new))
    before = path.read_bytes()
    with pytest.raises(RecipeError) as caught:
        change(path, "tune", "method", value, SECTIONS)
    assert message in caught.value.what and str(path) in caught.value.where and path.read_bytes() == before


def test_a_section_that_is_no_table_is_said(tmp_path):
    path = write(tmp_path, "tune = 3\n")
    with pytest.raises(RecipeError, match="'tune' must be a table") as caught:
        change(path, "tune", "method", "full", SECTIONS)
    assert line_of(caught.value) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'name' is missing"),
        ('base = "x"\n', "'name' is missing"),
        ('name = ""\nbase = "x"\n', "'name' is missing"),
        ('name = "x"\n', "'base' is missing"),
        ('name = "x"\nbase = "y"\n', "at least one [[sources]]"),
        ('name = "x"\nbase = "y"\nsources = []\n', "at least one [[sources]]"),
        ('name = "x"\nbase = "y"\n[sources]\npath = "."\n', "at least one [[sources]]"),
        ('name = "x"\nbase = "y"\nsources = ["."]\n', "'sources' must be a table"),
        ('name = "x"\nbase = "y"\nbase = "z"\n', "line 3"),
        ('name = "x"\nbase = y\n', "line 2"),
        ('name = "x', "not TOML"),
        ("name = 1" + "0" * 5000, "not TOML"),
        ("name = " + "[" * 5000, "not TOML"),
        ("name = 2021-02-30\n", "not TOML"),
        ("\x00", "not TOML"),
    ],
)  # fmt: skip
def test_what_is_not_there_or_not_toml_is_said(tmp_path, text, message):
    assert message in refused(tmp_path, text).what


def test_what_is_no_text_or_not_there_is_said(tmp_path):
    path = tmp_path / "netsuke.toml"
    path.write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(RecipeError, match="not UTF-8"):
        load(path, SECTIONS)
    with pytest.raises(RecipeError, match="no such recipe"):
        load(tmp_path / "other.toml", SECTIONS)


@given(st.text(max_size=60) | st.lists(st.sampled_from(WHOLE.splitlines(keepends=True))).map("".join))
@settings(max_examples=100)
def test_any_text_is_a_recipe_or_named_as_none(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "netsuke.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            assert load(path, SECTIONS).name == "notes"
        except RecipeError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("name", ["a", "A.b-c_1", "0", "x" * 64, "a..b"])
def test_a_good_name_is_taken(tmp_path, name):
    assert load(write(tmp_path, WHOLE.replace('"notes"', f'"{name}"')), SECTIONS).name == name


@pytest.mark.parametrize(
    "name", [".a", "-a", "..", "a/b", "../a", "a b", "é", "x" * 65, r"a\u0000", r"a\n", r"\ta", "a\\\\b"]
)
def test_a_name_that_is_none_for_a_file_is_refused(tmp_path, name):
    error = refused(tmp_path, WHOLE.replace('"notes"', f'"{name}"'))
    assert "cannot be a model's name" in error.what and "hyphens" in error.hint


# -- --set -----------------------------------------------------------------------------------------------
def test_settings_are_read_like_the_recipe():
    recipe = fresh("x", SECTIONS)
    given = {"tune.rank": "8", "tune.rate": "1", "tune.fast": "true", "tune.method": "full", "carve.words": "2048",
             "gates.domain": "-0.5"}  # fmt: skip
    new = with_settings(recipe, given, SECTIONS)
    assert new.params == {"tune": Tune(8, 1.0, True, "full"), "carve": Carve(words="2048")}
    assert new.gates == Gates(domain=-0.5) and recipe == fresh("x", SECTIONS)
    assert type(new.params["tune"].rate) is float
    for text in ('"full"', "'full'", "full"):
        assert with_settings(recipe, {"tune.method": text}, SECTIONS).params["tune"].method == "full"
    for text in ("", "true", "1.50", "[", "a = b", "2020-01-01"):
        assert with_settings(recipe, {"carve.words": text}, SECTIONS).params["carve"].words == text


@pytest.mark.parametrize(
    ("name", "text", "message", "hint"),
    [
        ("tune.rnak", "8", "unknown key 'tune.rnak'", "did you mean 'rank'?"),
        ("gates.genral", "8", "unknown key 'gates.genral'", "did you mean 'general'?"),
        ("tune.rank", "8.0", "'rank' must be a whole number, not 8.0", None),
        ("tune.rank", "true", "'rank' must be a whole number, not True", None),
        ("tune.rank", "", "'rank' must be a whole number, not ''", None),
        ("tune.rank", "9" * 5000, "'rank' must be a whole number", None),
        ("tune.rank", "[" * 5000, "'rank' must be a whole number", None),
        ("tune.rate", "nan", "'rate' must be a number, not nan", None),
        ("tune.method", "bitfit", "'method' must be one of", None),
        ("tune.method", "1", "'method' must be one of", None),
        ("tune", "8", "no such setting", "sections: carve, tune, gates"),
        ("tune.", "8", "no such setting", "sections: carve, tune, gates"),
        ("mb", "8", "no such setting", "sections: carve, tune, gates"),
        ("tuna.rank", "8", "no such setting", "sections: carve, tune, gates"),
    ],
)
def test_a_wrong_setting_is_named(name, text, message, hint):
    with pytest.raises(RecipeError) as caught:
        with_settings(fresh("x", SECTIONS), {name: text}, SECTIONS)
    assert message in str(caught.value) and "line" not in str(caught.value)
    assert hint is None or caught.value.hint == hint


# -- the lock --------------------------------------------------------------------------------------------
LOCK = Lock(
    "ab" * 32, 2, "lora r16 512x1", 812.5, 4000.0, {"torch": "2.13.0", "transformers": "5.0", "a.b": "1"}
)
locks = st.builds(
    Lock, base=texts, threads=st.integers(1, 999), training=texts, train_tokens_per_second=st.floats(0, 1e9),
    score_tokens_per_second=st.floats(0, 1e9), libraries=st.dictionaries(texts.filter(bool), texts, max_size=4),
)  # fmt: skip


@given(locks)
@settings(max_examples=40)
def test_any_lock_comes_back_equal(lock):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "netsuke.lock"
        save_lock(lock, path)
        assert load_lock(path) == lock
        first = path.read_bytes()
        save_lock(lock, path)
        assert path.read_bytes() == first and os.listdir(folder) == ["netsuke.lock"]


def test_no_part_of_a_lock_passes_for_it(tmp_path):
    path = tmp_path / "netsuke.lock"
    save_lock(LOCK, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert load_lock(path) is None, whole[:length]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threads = 2", "thread = 2"),
        ("threads = 2", "threads = 2\nmore = 1"),
        ("threads = 2", "threads = caf\xe9"),
        ("threads = 2", "threads = " + "[" * 5000),
    ],
)
def test_a_lock_that_is_not_right_is_none(tmp_path, old, new):
    path = tmp_path / "netsuke.lock"
    save_lock(LOCK, path)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_bytes(text.replace(old, new).encode("latin-1"))
    assert load_lock(path) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("threads = 2", "threads = true"),
        ("threads = 2", "threads = 2.0"),
        ("threads = 2", 'threads = "2"'),
        ("threads = 2", "threads = 0"),
        ("threads = 2", "threads = -3"),
        ("train_tokens_per_second = 812.5", "train_tokens_per_second = nan"),
        ("train_tokens_per_second = 812.5", "train_tokens_per_second = -1.0"),
        ("train_tokens_per_second = 812.5", 'train_tokens_per_second = "fast"'),
        ("libraries = {", "libraries = 3 # {"),
        ('float_type = "bfloat16"', 'float_type = "evil"'),
        ('device = "cpu"', 'device = "tpu"'),
    ],
)
def test_a_value_in_a_lock_that_no_measurement_gives_is_named(tmp_path, old, new):
    path = tmp_path / "netsuke.lock"
    save_lock(LOCK, path)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(RecipeError, match=f"'{new.split(' = ')[0]}' must be") as caught:
        load_lock(path)
    assert line_of(caught.value) and "--relock" in caught.value.hint


def test_a_folder_where_the_lock_belongs_is_said(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_lock(tmp_path)


def test_a_lock_that_is_not_there_is_none_and_one_by_hand_is_read(tmp_path):
    path = tmp_path / "netsuke.lock"
    assert load_lock(path) is None
    save_lock(LOCK, path)
    head, libraries = path.read_text().split("libraries = ")
    path.write_text(head.replace("812.5", "812") + '\n[libraries]\ntorch = "2"\n')
    assert load_lock(path) == replace(LOCK, train_tokens_per_second=812.0, libraries={"torch": "2"})
    assert "torch" in libraries


@pytest.mark.parametrize(
    "line", ["rank = 0", "window_tokens = 1", "learning_rate = -1.0", 'method = "dora"', "patience = 0"]
)
def test_a_value_out_of_range_is_named_with_its_line(tmp_path, line):
    from netsuke import loop

    path = tmp_path / "netsuke.toml"
    path.write_text(f'name = "x"\nbase = "b"\n\n[[sources]]\npath = "."\n\n[tune]\n{line}\n')
    with pytest.raises(RecipeError, match="must be (between|one of)") as caught:
        load(path, loop.SECTIONS)
    assert "line 8" in caught.value.where


@pytest.mark.parametrize(
    "before", [None, '# by hand\nname = "x"\nbase = "b"\nmb = 80\n\n[[sources]]\npath = "."\n']
)
def test_a_size_that_cannot_be_reached_is_taken_back(tmp_path, before):
    path = tmp_path / "netsuke.toml"
    if before is not None:
        path.write_text(before)
    with pytest.raises(BudgetError), written(replace(fresh("x", SECTIONS), base="b", mb=5.0), path):
        assert "mb = 5" in path.read_text()
        raise BudgetError("too small")
    assert (path.read_text() if path.exists() else None) == before


@dataclass(frozen=True)
class Curate:
    keep: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


LISTS = {"curate": Curate}


def test_in_a_list_what_stays_keeps_its_line(tmp_path):
    path = tmp_path / "netsuke.toml"
    rows = 'keep = [\n  "c4",  # why\n  "b/**",\n]\n'
    path.write_text(f'name = "notes"\nbase = "b"\n[[sources]]\npath = "."\n[curate]\n{rows}')
    before = path.read_text()
    for wanted, told in ((["c4", "b/**", "x"], before.replace('"b/**",\n', '"b/**",\n  "x",\n')),
                         (("c4", "b/**"), before), (["c4"], before.replace('  "b/**",\n', ""))):  # fmt: skip
        assert change(path, "curate", "keep", wanted, LISTS).params["curate"].keep == tuple(wanted)
        assert path.read_text() == told
    assert change(path, "curate", "keep", ["x", "c4"], LISTS).params["curate"].keep == ("x", "c4")
    assert change(path, "curate", "languages", (), LISTS).params["curate"].languages == ()
    assert "languages" not in path.read_text()


def test_lists_are_read_set_and_written(tmp_path):
    path = tmp_path / "netsuke.toml"
    path.write_text(
        'name = "notes"\nbase = "b"\n[[sources]]\npath = "."\n[curate]\nkeep = ["c4", "drafts/**"] # mine\n'
    )
    loaded = load(path, LISTS)
    assert loaded.params["curate"].keep == ("c4", "drafts/**") and loaded.params["curate"].languages == ()
    before = path.read_text()
    save(loaded, path)
    assert path.read_text() == before
    changed = with_settings(loaded, {"curate.languages": '["en", "de"]', "curate.keep": "[]"}, LISTS)
    save(changed, path)
    assert load(path, LISTS).params == changed.params
    for wrong in ('"c4"', "[1]", "true"):
        path.write_text(before.replace('["c4", "drafts/**"]', wrong))
        with pytest.raises(RecipeError, match="keep"):
            load(path, LISTS)
