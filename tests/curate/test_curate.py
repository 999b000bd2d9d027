"""The whole step: what is kept, what is held out, what is written, and that no order decides."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.curate import Params, curate
from netsuke.curate.duplicates import signature
from netsuke.curate.enough import require_enough
from netsuke.errors import RecipeError
from netsuke.texts.documents import SPLITS

FILES = {"train.jsonl", "valid.jsonl", "test.jsonl", "documents.jsonl", "drops.jsonl", "summary.json"}
FILES |= {f"examples/{name}.jsonl" for name in ("train", "valid", "test")}
WORDS = "river stone lantern harvest copper winter market garden letter bridge thunder silver meadow kettle".split()


def prose(seed: int, paragraphs: int = 4, words: int = 60) -> str:
    """A text of its own for each seed."""
    pick = random.Random(seed)
    return "\n\n".join(" ".join(pick.choice(WORDS) + str(pick.randrange(50)) for _ in range(words))
                       for _ in range(paragraphs))  # fmt: skip


def read_of(text: str, **more: Any) -> dict[str, Any]:
    """text.json of a text."""
    return {
        "text": text, "places": [[1, 1]], "pages": [], "reader": "text", "title": "", "language": "en",
        "profile": "notes", "fails": [], "private": [], "signature": signature(text), "signals": [],
        "licence": None,
    } | more  # fmt: skip


def examples_of(*rows: dict[str, Any], shape: str = "text + label", bad: Any = ()) -> dict[str, Any]:
    texts = [len(row.get("messages", ())) or 2 for row in rows]
    return {
        "examples": list(rows), "shape": shape, "bad_rows": list(bad), "dialect": "", "reader": "text", "title": "",
        "signals": [], "licence": None, "private": [[[] for _ in range(count)] for count in texts],
    }  # fmt: skip


def index_row(path: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path, "source": 0, "owner": "me", "licence": "unknown", "consent": "unknown", "profile": "auto",
        "private": "mask", "signals": [], "found_licence": None, "standing": None, "agreement": None,
        "file": hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest(),
    } | more  # fmt: skip


def write_files(folder: Path, given_files: dict[str, Any], shuffle: int = 0) -> Path:
    """The step's input: for each path a text, a text.json, or (text.json or None, more of its index row)."""
    folder.mkdir()
    rows = []
    for number, (path, given_file) in enumerate(given_files.items()):
        told, more = given_file if isinstance(given_file, tuple) else (given_file, {})
        row = index_row(path, **more)
        if told is not None:
            told = read_of(told) if isinstance(told, str) else told
            row["text"] = f"{number}.json"
            (folder / row["text"]).write_text(json.dumps(told))
        rows.append(row)
    random.Random(shuffle).shuffle(rows)
    (folder / "index.json").write_text(json.dumps(rows))
    return folder


