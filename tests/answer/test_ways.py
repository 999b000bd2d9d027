"""Calibration: confidence that is as high as the answers are right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.answer.ways import fitted
from netsuke.engines.asking import calibrated


def test_what_is_too_sure_is_cooled_and_what_is_true_stays():
    sure = [{"a": 0.99, "b": 0.01}] * 40
    truths = ["a"] * 24 + ["b"] * 16  # right in 60% of the cases
    assert fitted(sure, truths)[0] > 5
    honest = [{"a": 0.8, "b": 0.2}] * 50
    temperature, bits = fitted(honest, ["a"] * 40 + ["b"] * 10)
    assert temperature == pytest.approx(1, rel=0.2) and bits == pytest.approx(0.72, rel=0.05)  # the entropy of 80%


@given(st.integers(1, 6))
def test_few_right_answers_make_it_sure_of_nothing(count):
    share = {"a": 0.6, "b": 0.4}
    temperature, _ = fitted([share] * count, ["a"] * count)
    assert calibrated(share, temperature)["a"] <= (count + 0.5) / (count + 1) + 0.05
