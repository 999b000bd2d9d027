"""The audit log: who asked what of which model, with what end; and whether the log is whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from ..serve import audit, keys
from . import forms

if TYPE_CHECKING:
    from .app import House

LAST = 200  # rows on the page
ENDS = {2: "answered", 3: "sent on", 4: "refused", 5: "failed"}  # by the first digit of a status


async def page(house: House, request: Request) -> Response:
    """The whole page, or only its rows where htmx asks."""
    asked, home = request.query_params, house.store.root
    who, model = asked.get("key", ""), asked.get("model", "")
    end = int(forms.number(asked.get("end", ""), 2, 5, "end") or 0)
    rows = await asyncio.to_thread(
        lambda: audit.rows(home, LAST, who=who or None, model=model or None, hundred=end or None)
    )
    template = "audit_rows.html" if "hx-request" in request.headers else "audit.html"
    names = [keys.OWNER, *(key.name for key in await asyncio.to_thread(keys.named, home))]
    return house.pages.page(
        request, template, tab="audit", rows=rows[::-1], last=LAST, who=who, model=model, end=end, ends=ENDS,
        names=names, models=house.store.names("packs"),
    )  # fmt: skip


async def verdict(house: House, request: Request) -> Response:
    """Whether the chain holds, which takes its time where the log is long."""
    fault = await asyncio.to_thread(audit.verify, house.store.root)
    count, head = await asyncio.to_thread(audit.head, house.store.root)
    return house.pages.page(request, "audit_verdict.html", tab="audit", fault=fault, count=count, head=head)


ROUTES = [("GET", "/audit", page), ("GET", "/audit/verdict", verdict)]
