"""While models are served: one that is due by its own rule is trained again, in a child process, one at a time."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..errors import NetsukeError, RecipeError
from ..store import Store
from . import watching

if TYPE_CHECKING:
    from ..studio.makes import Make

LOOK_SECONDS = 60.0  # between two looks at what is due
_log = logging.getLogger("netsuke.watch")

Tell = Callable[[str], None]


def begin(name: str, store: Store) -> Make:
    """A child that trains a model again with the corrections of now. Raises RecipeError while a make runs."""
    from ..studio.makes import Makes

    had = watching.state(name, store).corrections
    job = {"target": name, "shown": name, "name": None, "mb": None, "minutes": None, "again": True}
    make = Makes(store.root).start(job)
    watching.mark(name, store, had)  # here too: a child that dies at once is not started again and again
    return make


def look(store: Store, tell: Tell) -> None:
    """Begin with the first that is due, if nothing is being made."""
    for name, why in watching.due(store):
        with contextlib.suppress(RecipeError):
            begin(name, store)
            tell(f"training {name} again: {'; '.join(why)}")
            return


@contextlib.contextmanager
def tending(store: Store, tell: Tell) -> Iterator[None]:
    """Looks from time to time, in a thread of its own, until the block ends; a child that runs then goes on."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(LOOK_SECONDS):
            try:
                look(store, tell)
            except (NetsukeError, OSError) as error:
                _log.error("what is due cannot be told: %s", error)

    thread = threading.Thread(target=run, name="netsuke-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=10)
