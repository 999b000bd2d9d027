"""What is kept of a prompt: how much of its words the pack's documents know, and how many it has; never the prompt."""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..search.familiar import Familiar, ending
from .record import Record

MOST_OPEN = 8  # packs whose words are at hand
MOST_OF_ONE = 8  # prompts of one request that count: the rows of a table are like each other

_log = logging.getLogger("netsuke.serve")


def prompts_of(body: Mapping[str, Any]) -> list[str]:
    """The prompt in a request to the engine, its end: the last message of the user, or what is to be gone on from."""
    if "messages" in body:
        said = [message["content"] for message in body["messages"] if message["role"] == "user"]
        return [ending(said[-1])] if said else []
    is_text = isinstance(body.get("prompt"), str) and "input_prefix" not in body
    return [ending(body["prompt"])] if is_text and body["prompt"] else []


class Prompts:
    """Looks at prompts in the writer's thread, so that no answer waits for it."""

    def __init__(self) -> None:
        self._open: OrderedDict[Path, Familiar | None] = OrderedDict()

    def look(self, record: Record) -> None:
        """Fills in `familiar`; a pack without documents leaves it empty."""
        words = self._words(record.pack) if record.pack else None
        shares = map(words.share, record.prompts[:MOST_OF_ONE]) if words else ()
        record.familiar = [share for share in shares if share]

    def _words(self, pack: Path) -> Familiar | None:
        """The words of a pack's documents; None where it has none, or they cannot be read."""
        if pack in self._open:
            self._open.move_to_end(pack)
            return self._open[pack]
        file = pack / "search.db"
        try:
            found = Familiar(file) if file.is_file() else None
        except (sqlite3.Error, ValueError, OSError) as error:
            _log.error("the documents of a pack cannot be read: %s", error)
            found = None
        self._open[pack] = found
        if len(self._open) > MOST_OPEN and (old := self._open.popitem(last=False)[1]):
            old.close()
        return found