class Made:
    """What the step wrote."""

    def __init__(self, folder: Path, texts: Any, params: Params = Params(), shuffle: int = 0) -> None:  # noqa: B008
        self.out, self.params = folder / "out", params
        self.out.mkdir(parents=True)
        work = curate.function(params, self.out, files=write_files(folder / "files", texts, shuffle))
        fractions = []
        while True:
            try:
                fractions.append(next(work).fraction)
            except StopIteration as stop:
                self.measures = {measure.name: measure for measure in stop.value}
                break
        assert fractions == sorted(fractions) and 0 <= fractions[0] <= fractions[-1] <= 1

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / f"{name}.jsonl").read_text().splitlines()]

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        return {row["path"]: row for row in self.rows("documents")}

    @property
    def dropped_by(self) -> dict[str, str]:
        return {path: row["dropped_by"] for path, row in self.documents.items() if row["split"] == "dropped"}

    @property
    def texts(self) -> dict[str, str]:
        return {row["path"]: row["text"] for name in SPLITS for row in self.rows(name)}

    @property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "summary.json").read_text()))

    @property
    def split_of(self) -> dict[str, str]:
        return {row["path"]: name for name in SPLITS for row in self.rows(name)}

    @property
    def bytes(self) -> dict[str, bytes]:
        found = (path for path in self.out.rglob("*") if path.is_file())
        return {path.relative_to(self.out).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def many() -> dict[str, Any]:
    return {f"notes/{n:02}.md": prose(n) for n in range(40)}


# -- what is written -------------------------------------------------------------------------------------
def test_the_files_and_their_rows(tmp_path: Path, many: dict[str, Any]) -> None:
    made = Made(tmp_path, many)
    assert set(made.bytes) == FILES
    for row in (row for name in SPLITS for row in made.rows(name)):
        assert set(row) == {
            "hash", "path", "source", "owner", "licence", "profile", "language", "places", "pages", "text",
        }  # fmt: skip
        assert row["hash"] == hashlib.sha256(row["text"].encode()).hexdigest()
        assert row["text"] == many[row["path"]] and row["places"] == [[1, 1]]
    documents = made.rows("documents")
    assert [row["path"] for row in documents] == sorted(many)
    assert {row["path"]: row["split"] for row in documents} == made.split_of
    assert not any("text" in row for row in documents) and made.rows("drops") == []
    splits = made.summary["splits"]
    assert made.summary["split_by"] == "document" and sum(part["documents"] for part in splits.values()) == 40
    assert splits["train"]["bytes"] == sum(len(row["text"].encode()) for row in made.rows("train"))
    assert made.measures["train text"].value == splits["train"]["bytes"]
    assert (made.measures["documents kept"].value, made.measures["documents dropped"].value) == (40, 0)


def test_every_drop_keeps_its_reason(tmp_path: Path, many: dict[str, Any]) -> None:
    more = {
        "bad.pdf": {"drop": {"rule": "unreadable", "detail": "no trailer", "bytes": 123}},
        "big.txt": (None, {"drop": {"rule": "too large", "detail": "21 MB"}, "file": ""}),
        "copy.md": many["notes/07.md"],
        "empty.md": "",
        "line.txt": "x" * 200_001,
        "hers.md": (None, {"owner": "Ann", "consent": "out", "drop": {"rule": "consent", "detail": ""}}),
        "notes/99.md": many["notes/03.md"].split("\n\n")[0] + "\n\n" + prose(99),
        "near.md": many["notes/05.md"] + " and a bit more",
    }
    made = Made(tmp_path, {**many, **more})
    assert made.dropped_by == {
        "bad.pdf": "unreadable", "big.txt": "too large", "empty.md": "empty", "line.txt": "one long line",
        "hers.md": "consent", "notes/07.md": "exact duplicate", "notes/05.md": "near duplicate",
    }  # fmt: skip
    drops = {row["path"]: row for row in made.rows("drops")}
    assert drops["notes/07.md"]["detail"] == "of copy.md" and drops["notes/99.md"]["detail"].endswith(
        "of notes/03.md"
    )
    rows = made.documents
    assert (rows["hers.md"]["decision"], rows["hers.md"]["reason"]) == ("out", "Its owner said no.")
    assert rows["bad.pdf"]["decision"] == "in" and rows["bad.pdf"]["bytes_in"] == 123
    assert rows["notes/99.md"]["bytes_kept"] == len(prose(99)) < rows["notes/99.md"]["bytes_in"]
    assert rows["copy.md"]["hash"] == rows["notes/07.md"]["hash"] != ""
    assert made.summary["drops"]["unreadable"] == {
        "count": 1, "bytes": 123, "examples": [{"path": "bad.pdf", "detail": "no trailer"}]}  # fmt: skip
    assert made.summary["files"] == 48


def test_odd_file_names_survive(tmp_path: Path, many: dict[str, Any]) -> None:
    odd = "caf\udce9\n\u2028.txt"
    bad = {"drop": {"rule": "unreadable", "detail": "x"}}
    made = Made(tmp_path, {**many, odd: prose(100), "odd\udcff.pdf": bad})
    assert odd in made.split_of and [row["path"] for row in made.rows("drops")] == ["odd\udcff.pdf"]
    assert all(data.isascii() for data in made.bytes.values())


def test_params_are_explained() -> None:
    for param in fields(Params):
        assert param.metadata["help"] and "\n" not in param.metadata["help"] and "unit" in param.metadata


# -- consent ---------------------------------------------------------------------------------------------
def test_any_no_wins_and_the_licence_in_a_file_counts(tmp_path: Path, many: dict[str, Any]) -> None:
    no = {"kind": "noai", "value": "no", "raw": "<meta noai>", "where": "the page"}
    nc = {"expression": "CC-BY-NC-4.0", "how": "SPDX tag", "where": "line 1"}
    theirs = {"owner": "Ann", "licence": "MIT"}
    made = Made(tmp_path, many | {
        "mine.html": read_of(prose(100), signals=[no]), "open.md": (prose(101), theirs),
        "tagged.md": (read_of(prose(102), licence=nc), theirs), "unknown.md": (prose(103), {"owner": "Bo"}),
        "signed.md": (read_of(prose(104), signals=[no]), {"owner": "Bo", "agreement": "bo@example.org"}),
    })  # fmt: skip
    assert made.dropped_by == dict.fromkeys(("mine.html", "tagged.md", "unknown.md"), "consent")
    rows = made.documents
    assert rows["open.md"]["licence"] == "MIT" and rows["open.md"]["licence_how"] == "stated in the recipe"
    assert rows["tagged.md"]["licence"] == "CC-BY-NC-4.0"
    assert rows["tagged.md"]["licence_how"] == "SPDX tag (line 1)"
    assert rows["mine.html"]["signals"] == [no] and "noai" in rows["mine.html"]["reason"]
    assert "bo@example.org" in rows["signed.md"]["decided_by"]
    wide = Made(tmp_path / "wide", {**many, "tagged.md": (read_of(prose(102), licence=nc), theirs)},
                Params(licences=("CC-BY-NC-4.0",)))  # fmt: skip
    assert wide.dropped_by == {} and wide.summary["widened"] == ["CC-BY-NC-4.0"]


def test_the_better_licensed_copy_stays_and_knows_the_others(tmp_path: Path, many: dict[str, Any]) -> None:
    text = prose(100)
    made = Made(tmp_path, many | {
        "a.md": (text + " or a few words more", {"owner": "Ann", "licence": "CC-BY-SA-4.0", "source": 1}),
        "b.md": text, "c.md": (text, {"owner": "Bo", "licence": "MIT", "source": 2}),
    })  # fmt: skip
    assert made.dropped_by == {"a.md": "near duplicate", "c.md": "exact duplicate"}
    assert made.documents["b.md"]["stands_for"] == [
        {"source": 2, "path": "c.md", "owner": "Bo"}, {"source": 1, "path": "a.md", "owner": "Ann"}]  # fmt: skip


def test_without_the_copy_that_stood_for_it_a_dropped_one_is_back(
    tmp_path: Path, many: dict[str, Any]
) -> None:
    text = prose(100)
    both = Made(tmp_path / "a", {**many, "a.md": text, "b.md": text + " more"})
    assert both.dropped_by == {"a.md": "near duplicate"}
    assert Made(tmp_path / "b", {**many, "a.md": text}).dropped_by == {}


# -- rules, languages, private things --------------------------------------------------------------------
def test_only_prose_goes_by_the_quality_rules_and_keep_takes_it_back(
    tmp_path: Path, many: dict[str, Any]
) -> None:
    fails = [["gopher: stop words", 1, 2], ["c4: sentences", 2, 5]]
    more = {
        "a.md": read_of(prose(100), profile="prose", fails=fails),
        "b.md": read_of(prose(101), profile="notes", fails=fails),
    }
    made = Made(tmp_path / "a", many | more)
    assert made.dropped_by == {"a.md": "gopher: stop words"}
    [drop] = made.rows("drops")
    assert drop["detail"] == "1, the limit is 2"
    assert made.documents["b.md"]["labels"] == ["gopher: stop words", "c4: sentences"]
    assert made.summary["labels"] == {"c4: sentences": 1, "gopher: stop words": 1}
    assert Made(tmp_path / "b", many | more, Params(keep=("gopher",))).dropped_by == {"a.md": "c4: sentences"}
    for number, keep in enumerate((("gopher", "c4"), ("gopher", "c4: sentences"), ("a.*",))):
        spared = Made(tmp_path / f"c{number}", many | more, Params(keep=keep))
        assert spared.dropped_by == {} and spared.summary["spared"]["gopher: stop words"]["count"] == 1


def test_what_says_what_is_allowed_is_told_by_its_name(tmp_path: Path, many: dict[str, Any]) -> None:
    notices = ["robots.txt", "ai.txt", "LICENSE", "licence.md", "COPYING.LESSER", "LICENSE-MIT", "NOTICE",
               "a.md.license", "License.html", "ROBOTS.TXT", "tdmrep.json", "TDMRep.json",
               "a.md.HEADERS", "a.md.LICENSE", "REUSE.toml"]  # fmt: skip
    others = ["license.py", "AI.txt", "licence_text.md", "notice-board.md", "copying.py", "notice.md",
              "dep5", "reuse.Toml"]  # fmt: skip
    texts = {name: read_of(prose(number)) for number, name in enumerate([*notices, *others], 700)}
    left = Made(tmp_path, many | texts).dropped_by
    assert {name for name in texts if left.get(name) == "notice"} == set(notices)


def test_only_wanted_languages_stay(tmp_path: Path, many: dict[str, Any]) -> None:
    more = {"de.md": read_of(prose(100), language="de"), "und.md": read_of(prose(101), language="und")}
    made = Made(tmp_path, many | more, Params(languages=("en",)))
    assert made.dropped_by == {"de.md": "language"} and made.summary["languages"]["und"]["files"] == 1


def test_private_things_are_masked_dropped_or_kept_by_source(tmp_path: Path, many: dict[str, Any]) -> None:
    text = "Write to ann@company.org or bo@company.org, not to ann@company.org.\n" + prose(100)
    finds = [[9, 24, "EMAIL"], [28, 42, "EMAIL"], [51, 66, "EMAIL"]]
    found = {
        policy: Made(tmp_path / policy, {**many, "a.md": (read_of(text, private=finds), {"private": policy})})
        for policy in ("mask", "drop", "keep")
    }
    assert found["mask"].texts["a.md"].startswith("Write to [EMAIL_1] or [EMAIL_2], not to [EMAIL_1].\n")
    assert found["drop"].dropped_by == {"a.md": "private things"}
    assert found["keep"].texts["a.md"] == text
    assert found["mask"].documents["a.md"]["private"] == {"EMAIL": 3} == found["mask"].summary["private"]
    assert not any(b"company.org" in data for data in found["mask"].bytes.values())


def test_a_phone_is_the_same_with_and_without_its_countrys_code(tmp_path: Path, many: dict[str, Any]) -> None:
    text = "Tel 030 12345678 or +49 30 12345678.\n" + prose(100)
    told = read_of(text, private=[[4, 16, "PHONE"], [20, 35, "PHONE"]])
    for countries, other in ((("DE",), "[PHONE_1]"), (("US",), "[PHONE_2]")):
        made = Made(tmp_path / countries[0], {**many, "a.md": told}, Params(countries=countries))
        assert made.texts["a.md"].startswith(f"Tel [PHONE_1] or {other}.\n")


def test_where_a_document_is_held_out_depends_on_no_mask(tmp_path: Path, many: dict[str, Any]) -> None:
    def with_mail(name: str, seed: int) -> dict[str, Any]:
        return read_of(f"{name}@company.org {prose(seed)}", private=[[0, len(name) + 12, "EMAIL"]])

    texts = {f"{n}.md": with_mail(f"ann{n}", n) for n in range(200, 230)}
    before = Made(tmp_path / "a", texts).split_of
    after = Made(tmp_path / "b", {"0.md": with_mail("zoe", 300), **texts}).split_of
    assert after.pop("0.md") and after == before


# -- examples --------------------------------------------------------------------------------------------
def test_examples_are_split_and_masked_and_bad_rows_named(tmp_path: Path, many: dict[str, Any]) -> None:
    rows = [{"line": n + 2, "text": f"Ticket {n}: {prose(n, 1, 9)}", "label": "ab"[n % 2]} for n in range(40)]
    read = examples_of(*rows, bad=[[17, "no label"]])
    read["examples"][3]["text"] = "mail ann@company.org now"
    read["private"][3][0] = [[5, 20, "EMAIL"]]
    made = Made(tmp_path, {**many, "tickets.csv": read})
    found = [row for name in SPLITS for row in made.rows(f"examples/{name}")]
    assert len(found) == 40 and all(made.rows(f"examples/{name}") for name in SPLITS)
    assert {"line": 5, "text": "mail [EMAIL_1] now", "label": "b"}.items() <= found[
        [row["line"] for row in found].index(5)
    ].items()
    assert made.rows("drops") == [{
        "path": "tickets.csv", "source": 0, "rule": "bad row", "detail": "line 17: no label",
        "hash": "", "bytes": 0}]  # fmt: skip
    assert made.summary["examples"]["files"] == [
        {"path": "tickets.csv", "source": 0, "shape": "text + label", "rows": 40, "bad_rows": 1}]  # fmt: skip
    assert made.documents["tickets.csv"]["profile"] == "examples"
    assert made.documents["tickets.csv"]["split"] == "train+valid+test"
    assert made.documents["tickets.csv"]["private"] == made.summary["private"] == {"EMAIL": 1}


def test_a_table_of_bad_rows_alone_says_so(tmp_path: Path, many: dict[str, Any]) -> None:
    made = Made(tmp_path, {**many, "t.csv": examples_of(bad=[[2, "no label"], [3, "no label"]])})
    assert made.dropped_by["t.csv"] == "bad row"


def test_equal_inputs_are_on_one_side(tmp_path: Path) -> None:
    rows = [{"line": n, "input": f"Question {n % 10}", "output": f"Answer {n}"} for n in range(60)]
    made = Made(tmp_path, {"q.jsonl": examples_of(*rows, shape="input + output")})
    sides = {(row["input"], row["split"]) for name in SPLITS for row in made.rows(f"examples/{name}")}
    assert len(sides) == 10 and {side for _, side in sides} == set(SPLITS)


# -- contamination ---------------------------------------------------------------------------------------
def test_what_train_shares_with_what_is_held_out_is_cut(tmp_path: Path, many: dict[str, Any]) -> None:
    sides = Made(tmp_path / "a", many).split_of
    test = next(path for path, name in sides.items() if name == "test")
    train = next(path for path, name in sides.items() if name == "train")
    shared = " ".join(many[test].split()[10:22])
    texts = {**many, train: f"{many[train]}\n\nAs it says: {shared.upper()}, and so on."}
    made = Made(tmp_path / "b", texts)
    assert made.split_of[test] == "test"
    if made.split_of[train] == "train":
        assert made.texts[train] == many[train]
        assert made.summary["drops"]["shared with what is held out"]["count"] == 1


def test_an_examples_answer_is_cut_from_train(tmp_path: Path, many: dict[str, Any]) -> None:
    answer = " ".join(many["notes/11.md"].split()[70:90])
    rows = [
        {"line": n, "input": f"Question {n}", "output": answer if not n else f"Answer {n}"} for n in range(9)
    ]
    made = Made(tmp_path, {**many, "q.jsonl": examples_of(*rows, shape="input + output")})
    if made.split_of["notes/11.md"] == "train":
        paragraphs = many["notes/11.md"].split("\n\n")
        assert made.texts["notes/11.md"] == "\n\n".join([paragraphs[0], *paragraphs[2:]])


# -- parts -----------------------------------------------------------------------------------------------
def test_few_documents_are_cut_into_parts_that_know_their_lines(tmp_path: Path) -> None:
    texts = {"book.txt": prose(1, 120), "letter.txt": prose(2, 3)}
    made = Made(tmp_path, texts)
    assert made.summary["split_by"] == "part"
    parts = [row for name in SPLITS for row in made.rows(name) if row["path"] != "letter.txt"]
    parts.sort(key=lambda row: int(row["path"].partition("#")[2]))
    assert [row["path"] for row in parts] == [f"book.txt#{n}" for n in range(1, len(parts) + 1)]
    assert "\n\n".join(row["text"] for row in parts) == texts["book.txt"]
    assert all(2000 <= len(row["text"]) <= 6000 for row in parts)
    lines = texts["book.txt"].split("\n")
    for row in parts:
        [[line, at]] = row["places"]
        assert line == 1 and lines[at - 1] == row["text"].split("\n")[0]
    assert made.documents["book.txt"]["split"] == "train+valid+test"
    assert list(made.documents) == ["book.txt", "letter.txt"]


def test_a_giant_among_many_is_cut_too(tmp_path: Path, many: dict[str, Any]) -> None:
    made = Made(tmp_path, {**many, "giant.txt": prose(1000, 400)})
    assert made.summary["split_by"] == "part" and made.summary["splits"]["train"]["bytes"] > 50_000
    assert set(many) <= set(made.split_of)  # short ones stay whole


def test_parts_of_a_text_without_paragraphs_do_not_repeat(tmp_path: Path) -> None:
    line = "The same line of some eighty characters or more, again and again, until the very end of it.\n"
    made = Made(tmp_path, {"a.txt": line * 400 + prose(5, 40).replace("\n\n", "\n"), "b.txt": prose(6, 40)})
    assert len(set(made.texts.values())) == len(made.texts) > 5


# -- the split -------------------------------------------------------------------------------------------
@settings(max_examples=20, deadline=None)
@given(seeds=st.sets(st.integers(0, 10**6), min_size=3, max_size=25), shuffle=st.integers(0, 99))
def test_the_split_is_a_partition_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, seeds: set[int], shuffle: int
) -> None:
    texts = {f"{seed}.txt": prose(seed) for seed in sorted(seeds)}
    texts |= {f"near {seed}.txt": near(prose(seed)) for seed in sorted(seeds)[::3]}
    first = Made(tmp_path_factory.mktemp("a"), texts)
    second = Made(tmp_path_factory.mktemp("b"), dict(reversed(texts.items())), shuffle=shuffle)
    assert first.bytes == second.bytes
    assert {*first.split_of, *first.dropped_by} == set(texts)
    if len(first.split_of) >= 3:
        assert set(first.split_of.values()) == set(SPLITS)
    for seed in sorted(seeds)[::3]:
        assert f"{seed}.txt" in first.dropped_by


