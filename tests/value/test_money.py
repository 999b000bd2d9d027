"""A sum that is divided adds up; who brought nothing is paid nothing; what is no sum is said so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.errors import RecipeError
from netsuke.value import money, tables

WORTHS = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=12)


@given(st.integers(1, money.MOST_UNITS), WORTHS.filter(lambda some: max(some) > 0))
def test_it_adds_up_to_the_last_unit(units, worth):
    part = money.shares(np.array(worth))
    paid = money.payments(units, part.tolist())
    assert sum(paid) == units and min(paid) >= 0
    assert all(amount == 0 for amount, value in zip(paid, worth, strict=True) if value <= 0)
    if units < 10**12:  # beyond, a float has fewer digits than the sum
        assert all(abs(amount - share * units) <= 1.001 for amount, share in zip(paid, part, strict=True))


@given(st.integers(1, 10**9), st.floats(0.001, 1), st.integers(1, 9))
def test_equals_are_paid_the_same_to_a_unit(units, worth, count):
    paid = money.payments(units, money.shares(np.full(count, worth)).tolist())
    assert max(paid) - min(paid) <= 1 and paid == sorted(paid, reverse=True)


@given(WORTHS)
def test_shares_are_parts_of_one(worth):
    part = money.shares(np.array(worth))
    assert part.sum() == pytest.approx(1 if max(worth) > 0 else 0)
    assert (part >= 0).all() and (part[np.array(worth) <= 0] == 0).all()


def test_where_nobody_was_worth_anything_nothing_is_paid():
    with pytest.raises(RecipeError, match="nobody was worth anything"):
        money.payments(100, money.shares(np.array([-1.0, 0.0])).tolist())


@pytest.mark.parametrize(("given_", "units", "told"), [
    (("1000", "EUR"), 100_000, "1,000.00"), (("1000.5", "eur"), 100_050, "1,000.50"), (("7", "JPY"), 7, "7"),
    (("1.234", "KWD"), 1234, "1.234"), (("0.01", "USD"), 1, "0.01"), (("+5", "CHF"), 500, "5.00"),
])  # fmt: skip
def test_sums_are_read(given_, units, told):
    sum_ = money.parse(*given_)
    assert sum_.units == units and sum_.amount(units) == told


@pytest.mark.parametrize(("given_", "why"), [
    (("-5", "EUR"), "cannot be divided"), (("0", "EUR"), "cannot be divided"), (("1,000", "EUR"), "is no sum"),
    (("1e9", "EUR"), "is no sum"), (("nan", "EUR"), "is no sum"), (("1.2.3", "EUR"), "is no sum"),
    (("10", "euros"), "is no currency"), (("10", "--json"), "is no currency"), (("10", ""), "is no currency"),
    (("0.001", "EUR"), "cannot be paid"), (("1.5", "JPY"), "cannot be paid"), (("9" * 30, "EUR"), "cannot be paid"),
    (("", "EUR"), "is no sum"), (("١٠", "EUR"), "is no sum"), ((".", "EUR"), "is no sum"),
])  # fmt: skip
def test_what_is_no_sum_is_said(given_, why):
    with pytest.raises(RecipeError, match=why) as caught:
        money.parse(*given_)
    assert caught.value.hint


def test_a_sum_is_divided_with_what_chance_may_change():
    units = [{"name": name, "of": [name], "shapley": worth} for name, worth in (("a", 0.3), ("b", 0.1), ("c", -0.2))]
    drawn = np.random.default_rng(0).normal([[0.3], [0.1], [-0.2]], 0.01, (3, 500))
    split = tables.divided({"units": units, "resampled": drawn.tolist()}, money.parse("100", "EUR"))
    amounts = [row["amount"] for row in split["payments"]]
    assert amounts == ["75.00", "25.00", "0.00"] and split["sum"] == "100.00"
    low, high = (float(split["payments"][0][end]) for end in ("low", "high"))
    assert 70 < low < 75 < high < 80
    assert split["payments"][2]["high"] == "0.00"
    shown = tables.payments(split)
    assert "worth less than nothing" in shown[3] and shown[-1][1] == "100.00"
