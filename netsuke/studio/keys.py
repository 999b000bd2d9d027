"""Keys for others to use the API, and what each key used, by day."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..errors import NetsukeError
from ..serve import keys, usage
from ..serve.refused import Refused
from . import forms

if TYPE_CHECKING:
    from .app import House

DAYS = 30  # of usage on the page; the file has all
MAY = "may:"  # before the name of a model that a key may use
EMPTY = {"name": "", "rpm": "", "tokens_per_day": ""}


async def page(house: House, request: Request) -> Response:
    return await _shown(house, request)


async def _shown(house: House, request: Request, status: int = 200, **more: Any) -> Response:
    home, since = house.store.root, usage.day(time.time() - DAYS * 86_400)
    known = await asyncio.to_thread(keys.named, home)
    used = await asyncio.to_thread(lambda: usage.rows(home, since=since))
    values: dict[str, Any] = {"made": None, "wrong": None, "given": EMPTY, "ticked": ()}
    return house.pages.page(
        request, "keys.html", status, tab="keys", keys=known, used=used[::-1], models=house.store.names("packs"),
        address=str(request.base_url), days=DAYS, file=home / "keys" / "default", **{**values, **more},
    )  # fmt: skip


async def add(house: House, request: Request) -> Response:
    """A new key, shown this once; the form again with what is wrong where it cannot be made."""
    given = await forms.form(request)
    name, ticked = given.get("name", "").strip(), [one[len(MAY) :] for one in given if one.startswith(MAY)]
    try:
        rpm = whole(given.get("rpm", ""), keys.MOST_RPM, "Requests a minute")
        tokens = whole(given.get("tokens_per_day", ""), keys.MOST_TOKENS, "Tokens a day")
        made = await asyncio.to_thread(
            lambda: keys.add(house.store.root, name, rpm=rpm, tokens_per_day=tokens, models=ticked)
        )
    except (Refused, NetsukeError) as error:
        return await _shown(house, request, 400, wrong=forms.wrong(error), given={**EMPTY, **given}, ticked=ticked)
    return await _shown(house, request, made=(name, made))


def whole(given: str, most: int, title: str) -> int | None:
    """A whole number of a form, from 1 on; None for an empty one. Raises Refused."""
    value = forms.number(given.replace(",", ""), 1, most, title)
    if value is not None and value != int(value):
        raise Refused(400, f"{title} must be a whole number.", code="invalid_value")
    return None if value is None else int(value)


async def remove(house: House, request: Request) -> Response:
    given = await forms.form(request)
    await asyncio.to_thread(keys.remove, house.store.root, given.get("name", ""))
    return RedirectResponse("/keys", 303)


async def table(house: House, request: Request) -> Response:
    """All usage, as CSV."""
    text = usage.as_csv(await asyncio.to_thread(usage.rows, house.store.root))
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


ROUTES = [
    ("GET", "/keys", page), ("POST", "/keys", add), ("POST", "/keys/remove", remove), ("GET", "/usage.csv", table),
]  # fmt: skip
