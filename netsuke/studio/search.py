"""Searching the documents of a model: verbatim quotes with their places, or that nothing was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from ..texts.documents import file_of
from . import shelf

if TYPE_CHECKING:
    from .app import House

FILE = "search.db"  # of a pack that can be searched
LONGEST = 2_000  # characters of a question
MOST = 5  # quotes


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    query = request.query_params.get("q", "").strip()
    can, found = FILE in model.content["files"], None
    if can and query:
        answer = await request.app.state.documents.answer(model.name, query, MOST)
        found = linked(model, answer["quotes"])
    return house.pages.page(
        request, "search.html", name=model.name, tab="search", query=query, found=found, can=can, longest=LONGEST
    )


def linked(model: shelf.Model, quotes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The quotes, each with `place`: where the Material page shows its document, as the end of an address."""
    numbers: dict[str, list[int]] = {}
    for number, row in enumerate(model.rows("documents.jsonl")):
        numbers.setdefault(row["path"], []).append(number)
    return [{**quote, "place": _place(quote, numbers)} for quote in quotes]


def _place(quote: Mapping[str, Any], numbers: Mapping[str, list[int]]) -> int | None:
    """The number of the document; None where the list is gone, or two sources have a file of this path."""
    known = numbers.get(quote["file"]) or numbers.get(file_of(quote["file"]), [])
    return known[0] if len(known) == 1 else None


ROUTES = [("GET", "/m/{name}/search", page)]
