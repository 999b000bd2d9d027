"""Values in their order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The value that at least this share of `values` does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, math.ceil(share * len(ranked)) - 1)]


def mid_ranks(values: Sequence[float]) -> list[float]:
    """The rank of each from 1 on; those that are equal share the mean of theirs."""
    counts = Counter(values)
    place, below = dict[float, float](), 0
    for value in sorted(counts):
        place[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [place[value] for value in values]
