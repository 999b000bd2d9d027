"""The engines behind the pages: started when a page first needs one, a few at a time, the least used leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx

from ..engines.llama import JSON, Engine
from ..serve.refused import Refused
from ..serve.supervisor import Supervisor, unavailable

CONTEXT_TOKENS = 2048
MOST = 3  # ours, its base, and one to compare with: some 300 MB each


class Pool:
    """Supervised engines by model file. Close it at the end."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._open: OrderedDict[Path, Supervisor] = OrderedDict()
        self._used: dict[Path, int] = {}
        self._lock = asyncio.Lock()
        self._lent: Supervisor | None = None

    def lend(self, supervisor: Supervisor) -> None:
        """Use an engine that somebody else has started and will stop."""
        self._lent = supervisor

    @contextlib.asynccontextmanager
    async def engine(self, name: str, file: Path) -> AsyncIterator[Supervisor]:
        """The engine of a model, which stays while this is held. Raises EngineError where it does not start."""
        if self._lent and self._lent.engine.model == file:
            yield self._lent
            return
        async with self._lock:
            if file not in self._open:
                await self._make_room()
                supervisor = Supervisor(name, Engine(file, context_tokens=CONTEXT_TOKENS))
                await supervisor.__aenter__()
                self._open[file] = supervisor
            self._open.move_to_end(file)
            self._used[file] = self._used.get(file, 0) + 1
            found = self._open[file]
        try:
            yield found
        finally:
            self._used[file] -= 1

    async def _make_room(self) -> None:
        idle = [file for file in self._open if not self._used.get(file)]
        while len(self._open) >= self.most and idle:
            await self._open.pop(idle.pop(0)).__aexit__()

    async def close(self) -> None:
        """Stop what was started here."""
        while self._open:
            await self._open.popitem()[1].__aexit__()


async def ask(supervisor: Supervisor, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The engine's answer to one request, in its turn. Raises Refused."""
    async with supervisor.turn():
        for _ in range(2):
            client = await supervisor.client()
            try:
                response = await client.post(path, json=body, headers=JSON)
            except httpx.TransportError:
                supervisor.suspect()
                continue
            if response.status_code != 200:
                raise Refused(400, "The engine does not take this text.", code="engine_refused")
            answer: dict[str, Any] = response.json()
            return answer
    raise unavailable("The engine died twice on this request.")
