"""A withdrawal from its first stage to its last; each stage may be run again, so that a kill is only a pause.

    set aside   the names of the packs that rest on it, under a lock that no make shares, and then the ledger's row
    rebuild     each pack, by its own recipe and lock, from sources in which the forgotten is not there
    delete      what rests on it in the home
    receipt     signed; then the journal goes
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import loop, recipe
from ..consent.ledger import Ledger
from ..errors import ConsentError, StoreError
from ..front import combining
from ..outcome import Outcome
from ..reachability import downstream
from ..step import Progress, Watch
from ..store import Store
from . import journal as journals
from . import pending, receipt
from .erase import erase
from .journal import Affected, Journal
from .rests import Rests, rests
from .scope import Wanted


@dataclass
class Work:
    """A withdrawal that is worked on."""

    journal: Journal
    store: Store
    watch: Watch
    started: float = field(default_factory=time.monotonic)

    @property
    def wanted(self) -> Wanted:
        return Wanted.of(tuple(self.journal.targets), self.store)

    @property
    def found(self) -> Rests:
        """What rests on it now."""
        return rests(self.wanted, self.store, self.journal.stays)

    def save(self) -> None:
        self.journal.save(self.store.root)


def forget(journal: Journal, store: Store, watch: Watch) -> dict[str, Any]:
    """Forget: what the receipt says. Raises NetsukeError, and is then pending: `finish` goes on."""
    with _alone("forget", store, watch, "another netsuke is at it: waiting"):
        journal.save(store.root)
        return _through(journal, store, watch)


def finish(store: Store, watch: Watch) -> list[dict[str, Any]]:
    """Finish what is pending: what the receipts say."""
    with _alone("forget", store, watch, "another netsuke is at it: waiting"):
        return [_through(journals.read(store.root, made), store, watch) for made in pending(store.root)]


def _alone(lock: str, store: Store, watch: Watch, note: str) -> AbstractContextManager[None]:
    return store.lock(lock, wait_note=lambda: watch("forget", Progress(0.0, note)))


def _through(journal: Journal, store: Store, watch: Watch) -> dict[str, Any]:
    work = Work(journal, store, watch)
    for stage in STAGES:
        stage(work)
    content = receipt.content_of(journal, store, time.monotonic() - work.started, Ledger.of(store.root).head())
    receipt.write(store, content)
    journal.end(store.root)
    return content | {"why": {pack.name: pack.why for pack in journal.packs if pack.why}}  # for whoever asked, alone


# -- stages ----------------------------------------------------------------------------------------------
def set_aside(work: Work) -> None:
    """Take the names away, then write the ledger: from here on nothing is served that rests on it."""
    with _alone("gc", work.store, work.watch, "waiting for a make to end"):
        _note(work, work.found)
        for pack in work.journal.packs:
            if (now := work.store.named("packs", pack.name)) and now["ref"] == pack.before:
                work.store.unname("packs", pack.name)
        for base in work.journal.bases:
            work.store.unname("bases", base)
        ledger = Ledger.of(work.store.root)
        rows = [
            ledger.decide_standing(t.scope, t.value, "forgotten", work.journal.reason, work.journal.by)
            for t in work.journal.targets
        ]
        work.journal.rows = [{"number": row.number, "hash": row.hash} for row in rows]
        work.save()


def _note(work: Work, found: Rests) -> None:
    """Write down what there is now: on going on, there may be more than before."""
    journal, store = work.journal, work.store
    known = {pack.name: pack for pack in journal.packs}
    for pack in found.packs:
        record = store.named("packs", pack.name) or {}
        also = [*record.get("also", ()), *filter(None, [record.get("signature")])]
        old = known.pop(pack.name, None)
        if old and old.before != pack.ref:
            journal.earlier[old.before] = old.model
        known[pack.name] = Affected(pack.name, pack.ref, pack.model, pack.recipe, list(pack.combined), also)
    journal.packs = sorted(known.values(), key=lambda pack: pack.name)
    journal.stays = sorted({*journal.stays, *found.stays})
    journal.documents = sorted({*journal.documents, *found.gone} - {*journal.stays})
    journal.earlier |= {ref: store.tree(ref).get("model.gguf", "") for ref in found.earlier if ref not in
                        {pack.before for pack in journal.packs}}  # fmt: skip
    journal.bases = sorted({*journal.bases, *found.bases})
    work.save()


def rebuild(work: Work) -> None:
    """Make each pack again; where that cannot be, or the gates do not hold, there is none, and why is written down."""
    for pack in parents_first(work.journal.packs):
        if pack.after or pack.withdrawn:
            continue
        try:
            pack.after = _made(pack, work)
        except ModuleNotFoundError as error:
            pack.withdrawn = f"{error.name} is not installed"
            pack.why = f"{pack.withdrawn}; pip install 'netsuke[make]', then make it again"
        except Exception as error:  # whatever it is, it must not hold up the deletion
            pack.withdrawn, pack.why = receipt.reason(error), str(error) or type(error).__name__
        work.save()


def parents_first(packs: Sequence[Affected]) -> list[Affected]:
    """These packs, one that was combined from others behind those."""
    ordered: list[Affected] = []
    waiting = list(packs)
    while waiting:
        names = {pack.name for pack in waiting}
        ready = [pack for pack in waiting if not names & {*pack.combined}] or waiting
        ordered += ready
        waiting = [pack for pack in waiting if pack not in ready]
    return ordered


def _made(pack: Affected, work: Work) -> str:
    """Ref of the pack that was made again. Raises NetsukeError."""
    place, store = Path(pack.recipe), work.store
    if not place.exists():
        raise StoreError("its recipe is gone", where=pack.recipe)
    seeds = work.found.seeds

    def checked(outcome: Outcome) -> None:
        if outcome.pack.ref in downstream(store, seeds).refs:
            raise ConsentError("its base, or what it goes on from (tune.start), rests on what is forgotten")

    if pack.combined:
        return str(combining.make(combining.of_file(place), store, work.watch, tell=checked).pack.ref)
    wanted = replace(recipe.load(place, loop.SECTIONS), name=pack.name)
    outcome = loop.make(wanted, place, store, work.watch, pace=loop.pace_of(place, store, work.watch), tell=checked)
    return str(outcome.pack.ref)


def delete(work: Work) -> None:
    """Delete what rests on it, whoever else made it meanwhile."""
    with _alone("gc", work.store, work.watch, "waiting for a make to end"):
        found = work.found
        for pack in found.packs:  # a name that was put back by hand
            work.store.unname("packs", pack.name)
        erase(work.journal, found, work.store, work.watch)


STAGES: tuple[Callable[[Work], None], ...] = (set_aside, rebuild, delete)
