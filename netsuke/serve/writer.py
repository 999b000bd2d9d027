"""The thread that writes finished requests into the server's book."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from ..chain import transaction
from ..consent import corrections
from ..errors import StoreError
from ..store import Store
from . import audit, book, events, usage
from .record import Record

WRITE_SECONDS = 0.1  # how long what is to be written gathers
RETRY_SECONDS = 1.0
MOST_WAITING = 100_000  # records that are kept while the disk takes none
MINUTE = 60.0  # seconds
TOLD_A_MINUTE = 60  # refusals of strangers that get a row of their own
FOLD_EACH = 10_000  # records, or once a day is long over

_log = logging.getLogger("netsuke.serve")


class Writer:
    """Writes records in a thread of its own. Where the disk takes none they wait, and it is tried again.

    `look` sees each record there once before: it takes from the prompts what is kept of them.
    """

    def __init__(self, home: Path, look: Callable[[Record], None] = lambda record: None) -> None:
        self.home, self.look = home, look
        self.lost = 0
        self._folded, self._since = "", 0  # on which day, and how many records ago
        self._waiting: deque[Record] = deque()
        self._strangers: deque[Record] = deque()  # their refusals of the last minute that have a row
        self._more: Record | None = None  # stands for their other refusals, a minute at most
        self._counting = threading.Lock()  # of that one
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="netsuke-book", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, record: Record) -> None:
        """Takes a finished record; blocks for nothing."""
        if not record.who and not self._has_room(record):
            return
        if len(self._waiting) >= MOST_WAITING:
            self.lost += 1
            return
        self._waiting.append(record)
        self._wake.set()

    def close(self) -> None:
        """Writes what waits, or says how much was lost."""
        self._tell_more()
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _has_room(self, record: Record) -> bool:
        """Whether a stranger's refusal gets a row; else it is counted. Nobody fills the disk by being refused."""
        while self._strangers and record.time - self._strangers[0].time >= MINUTE:
            self._strangers.popleft()
        if len(self._strangers) < TOLD_A_MINUTE:
            self._strangers.append(record)
            self._tell_more()
            return True
        with self._counting:
            if self._more is None:
                self._more = Record("*", "*", record.time, status=record.status, times=0)
            self._more.times += 1
        return False

    def _tell_more(self, before: float = float("inf")) -> None:
        """Gives those that were only counted their row, if that was begun before then."""
        with self._counting:
            if self._more and self._more.time < before:
                self._waiting.append(self._more)
                self._more = None

    def _run(self) -> None:
        told = False
        while not (self._closing and not self._waiting):
            self._wake.wait(MINUTE)
            self._wake.clear()
            self._tell_more(time.time() - MINUTE)
            if not self._closing:
                time.sleep(WRITE_SECONDS)
            batch = list(self._waiting)
            if not batch:
                continue
            for record in batch:
                self._looked_at(record)
            try:
                write(self.home, batch)
                for _ in batch:
                    self._waiting.popleft()
                self._fold(len(batch))
                told = False
            except (sqlite3.Error, OSError, StoreError) as error:
                if not told:
                    _log.error("the server's book cannot be written: %s", error)
                told = True
                if self._closing:
                    _log.error("%d records were lost", len(self._waiting))
                    return
                time.sleep(RETRY_SECONDS)
                self._wake.set()

    def _looked_at(self, record: Record) -> None:
        """Whatever becomes of the record, its prompts are gone then."""
        if not record.prompts:
            return
        try:
            self.look(record)
        except Exception:
            _log.exception("a prompt could not be looked at")
        record.prompts = []

    def _fold(self, written: int) -> None:
        now, self._since = time.time(), self._since + written
        today = usage.day(now - events.LATE_SECONDS)
        if self._closing or (self._folded == today and self._since < FOLD_EACH):
            return
        store = Store(self.home)
        made = {name: corrections.since(store, name) for name in store.names("packs")}
        with contextlib.closing(book.connected(self.home, 5.0)) as database, transaction(database):
            events.fold(database, now, made)
        self._folded, self._since = today, 0


def write(home: Path, records: list[Record]) -> None:
    """Writes usage, events and audit rows, all of them or none. Raises sqlite3.Error, OSError."""
    with contextlib.closing(book.connected(home, 5.0)) as database, transaction(database):
        usage.add(database, records)
        events.add(database, records)
        audit.append(database, [record for record in records if record.audited])