def near(text: str) -> str:
    """The text with a word more in each paragraph, so that no paragraph is the same."""
    return "\n\n".join(paragraph + " more" for paragraph in text.split("\n\n"))


def test_what_is_somewhat_alike_is_on_one_side(tmp_path: Path, many: dict[str, Any]) -> None:
    """Jaccard 0.75: kept both, never one to learn from and one to be checked on."""
    texts = dict(many)
    for n in range(20):
        words = prose(500 + n, 1, 300).split()
        texts |= {f"{n}a.txt": " ".join(words[:250]), f"{n}b.txt": " ".join(words[40:290])}
    made = Made(tmp_path, texts)
    apart = [n for n in range(20) if made.split_of.get(f"{n}a.txt") != made.split_of.get(f"{n}b.txt")]
    assert len(apart) <= 8  # MinHash proposes 0.7 of the pairs of this likeness


@settings(max_examples=20, deadline=None)
@given(new=st.integers(10**6, 10**7), where=st.sampled_from(["0.txt", "zz.txt"]))
def test_an_unrelated_document_moves_no_other(
    tmp_path_factory: pytest.TempPathFactory, new: int, where: str
) -> None:
    texts = {f"notes/{n:02}.md": prose(n, 2) for n in range(40)}
    before = Made(tmp_path_factory.mktemp("a"), texts).split_of
    after = Made(tmp_path_factory.mktemp("b"), {**texts, where: prose(new)}).split_of
    assert after.pop(where) in SPLITS and after == before


