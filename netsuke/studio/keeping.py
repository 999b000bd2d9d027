"""Keeping what a rule left out: its path under `[curate] keep` of the recipe, which counts at the next make."""

from __future__ import annotations

import glob
import re
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from . import shelf

FAMILIES = ("gopher", "fineweb", "c4")
RULES = ("notice", "empty", "one long line", "language")  # besides those of the families
CUT = ("boilerplate", "repeated paragraph", "shared with what is held out")  # they take passages out, not files
_RULE_LIKE = re.compile(r"[a-z0-9: -]+")
_COPY = "What it says stands in another document too, so it would be learnt twice, or learnt and checked by."
_TABLE = "A table is mended in its file: no rule took it out."
NOT_HERE = {
    "consent": "That is a matter of rights, which no rule of a recipe sets aside: netsuke consent.",
    "exact duplicate": _COPY, "near duplicate": _COPY, "its parts repeat others": _COPY, **dict.fromkeys(CUT, _COPY),
    "private things": 'Its source says private = "drop"; with "mask" it is learnt from, under placeholders.',
    "bad row": _TABLE, "no such columns": _TABLE,
    "too large": "It was not read: curate.max_mb in the recipe lets larger files in.",
}  # fmt: skip
UNREAD = "It was not read, so there is no text that could be kept."
_writing = threading.Lock()  # a list is read, changed and written, and two buttons may be pressed at once


def entry(path: str) -> str:
    """The glob that means this path alone, and is the name of no rule."""
    return f"[{path[0]}]{path[1:]}" if _RULE_LIKE.fullmatch(path) else glob.escape(path)


def refusal(row: Mapping[str, Any], why: str, rules: Collection[str], detail: str) -> str:
    """Why a row of documents.jsonl that was left out cannot be kept; "" where it can.

    `rules`: all that took something out of this file.
    """
    if row["decision"] == "out":
        return NOT_HERE["consent"]
    if why not in RULES and not why.startswith(FAMILIES):
        return NOT_HERE.get(why, UNREAD)
    if why == "empty" and (cut := next((rule for rule in CUT if rule in rules), "")):
        return NOT_HERE[cut]
    return "There is no text in it." if why == "empty" and detail.startswith("0 ") else ""


def recipe_of(model: shelf.Model) -> Path:
    """Where its recipe lies. Raises RecipeError where it has none."""
    from ..front import targets

    return targets.recipe_file(model.name, model.record)


def write(model: shelf.Model, path: str, kept: bool) -> None:
    """Put a path into the list, or take it out again; all else in the recipe stays as it is. Raises RecipeError."""
    from .. import loop, recipe

    place, one = recipe_of(model), entry(path)
    with _writing:
        now = recipe.load(place, loop.SECTIONS).params["curate"].keep
        if (one in now) != kept:
            wanted = [*now, one] if kept else [other for other in now if other != one]
            recipe.change(place, "curate", "keep", wanted, loop.SECTIONS)
