"""What a model was asked and how it did; what people found of its answers; and training it again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .. import corrections, tending, watch, watching
from ..errors import RecipeError, StoreError
from ..watching import DAY, HOUR, State
from . import drawing, forms, shelf

if TYPE_CHECKING:
    from .app import House

SHOWN = 100  # corrections on the page, the newest


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    values = await asyncio.to_thread(told, watching.state(model.name, house.store))
    running = next((make for make in house.makes.every() if make.alive), None)
    return house.pages.page(request, "watch.html", name=model.name, tab="watch", running=running, **values)


def told(state: State) -> dict[str, Any]:
    """What the page shows."""
    new = {one.id for one in state.new}
    listed = sorted(state.corrections, key=lambda one: (-one.time, one.id))[:SHOWN]
    try:
        why, wrong = state.reasons(), ""
    except RecipeError as error:
        why, wrong = [], f"{error}"
    return {
        "numbers": [("last hour", state.last(HOUR)), ("last day", state.last(DAY)), *state.days[::-1]],
        "pictures": pictures(state),
        "quiet": not (state.days or state.corrections or state.thumbs),
        "up": len(state.thumbs) - state.down, "down": state.down, "since": datetime.fromtimestamp(state.since, UTC),
        "corrections": [(one, one.id in new, datetime.fromtimestamp(one.time, UTC)) for one in listed],
        "count": len(state.corrections), "new": len(new), "drift": state.drift, "block": watch.BLOCK,
        "documents": state.has_documents, "rule": state.rule, "why": why, "wrong": wrong,
        "recipe": state.record["recipe"],
    }  # fmt: skip


def pictures(state: State) -> list[tuple[str, str]]:
    """(title, picture) of the days: requests, and seconds; none where there is a single day."""
    today = int(state.now // DAY)

    def points(name: str) -> Sequence[tuple[float, float]]:
        found = [(_number(day) - today, getattr(row, name)) for day, row in state.days]
        return [(day, value) for day, value in found if value is not None]

    if len(state.days) < 2:
        return []
    asked = drawing.Line("requests", points("requests"))
    slow = [drawing.Line("median", points("median")), drawing.Line("p95", points("p95"), "soft")]
    return [
        ("Requests a day", drawing.chart("requests of each day", "days from today (UTC)", "requests", [asked])),
        ("Seconds an answer", drawing.chart("seconds of each day", "days from today (UTC)", "seconds", slow)),
    ]


def _number(day: str) -> int:
    """A day as a whole number, one more each day."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() // DAY)


async def unlike(house: House, request: Request) -> Response:
    """How prompts stand to the documents, which takes a second."""
    state = watching.state(request.path_params["name"], house.store)
    found = await asyncio.to_thread(state.unlike)
    return house.pages.page(request, "watch_unlike.html", unlike=found)


async def retrain(house: House, request: Request) -> Response:
    """Train it again, whatever the rule says, and go to that make's page."""
    model = shelf.find(request.path_params["name"], house.store)
    make = await asyncio.to_thread(tending.begin, model.name, house.store)
    return RedirectResponse(f"/makes/{make.id}", 303)


async def forget(house: House, request: Request) -> Response:
    """Delete a correction."""
    given = await forms.form(request)
    model = shelf.find(request.path_params["name"], house.store)
    which = {"model": model.name, "owner": given.get("owner", ""), "id": given.get("id", "")}
    if not await asyncio.to_thread(lambda: corrections.drop(house.store.root, **which)):
        raise StoreError("there is no such correction", hint="the page of Watch lists those there are")
    return RedirectResponse(f"/m/{model.name}/watch", 303)


ROUTES = [
    ("GET", "/m/{name}/watch", page), ("GET", "/m/{name}/watch/unlike", unlike), ("POST", "/m/{name}/retrain", retrain),
    ("POST", "/m/{name}/corrections/forget", forget),
]  # fmt: skip
