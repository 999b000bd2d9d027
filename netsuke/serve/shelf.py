"""The models at one address: started when asked for, replaced when a new one ships, stopped when memory is short."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from .. import voices
from ..engines import asking
from ..engines.llama import Engine
from ..errors import EngineError, NetsukeError
from ..machine import peak_memory_bytes
from .models import FILE, Models
from .refused import Refused
from .supervisor import Supervisor
from .task import Task
from .turns import Voices

LOOK_SECONDS = 1.0  # how often the shelf looks for new packs
OVERHEAD_BYTES = 120_000_000  # of an engine beside its file, until it has run: then it is measured
RETRY_SECONDS = 60.0  # before a new pack that did not start is tried again
Kind = Literal["text", "vectors"]
T = TypeVar("T")

_log = logging.getLogger("netsuke.serve")


def half_the_memory() -> int:
    """Bytes: half of what the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class Seat:
    """A running model, the requests that use it, and what it was taught."""

    def __init__(self, name: str, kind: Kind, stamp: str, supervisor: Supervisor) -> None:
        self.name, self.kind, self.stamp, self.supervisor = name, kind, stamp, supervisor
        self.task = Task(supervisor, supervisor.engine.model.parent)
        self.tools: bool | None = None  # whether its chat template has them; None until it was looked at
        self.voices = voices.read(self.folder) if supervisor.engine.voices else ()
        self.users = 0
        self.used = 0.0
        self.unused = asyncio.Event()
        self.unused.set()

    @property
    def folder(self) -> Path:
        """The pack's."""
        return self.supervisor.engine.model.parent

    @property
    def bytes(self) -> int:
        """The most memory that its engine has held; a guess where the system does not tell."""
        engine = self.supervisor.engine
        return (engine.pid and peak_memory_bytes(engine.pid)) or expected_bytes(engine)

    def added(self, wanted: Mapping[str, float]) -> Voices:
        """How much of each adapter these voices add. Raises Refused (400) for one that the model does not have."""
        names = [one.name for one in self.voices]
        if wanted and not names:
            message = f"The model {self.name!r} has no voices: there are no adapters beside it in its pack."
            raise Refused(400, message, code="no_voices", param="voices")
        if unknown := next((name for name in wanted if name not in names), None):
            message = f"The model {self.name!r} has no voice {unknown[:64]!r}; it has {', '.join(map(repr, names))}."
            raise Refused(400, message, code="unknown_voice", param="voices")
        return voices.added(self.voices, wanted)

    @contextlib.contextmanager
    def using(self) -> Iterator[Self]:
        self.users += 1
        self.unused.clear()
        try:
            yield self
        finally:
            self.users -= 1
            self.used = asyncio.get_running_loop().time()
            if not self.users:
                self.unused.set()


def expected_bytes(engine: Engine) -> int:
    """What an engine on its files will need, about."""
    return sum(file.stat().st_size for file in (engine.model, *engine.voices)) + OVERHEAD_BYTES


