"""The parts of value alone: whose is what, worth from bits, likeness, tables."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke import value
from netsuke.nouns import Compute
from netsuke.render import apart
from netsuke.texts.documents import BARE_LESSONS, Lesson, read_rows, write_rows
from netsuke.value import content, likeness, money, picture, rules, shapley, tables, units


# -- whose is what -----------------------------------------------------------------------------------------
def piece(row, owner, source=0, size=100):
    return units.Piece(row, f"{row}.md", 0, source, owner, "MIT", size)


def test_a_name_spelled_in_two_ways_is_one_owner_called_as_its_adapter_is(tmp_path):
    owners = ["ann  smith", "Ann smith", "Bea", "Ann Smith", "ANN SMITH"]  # but two are in train
    splits = ["train", "train", "train", "valid", "dropped"]
    rows = [{"path": f"{n}.md", "source": n, "owner": owner, "licence": "MIT", "split": split, "text": "A letter."}
            for n, (owner, split) in enumerate(zip(owners, splits, strict=True))]  # fmt: skip
    data = tmp_path / "data"
    for part in (data, tmp_path / "out"):
        (part / "examples").mkdir(parents=True)
    for split in ("train", "valid", "test"):
        write_rows(data / f"{split}.jsonl", (row for row in rows if row["split"] == split))
        write_rows(data / "examples" / f"{split}.jsonl", [])
    write_rows(data / BARE_LESSONS, [])
    found = units.units(units.pieces(data, rows), "owner", (), 8)
    assert [(unit.name, len(unit.pieces)) for unit in found] == [("Ann Smith", 2), ("Bea", 1)]
    assert [row["owner"] for row in apart.write(data, tmp_path / "out")] == [unit.name for unit in found]


def test_sources_are_called_by_their_paths_and_two_of_one_path_by_their_numbers():
    some = [piece(n, "me", source=n) for n in range(3)]
    assert [unit.name for unit in units.units(some, "source", ("a", "b", "b"), 8)] == ["a", "b (1)", "b (2)"]
    assert units.units([piece(0, "me", source=7)], "source", (), 8)[0].name == "source 7"


ROWS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(1, 500)), min_size=1, max_size=40)


@given(ROWS, st.integers(2, 6))
def test_of_too_many_the_smallest_are_one_and_nothing_is_lost(rows, most):
    some = [piece(n, owner, size=size) for n, (owner, size) in enumerate(rows)]
    found = units.units(some, "owner", (), most)
    assert sorted(p.row for unit in found for p in unit.pieces) == list(range(len(rows)))
    assert len(found) == min(most, len({owner for owner, _ in rows}))
    assert sorted(name for unit in found for name in unit.of) == sorted({owner for owner, _ in rows})
    if len(found[-1].of) > 1:
        largest = max(sum(p.bytes for p in found[-1].pieces if p.owner == name) for name in found[-1].of)
        assert all(unit.bytes >= largest for unit in found[:-1])


def test_a_lesson_is_its_files_and_what_the_program_adds_is_nobodys(tmp_path):
    (tmp_path / "examples").mkdir()
    write_rows(tmp_path / "train.jsonl", [
        {"text": "a letter", "path": "a.md", "source": 0, "owner": "Ann", "licence": "MIT"},
        {"text": "q1 a1", "answer": 3}, {"text": "q2 a2", "answer": 3},
        {"text": "a hole", "answer": 2}, {"text": "manners", "answer": 2, "aside": True},
    ])  # fmt: skip
    examples = [{"path": "t.csv", "source": 1, "line": line} for line in (2, 5)]
    write_rows(tmp_path / "examples" / "train.jsonl", examples)
    write_rows(tmp_path / BARE_LESSONS, [{"text": "q1 a1", "answer": 3}, {"text": "q2 a2", "answer": 3}])
    documents = [{"path": "a.md", "source": 0, "owner": "Ann", "licence": "MIT", "split": "train"},
                 {"path": "t.csv", "source": 1, "owner": "Bea", "licence": "CC0-1.0", "split": "train"}]  # fmt: skip
    found = units.pieces(tmp_path, documents)
    assert [(p.row, p.path, p.line, p.owner) for p in found] == [
        (0, "a.md", 0, "Ann"), (1, "t.csv", 2, "Bea"), (2, "t.csv", 5, "Bea"),
    ]  # fmt: skip


def test_an_owners_lessons_show_no_example_of_another(tmp_path):
    (folder := tmp_path / "rendered" / "examples").mkdir(parents=True)
    rows = [{"path": f"{who}.csv", "source": n, "owner": who, "licence": "MIT", "split": "train"}
            for n, who in enumerate(("Ann", "Bea"))]  # fmt: skip
    asked = [{"text": f"{row['owner']} asks: yes", "answer": 10} for row in rows]
    shown = {"text": f"{asked[0]['text']} {asked[1]['text']}", "answer": 24}
    aside = {"text": "manners", "answer": 2, "aside": True}
    write_rows(folder.parent / "train.jsonl", [asked[0], shown, aside])
    write_rows(folder / "train.jsonl", [{**row, "line": 2} for row in rows])
    write_rows(tmp_path / "rendered" / BARE_LESSONS, asked)
    write_rows(tmp_path / "documents.jsonl", rows)
    (out := tmp_path / "out").mkdir()
    list(value.divide.function(value.Dividing("owner", ()), out, folder.parent, tmp_path / "documents.jsonl"))
    assert [list(read_rows(out / f"train-{n}.jsonl")) for n in range(2)] == [asked[:1], asked[1:]]
    assert list(read_rows(out / "train.jsonl")) == [*asked, aside]
    assert [unit["bytes"] for unit in json.loads((out / "units.json").read_text())] == [13, 13]


# -- worth from bits ---------------------------------------------------------------------------------------
GAME = {
    "names": ["a", "b"],
    "texts": [{"kind": "document", "bytes": 100}, {"kind": "document", "bytes": 300}, {"kind": "answer", "bytes": 10}],
    "bits": {"0": [200, 600, 50], "1": [150, 600, 40], "2": [200, 450, 40], "3": [150, 450, 20]},
}


def test_worth_is_the_bits_per_byte_saved_of_documents_and_answers_alike():
    worth = rules.saved(GAME)
    assert worth[0] == 0
    assert worth[1] == pytest.approx(((2 - 750 / 400) + (5 - 4)) / 2)
    assert worth[3] == pytest.approx(((2 - 600 / 400) + (5 - 2)) / 2)
    again = rules.saved(GAME, np.array([[0, 1, 2], [0, 0, 0], [2, 2, 2]]))
    assert again[3] == pytest.approx([worth[3], 2 - 1.5, 5 - 2])


def test_weights_of_a_coalition_follow_the_rule():
    def weights(rule, mask, there=("a", "b", "c")):
        params = value.Playing(("a", "b", "c"), Compute(1), 100, rule, {"a": 0.5, "b": 1.0, "c": 0.5})
        return rules.weights(params, mask, there)

    assert weights("task", 0b011) == [0.5, 1.0, 0.0] and weights("task", 0) == [0, 0, 0]
    assert weights("linear", 0b011) == pytest.approx([1 / 3, 2 / 3, 0.0]) and weights("linear", 0) == [0, 0, 0]
    assert weights("task", 0b101, there=("c",)) == [0.5]


def weighed(game, units_=None, orders=()):
    params = value.Weighing("owner", orders)
    return content._played(params, game), units_


def test_intervals_need_three_texts():
    two = {**GAME, "texts": GAME["texts"][:2], "bits": {mask: bits[:2] for mask, bits in GAME["bits"].items()}}
    played, _ = weighed(two)
    assert played["resampled"] is None and played["saved"]["low"] is None
    played, _ = weighed(GAME)
    assert played["saved"]["low"] <= played["saved"]["value"] <= played["saved"]["high"]
    assert np.array(played["resampled"]).shape == (2, rules.RESAMPLES)
    assert sum(played["shapley"]) == pytest.approx(played["saved"]["value"])


def test_sampled_orders_say_their_error():
    orders = tuple(shapley.drawn(2, 8, 0))
    played, _ = weighed(GAME, orders=orders)
    assert played["errors"] is not None and sum(played["shapley"]) == pytest.approx(played["saved"]["value"])


# -- likeness ----------------------------------------------------------------------------------------------
def test_bm25_prefers_what_shares_rare_words():
    documents = ["the tiger sleeps in the grass", "the grass is green", "stocks fell in the market"]
    tiger, grass, market = likeness.bm25(documents, ["a tiger in the grass", "tigers sleeping"])
    assert tiger > grass > market >= 0
    assert likeness.bm25([], ["a"]) == [] and likeness.bm25(["a b"], []) == [0.0]


def test_bm25_is_robertsons(tmp_path):
    (score,) = likeness.bm25(["cat cat dog"], ["cat"])
    rarity = np.log(1 + 0.5 / 1.5)
    assert score == pytest.approx(rarity * 2 * 2.2 / (2 + 1.2))


def test_the_nearest_and_the_copies():
    assert likeness.nearest(["the tiger sleeps", "stocks fell"], ["a tiger", "the stocks rose"]) == [0, 1]
    assert likeness.nearest([], ["a"]) == [-1] and likeness.nearest(["alpha beta", "gamma"], ["zzz qqq"]) == [-1]
    copies = [{"path": "b", "source": 1, "owner": "Bea"}, {"path": "a2", "source": 0, "owner": "Ann"}]
    row = {"path": "a", "source": 0, "owner": "Ann", "stands_for": copies}
    found = likeness.copies([row, {"path": "c", "source": 0, "owner": "Ann"}])
    assert found == [copies[0] | {"of": "a", "of_source": 0, "of_owner": "Ann"}]
    told = tables.sentences({**full(), "copies": found})
    assert any("1 file of Bea left out as copies of Ann's" in line for line in told)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=30))
def test_rank_correlation_is_scipys(pairs):
    scipy = pytest.importorskip("scipy.stats")
    one, other = zip(*pairs, strict=True)
    found = content.correlation(one, other)
    if len({*one}) == 1 or len({*other}) == 1:
        assert found is None
    else:
        assert found == pytest.approx(scipy.spearmanr(one, other).statistic, abs=1e-9)


# -- tables ------------------------------------------------------------------------------------------------
def full(name="Ann", path="a.md"):
    unit = {"name": name, "of": [name], "texts": 1, "bytes": 1200, "influence": 1.0, "covers": 1,
            "licences": {"MIT": 1}, "consent": {"It is your own work.": 1}, "stands_for": 0, "shapley": 0.1,
            "low": 0.05, "high": 0.2, "error": None, "without": 0.1, "alone": 0.1}  # fmt: skip
    row = {"row": 0, "path": path, "line": 0, "source": 0, "owner": name, "licence": "MIT", "bytes": 1200,
           "unit": name, "influence": 1.0, "loss": 2.0, "doubt": None, "bm25": 3.0, "read": 1.0, "covers": 1,
           "share": 1.0}  # fmt: skip
    saved = {"value": 0.1, "low": 0.05, "high": 0.2, "n": 5, "bytes": 4000}
    return {"by": "owner", "saved": saved, "exact": True, "orders": 0, "seed": 0, "valid_texts": 5, "resampled": None,
            "units": [unit], "documents": [row], "copies": []}  # fmt: skip


def test_the_csv_has_a_row_each_and_no_formula():
    text = tables.as_csv(full("=Ann", "@evil.md"), ["1.00"], "EUR")
    unit, row = csv.DictReader(io.StringIO(text))
    assert unit["kind"] == "unit" and unit["currency"] == "EUR"
    assert unit["name"] == "'=Ann" and unit["payment"] == "1.00" and unit["shapley"] == "0.1"
    assert row["kind"] == "document" and row["path"] == "'@evil.md" and row["influence"] == "1.0"


def test_an_answer_is_doubted_beside_the_same_answer_elsewhere():
    labels = [Lesson(f"Ticket {n}\nTopic: {label}", len(f"Ticket {n}\nTopic:")) for n, label in enumerate("aabbbc")]
    from netsuke.value import look

    found = look.doubts([*labels, "a document"], [1.0, 3.0, 2.0, 2.0, 8.0, 30.0, 900.0])
    assert found == [-1.0, 1.0, -2.0, -2.0, 4.0, None, None]


def test_only_what_fits_its_answer_less_than_half_as_well_is_shown():
    found = full()
    found["documents"] = [found["documents"][0] | {"line": n, "doubt": d} for n, d in enumerate([None, 0.9, 3.0, 1.1])]
    assert [row[0] for row in tables.doubted(found)[1:]] == ["a.md:2", "a.md:3"]


def test_tables_hold_to_their_width_and_move_no_terminal():
    found = full("A" * 60 + "\x1b[2J", "x/" * 60 + "\u202e.md")
    found["documents"][0] |= {"line": 3, "doubt": 30.0}
    shown = [*tables.units(found), *tables.documents(found), *tables.doubted(found)]
    assert all(cell.isprintable() for row in shown for cell in row)
    assert all(sum(map(len, row)) + 2 * len(row) <= 80 for row in shown)
    assert json.loads(json.dumps(tables.divided(full(), money.parse("5", "EUR"))))["payments"][0]["amount"] == "5.00"


# -- the picture -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["template_${name}_${date}.md", "$x^$", "a_{b", "caf\udce9.md", "x" * 300, ""])
def test_any_file_name_stands_in_the_picture_as_it_is(name):
    unit = {"name": name, "shapley": 0.1, "low": 0.0, "high": 0.2, "without": 0.1}
    document = {"row": 0, "path": name, "influence": 3.0, "bm25": 1.0}
    drawn = picture.picture({"units": [unit], "documents": [document]})
    assert drawn.lstrip().startswith("<?xml") and drawn.encode()
    if name and len(name) < 30:
        assert picture.short(name).replace("\udce9", "\ufffd") in drawn


# -- how long a text may be --------------------------------------------------------------------------------
def test_answers_are_scored_behind_all_of_their_questions(tmp_path):
    from tiny import tiny_gguf

    from netsuke.engines import gguf, hf
    from netsuke.value import game, look

    (tmp_path / "model").mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path / "model")
    asked = "the other " * 300
    write_rows(tmp_path / "valid.jsonl", [Lesson(f"{asked} in there", len(asked)).row])
    held = game.Held.of(tmp_path / "model", tmp_path / "valid.jsonl", 10_000)
    mixture = game.Mixture(tmp_path / "model", [])
    [true] = hf.score(mixture.model, held.texts, len(held.texts[0].ids))
    assert len(held.texts[0].ids) > hf.CONTEXT + 100
    assert drained(game.play(mixture, held, {0: ()}, tmp_path)) == {0: [true.bits]}
    assert drained(look.scores(mixture.model, held.texts, 0.0)) == [true]


def drained(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
