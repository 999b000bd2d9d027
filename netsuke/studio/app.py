"""The studio's application: pages behind their door, the API at the same address, the same engines for both."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ..errors import NetsukeError, explained
from ..serve import Callers, Several, Shelf, Shipped, build_app
from ..serve.callers import SESSION
from ..store import Store
from .desk import Desk
from .door import PROOF, Door, as_page, looks
from .lending import Bases, Lending
from .makes import Makes
from .rendering import ROOM, Pages


@dataclass(frozen=True)
class House:
    """What every page works with."""

    store: Store
    engines: Lending
    pages: Pages = field(default_factory=Pages)
    makes: Makes = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "makes", Makes(self.store.root))
        object.__setattr__(self, "desk", Desk(self.engines))


Answer = Callable[[House, Request], Awaitable[Response | ASGIApp]]


def build_studio(
    store: Store, *, key: str, port: int, first: str = "", memory_bytes: int | None = None
) -> tuple[Starlette, Door]:
    """(the ASGI application, the door that makes its links).

    It serves every model of the home. `key` is the owner's, `first` the model that answers where a request names none.
    """
    bases = Bases(store)
    models = Several([*([Shipped(store, [first])] if first else []), Shipped(store), bases])
    engines = Shelf(models, memory_bytes=memory_bytes, slots=2)  # one is written in, one reads what is written
    house = House(store, Lending(engines, bases))
    callers = Callers(store.root, key, cookie=f"{SESSION}_{port}")  # a browser sends a cookie to every port
    door = Door(callers, house.pages, key=key, port=port)
    app = build_app(
        engines, callers, port=port, more=routes(house, door), open_paths={"/enter", PROOF, *looks(ROOM)},
        refusing=door.refused,
    )  # fmt: skip
    serving = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with serving(app):
            try:
                yield
            finally:
                await house.desk.close()

    app.router.lifespan_context = lifespan
    return app, door


def routes(house: House, door: Door) -> list[BaseRoute]:
    """Every page's routes; one file a page."""
    from . import ask, audit, compare, home, keys, material, model, search, watch, write

    def route(path: str, answer: Answer, method: str) -> Route:
        async def endpoint(request: Request) -> Response | ASGIApp:
            door.check(request)
            try:
                with explained("do what the page asks", house.store.root):
                    found = await answer(house, request)
            except NetsukeError as error:
                found = house.pages.failed(request.scope, error)
            return as_page(found, request.state.nonce) if isinstance(found, Response) else found

        return Route(path, endpoint, methods=[method])

    pages = (home, model, compare, material, write, ask, search, watch, keys, audit)
    return [
        Route("/enter", door.enter), Route(PROOF, door.prove),
        *(route(path, answer, method) for page in pages for method, path, answer in page.ROUTES),
        Mount("/static", StaticFiles(directory=ROOM / "static")),
    ]  # fmt: skip