class Shelf:
    """Used as `async with`. `memory_bytes` is for all engines together; while one replaces another, both run."""

    def __init__(
        self,
        models: Models,
        *,
        memory_bytes: int | None = None,
        context_tokens: int = 2048,
        slots: int = 1,
        threads: int | None = None,
        waiting: int = 16,
    ) -> None:
        self.models = models
        self.memory_bytes = memory_bytes or half_the_memory()
        self.context_tokens, self.slots, self.threads, self.waiting = context_tokens, slots, threads, waiting
        self._seats: dict[tuple[str, Kind], Seat] = {}
        self._starting = asyncio.Lock()  # one start at a time
        self._first: tuple[str, str, Engine] | None = None
        self._busy: set[asyncio.Task[Any]] = set()
        self._failed: dict[str, float] = {}  # stamps that did not start, and until when none of them is tried again
        self._watcher: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def start_first(self) -> None:
        """Starts the first model's engine, before any loop runs. Raises EngineError, StoreError."""
        names = self.models.names()
        stamp = self.models.stamp(names[0]) if names else None
        if stamp is None:
            raise EngineError("there is no model to serve", hint="make one: netsuke make ~/notes")
        engine = self._engine(self.models.folder(names[0], stamp), "text")
        if expected_bytes(engine) > self.memory_bytes:
            what = f"{names[0]} needs about {expected_bytes(engine) / 1e6:.0f} MB"
            raise EngineError(what, hint=f"--memory-mb allows {self.memory_bytes / 1e6:.0f}")
        self._first = (names[0], stamp, engine.start())

    def stop_first(self) -> None:
        """Stops that engine if no seat ever took it over."""
        if self._first:
            self._first[2].stop()

    async def __aenter__(self) -> Self:
        if self._first:
            name, stamp, engine = self._first
            await self._seated(name, "text", stamp, engine)
            self._first = None
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        self._closing.set()
        await asyncio.gather(*self._busy, return_exceptions=True)
        await asyncio.gather(*(seat.supervisor.stop() for seat in self._seats.values()))

    # -- asking --------------------------------------------------------------------------------------------
    @property
    def seats(self) -> list[Seat]:
        """The models that run, the longest unused first."""
        return sorted(self._seats.values(), key=lambda seat: seat.used)

    @property
    def up(self) -> bool:
        """Whether something answers, or nothing was asked for yet."""
        return not self._seats or any(seat.supervisor.up for seat in self._seats.values())

    @contextlib.asynccontextmanager
    async def lent(self, name: str, kind: Kind = "text", stamp: str | None = None) -> AsyncIterator[Seat]:
        """The running model, started if need be; inside the block only a withdrawal stops it. Raises Refused: 404, 503.

        With a stamp it is this very model or none: 503 where another one has the name by now.
        """
        seat = self._seats.get((name, kind))
        if seat is None or stamp not in (None, seat.stamp):  # a start goes on when whoever asked for it leaves
            start = self._in_background(self._at_last(name, kind, stamp))
            seat = await asyncio.shield(start)
        with seat.using():
            yield seat

    # -- coming and going ----------------------------------------------------------------------------------
    async def _at_last(self, name: str, kind: Kind, stamp: str | None) -> Seat:
        async with self._starting:
            old = self._seats.get((name, kind))
            if old and stamp not in (None, old.stamp):
                await self._replace(old, self.models.stamp(name))
            seat = self._seats.get((name, kind)) or await self._started(name, kind)
            if stamp not in (None, seat.stamp):
                message = f"Another {name!r} runs than the one that was asked; load the page again."
                raise Refused(503, message, code="model_changed", headers={"Retry-After": "2"})
            return seat

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _started(self, name: str, kind: Kind) -> Seat:
        try:
            stamp = self.models.stamp(name)
            if stamp is None:
                raise Refused(404, f"There is no model {name!r} here.", code="model_not_found", param="model")
            folder = await asyncio.to_thread(self.models.folder, name, stamp)
            engine = self._engine(folder, kind)
            await self._make_room(expected_bytes(engine))
            seat = await self._seated(name, kind, stamp, engine)
        except (NetsukeError, OSError) as error:
            _log.error("%s does not start: %s", name, error)
            message = f"The model {name!r} could not be started; the server's log says why."
            raise Refused(503, message, code="model_unavailable", headers={"Retry-After": "10"}) from None
        await self._make_room(0, sparing=seat)
        return seat

    def _engine(self, place: Path, kind: Kind) -> Engine:
        sung = voices.read(place) if kind == "text" else ()
        return Engine(
            place if place.is_file() else place / FILE,
            voices=[place / one.file for one in sung],
            context_tokens=self.context_of(kind == "text" and asking.task_of(place) is not None),
            threads=self.threads,
            slots=1 if kind == "vectors" else self.slots,
            embedding=kind == "vectors",
            prompt_cache_mib=0,  # it does not know whose a prompt was
        )

    def context_of(self, taught: bool) -> int:
        """Tokens that a model reads at once: one with a task is shown as many examples as it was checked with."""
        return max(self.context_tokens, asking.CONTEXT_TOKENS if taught else 0)

    async def _seated(self, name: str, kind: Kind, stamp: str, engine: Engine) -> Seat:
        supervisor = Supervisor(name, engine, waiting=self.waiting)
        await supervisor.start()
        seat = self._seats[name, kind] = Seat(name, kind, stamp, supervisor)
        seat.used = asyncio.get_running_loop().time()
        return seat

    async def _make_room(self, more: int, sparing: Seat | None = None) -> None:
        """Stops the least recently used, idle engines until `more` bytes fit.

        Raises Refused (503) where they cannot, and stops none then.
        """
        if more > self.memory_bytes:
            what = f"This model needs about {more / 1e6:.0f} MB and --memory-mb allows {self.memory_bytes / 1e6:.0f}."
            raise Refused(503, what, code="no_memory")
        while sum(seat.bytes for seat in self._seats.values()) + more > self.memory_bytes:
            idle = [seat for seat in self.seats if not seat.users and seat is not sparing]
            kept = sum(seat.bytes for seat in self._seats.values() if seat not in idle)
            if more and kept + more > self.memory_bytes:
                message = "There is no memory for another model while those that run are in use."
                raise Refused(503, message, code="no_memory", headers={"Retry-After": "5"})
            if not idle:
                return
            del self._seats[idle[0].name, idle[0].kind]
            await idle[0].supervisor.stop()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for seat in self.seats:
                try:
                    stamp = self.models.stamp(seat.name)
                except (NetsukeError, OSError) as error:
                    _log.error("%s cannot be looked up, and stays as it is: %s", seat.name, error)
                    continue
                if stamp != seat.stamp and self._failed.get(stamp or "", 0.0) < time.monotonic():
                    async with self._starting:
                        await self._replace(seat, stamp)

    async def _replace(self, old: Seat, stamp: str | None) -> None:
        """Puts a new model in the place of an old one, which ends with its last request; a withdrawn one, at once."""
        place = (old.name, old.kind)
        if self._seats.get(place) is not old:
            return
        if stamp is None:
            del self._seats[place]
            message = f"The model {old.name!r} was withdrawn while it answered."
            withdrawn = Refused(404, message, code="model_withdrawn", param="model")
            self._in_background(old.supervisor.stop(withdrawn))
            return
        try:
            folder = await asyncio.to_thread(self.models.folder, old.name, stamp)
            await self._seated(old.name, old.kind, stamp, self._engine(folder, old.kind))
        except (NetsukeError, OSError) as error:
            self._failed[stamp] = time.monotonic() + RETRY_SECONDS
            _log.error("the new %s does not start, the old one stays: %s", old.name, error)
            return
        self._in_background(self._leave(old))

    async def _leave(self, seat: Seat) -> None:
        """Stops an engine once nobody uses it, or everything ends."""
        waits = [asyncio.create_task(event.wait()) for event in (seat.unused, self._closing)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await seat.supervisor.stop()
