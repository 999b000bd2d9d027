"""Many models at once, from one file: one table [[make]] for each person or brand."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import bases, loop, recipe
from ..errors import NetsukeError, RecipeError
from ..nouns import Recipe
from ..outcome import report_of
from ..step import Progress
from ..store import Store
from . import foretold, targets

_HEADER = re.compile(r"^\s*\[\[\s*[\"']?make[\"']?\s*\]\]", re.MULTILINE)
Tell = Callable[[str, str, Progress], None]  # a model's name, its step, how far that is


def _dial(key: str) -> float:
    """A field for one of the two dials, in its range; NaN, the recipe's own, where a row says nothing of it."""
    least, most = recipe.RANGES[key]
    made: float = field(default=math.nan, metadata={"least": least, "most": most})
    return made


@dataclass(frozen=True)
class Wanted:
    """One [[make]]: a target, and what its recipe gets besides."""

    target: str
    name: str = ""
    mb: float = _dial("mb")
    minutes: float = _dial("minutes")
    base: str = ""
    set: dict[str, Any] = field(default_factory=dict)  # "tune.rank" = 8


def is_many(path: Path) -> bool:
    """Whether a file names many models."""
    there = path.suffix == ".toml" and path.is_file()
    return there and bool(_HEADER.search(path.read_text("utf-8-sig", "replace")))


def read(path: Path, store: Store) -> tuple[Wanted, ...]:
    """The models that a file names; a relative target is beside the file. Raises RecipeError."""
    rows = recipe.tables(path, "make", Wanted)
    if not all(row.target for row in rows):
        raise RecipeError("'make.target' is empty", where=str(path), hint='name a folder: target = "./notes"')
    wanted = tuple(_placed(row, path.parent.absolute(), store) for row in rows)
    if twice := _twice([one.name for one in wanted]):
        raise RecipeError(f"two models are called {twice!r}", where=str(path), hint="give one a `name`")
    if twice := _twice([place for one in wanted if (place := _new_recipe(one, store))]):
        told = f"two models are to be made of {Path(twice).parent}, which has no recipe yet"
        hint = "make one of them by itself first: then each has a recipe of its own there"
        raise RecipeError(told, where=str(path), hint=hint)
    return wanted


def _twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)


def _new_recipe(wanted: Wanted, store: Store) -> str:
    """Where its recipe will lie; "" where it has one."""
    try:
        _, place, is_new = targets.find_recipe(wanted.target, store)
    except NetsukeError:  # told when it is made
        return ""
    return str(place) if is_new else ""


def _placed(wanted: Wanted, folder: Path, store: Store) -> Wanted:
    """With target and base as paths, where they are paths from that folder, and with the name that it will have."""

    def found(name: str) -> str:
        path = folder / targets.typed(name)
        return str(path) if name and path.exists() else name

    target = found(wanted.target)
    try:
        own = targets.find_recipe(target, store)[0].name
    except NetsukeError:  # told when it is made
        own = targets.model_name(Path(target).name)
    return dataclasses.replace(wanted, target=target, base=found(wanted.base), name=wanted.name or own)


def _chosen(wanted: Wanted, store: Store) -> tuple[Recipe, Path]:
    """(the recipe that one of them is made by, where it will lie). Raises NetsukeError."""
    given: dict[str, Any] = {"base": wanted.base or None, "name": wanted.name or None}
    given |= {dial: value for dial in ("mb", "minutes") if not math.isnan(value := getattr(wanted, dial))}
    settings = {key: _as_toml(value) for key, value in wanted.set.items()}
    found, path, _ = targets.find_recipe(wanted.target, store, wanted.name)
    return targets.applied(found, path, store, given, settings), path


def accept(wanted: Sequence[Wanted], store: Store) -> None:
    """Take the chat template of each one's base, a known one or not."""
    for one in wanted:
        with contextlib.suppress(NetsukeError):  # told when it is made
            chosen, path = _chosen(one, store)
            bases.accept(chosen, store, path.parent)


def make_one(wanted: Wanted, store: Store, tell: Tell) -> dict[str, Any]:
    """Make one of them; its measures, or the error and its exit code."""
    row = _row(wanted)
    try:
        chosen, path = _chosen(wanted, store)
        bases.resolve(chosen, store, path.parent)  # before the recipe is written: it would keep one that is none
        watch = functools.partial(tell, wanted.name)
        with recipe.written(chosen, path):
            begun = foretold.begun(chosen, path, store, watch)
            outcome = loop.make(chosen, path, store, watch, pace=begun.pace)
        return row | {"pack": outcome.pack.ref, "measures": report_of(store, outcome)["measures"]}
    except NetsukeError as error:
        return row | {"error": str(error), "hint": error.hint, "exit": error.exit_code}
    except Exception as error:  # whatever it is, the others are made
        return failed(wanted, f"{type(error).__name__}: {error}")


def _row(wanted: Wanted) -> dict[str, Any]:
    return {"name": wanted.name, "pack": None, "measures": [], "error": None, "hint": None, "exit": 0}


def failed(wanted: Wanted, why: str) -> dict[str, Any]:
    """The row of one that ended in an error which nobody foresaw."""
    hint = f"netsuke --debug make {shlex.quote(wanted.target)} shows where"
    return _row(wanted) | {"error": why, "hint": hint, "exit": 1}


def _as_toml(value: Any) -> str:
    import tomlkit

    return str(tomlkit.item(value).as_string())


def here(wanted: Sequence[Wanted], store: Store, tell: Tell) -> Iterator[dict[str, Any]]:
    """One after the other."""
    for one in wanted:
        yield make_one(one, store, tell)


def on_ray(wanted: Sequence[Wanted], store: Store, tell: Tell) -> Iterator[dict[str, Any]]:
    """Side by side as tasks of Ray, each with its part of the cores. All nodes must share the home folder's disk."""
    from ..engines.ray import spread

    given = [(str(store.root), one) for one in wanted]
    yield from spread(__name__, task.__name__, given, lambda news: tell(*news), lambda one, why: failed(one[1], why))


def task(given: tuple[str, Wanted], tell: Callable[[Any], None]) -> dict[str, Any]:
    """What a task of Ray does."""
    home, wanted = given
    os.environ["NETSUKE_HOME"] = home
    return make_one(wanted, Store(Path(home)), lambda *news: tell(news))
