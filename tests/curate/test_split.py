"""Cutting into parts, and which side a content hash is on."""

from __future__ import annotations

import hashlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netsuke.curate import split


@given(st.text(alphabet="ab \n", max_size=400), st.integers(4, 50))
def test_a_cut_text_is_whole(text: str, size: int) -> None:
    pieces = list(split.cut(text, size))
    assert "".join(pieces) == text
    assert all(size // 2 <= len(piece) <= size for piece in pieces[:-1]) and len(pieces[-1]) <= 1.5 * size


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=60, unique=True))
def test_lowest_is_test_and_none_is_empty(buckets: list[float]) -> None:
    splits = split.assign(buckets, 0.10, 0.08)
    ordered = [name for _, name in sorted(zip(buckets, splits, strict=True))]
    assert set(splits) == set(split.SPLITS)
    assert all(split.SPLITS.index(a) >= split.SPLITS.index(b) for a, b in pairwise(ordered))
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


@given(st.lists(st.sampled_from("aab"), min_size=1, max_size=60), st.integers(1, 30))
def test_more_examples_move_none_from_train_to_test(answers: list[str], more: int) -> None:
    keys = {str(n): answer for n, answer in enumerate([*answers, *"ab" * more])}
    buckets = {key: split.bucket([hashlib.sha256(key.encode()).hexdigest()]) for key in keys}
    few = list(keys)[: len(answers)]
    before = split.spread({k: buckets[k] for k in few}, {k: keys[k] for k in few}, 0.2, 0.15)
    after = split.spread(buckets, keys, 0.15, 0.08)
    moved = [k for k in few if before[k] == "train" and after[k] != "train"]
    assert all(split.FREQUENT > answers.count(keys[k]) or len(few) < 3 for k in moved), "only what a rare label owes"
