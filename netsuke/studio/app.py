"""The studio's application: the pages behind their door, and the API beside them under the same address."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from ..errors import NetsukeError
from ..serve.refused import Refused
from ..serve.supervisor import Supervisor
from ..store import Store
from .desk import Desk
from .door import Door
from .makes import Makes
from .pool import Pool
from .rendering import ROOM, Pages

API = ("/v1/", "/api/", "/infill", "/health", "/metrics")  # what is not a page


@dataclass(frozen=True)
class House:
    """What every page works with."""

    store: Store
    pages: Pages = field(default_factory=Pages)
    pool: Pool = field(default_factory=Pool)
    makes: Makes = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "makes", Makes(self.store.root))
        object.__setattr__(self, "desk", Desk(self.pool))


Answer = Callable[[House, Request], Awaitable[Response]]


def build_studio(
    store: Store, *, key: str, port: int, api: Starlette | None = None, lent: Supervisor | None = None,
    hosts: Collection[str] = (),
) -> tuple[Starlette, Door]:  # fmt: skip
    """(the ASGI application, the door that makes its links).

    `api` answers beside the pages, by its own guard; `lent` is its engine, which the pages use too.
    """
    house = House(store)
    if lent:
        house.pool.lend(lent)

    pages = Starlette(routes=routes(house), exception_handlers={
        Refused: lambda request, error: house.pages.refused(request.scope, error),
        NetsukeError: lambda request, error: house.pages.failed(request.scope, error),
        HTTPException: lambda request, error: _not_found(house, request, error),
        Exception: lambda request, error: house.pages.trouble(
            request.scope, 500, "The studio failed on this.", "The terminal where netsuke open runs says more."
        ),
    })  # fmt: skip
    pages.router.redirect_slashes = False
    door = Door(pages, key=key, port=port, pages=house.pages, hosts=hosts)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if api:
                await stack.enter_async_context(api.router.lifespan_context(api))
            stack.push_async_callback(house.pool.close)
            stack.push_async_callback(house.desk.close)
            yield

    return Starlette(routes=[Mount("", Beside(door, api))], lifespan=lifespan), door


def routes(house: House) -> list[BaseRoute]:
    """Every page's routes; one file a page."""
    from . import ask, compare, home, material, model, search, write

    def route(path: str, answer: Answer, method: str) -> Route:
        async def endpoint(request: Request) -> Response:
            return await answer(house, request)

        return Route(path, endpoint, methods=[method])

    found = [row for page in (home, model, compare, material, write, ask, search) for row in page.ROUTES]
    static = Mount("/static", StaticFiles(directory=ROOM / "static"))
    return [*(route(path, answer, method) for method, path, answer in found), static]


class Beside:
    """ASGI: the API's paths to the API, everything else to the pages behind their door."""

    def __init__(self, door: Door, api: Starlette | None) -> None:
        self.door, self.api = door, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        asked = any(path == part or part.endswith("/") and path.startswith(part) for part in API)
        await (self.api if self.api and asked else self.door)(scope, receive, send)


def _not_found(house: House, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = "There is no such page." if status == 404 else "That cannot be done here."
    return house.pages.refused(request.scope, Refused(status, what, code="not_found"))
