"""Sentences of a text by place, and how sure a model is of each: what `check` calibrates and whoever shows it needs."""

from __future__ import annotations

import bisect
import re
from collections.abc import Sequence

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=\S)|\n\s*\n|\n(?=[-*#|>])")
FEWEST_TOKENS = 4  # a sentence with fewer says little of how sure the model is


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, in order; together they are the whole text."""
    cuts = [0, *(found.end() for found in _END.finditer(text)), len(text)]
    return [(start, end) for start, end in zip(cuts, cuts[1:], strict=False) if start < end]


def shares(sure: Sequence[float], starts: Sequence[int], text: str) -> list[tuple[int, int, float]]:
    """(first token, token behind the last, mean probability) of each sentence with enough tokens.

    `sure`: the probability of the likeliest token at each place; `starts`: the character where each token begins.
    """
    found = []
    for start, end in spans(text):
        first, last = bisect.bisect_left(starts, start), bisect.bisect_left(starts, end)
        if last - first >= FEWEST_TOKENS:
            found.append((first, last, float(sum(sure[first:last]) / (last - first))))
    return found


def confidence(mean: float, curve: Sequence[tuple[float, float]]) -> float:
    """The calibrated confidence at a mean probability: straight lines between the points of `curve`."""
    xs = [x for x, _ in curve]
    at = bisect.bisect_left(xs, mean)
    if at == 0 or at == len(curve):
        return curve[min(at, len(curve) - 1)][1]
    (left, low), (right, high) = curve[at - 1], curve[at]
    return low + (high - low) * (mean - left) / (right - left)
