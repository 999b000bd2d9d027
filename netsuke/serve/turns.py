"""Whose turn it is: callers one after the other, and no prompt of one in the cache of another, or of other voices."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from .refused import Refused

Voices = tuple[float, ...]
Filled = tuple[str, Voices]
MOST_SECONDS = 30  # that a refused caller is asked to wait


@dataclass(frozen=True)
class Turn:
    """A slot of the engine, held for one request; `kept` where what lies in its cache is this caller's own.

    `voices` is how much of each adapter the request adds, by its place; () for the model as it is.
    """

    slot: int
    kept: bool
    voices: Voices = ()

    def fields(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request's body for this slot."""
        wanted = body.get("cache_prompt", True)
        adapters = [{"id": place, "scale": scale} for place, scale in enumerate(self.voices)]
        sung = {"lora": adapters} if adapters else {}  # without it the engine applies none
        return {**body, "id_slot": self.slot, "cache_prompt": self.kept and wanted, **sung}


class Turns:
    """`slots` requests run and `waiting` more wait.

    Callers take turns, and each one's requests are served in their order. When too many wait, the youngest
    request of whoever has most of them waiting makes room for a caller with fewer; else the newcomer is refused.
    So one caller alone may have the whole queue, and no caller can keep another out.
    """

    def __init__(self, slots: int, waiting: int) -> None:
        self.waiting = waiting
        self._free = list(range(slots))
        self._slots = slots
        self._last: list[Filled | None] = [None] * slots  # whose prompt lies in a slot's cache, in which voices
        self._queues: OrderedDict[str, deque[asyncio.Future[int]]] = OrderedDict()
        self._refused: deque[float] = deque()  # when, within the last second

    @property
    def running(self) -> int:
        return self._slots - len(self._free)

    @property
    def queued(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def inside(self) -> int:
        """Requests that run or wait."""
        return self.running + self.queued

    @contextlib.asynccontextmanager
    async def turn(self, who: str, voices: Voices = ()) -> AsyncIterator[Turn]:
        """Waits for a slot and holds it. Raises Refused (429) at once, or when pushed out.

        Fairness is by caller; a cache is a caller's own in the voices that filled it alone, since llama.cpp would
        take what it computed with other adapters (ggml-org/llama.cpp#26207). It is nobody's where a request was
        refused or broken off: the engine may not have begun with it, and what another caller sent lies there still.
        """
        wanted = (who, voices)
        slot = self._chosen(wanted) if self._free else await self._waited(who)
        kept = self._last[slot] == wanted
        self._last[slot] = wanted if kept else None
        try:
            yield Turn(slot, kept, voices)
            self._last[slot] = wanted
        finally:
            self._release(slot)

    def _chosen(self, wanted: Filled) -> int:
        """A free slot, taken: the one with this caller's prompts in these voices, else the one free the longest."""
        slot = next((slot for slot in self._free if self._last[slot] == wanted), self._free[0])
        self._free.remove(slot)
        return slot

    async def _waited(self, who: str) -> int:
        """A slot, once it is this caller's turn."""
        if self.queued >= self.waiting:
            self._make_room(who)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(who, deque()).append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.done() or future.cancelled():
                self._forget(who, future)
            elif not future.exception():
                self._release(future.result())  # it had just got it
            raise

    def _make_room(self, who: str) -> None:
        most = max(self._queues, key=lambda one: len(self._queues[one]), default=who)
        if len(self._queues.get(most, ())) <= len(self._queues.get(who, ())) + 1:
            raise self._full()
        out = self._queues[most][-1]
        self._forget(most, out)
        if not out.done():
            out.set_exception(self._full())

    def _forget(self, who: str, future: asyncio.Future[int]) -> None:
        """Takes a request out of its queue, if it is still there."""
        queue = self._queues.get(who, deque())
        with contextlib.suppress(ValueError):
            queue.remove(future)
            if not queue:
                del self._queues[who]

    def _release(self, slot: int) -> None:
        """Hands a slot on: to the oldest request of the caller whose turn it is."""
        while self._queues:
            who, queue = next(iter(self._queues.items()))
            future = queue.popleft()
            if queue:
                self._queues.move_to_end(who)
            else:
                del self._queues[who]
            if not future.done():  # else its caller has left, and has not yet come to say so
                future.set_result(slot)
                return
        self._free.append(slot)

    def _full(self) -> Refused:
        """A refusal. The more there were within a second, the later they may come again: else refusing is all we do."""
        now = asyncio.get_running_loop().time()
        self._refused.append(now)
        while self._refused[0] < now - 1:
            self._refused.popleft()
        seconds = min(MOST_SECONDS, 1 + 2 * len(self._refused) // max(1, self.waiting))
        message = f"{self.waiting} requests are waiting already; try again soon."
        return Refused(429, message, code="queue_full", headers={"Retry-After": str(seconds)})
