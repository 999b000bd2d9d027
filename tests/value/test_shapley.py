"""Shapley values: the axioms on random games, beside the definition by all orders."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.value import shapley

WORTHS = st.floats(-100, 100, allow_nan=False, width=32)


@st.composite
def games(draw, least=1, most=5):
    """(players, worth of each coalition); of nobody 0."""
    players = draw(st.integers(least, most))
    worth = dict(enumerate(draw(st.lists(WORTHS, min_size=1 << players, max_size=1 << players))))
    return players, {**worth, 0: 0.0}


def by_orders(players, worth):
    """The definition: the mean over all orders of what each brings when it comes."""
    total = np.zeros(players)
    for order in itertools.permutations(range(players)):
        mask = 0
        for player in order:
            total[player] += worth[mask | 1 << player] - worth[mask]
            mask |= 1 << player
    return total / math.factorial(players)


@given(games())
def test_it_is_the_mean_over_all_orders(game):
    players, worth = game
    assert shapley.exact(players, worth) == pytest.approx(by_orders(players, worth), abs=1e-9)


@given(games(most=7))
@settings(max_examples=30)
def test_efficiency_all_values_add_up_to_the_worth_of_all(game):
    players, worth = game
    assert shapley.exact(players, worth).sum() == pytest.approx(worth[shapley.whole(players)], abs=1e-9)


def swapped(mask, one, other):
    """A coalition with two players in each other's place."""
    a, b = mask >> one & 1, mask >> other & 1
    return mask & ~(1 << one | 1 << other) | b << one | a << other


@given(games(least=2), st.data())
def test_symmetry_who_brings_the_same_is_worth_the_same(game, data):
    players, worth = game
    one, other = data.draw(st.lists(st.integers(0, players - 1), min_size=2, max_size=2, unique=True))
    even = {mask: (worth[mask] + worth[swapped(mask, one, other)]) / 2 for mask in worth}
    values = shapley.exact(players, even)
    assert values[one] == pytest.approx(values[other], abs=1e-9)


@given(games(most=4), st.integers(0, 4))
def test_dummy_who_brings_nothing_is_worth_nothing(game, at):
    players, worth = game
    at = min(at, players)

    def rest(mask):
        return mask & ((1 << at) - 1) | mask >> at + 1 << at

    more = {mask: worth[rest(mask)] for mask in range(2 << players)}
    values = shapley.exact(players + 1, more)
    assert values[at] == pytest.approx(0, abs=1e-9)
    assert np.delete(values, at) == pytest.approx(shapley.exact(players, worth), abs=1e-9)
    assert shapley.without(players + 1, more)[at] == 0


@given(games(most=4), st.data())
def test_additivity_of_two_games_the_values_add_up(game, data):
    players, one = game
    other = {mask: data.draw(WORTHS) if mask else 0.0 for mask in one}
    both = {mask: one[mask] + other[mask] for mask in one}
    parts = shapley.exact(players, one) + shapley.exact(players, other)
    assert shapley.exact(players, both) == pytest.approx(parts, abs=1e-9)


@given(games(most=4), st.floats(-5, 5))
def test_a_worth_may_be_an_array(game, factor):
    players, worth = game
    many = {mask: np.array([value, factor * value]) for mask, value in worth.items()}
    values = shapley.exact(players, many)
    assert values[:, 0] == pytest.approx(shapley.exact(players, worth), abs=1e-9)
    assert values[:, 1] == pytest.approx(factor * values[:, 0], abs=1e-7)


@given(games(least=2), st.integers(0, 9))
@settings(max_examples=30)
def test_samples_add_up_too_and_every_order_gives_the_exact_values(game, seed):
    players, worth = game
    values, errors = shapley.sampled(players, worth, shapley.drawn(players, 8, seed))
    assert values.sum() == pytest.approx(worth[shapley.whole(players)], abs=1e-9)
    assert (errors >= 0).all()
    orders = [order for order in itertools.permutations(range(players)) if order[0] < order[-1]]
    pairs = [one for order in orders for one in (order, order[::-1])]
    if len(pairs) > 2:
        assert shapley.sampled(players, worth, pairs)[0] == pytest.approx(shapley.exact(players, worth), abs=1e-9)


def test_samples_come_near_the_exact_values_within_their_error():
    random = np.random.default_rng(3)
    players = 9
    single = random.normal(1, 0.5, players)
    every = range(1 << players)
    worth = {mask: math.sqrt(sum(single[p] ** 2 for p in range(players) if mask >> p & 1)) for mask in every}
    orders = shapley.drawn(players, 200, 1)
    values, errors = shapley.sampled(players, worth, orders)
    assert (np.abs(values - shapley.exact(players, worth)) <= 4 * errors + 1e-9).all()
    assert set(shapley.coalitions(players, orders)) < set(shapley.coalitions(players))


def test_orders_are_drawn_in_pairs_the_same_each_time_and_within_the_coalitions_there_may_be():
    orders = shapley.drawn(12, 256, 5)
    assert orders == shapley.drawn(12, 256, 5) != shapley.drawn(12, 256, 6)
    assert all(one == other[::-1] for one, other in zip(orders[::2], orders[1::2], strict=True))
    met = shapley.coalitions(12, orders)
    assert 200 < len(met) <= 256
    assert {0, 4095, *(4095 ^ 1 << player for player in range(12))} <= {*met}
    assert len(shapley.drawn(20, 10, 0)) == 4  # two pairs at least
