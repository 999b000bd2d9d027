"""Keeps the engine up, and lets requests to it one by one."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import httpx

from ..engines.llama import Engine
from ..errors import EngineError
from .refused import Refused
from .turns import Turn, Turns, Voices

WATCH_SECONDS = 0.5
READY_SECONDS = 10.0
HANG_SECONDS = 15.0  # /health has a thread of its own: a busy engine still answers it
LONGEST_PAUSE_SECONDS = 30.0

_log = logging.getLogger("netsuke.serve")


class Supervisor:
    """One engine under a name: started, watched, stopped.

    At most `engine.slots` requests run and `waiting` more wait: see Turns.
    """

    def __init__(self, name: str, engine: Engine, *, waiting: int = 16) -> None:
        self.name = name
        self.engine = engine
        self.turns = Turns(engine.slots, waiting)
        self._up = asyncio.Event()
        self._look = asyncio.Event()  # look now, do not sleep on
        self._closing = False
        self._ended: Refused | None = None  # what every request is told from now on
        self._down_since = 0.0
        self._client: httpx.AsyncClient | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the engine, unless it runs, and its watch. Raises EngineError."""
        await self._start()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self, why: Refused | None = None) -> None:
        """Ends the watch and the engine; `why` is what those who still wait for its answer are told."""
        self._closing, self._ended = True, why
        self._look.set()
        try:
            if self._watcher:
                await self._watcher
        finally:
            await asyncio.to_thread(self.engine.stop)
            if self._client:
                await self._client.aclose()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def client(self) -> httpx.AsyncClient:
        """A client of a running engine. Raises Refused (503) once none has been up for 10 s, or why it was stopped."""
        if self._ended:
            raise self._ended
        try:
            async with asyncio.timeout_at(self._down_since + READY_SECONDS):
                await self._up.wait()
        except TimeoutError:
            raise self._ended or unavailable("The engine is starting.") from None
        assert self._client
        return self._client

    def suspect(self) -> None:
        """Says that the engine broke off: no request goes to it until it has been looked at."""
        self._down()
        self._look.set()

    def broken(self) -> Refused:
        """What is told where the engine broke off an answer that had begun."""
        self.suspect()
        return self._ended or unavailable("The engine died while it answered.")

    def turn(self, who: str, voices: Voices = ()) -> contextlib.AbstractAsyncContextManager[Turn]:
        """Waits for a turn and holds it. Raises Refused (429) when too many wait already."""
        return self.turns.turn(who, voices)

    def _down(self) -> None:
        if self.up:
            self._up.clear()
            self._down_since = asyncio.get_running_loop().time()

    async def _start(self) -> None:
        await asyncio.to_thread(self.engine.start)
        if self._client:
            await self._client.aclose()
        self._client = self.engine.async_client(None)
        self._up.set()

    async def _watch(self) -> None:
        pause = WATCH_SECONDS
        while not self._closing:
            self._look.clear()
            if await self._sound():
                if not self._look.is_set():  # else the suspicion is younger than this look
                    self._up.set()
                pause = WATCH_SECONDS
            else:
                pause = await self._restart(pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()

    async def _sound(self) -> bool:
        if not self.engine.alive:
            return False
        if self.up and not self.turns.inside:
            return True  # nobody asks: that it runs is enough
        assert self._client
        try:
            return (await self._client.get("/health", timeout=HANG_SECONDS)).status_code == 200
        except httpx.TransportError:
            return False

    async def _restart(self, pause: float) -> float:
        """Puts a new engine in place of the old one; how long to wait before the next look."""
        self._down()
        _log.warning("the engine is gone; a new one starts")
        try:
            await asyncio.to_thread(self.engine.stop)
            await self._start()
            return WATCH_SECONDS
        except (EngineError, OSError) as error:
            _log.error("%s", error)
            return min(2 * pause, LONGEST_PAUSE_SECONDS)


def unavailable(message: str) -> Refused:
    return Refused(503, message, code="engine_unavailable", headers={"Retry-After": "2"})