# -- enough ----------------------------------------------------------------------------------------------
def enough(made: Made) -> None:
    require_enough(made.summary, made.params.min_train_chars)


def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no file to read") as caught:
        enough(Made(tmp_path, {}))
    assert caught.value.hint


def test_too_few_documents_say_what_was_found(tmp_path: Path) -> None:
    bad = {f"{n}.pdf": {"drop": {"rule": "unreadable", "detail": "x"}} for n in range(4)}
    texts: dict[str, Any] = {"a.txt": prose(1, 1), "b.txt": prose(2, 1), "c.txt": "", "d.txt": "", **bad}
    texts |= {
        "f.txt": (None, {"consent": "out", "drop": {"rule": "consent", "detail": ""}}),
        "g.txt": prose(1, 1),
    }
    with pytest.raises(RecipeError) as caught:
        enough(Made(tmp_path, texts))
    assert "10 files found, 2 distinct documents left" in caught.value.what
    assert caught.value.what.endswith("left out: unreadable (4), empty (2), consent (1)")
    assert caught.value.hint and "save them anew" in caught.value.hint


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    texts = {f"{n}.txt": prose(n, 1, 9) for n in range(5)}
    made = Made(tmp_path, texts)
    with pytest.raises(RecipeError, match=r"\d+ characters are left to learn from in 5 documents") as caught:
        enough(made)
    assert caught.value.hint == "add more documents"
    require_enough(made.summary, 100)


