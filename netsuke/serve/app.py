"""The server: its routes behind its guard, before engines that nobody else reaches."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from .address import Address
from .callers import Callers
from .guard import Guard, Refusing, as_json
from .prompts import Prompts
from .record import Record
from .refused import Refused
from .routes import Routes
from .shelf import Shelf
from .writer import Writer


def build_app(
    shelf: Shelf,
    callers: Callers,
    *,
    port: int,
    hosts: Collection[str] = (),
    tls: bool = False,
    more: Sequence[BaseRoute] = (),
    open_paths: Collection[str] = (),
    refusing: Refusing = as_json,
) -> Starlette:
    """The ASGI application. Its lifespan starts what is on the shelf and stops it, and keeps the home's book.

    `port` and `hosts` (names beside the loopback ones) are what a request's Host may say. `more` are further routes:
    behind the same guard, they find scope["key"] (who asks) and scope["record"] (fill in `model` and tokens), and
    app.state has `shelf`, `callers`, `documents`, `answers`. `open_paths` of them may be read without a key; `refusing`
    makes the answer to a request that is refused.
    """
    writer = Writer(callers.home, Prompts().look)
    routes = Routes(shelf, writer)

    def done(record: Record) -> None:
        routes.numbers.count(record)
        if record.audited or record.served:
            writer.put(record)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        writer.start()
        try:
            async with shelf:
                yield
        finally:
            writer.close()
            callers.close()

    guard = Middleware(
        Guard, callers=callers, port=port, hosts=hosts, tls=tls, open_paths={"/health", *open_paths},
        closing=routes.answers.remember, done=done, refusing=refusing,
    )  # fmt: skip
    say_no = _saying_no(refusing)
    app = Starlette(
        routes=[*routes.all(), *more], middleware=[guard], lifespan=lifespan,
        exception_handlers={Refused: say_no, HTTPException: say_no},
    )  # fmt: skip
    app.state.shelf, app.state.callers = shelf, callers
    app.state.documents, app.state.answers = routes.documents, routes.answers
    app.router.redirect_slashes = False
    return app


def serve(
    shelf: Shelf,
    address: Address,
    *,
    home: Path,
    key: str,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serves a shelf until SIGINT or SIGTERM; all it started is stopped then.

    `on_ready` is called once, when requests are answered. Raises EngineError if the address cannot be used or the
    first engine does not start, StoreError if the home's book cannot be used.
    """
    address, callers = address.checked(), Callers(home, key)
    with address.listening() as listener:
        try:
            shelf.start_first()
            app = build_app(shelf, callers, port=address.port, hosts=address.names, tls=address.tls)
            address.run(app, listener, on_ready)
        finally:
            shelf.stop_first()


def _saying_no(refusing: Refusing) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def say_no(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = Refused(error.status_code, f"{error.detail}.", headers=dict(error.headers or {}))
        assert isinstance(error, Refused)
        return refusing(request.scope, error)

    return say_no
