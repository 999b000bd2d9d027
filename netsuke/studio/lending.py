"""The engines behind the pages: those of the server's shelf, and beside the packs the bases they came from."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request

from ..engines.llama import JSON
from ..errors import StoreError
from ..serve.dialect import Dialect
from ..serve.keys import OWNER
from ..serve.models import Facts
from ..serve.record import Record
from ..serve.refused import Refused
from ..serve.relay import Asked
from ..serve.shelf import Seat, Shelf
from ..serve.supervisor import Supervisor, unavailable
from ..serve.turns import Voices
from ..store import Store
from . import shelf


class Bases:
    """The bases of packs, as models that pages are lent and that nobody else is told of."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, str] = {}  # by the name on the shelf, which no pack can have: the base's sha256

    def name(self, model: shelf.Model) -> str:
        """What the base of a pack is called on the shelf. Raises StoreError where its file is gone."""
        if model.base_file is None:
            raise StoreError(f"the base of {model.name} is not in this home", hint="netsuke bases fetch")
        base = model.content["base"]
        self._known[name := f"base:{base['name']}:{base['sha256'][:12]}"] = base["sha256"]
        return name

    def names(self) -> list[str]:
        return []

    def stamp(self, name: str) -> str | None:
        return self._known.get(name)

    def folder(self, name: str, stamp: str) -> Path:
        if file := shelf.base_file(self.store, stamp):
            return file
        raise StoreError("this base is not in this home any more", where=name, hint="netsuke bases fetch")

    def facts(self, name: str) -> Facts | None:
        return None


class Lending:
    """What pages borrow from the shelf."""

    def __init__(self, engines: Shelf, bases: Bases) -> None:
        self.shelf, self.bases = engines, bases

    def own(self, model: shelf.Model) -> contextlib.AbstractAsyncContextManager[Seat]:
        """The engine of this very pack, not of one that has its name by now. Raises Refused."""
        return self.shelf.lent(model.name, stamp=model.ref)

    def base(self, model: shelf.Model) -> contextlib.AbstractAsyncContextManager[Seat]:
        """The engine of its base. Raises Refused, StoreError."""
        return self.shelf.lent(self.bases.name(model))

    def asked(
        self, request: Request, name: str, body: dict[str, Any], voices: Mapping[str, float] | None = None
    ) -> Asked:
        """A request to an engine, for serve's Relay to answer; it counts as the owner's."""
        return Asked(self.shelf, request.scope["record"], name, body, Dialect(name), voices=voices or {})

    def suggesting(self, request: Request, name: str) -> Record:
        """The record of a request to a page, to be counted among what the editor asks by itself."""
        record: Record = request.scope["record"]
        record.model, record.suggests = name, True
        return record


async def ask(
    supervisor: Supervisor, path: str, body: dict[str, Any], voices: Voices = (), record: Record | None = None,
    who: str = OWNER,
) -> dict[str, Any]:
    """The engine's answer to one request of the owner, in its turn; its record is told of it. Raises Refused.

    `who` tells the owner's writing from the reading beside it: neither takes the other's place in the engine's cache.
    """
    async with supervisor.turn(who, voices) as turn:
        if record:
            record.reached = True
        for _ in range(2):
            client = await supervisor.client()
            try:
                response = await client.post(path, json=turn.fields(body), headers=JSON)
            except httpx.TransportError:
                supervisor.suspect()
                continue
            if response.status_code != 200:
                raise Refused(400, "The engine does not take this text.", code="engine_refused")
            answer: dict[str, Any] = response.json()
            return answer
    raise unavailable("The engine died twice on this request.")
