"""Datasets of several models as one: nothing is held out that any of them learnt."""

import json

from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import united
from netsuke.curate.items import text_hash
from netsuke.texts.documents import SPLITS, read_rows, write_rows

COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 9))


def row(text, source=0):
    return {"text": text, "hash": text_hash(text), "source": source, "path": f"{text[:5]}.txt", "owner": "me"}


def dataset(folder, **splits):
    (folder / "examples").mkdir(parents=True)
    for split in SPLITS:
        write_rows(folder / f"{split}.jsonl", map(row, splits.get(split, ())))
        write_rows(folder / "examples" / f"{split}.jsonl", splits.get(f"asked_{split}", ()))
    write_rows(folder / "documents.jsonl", [row(text) for split in SPLITS for text in splits.get(split, ())])
    write_rows(folder / "drops.jsonl", ())
    summary = {"files": 1, "splits": dict.fromkeys(SPLITS), "examples": {"splits": dict.fromkeys(SPLITS)}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


LONG = [" ".join(f"word{n}-{number}" for n in range(60)) for number in range(4)]


def test_what_one_learnt_is_held_out_of_neither(tmp_path):
    one = dataset(tmp_path / "one", train=[LONG[0], "a few words"], test=[LONG[1]], valid=[LONG[3]])
    two = dataset(tmp_path / "two", train=[LONG[2]], test=[LONG[0], LONG[3]], valid=[f"{LONG[2]} and more"])
    out = tmp_path / "out"
    out.mkdir()
    measures = united.write([("A", 2, one), ("B", 1, two)], out)
    texts = {split: [r["text"] for r in read_rows(out / f"{split}.jsonl")] for split in SPLITS}
    assert texts == {"train": [LONG[0], "a few words", LONG[2]], "test": [LONG[1], LONG[3]], "valid": [LONG[3]]}
    files = list(read_rows(out / "documents.jsonl"))
    assert [(r["of"], r["source"]) for r in files] == [("A", 0)] * 4 + [("B", 2)] * 4
    summary = json.loads((out / "summary.json").read_text())
    assert summary["files"] == 2 and summary["splits"]["test"]["documents"] == 2
    assert measures[-1].value == 2


def test_whose_a_row_was_first_stays(tmp_path):
    inner = dataset(tmp_path / "inner", train=["some text of one"])
    write_rows(inner / "documents.jsonl", [row("some text of one") | {"of": "first"}])
    out = tmp_path / "out"
    out.mkdir()
    united.write([("later", 1, inner)], out)
    assert next(read_rows(out / "documents.jsonl"))["of"] == "first"


def test_a_question_that_one_learnt_is_not_asked(tmp_path):
    def asked(*texts):
        return [{"text": text, "label": "x", "source": 0, "line": 1} for text in texts]

    one = dataset(tmp_path / "one", train=["t"], asked_train=asked("is it on?"), asked_test=asked("why?"))
    two = dataset(tmp_path / "two", train=["u"], asked_train=asked("how?"), asked_test=asked("Is it on?", "when?"))
    out = tmp_path / "out"
    out.mkdir()
    united.write([("A", 1, one), ("B", 1, two)], out)
    left = [r["text"] for r in read_rows(out / "examples" / "test.jsonl")]
    assert left == ["why?", "when?"]


@given(COUNTS, COUNTS)
def test_counts_are_added(one, other):
    both = united.added({"n": one}, {"n": other})["n"]
    assert both == {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
    assert united.added({}, {"n": other}) == {"n": other}
    assert united.added(["a"], ["a", "b"]) == ["a", "b"] and united.added("x", "y") == "x"
