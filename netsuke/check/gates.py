"""Verdicts: a gate fails only where its interval lies beyond the limit, and says by how much.

With an interval a worse value that chance alone may have made holds; it is said that it is over. Without one (fewer
texts than an interval needs) the value itself decides.
"""

from __future__ import annotations

from ..nouns import Gate

Interval = tuple[float, float] | None
POINTS = ("safety",)  # differences of two shares, which are no share of anything


def at_most(
    name: str, what: str, value: float, limit: float, interval: Interval, *, signed: bool = True
) -> Gate:
    """The verdict on a fraction that may be `limit` at most; `signed`: it is a change, and a sign is written."""
    low = interval[0] if interval else value
    passed = low <= limit
    sign, in_points = "+" if signed else "", name in POINTS

    def told(fraction: float, sign: str = sign) -> str:
        return f"{100 * fraction:{sign}.1f} points" if in_points else f"{fraction:{sign}.1%}"

    shown = told(value)
    if interval:
        shown += f" (95%: {told(interval[0]).removesuffix(' points')} to {told(interval[1])})"
    sentence = f"{what}: {shown}, at most {told(limit)} allowed"
    if not passed:
        sentence += f"; over by {told(low - limit, '')}" + (" at least" if interval else "")
    elif value > limit:
        sentence += f"; over by {told(value - limit, '')}, which may be chance"
    bounds = (None, None) if interval is None else (round(interval[0], 6), round(interval[1], 6))
    return Gate(name, round(value, 6), limit, passed, sentence, *bounds)


def count_at_most(name: str, what: str, value: int, limit: int) -> Gate:
    """The verdict on things that were counted, all of them."""
    sentence = f"{what}: {value:,}, at most {limit:,} allowed"
    if value > limit:
        sentence += f"; over by {value - limit:,}"
    return Gate(name, value, limit, value <= limit, sentence)


def size_at_most(size: int, limit: int) -> Gate:
    """The verdict on the bytes of the file."""
    sentence = f"{size / 1e6:.2f} MB, at most {limit / 1e6:.2f} MB allowed"
    if size > limit:
        sentence += f"; over by {(size - limit) / 1e6:.2f} MB"
    return Gate("size", size, limit, size <= limit, sentence)
