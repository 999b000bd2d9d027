"""The two dials of a make: how far each goes, and where it stands at first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import NetsukeError
from ..front import targets
from ..nouns import Recipe
from ..store import Store

USUAL = {"mb": 80.0, "minutes": Recipe.minutes}  # of a folder that has no recipe yet
_ENDS = {"mb": (40.0, 120.0, 5.0), "minutes": (1.0, 30.0, 1.0)}  # (least, most, step)


@dataclass(frozen=True)
class Dial:
    """A range of a form, as text. A browser moves a value that is off the steps, so they count from where it stands."""

    least: str
    most: str
    step: str
    value: str


def of(given: Mapping[str, str], store: Store) -> dict[str, Dial]:
    """The dials by name: as they were given, else as the recipe of the target has them, else as is usual."""
    start = {**USUAL, **_of_recipe(given.get("target", "").strip(), store)}
    return {name: _dial(_number(given.get(name, ""), start[name]), *_ENDS[name]) for name in USUAL}


def _of_recipe(target: str, store: Store) -> dict[str, float]:
    if not target:
        return {}
    try:
        wanted, _, is_new = targets.find_recipe(target, store)
    except NetsukeError:  # the estimate says what is wrong with it
        return {}
    return {} if is_new else {"mb": wanted.mb, "minutes": wanted.minutes}


def _number(text: str, other: float) -> float:
    try:
        value = float(text)
    except ValueError:
        return other
    return value if 0 <= value <= 100_000 else other


def _dial(value: float, least: float, most: float, step: float) -> Dial:
    first = min(value, least + (value - least) % step)
    return Dial(*(f"{number:.12g}" for number in (first, max(most, value), step, value)))
