"""POST /v1/search: what the documents of a pack say about a question; no model is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import search
from ..errors import StoreError
from ..search.find import Index
from . import fields
from .refused import Refused

MOST_CHARACTERS = 2_000
FIELDS: dict[str, fields.Check] = {
    "model": fields.text(256), "query": fields.text(MOST_CHARACTERS), "most": fields.integer(1, 10),
    "user": fields.text(256),
}  # fmt: skip

Packs = Callable[[], Mapping[str, Path]]  # name: folder of a pack; the first is meant where no name is given
Body = Callable[[Request], Awaitable[dict[str, Any]]]  # reads and checks a JSON body


def search_route(packs: Packs, body: Body) -> Route:
    """The route. A pack's documents are opened, and found to be those of its manifest, when they are first asked."""
    opened: dict[Path, Index] = {}
    lock = asyncio.Lock()

    async def answer(request: Request) -> Response:
        known = packs()
        given = fields.named(await body(request), FIELDS, tuple(known))
        if not given.get("query", "").strip():
            raise Refused(400, "'query' is missing or empty.", code="invalid_value", param="query")
        name = given.get("model", next(iter(known)))
        try:
            async with lock:
                if known[name] not in opened:
                    opened[known[name]] = await asyncio.to_thread(_open, known[name], name)
            found = await asyncio.to_thread(search.answer, opened[known[name]], given["query"], given.get("most", 3))
        except StoreError as error:
            raise Refused(503, f"{error.what[:200]}.", code="damaged_documents") from None
        return JSONResponse({"object": "search.answer", "model": name, **found.row})

    return Route("/v1/search", answer, methods=["POST"])


def _open(folder: Path, name: str) -> Index:
    """Raises Refused where a pack has no documents, StoreError where they are damaged."""
    manifest = folder / "netsuke.json"
    record: dict[str, Any] = json.loads(manifest.read_bytes()) if manifest.is_file() else {"files": {}}
    if "search.db" not in record["files"]:
        raise Refused(501, f"{name} holds no documents to search.", code="no_documents")
    return search.open_pack(folder, record, name)
