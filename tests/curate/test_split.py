"""Cutting into parts, and which side a content hash is on."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import split
from netsuke.texts.documents import SPLITS

if TYPE_CHECKING:
    from netsuke.curate import Params


@given(st.text(alphabet="ab \n", max_size=400), st.integers(4, 50))
def test_a_cut_text_is_whole(text: str, size: int) -> None:
    pieces = list(split.cut(text, size))
    assert "".join(pieces) == text
    assert all(size // 2 <= len(piece) <= size for piece in pieces[:-1]) and len(pieces[-1]) <= 1.5 * size


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=60, unique=True))
def test_lowest_is_test_and_none_is_empty(buckets: list[float]) -> None:
    splits = split.assign(buckets, 0.10, 0.08)
    ordered = [name for _, name in sorted(zip(buckets, splits, strict=True))]
    assert set(splits) == set(SPLITS)
    assert all(SPLITS.index(a) >= SPLITS.index(b) for a, b in pairwise(ordered))
    if min(buckets) < 0.10 and any(0.10 <= b < 0.18 for b in buckets) and max(buckets) >= 0.18:
        assert all((name == "test") == (b < 0.10) and (name == "train") == (b >= 0.10 + 0.08)
                   for b, name in zip(buckets, splits, strict=True))  # fmt: skip


def test_too_few_to_hold_any_out() -> None:
    assert split.assign([0.0, 0.5], 0.5, 0.4) == ["train", "train"] and split.assign([], 0.5, 0.4) == []


def test_the_shares_are_about_right() -> None:
    buckets = [split.bucket([hashlib.sha256(b"%d" % n).hexdigest()]) for n in range(4000)]
    splits = split.assign(buckets, 0.10, 0.08)
    assert abs(splits.count("test") / 4000 - 0.10) < 0.02 and abs(splits.count("valid") / 4000 - 0.08) < 0.02


@given(st.lists(st.sampled_from("aaabbcdefg"), max_size=60), st.floats(0.01, 0.4), st.floats(0.01, 0.4))
def test_each_frequent_answer_is_in_every_part(answers: list[str], test: float, valid: float) -> None:
    keys = {str(n): answer for n, answer in enumerate(answers)}
    buckets = {key: split.bucket([hashlib.sha256(key.encode()).hexdigest()]) for key in keys}
    splits = split.spread(buckets, keys, test, valid)
    assert splits.keys() == keys.keys()
    for answer in set(answers):
        mine = {splits[key] for key in keys if keys[key] == answer}
        assert answers.count(answer) < split.FREQUENT or {"test", "valid"} <= mine
    assert len(answers) < 3 or {"test", "valid"} <= set(splits.values())


def parted(keys: dict[str, str], test: float, valid: float) -> dict[str, str]:
    buckets = {key: split.bucket([hashlib.sha256(key.encode()).hexdigest()]) for key in keys}
    return split.spread(buckets, keys, test, valid)


@given(st.lists(st.sampled_from("aab"), min_size=1, max_size=60), st.integers(1, 30))
def test_more_examples_move_none_to_test_but_what_a_fifth_one_owes(answers: list[str], more: int) -> None:
    keys = {str(n): answer for n, answer in enumerate([*answers, *"ab" * more])}
    few = dict(list(keys.items())[: len(answers)])
    before, after = parted(few, 0.2, 0.15), parted(keys, 0.15, 0.08)
    moved = [k for k in few if before[k] == "train" and after[k] != "train"]
    assert all(split.FREQUENT > answers.count(keys[k]) or len(few) < 3 for k in moved), "only what a rare label owes"


def test_a_fifth_example_moves_one_from_train_to_test() -> None:
    keys = {f"b{n}": "b" for n in range(40)} | {f"a{n}": "a" for n in range(5)}
    four = {key: answer for key, answer in keys.items() if key != "a4"}
    before, after = parted(four, 0.01, 0.01), parted(keys, 0.01, 0.01)
    assert [before[k] for k in four if four[k] == "a"] == ["train"] * 4
    assert sum(after[k] == "test" for k in keys if keys[k] == "a") == 1
    assert sum(before[k] == "train" and after[k] == "test" for k in four) == 1


def test_inputs_of_the_same_words_are_on_one_side() -> None:
    params = cast("Params", SimpleNamespace(test=0.15, valid=0.08))
    spelt = ("Printer {} is on fire", "printer {} is on fire.", "Printer {} is on fire!", "Printer {}  is on fire ?")
    rows = [{"text": form.format(n), "label": "it"} for n in range(60) for form in spelt]
    splits = [row["split"] for row in split.split_examples(rows, params)]
    assert set(splits) == set(SPLITS)
    assert all(len(set(splits[at : at + 4])) == 1 for at in range(0, len(splits), 4))


@pytest.mark.parametrize("marks", ["", "?", "?!", ":)", ":("])
def test_an_input_without_words_is_its_own(marks: str) -> None:
    rows = [{"text": text, "label": "it"} for text in (marks, marks + "…", "word")]
    assert len({split.input_key(row) for row in rows}) == 3


def test_the_shares_fall_by_no_jump() -> None:
    params = cast("Params", SimpleNamespace(test=0.15, valid=0.08))
    shares = [split.held_out(examples, params) for examples in range(500)]
    assert shares[0] == shares[200] == (0.2, 0.15) and shares[375] == shares[499] == (0.15, 0.08)
    falls = [(a[0] - b[0], a[1] - b[1]) for a, b in pairwise(shares)]
    assert all(0 <= fall <= 0.2 / 200 for both in falls for fall in both), "one example is less than one moved"
    assert shares[250] == pytest.approx((40 / 250, 30 / 250)), "as many as of 200"
