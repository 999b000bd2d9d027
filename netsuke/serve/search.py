"""/v1/search: what the documents of a pack say about a question; no model is asked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import search
from ..errors import StoreError
from .checks import Check, integer, text
from .models import Models
from .refused import Refused

if TYPE_CHECKING:
    from ..search.find import Index

SEARCH: dict[str, Check] = {"model": text(256), "query": text(2_000), "most": integer(1, 10), "user": text(256)}


class Searching:
    """The documents of models, each opened, and found to be those of its manifest, when it is first asked."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self._opened: dict[str, tuple[str, Index]] = {}  # by name: of which model under it
        self._lock = asyncio.Lock()

    async def answer(self, name: str, query: str, most: int) -> dict[str, Any]:
        """Quotes with their places. Raises Refused: 501 where a pack has no documents, 503 where they are damaged."""
        try:
            async with self._lock:
                index = await self._index(name)
            found = await asyncio.to_thread(search.answer, index, query, most)
        except StoreError as error:
            raise Refused(503, f"{error.what[:200]}.", code="damaged_documents") from None
        return {"object": "search.answer", "model": name, **found.row}

    async def _index(self, name: str) -> Index:
        stamp = self.models.stamp(name)
        if stamp is None:
            raise Refused(404, f"There is no model {name!r} here.", code="model_not_found", param="model")
        if name not in self._opened or self._opened[name][0] != stamp:
            folder = await asyncio.to_thread(self.models.folder, name, stamp)
            self._opened[name] = stamp, await asyncio.to_thread(_open, folder, name)
        return self._opened[name][1]


def _open(folder: Path, name: str) -> Index:
    manifest = folder / "netsuke.json"
    record: dict[str, Any] = json.loads(manifest.read_bytes()) if manifest.is_file() else {"files": {}}
    if "search.db" not in record["files"]:
        raise Refused(501, f"{name} holds no documents to search.", code="no_documents")
    return search.open_pack(folder, record, name)
