"""What a model was asked and how it did; what people found of its answers; and training it again, by a rule or now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from .. import watch
from ..consent import corrections
from ..errors import RecipeError, StoreError
from ..front import tending, watching
from ..front.watching import DAY, HOUR, State
from . import drawing, forms, shelf

if TYPE_CHECKING:
    from .app import House

SHOWN = 100  # corrections on the page, the newest


async def page(house: House, request: Request) -> Response:
    return await _shown(house, request)


async def _shown(house: House, request: Request, status: int = 200, **more: Any) -> Response:
    """The whole page, or where htmx asks the part of it that a rule changes."""
    model = shelf.find(request.path_params["name"], house.store)
    values = await asyncio.to_thread(lambda: told(watching.state(model.name, house.store)))
    running = next((make for make in house.makes.every() if make.alive), None)
    template = "watch_again.html" if "hx-request" in request.headers else "watch.html"
    return house.pages.page(
        request, template, status, name=model.name, tab="watch", running=running, **{**values, **more}
    )


def told(state: State) -> dict[str, Any]:
    """What the page shows."""
    new = {one.id for one in state.new}
    listed = sorted(state.corrections, key=lambda one: (-one.time, one.id))[:SHOWN]
    why, wrong = state.judged()
    return {
        "numbers": [("last hour", state.last(HOUR)), ("last day", state.last(DAY)), *state.days[::-1]],
        "pictures": pictures(state), "days": len(state.days), "shown_days": watching.DAYS_SHOWN,
        "suggestions": state.suggestions,
        "quiet": not (state.days or state.suggestions or state.corrections or state.thumbs),
        "up": state.up, "down": state.down, "since": datetime.fromtimestamp(state.since, UTC),
        "corrections": [(one, one.id in new, datetime.fromtimestamp(one.time, UTC)) for one in listed],
        "count": len(state.corrections), "new": len(new), "drift": state.drift, "block": watch.BLOCK,
        "documents": state.has_documents, "rule": state.rule, "why": why, "wrong": wrong,
        "recipe": state.record["recipe"], "fixed": state.fixed, "given": state.rule, "kept": False,
        "words": watch.NAMES,
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
        (
            "Seconds an answer: median, and p95 in grey",
            drawing.chart("seconds of each day, median and p95", "days from today (UTC)", "seconds", slow),
        ),
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
    if fixed := watching.state(model.name, house.store).fixed:
        raise fixed
    make = await asyncio.to_thread(tending.begin, model.name, house.store)
    return RedirectResponse(f"/makes/{make.id}", 303)


async def keep_rule(house: House, request: Request) -> Response:
    """Write when it is trained again into its recipe; the form again with what is wrong where that cannot be."""
    given = (await forms.form(request)).get("rule", "")
    model = shelf.find(request.path_params["name"], house.store)
    try:
        await asyncio.to_thread(watching.set_rule, model.name, house.store, given)
    except RecipeError as error:
        return await _shown(house, request, 400, wrong=error, given=given)
    if "hx-request" in request.headers:
        return await _shown(house, request, kept=True)
    return RedirectResponse(f"/m/{model.name}/watch#again", 303)


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
    ("POST", "/m/{name}/corrections/forget", forget), ("POST", "/m/{name}/watch/rule", keep_rule),
]  # fmt: skip
