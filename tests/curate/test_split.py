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


@given(st.integers(0, 400), st.floats(0.01, 0.5), st.floats(0.01, 0.4))
def test_every_stretch_of_a_sorted_row_has_its_share(count: int, test: float, valid: float) -> None:
    splits = split.spread(count, test, valid)
    for start in range(0, count, 37):
        stretch = splits[start:]
        assert abs(stretch.count("test") - test * len(stretch)) <= 1
        assert abs(stretch.count("valid") - valid * len(stretch)) <= 2.5
