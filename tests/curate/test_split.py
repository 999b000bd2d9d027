"""The whole step: what is held out, what is written, and that neither depends on order."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.curate import Params, curate, split
from netsuke.errors import RecipeError

FILES = {"train.jsonl", "valid.jsonl", "test.jsonl", "documents.jsonl", "drops.jsonl", "summary.json"}
WORDS = "river stone lantern harvest copper winter market garden letter bridge thunder silver meadow kettle".split()


def prose(seed: int, paragraphs: int = 4, words: int = 60) -> str:
    """A text of its own for each seed."""
    pick = random.Random(seed)
    return "\n\n".join(" ".join(pick.choice(WORDS) + str(pick.randrange(50)) for _ in range(words))
                       for _ in range(paragraphs))  # fmt: skip


def index_row(path: str, **more: Any) -> dict[str, Any]:
    return {
        "path": path,
        "source": 0,
        "owner": "me",
        "licence": "unknown",
        "profile": "auto",
        "reason": "Own.",
        **more,
    }


def write_files(folder: Path, texts: dict[str, str | dict[str, Any]], shuffle: int = 0) -> Path:
    """The step's input: a text, or a reader's drop, or (with "path") a row of the index, for each path."""
    folder.mkdir()
    rows = []
    for number, (path, text) in enumerate(texts.items()):
        if isinstance(text, dict) and "consent" in text:
            drop = {"rule": "consent", "detail": text["consent"]}
            rows.append(index_row(path, owner="Ann", drop=drop, reason=""))
            continue
        read = {"drop": text} if isinstance(text, dict) else {"text": text, "reader": "text", "title": ""}
        (folder / f"{number}.json").write_text(json.dumps(read))
        rows.append(index_row(path, text=f"{number}.json"))
    random.Random(shuffle).shuffle(rows)
    (folder / "index.json").write_text(json.dumps(rows))
    return folder


class Made:
    """What the step wrote."""

    def __init__(self, folder: Path, texts: Any, params: Params = Params(), shuffle: int = 0) -> None:  # noqa: B008
        self.out = folder / "out"
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
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "summary.json").read_text()))

    @property
    def split_of(self) -> dict[str, str]:
        return {row["path"]: name for name in split.SPLITS for row in self.rows(name)}

    @property
    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.out.iterdir()}


@pytest.fixture
def many() -> dict[str, str]:
    return {f"notes/{n:02}.md": prose(n) for n in range(40)}


# -- what is written -------------------------------------------------------------------------------------
def test_the_files_and_their_rows(tmp_path: Path, many: dict[str, str]) -> None:
    made = Made(tmp_path, many)
    assert set(made.bytes) == FILES
    for row in (row for name in split.SPLITS for row in made.rows(name)):
        assert set(row) == {"hash", "path", "source", "owner", "licence", "text"}
        assert (
            row["hash"] == hashlib.sha256(row["text"].encode()).hexdigest()
            and row["text"] == many[row["path"]]
        )
    documents = made.rows("documents")
    assert [row["path"] for row in documents] == sorted(many)
    assert {row["path"]: row["split"] for row in documents} == made.split_of
    assert not any("text" in row for row in documents) and made.rows("drops") == []
    splits = made.summary["splits"]
    assert made.summary["split_by"] == "document" and sum(part["documents"] for part in splits.values()) == 40
    assert splits["train"]["bytes"] == sum(len(row["text"].encode()) for row in made.rows("train"))
    assert made.measures["train text"].value == splits["train"]["bytes"]
    assert (made.measures["documents kept"].value, made.measures["documents dropped"].value) == (40, 0)


def test_every_drop_keeps_its_reason(tmp_path: Path, many: dict[str, str]) -> None:
    more = {
        "bad.pdf": {"rule": "unreadable", "detail": "no trailer", "bytes": 123},
        "copy.md": many["notes/07.md"],
        "empty.md": " \n",
        "hers.md": {"consent": "Its owner said no."},
        "notes/99.md": many["notes/03.md"].split("\n\n")[0] + "\n\n" + prose(99),
    }
    made = Made(tmp_path, {**many, **more})
    drops = {row["path"]: row for row in made.rows("drops")}
    assert {path: row["rule"] for path, row in drops.items()} == {
        "bad.pdf": "unreadable", "empty.md": "empty", "hers.md": "consent", "notes/07.md": "exact duplicate",
        "notes/99.md": "repeated paragraph"}  # fmt: skip
    assert drops["notes/07.md"]["detail"] == "of copy.md" and drops["notes/99.md"]["detail"].endswith(
        "of notes/03.md"
    )
    rows = {row["path"]: row for row in made.rows("documents")}
    assert len(rows) == 45 and {p for p, row in rows.items() if row["split"] == "dropped"} == set(drops) - {
        "notes/99.md"
    }
    assert (rows["hers.md"]["decision"], rows["hers.md"]["reason"]) == ("out", "Its owner said no.")
    assert (rows["bad.pdf"]["decision"], rows["bad.pdf"]["dropped_by"]) == ("in", "unreadable")
    assert rows["notes/99.md"]["bytes_kept"] == len(prose(99)) < rows["notes/99.md"]["bytes_in"]
    assert rows["copy.md"]["original_hash"] == rows["notes/07.md"]["original_hash"] != ""
    assert made.summary["drops"]["unreadable"] == {"count": 1, "bytes": 123, "examples": ["bad.pdf"]}
    assert made.summary["files"] == 45


def test_odd_file_names_survive(tmp_path: Path, many: dict[str, str]) -> None:
    odd = "caf\udce9\n\u2028.txt"
    made = Made(tmp_path, {**many, odd: prose(100), "odd\udcff.pdf": {"rule": "unreadable", "detail": "x"}})
    assert odd in made.split_of and [row["path"] for row in made.rows("drops")] == ["odd\udcff.pdf"]
    assert all(data.isascii() for data in made.bytes.values())


def test_params_are_explained() -> None:
    for param in fields(Params):
        assert param.metadata["help"] and "\n" not in param.metadata["help"] and "unit" in param.metadata


# -- parts -----------------------------------------------------------------------------------------------
def test_few_documents_are_cut_into_parts(tmp_path: Path) -> None:
    texts = {"book.txt": prose(1, 120), "letter.txt": prose(2, 3)}
    made = Made(tmp_path, texts)
    assert made.summary["split_by"] == "part"
    paths = list(made.split_of)
    assert "letter.txt" in paths and {f"book.txt#{n}" for n in range(1, len(paths))} == set(paths) - {
        "letter.txt"
    }
    kept = {row["path"]: row["text"] for name in split.SPLITS for row in made.rows(name)}
    parts = [kept[f"book.txt#{n}"] for n in range(1, len(paths))]
    assert "\n\n".join(parts) == texts["book.txt"] and all(2000 <= len(part) <= 6000 for part in parts)
    book = {row["path"]: row for row in made.rows("documents")}["book.txt"]
    assert (
        book["split"] == "train+valid+test"
        and book["hash"] == hashlib.sha256(texts["book.txt"].encode()).hexdigest()
    )
    assert [row["path"] for row in made.rows("documents")] == ["book.txt", "letter.txt"]


def test_a_giant_among_many_is_cut_too(tmp_path: Path, many: dict[str, str]) -> None:
    made = Made(tmp_path, {**many, "giant.txt": prose(1000, 400)})
    assert made.summary["split_by"] == "part" and made.summary["splits"]["train"]["bytes"] > 50_000
    assert set(many) <= set(made.split_of)  # short ones stay whole


def test_parts_of_a_text_without_paragraphs_do_not_repeat(tmp_path: Path) -> None:
    line = "The same line of some eighty characters or more, again and again, until the very end of it.\n"
    made = Made(tmp_path, {"a.txt": line * 400 + prose(5, 40).replace("\n\n", "\n"), "b.txt": prose(6, 40)})
    texts = [row["text"] for name in split.SPLITS for row in made.rows(name)]
    assert len(set(texts)) == len(texts) > 5


@given(st.text(alphabet="ab \n", max_size=400), st.integers(4, 50))
def test_a_cut_text_is_whole(text: str, size: int) -> None:
    pieces = list(split.cut(text, size))
    assert "".join(pieces) == text
    assert all(size // 2 <= len(piece) <= size for piece in pieces[:-1]) and len(pieces[-1]) <= 1.5 * size


# -- the split -------------------------------------------------------------------------------------------
@settings(max_examples=25, deadline=None)
@given(seeds=st.sets(st.integers(0, 10**6), min_size=3, max_size=25), shuffle=st.integers(0, 99))
def test_the_split_is_a_partition_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, seeds: set[int], shuffle: int
) -> None:
    texts = {f"{seed}.txt": prose(seed) for seed in sorted(seeds)}
    texts |= {f"near {seed}.txt": near(prose(seed)) for seed in sorted(seeds)[::3]}
    first = Made(tmp_path_factory.mktemp("a"), texts)
    second = Made(tmp_path_factory.mktemp("b"), dict(reversed(texts.items())), shuffle=shuffle)
    assert first.bytes == second.bytes
    paths = [row["path"] for name in split.SPLITS for row in first.rows(name)]
    assert sorted(paths) == sorted(texts) and set(first.split_of.values()) == set(split.SPLITS)
    for seed in sorted(seeds)[::3]:
        assert first.split_of[f"{seed}.txt"] == first.split_of[f"near {seed}.txt"]
    long = [(" ".join(paragraph.casefold().split()), name) for name in split.SPLITS for row in first.rows(name)
            for paragraph in row["text"].split("\n\n")]  # fmt: skip
    assert len({key for key, _ in long if len(key) >= 80}) == len(
        {pair for pair in long if len(pair[0]) >= 80}
    )


def near(text: str) -> str:
    """The text with a word changed in each paragraph, so that no paragraph is the same."""
    return "\n\n".join(paragraph + " more" for paragraph in text.split("\n\n"))


@settings(max_examples=25, deadline=None)
@given(new=st.integers(10**6, 10**7), where=st.sampled_from(["0.txt", "zz.txt"]))
def test_an_unrelated_document_moves_no_other(
    tmp_path_factory: pytest.TempPathFactory, new: int, where: str
) -> None:
    texts = {f"notes/{n:02}.md": prose(n, 2) for n in range(40)}
    before = Made(tmp_path_factory.mktemp("a"), texts).split_of
    after = Made(tmp_path_factory.mktemp("b"), {**texts, where: prose(new)}).split_of
    assert after.pop(where) in split.SPLITS and after == before


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=60, unique=True))
def test_lowest_is_test_and_none_is_empty(buckets: list[float]) -> None:
    splits = split.assign(buckets, 0.10, 0.08)
    ordered = [name for _, name in sorted(zip(buckets, splits, strict=True))]
    assert set(splits) == set(split.SPLITS)
    assert all(split.SPLITS.index(a) >= split.SPLITS.index(b) for a, b in pairwise(ordered))
    if min(buckets) < 0.10 and any(0.10 <= b < 0.18 for b in buckets) and max(buckets) >= 0.18:
        assert all((name == "test") == (b < 0.10) and (name == "train") == (b >= 0.10 + 0.08)
                   for b, name in zip(buckets, splits, strict=True))  # fmt: skip


def test_the_shares_are_about_right() -> None:
    buckets = [split.bucket([hashlib.sha256(b"%d" % n).hexdigest()]) for n in range(4000)]
    splits = split.assign(buckets, 0.10, 0.08)
    assert abs(splits.count("test") / 4000 - 0.10) < 0.02 and abs(splits.count("valid") / 4000 - 0.08) < 0.02


# -- near-duplicates -------------------------------------------------------------------------------------
def test_near_duplicates_are_grouped_through_each_other() -> None:
    words = prose(1, 1, 300).split()
    chain = [
        " ".join(words[n * 12 : n * 12 + 200]) for n in range(6)
    ]  # each near the next, the ends far apart
    texts = [prose(2), *chain, prose(3), chain[0].upper().replace(" ", ",  ")]
    groups = split.near_duplicates(texts)
    assert groups == [0, 1, 1, 1, 1, 1, 1, 7, 1]
    assert not split._alike(split.shingles(chain[0]), split.shingles(chain[-1]))


def test_texts_that_only_look_alike_stay_apart() -> None:
    common = prose(1, 1, 100)
    texts = [f"{common} {prose(n, 1, 100)}" for n in range(2, 30)]  # a half is shared: Jaccard about 1/3
    assert split.near_duplicates(texts) == list(range(28))


def test_chinese_is_compared_by_character() -> None:
    text = "".join(chr(0x4E00 + random.Random(n).randrange(3000)) for n in range(200))
    assert split.near_duplicates([text, text[:100] + "新" + text[100:], text[::-1]]) == [0, 0, 2]


def test_grouping_agrees_with_every_pair() -> None:
    pick = random.Random(7)
    texts = [
        " ".join(prose(pick.randrange(4), 1, 120).split()[: pick.randrange(100, 121)]) for _ in range(40)
    ]
    groups = split.near_duplicates(texts)
    sets = [split.shingles(text) for text in texts]
    for a in range(40):
        for b in range(a):
            if len(sets[a] & sets[b]) >= 0.9 * len(sets[a] | sets[b]):
                assert groups[a] == groups[b]


# -- too little ------------------------------------------------------------------------------------------
def test_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no file to read") as caught:
        Made(tmp_path, {})
    assert caught.value.hint


def test_too_few_documents_say_what_was_found(tmp_path: Path) -> None:
    bad = {f"{n}.pdf": {"rule": "unreadable", "detail": "x"} for n in range(4)}
    texts = {
        "a.txt": prose(1, 1),
        "b.txt": prose(2, 1),
        "c.txt": near(prose(2, 1)),
        "d.txt": "",
        "e.txt": "",
        **bad,
    }
    texts |= {"f.txt": {"consent": "No."}, "g.txt": prose(1, 1)}
    with pytest.raises(RecipeError) as caught:
        Made(tmp_path, texts)
    assert "11 files found, 2 distinct documents left" in caught.value.what
    assert caught.value.what.endswith("left out: unreadable (4), empty (2), consent (1)")
    assert caught.value.hint and "save them anew" in caught.value.hint
    assert not list((tmp_path / "out").iterdir())


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    texts = {f"{n}.txt": prose(n, 1, 9) for n in range(5)}
    with pytest.raises(RecipeError, match=r"\d+ characters are left to learn from in 5 documents") as caught:
        Made(tmp_path, texts)
    assert caught.value.hint == "add more documents to the sources"
    assert Made(tmp_path / "b", texts, Params(min_train_chars=100)).summary["split_by"] == "document"