def test_examples_are_enough_alone_or_beside_a_few_documents(tmp_path: Path) -> None:
    rows = [{"line": n, "text": f"Ticket {n}", "label": "ab"[n % 2]} for n in range(9)]
    made = Made(tmp_path, {"a.csv": examples_of(*rows), "readme.md": prose(1, 1, 9)})
    enough(made)
    splits = made.summary["examples"]["splits"]
    assert sum(splits.values()) == 9 and min(splits.values()) >= 1 and splits["train"] >= 3


@pytest.mark.parametrize("questions", [1, 2])
def test_examples_alone_that_cannot_be_split_are_told_as_examples(tmp_path: Path, questions: int) -> None:
    rows = [{"line": n, "text": f"Ticket {n % questions}", "label": f"kind {n}"} for n in range(30)]
    made = Made(tmp_path, {"a.csv": examples_of(*rows), "readme.md": prose(1, 1, 9)})
    assert not all(made.summary["examples"]["splits"].values())
    with pytest.raises(RecipeError, match="30 examples found, and none is left for test and valid: those") as caught:
        enough(made)
    assert caught.value.hint == "add examples that ask something else; fifty are a start"


def test_an_example_of_train_that_quotes_a_held_out_document_goes(tmp_path: Path) -> None:
    texts: dict[str, Any] = {f"{n}.md": prose(n) for n in range(12)}
    held = next(path for path, part in Made(tmp_path / "first", texts).split_of.items() if part == "test")
    quote = " ".join(Made(tmp_path / "again", texts).texts[held].split()[3:33])
    rows = [{"line": n, "text": f"{quote} {n}", "label": "ab"[n % 2]} for n in range(40)]
    made = Made(tmp_path / "both", {**texts, "a.csv": examples_of(*rows)})
    assert made.rows("examples/train") == [] and made.rows("examples/test")
    dropped = [row for row in made.rows("drops") if row["path"] == "a.csv"]
    assert {row["rule"] for row in dropped} == {"shared with what is held out"} and len(dropped) > 20


def test_each_label_has_its_share_in_every_part(tmp_path: Path) -> None:
    rows = [{"line": n, "text": f"Ticket {n}", "label": "aaaaabbbcc"[n % 10]} for n in range(400)]
    made = Made(tmp_path, {"a.csv": examples_of(*rows)})
    for part, share in (("test", 0.15), ("valid", 0.08), ("train", 0.77)):
        found = Counter(row["label"] for row in made.rows(f"examples/{part}"))
        for label, count in {"a": 200, "b": 120, "c": 80}.items():
            assert abs(found[label] - share * count) <= 4 * (count * share * (1 - share)) ** 0.5, (part, label)
