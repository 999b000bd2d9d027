"""Searching the documents of a model: verbatim quotes with their places, from whoever knows how to search them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from . import shelf

if TYPE_CHECKING:
    from .app import House

Found = Sequence[Mapping[str, Any]]  # rows of {"quote", "path", "heading", "page", "line"}, the best first
FILE = "search.db"  # of a pack that can be searched


def searcher() -> Callable[[Path, str], Found] | None:
    """What searches a pack's folder for a question, or None where this netsuke has nothing that does."""
    return None


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    query = request.query_params.get("q", "").strip()
    look = searcher() if FILE in model.content["files"] else None
    found: Found = []
    if look and query:
        found = await asyncio.to_thread(look, house.store.path(model.ref), query)
    return house.pages.page(
        request, "search.html", name=model.name, tab="search", query=query, found=found, can=look is not None
    )


ROUTES = [("GET", "/m/{name}/search", page)]
