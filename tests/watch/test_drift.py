"""Drift: under its null it says so no more often than it says, a shift is found, before enough it says nothing."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.texts.ranked import mid_ranks
from netsuke.watch import BLOCK, drift, unlike
from netsuke.watch.drift import rank_p

SOME = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=4)


@given(SOME, SOME)
def test_p_is_that_of_all_relabellings(some, others):
    """Enumerated; the drawn one differs by what drawing does: five standard errors."""
    every = [*some, *others]
    ranks = [sum(other < one for other in every) + (1 + every.count(one)) / 2 for one in every]
    assert mid_ranks(every) == pytest.approx(ranks)
    found = sum(ranks[: len(some)])
    ways = [sum(pick) for pick in itertools.combinations(ranks, len(some))]
    exact = sum(way <= found + 1e-9 for way in ways) / len(ways)
    drawn = rank_p(tuple(some), tuple(others), 2000)
    assert abs(drawn - exact) <= 5 * (exact * (1 - exact) / 2000) ** 0.5 + 1 / 2000


@given(SOME)
def test_alike_is_no_drift(some):
    assert rank_p(tuple(some), tuple(some), 200) > 0.2 and rank_p((1.0,) * 9, (1.0,) * 9, 200) == 1.0


def shares(draw, count, low=0.0):
    """Shares with ties, as those of short prompts have."""
    return [round(min(1.0, max(0.0, draw.gauss(0.7 - low, 0.2))), 1) for _ in range(count)]


def test_under_the_null_it_rejects_as_often_as_it_says():
    draw = random.Random(1)
    found = [rank_p(tuple(shares(draw, 20)), tuple(shares(draw, 20)), 199) for _ in range(600)]
    for level in (0.05, 0.1, 0.25, 0.5):  # four standard errors of 600 draws
        rejected = sum(p <= level for p in found) / len(found)
        assert abs(rejected - level) <= 4 * (level * (1 - level) / len(found)) ** 0.5, level


def test_a_shift_is_found_and_only_downwards():
    draw = random.Random(2)
    before, after = shares(draw, BLOCK), shares(draw, BLOCK, low=0.2)
    assert drift([*before, *after]).p < 0.01
    assert drift([*after, *before]).p > 0.9
    found = drift([*before, *after])
    assert found.last < found.first and found.missing == 0


@pytest.mark.parametrize("count", [0, 1, BLOCK, 2 * BLOCK - 1])
def test_before_enough_it_says_how_many_are_missing(count):
    found = drift([0.5] * count)
    assert found.p is None and found.missing == 2 * BLOCK - count


def test_only_whole_blocks_are_looked_at():
    draw = random.Random(3)
    whole = shares(draw, 3 * BLOCK)
    looks = {drift([*whole, *shares(draw, extra)]).p for extra in range(0, BLOCK, 7)}
    assert len(looks) == 1
    assert drift(whole).p == rank_p(tuple(whole[2 * BLOCK :]), tuple(whole[:BLOCK]))


@given(st.lists(st.integers(0, 4).map(float), min_size=1, max_size=8),
       st.lists(st.integers(0, 4).map(float), min_size=1, max_size=8))  # fmt: skip
def test_how_often_a_prompt_is_less_known_is_counted_by_pairs(prompts, pieces):
    pairs = [(a, b) for a in prompts for b in pieces]
    counted = sum((a < b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert unlike(prompts, pieces).less == pytest.approx(counted)


def test_without_prompts_or_documents_there_is_nothing_to_compare():
    assert unlike([], [0.5]) is None and unlike([0.5], []) is None
