"""A model that is served, as Watch sees it; and training it again: when that is due, and with which corrections.

    watched/NAME/trained.json     when it was last trained again, and which corrections that had: they are new no more
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import sqlite3
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import watch
from ..consent import corrections
from ..consent.corrections import Correction
from ..disk import write_whole
from ..errors import RecipeError, StoreError, explained
from ..nouns import Recipe
from ..render import task
from ..search.familiar import Familiar
from ..serve import events, usage
from ..serve.events import Thumb
from ..store import Store
from ..texts.documents import read_rows
from ..traffic import Numbers, by_day, numbers

HOUR, DAY = 3600.0, 86_400.0
FEWEST_THUMBS = 10  # before their share says anything
PIECES = 200  # of the documents, that prompts are held against
DAYS_SHOWN = 30
GOING_ON = "going on"  # ghost text here, and what other editors ask of /infill
SUGGESTED = {"rewrite": "rewriting", "marks": "marks"}  # by what a route ends in


@dataclass(frozen=True)
class State:
    """A named model as it is watched at a moment."""

    name: str
    store: Store
    record: dict[str, Any]  # of its name
    now: float
    trained: dict[str, Any]  # {"time", "corrections"}; empty where it never was

    @cached_property
    def since(self) -> float:
        """When it was last made, or tried to be trained again."""
        return corrections.since(self.store, self.name)

    # -- what was asked --------------------------------------------------------------------------------------
    @cached_property
    def _over(self) -> dict[str, Numbers]:
        """The days that are over."""
        return events.days(self.store.root, self.name, usage.day(self.now - (DAYS_SHOWN - 1) * DAY))

    @cached_property
    def requests(self) -> list[events.Event]:
        """Those of the last day, and since the last day that has a row."""
        first = self.now - self.now % DAY - (DAYS_SHOWN - 1) * DAY
        if self._over:
            first = datetime.fromisoformat(max(self._over)).replace(tzinfo=UTC).timestamp() + DAY
        return events.requests(self.store.root, self.name, min(first, self.now - DAY))

    def last(self, seconds: float) -> Numbers:
        """The requests of the last so many seconds, of a day at most."""
        return numbers(one for one in self.requests if one.time >= self.now - seconds)

    @cached_property
    def days(self) -> list[tuple[str, Numbers]]:
        """Each of the last days with requests, oldest first."""
        return by_day(self.requests, self._over, usage.day)

    @cached_property
    def suggestions(self) -> list[tuple[str, Numbers, Numbers]]:
        """(what it is, of the last hour, of the last day) of each kind that an editor asked for by itself."""
        found: dict[str, list[events.Event]] = {what: [] for what in (GOING_ON, *SUGGESTED.values())}
        for one in events.suggestions(self.store.root, self.name, self.now - DAY):
            found[SUGGESTED.get(one.route.rpartition("/")[2], GOING_ON)].append(one)
        hour = self.now - HOUR
        return [(what, numbers(one for one in some if one.time >= hour), numbers(some))
                for what, some in found.items() if some]  # fmt: skip

    @cached_property
    def drift(self) -> watch.Drift:
        return watch.drift([share for share, _ in events.prompts(self.store.root, self.name, self.since)])

    @property
    def has_documents(self) -> bool:
        """Whether its pack holds the documents that prompts are held against."""
        return "search.db" in self.store.tree(self.record["ref"])

    def unlike(self) -> watch.Unlike | None:
        """The last prompts since it was made against pieces of its documents; None where there are none.

        Takes a second. Prompts of before met other documents.
        """
        asked = events.prompts(self.store.root, self.name, self.since, PIECES)
        if not asked or not self.has_documents:
            return None
        with contextlib.suppress(sqlite3.Error, ValueError):
            words = Familiar(self.store.path(self.store.tree(self.record["ref"])["search.db"]))
            with contextlib.closing(words):
                lengths = [asked[n % len(asked)][1] for n in range(PIECES)]
                return watch.unlike([share for share, _ in asked], words.pieces(lengths))
        return None

    # -- what was found of it ----------------------------------------------------------------------------------
    @cached_property
    def thumbs(self) -> list[Thumb]:
        """Since it was last made or trained."""
        return events.thumbs(self.store.root, self.name, self.since)

    @property
    def up(self) -> int:
        return len(self.thumbs) - self.down

    @property
    def down(self) -> int:
        return sum(one.thumb == "down" for one in self.thumbs)

    @cached_property
    def corrections(self) -> list[Correction]:
        return corrections.every(self.store.root, self.name)

    @property
    def new(self) -> list[Correction]:
        """Those that no training has had yet, nor the make that its pack is of."""
        had = set(self.trained.get("corrections", ()))
        return [one for one in self.corrections if one.id not in had and one.id not in self._read]

    @cached_property
    def _read(self) -> set[str]:
        """The files that its pack was made of, by hash: a plain make reads the corrections that its recipe names."""
        from ..pack import manifest

        with contextlib.suppress(StoreError):
            data = manifest.read_from(self.store, self.record["ref"])["lineage"].get("data", {}).get("output", "")
            if data and self.store.has(data):
                rows = read_rows(self.store.path(self.store.tree(data)["documents.jsonl"]))
                return {row.get("file", "") for row in rows}
        return set()

    # -- training again ----------------------------------------------------------------------------------------
    @cached_property
    def rule(self) -> str:
        return rule_of(Path(self.record["recipe"]))

    @cached_property
    def fixed(self) -> RecipeError | None:
        """Why its recipe takes no rule, where that is so."""
        from . import targets

        try:
            targets.recipe_file(self.name, self.record)
        except RecipeError as error:
            return error
        return None

    def value(self, name: str) -> float | None:
        """What a name of a rule stands for just now; None where it is not known yet."""
        if name == "corrections":
            return float(len(self.new))
        if name == "down_share":
            return self.down / len(self.thumbs) if len(self.thumbs) >= FEWEST_THUMBS else None
        return self.drift.p if name == "drift_p" else (self.now - self.since) / DAY

    def reasons(self) -> list[str]:
        """Why it is due to be trained again; none where it is not. Raises RecipeError for a rule that is none."""
        rule = watch.parsed(self.rule)
        return rule.reasons({name: self.value(name) for name in rule.names})

    def judged(self) -> tuple[list[str], RecipeError | None]:
        """The reasons, and what is wrong with a rule that is none: whoever looks sees the figures all the same."""
        try:
            return self.reasons(), None
        except RecipeError as error:
            return [], error


def state(name: str, store: Store, now: float | None = None) -> State:
    """A model as it is watched. Raises StoreError that lists those that are here."""
    from . import targets

    record = targets.named_pack(name, store)
    if record is None:
        raise targets.no_model(name, store)
    return State(name, store, record, time.time() if now is None else now, corrections.trained(store.root, name))


def rule_of(recipe_path: Path) -> str:
    """retrain_when of a recipe; "" where there is none, or no recipe any more. Loads nothing that makes a model."""
    try:
        found = tomllib.loads(recipe_path.read_text("utf-8-sig")).get("watch", {}).get("retrain_when", "")
        return found if isinstance(found, str) else ""
    except (OSError, ValueError, AttributeError, RecursionError):
        return ""


def set_rule(name: str, store: Store, rule: str) -> None:
    """Writes retrain_when into the recipe of a model, all else in it as it is; "" says never.

    Raises RecipeError for a rule that is none, and where the model has no recipe that could have one; StoreError.
    """
    from .. import loop, recipe
    from . import targets

    place = targets.recipe_file(name, state(name, store).record)
    recipe.change(place, "watch", "retrain_when", " ".join(rule.split()), loop.SECTIONS)


# -- training again ------------------------------------------------------------------------------------------
def with_corrections(recipe: Recipe, store: Store) -> Recipe:
    """The recipe with each owner's corrections of this model as a source; those that are gone are no source any more.

    They stay out while there are too few of them to be a task of their own and the pack has none.
    """
    ours = corrections.sources(store.root, recipe.name)
    if not _is_task(recipe.name, store) and len(corrections.every(store.root, recipe.name)) < task.FEWEST:
        ours = ()
    others = [one for one in recipe.sources if not corrections.is_of(recipe.name, one)]
    return dataclasses.replace(recipe, sources=(*others, *ours))


def _is_task(name: str, store: Store) -> bool:
    record = store.named("packs", name)
    return bool(record and store.has(record["ref"]) and "task.json" in store.tree(record["ref"]))


@contextlib.contextmanager
def alone(name: str, store: Store) -> Iterator[None]:
    """Nobody else trains this model again inside the block. Raises RecipeError where somebody does."""
    with (store.root / "locks" / f"watch-{name}").open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecipeError(f"{name} is being trained again already", hint="wait until it ends") from None
        yield


def mark(name: str, store: Store, had: Sequence[Correction] | None = None) -> None:
    """Notes that a training begins, with the corrections that are there now: it is not due again until more came."""
    found = corrections.every(store.root, name) if had is None else had
    place = corrections.room(store.root, name) / "trained.json"
    with explained("note the training", place.parent):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"time": time.time(), "corrections": [one.id for one in found]}
        write_whole(place, json.dumps(told).encode())


def due(store: Store) -> list[tuple[str, list[str]]]:
    """(name, why) of the models that are due to be trained again by their own rules; one that is wrong says never."""
    found = []
    for name in store.names("packs"):
        record = store.named("packs", name)
        if record and rule_of(Path(record["recipe"])):
            with contextlib.suppress(RecipeError):
                if why := state(name, store).reasons():
                    found.append((name, why))
    return found
