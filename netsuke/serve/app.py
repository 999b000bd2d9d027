"""The server: OpenAI's chat and completion routes on 127.0.0.1, before an engine that nobody else reaches."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import json
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..engines.llama import Engine
from ..errors import EngineError
from . import fields
from .guard import Guard
from .infill import Infilling
from .refused import Refused
from .relay import Relay
from .search import search_route
from .supervisor import Supervisor
from .task import Labelled, Task

MOST_BODY_BYTES = 1_000_000
BODY_SECONDS = 30.0  # a body that takes longer to arrive is given up


def build_app(supervisor: Supervisor, *, key: str, port: int, hosts: Collection[str] = ()) -> Starlette:
    """The ASGI application. Its lifespan starts the supervisor and stops it.

    `port` and `hosts` (names beside the loopback ones) are what a request's Host may say.
    """

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok" if supervisor.up else "starting"})

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_card(supervisor)]})

    task = Task(supervisor, supervisor.engine.model.parent)

    async def chat(request: Request) -> Relay | Labelled:
        body = fields.checked(await _json(request), fields.CHAT, (supervisor.name,))
        if task.takes(body):
            return task.answer(body)
        return Relay(supervisor, "/v1/chat/completions", task.prepared(body))

    async def completions(request: Request) -> Relay:
        body = fields.checked(await _json(request), fields.COMPLETION, (supervisor.name,))
        return Relay(supervisor, "/v1/completions", body)

    async def infill(request: Request) -> Infilling:
        return Infilling(supervisor, "/infill", fields.infilling(await _json(request), (supervisor.name,)))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with supervisor:
            yield

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/completions", completions, methods=["POST"]),
            Route("/infill", infill, methods=["POST"]),
            search_route(lambda: {supervisor.name: supervisor.engine.model.parent}, _json),
        ],
        middleware=[Middleware(Guard, key=key, port=port, hosts=hosts)],
        exception_handlers={Refused: _say_no, HTTPException: _say_no, Exception: _say_sorry},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def serve(
    packs: Mapping[str, Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8177,
    key: str,
    context_tokens: int = 2048,
    on_ready: Callable[[], None] | None = None,
    hosts: Collection[str] = (),
) -> None:
    """Serves the first of `packs` (name: model.gguf) until SIGINT or SIGTERM; all it started is stopped then.

    `on_ready` is called once, when requests are answered. Raises EngineError if the port is taken, the host
    is not a loopback one, or the engine does not start.
    """
    name, model = next(iter(packs.items()))
    with listen(host, port) as listener, Engine(model, context_tokens=context_tokens) as engine:
        app = build_app(Supervisor(name, engine), key=key, port=port, hosts=hosts)
        run(app, listener, on_ready)


def run(app: ASGIApp, listener: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
    """An application on a listening socket, until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        http="h11",
        ws="none",
        lifespan="on" if isinstance(app, Starlette) else "off",
        timeout_graceful_shutdown=2,
    )
    _Front(config, on_ready).run(sockets=[listener])


class _Front(uvicorn.Server):
    """uvicorn's server, which says when it is ready and leaves quietly."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self.on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self.on_ready:
            self.on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again at the end, which would skip whatever follows `serve`
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address. Raises EngineError."""
    where = f"{host}:{port}"
    if host != "localhost" and not _is_loopback(host):
        hint = "keep 127.0.0.1, and put a proxy with TLS in front of it for others"
        raise EngineError("this address is open to the network", where=where, hint=hint)
    hint = "choose another one with --port"
    if not 0 < port < 65536:
        raise EngineError("there is no such port", where=where, hint=hint)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        what = "the port is taken" if taken else f"the port cannot be used: {error}"
        raise EngineError(what, where=where, hint=hint) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _card(supervisor: Supervisor) -> dict[str, Any]:
    engine = supervisor.engine
    made = int(engine.model.stat().st_mtime) if engine.model.exists() else 0
    card = {"id": supervisor.name, "object": "model", "created": made, "owned_by": "netsuke"}
    return {**card, "context_length": engine.context_tokens}


async def _json(request: Request) -> dict[str, Any]:
    """The body, an object. Raises Refused: 415 and 413 before it is read, 413 again while it is, 400, 408."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Send Content-Type: application/json.", code="wrong_content_type")
    if int(request.headers.get("content-length", "0")) > MOST_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = bytearray()
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BODY_BYTES:
                    raise _too_large()
    except ClientDisconnect:
        raise Refused(400, "The body broke off.", code="broken_body") from None
    except TimeoutError:
        raise Refused(408, "The body did not arrive in time.", code="slow_body") from None
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body must be a JSON object.", code="invalid_json")
    return value


def _too_large() -> Refused:
    return Refused(413, f"The body is larger than {MOST_BODY_BYTES} bytes.", code="body_too_large")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


async def _say_no(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        headers = dict(error.headers or {})
        return Refused(error.status_code, f"{error.detail}.", headers=headers).response()
    assert isinstance(error, Refused)
    return error.response()


async def _say_sorry(_: Request, error: Exception) -> Response:
    return Refused(500, "The server failed on this request.", code="internal_error").response()
