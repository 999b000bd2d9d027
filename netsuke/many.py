"""Many models at once, from one file: one table [[make]] for each person or brand."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import loop, recipe, targets
from .errors import NetsukeError, RecipeError
from .step import Progress
from .store import Store

Tell = Callable[[str, str, Progress], None]  # a model's name, its step, how far that is


@dataclass(frozen=True)
class Wanted:
    """One [[make]]: a target, and what its recipe gets besides."""

    target: str
    name: str = ""
    mb: float = 0.0
    minutes: float = 0.0
    base: str = ""
    set: dict[str, Any] = field(default_factory=dict)  # "tune.rank" = 8

    @property
    def title(self) -> str:
        return self.name or targets.model_name(Path(self.target).name)


def is_many(path: Path) -> bool:
    """Whether a file names many models."""
    there = path.suffix == ".toml" and path.is_file()
    return there and bool(re.search(r"^\s*\[\[make\]\]", path.read_text("utf-8", "replace"), re.MULTILINE))


def read(path: Path) -> tuple[Wanted, ...]:
    """The models that a file names; a relative target is beside the file. Raises RecipeError."""
    rows = recipe.tables(path, "make", Wanted)
    if not all(row.target for row in rows):
        raise RecipeError("'make.target' is empty", where=str(path), hint='name a folder: target = "./notes"')
    wanted = tuple(_placed(row, path.parent.absolute()) for row in rows)
    titles = [one.title for one in wanted]
    if twice := next((title for title in titles if titles.count(title) > 1), None):
        raise RecipeError(f"two models are called {twice!r}", where=str(path), hint="give one a `name`")
    return wanted


def _placed(wanted: Wanted, folder: Path) -> Wanted:
    """With target and base as paths, where they are paths from that folder."""

    def found(name: str) -> str:
        path = folder / targets.typed(name)
        return str(path) if name and path.exists() else name

    return dataclasses.replace(wanted, target=found(wanted.target), base=found(wanted.base))


def make_one(wanted: Wanted, store: Store, tell: Tell) -> dict[str, Any]:
    """Make one of them; its measures, or the error and its exit code."""
    row: dict[str, Any] = {"name": wanted.title, "pack": None, "measures": [], "error": None, "hint": None, "exit": 0}
    try:
        given = {key: getattr(wanted, key) or None for key in ("mb", "minutes", "base", "name")}
        settings = {key: _as_toml(value) for key, value in wanted.set.items()}
        found, path, _ = targets.find_recipe(wanted.target, store)
        chosen = targets.applied(found, path, store, given, settings)
        with recipe.written(chosen, path):
            outcome = loop.make(chosen, path, store, lambda step, progress: tell(wanted.title, step, progress))
        return row | {"pack": outcome.pack.ref, "measures": loop.report_of(store, outcome)["measures"]}
    except NetsukeError as error:
        return row | {"error": str(error), "hint": error.hint, "exit": error.exit_code}


def _as_toml(value: Any) -> str:
    import tomlkit

    return str(tomlkit.item(value).as_string())


def here(wanted: Sequence[Wanted], store: Store, tell: Tell) -> Iterator[dict[str, Any]]:
    """One after the other."""
    for one in wanted:
        yield make_one(one, store, tell)


def on_ray(wanted: Sequence[Wanted], store: Store, tell: Tell) -> Iterator[dict[str, Any]]:
    """Side by side as tasks of Ray, each with its part of the cores. All nodes must share the home folder's disk."""
    from .engines.ray import spread

    given = [(str(store.root), one) for one in wanted]
    yield from spread(__name__, task.__name__, given, lambda news: tell(*news))


def task(given: tuple[str, Wanted], tell: Callable[[Any], None]) -> dict[str, Any]:
    """What a task of Ray does."""
    home, wanted = given
    os.environ["NETSUKE_HOME"] = home
    return make_one(wanted, Store(Path(home)), lambda *news: tell(news))
