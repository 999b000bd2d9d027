"""What every request must pass before any route sees it: host, origin, key, limits. And what is kept of each.

A web page that the owner happens to visit can reach 127.0.0.1 too, by a rebound name or a forged form. So
the Host must be one of ours (no rebinding), an Origin must be ours (no other page), and all but /health
needs a key, whether the route exists or not.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .callers import Callers
from .keys import Key
from .record import Record
from .refused import Refused

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = "Content-Security-Policy"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_log = logging.getLogger("netsuke.serve")

Refusing = Callable[[Scope, Refused], Response]


def as_json(scope: Scope, refused: Refused) -> Response:
    """The answer to a request that is refused, in the shape of the API that was asked."""
    return refused.response(scope["path"])


def with_port(name: str, port: int) -> str:
    """A name as a Host that tells the port; one that tells its own, that of a proxy say, keeps it."""
    return name if re.search(r":\d+$", name) else f"{name}:{port}"


class Guard:
    """ASGI middleware: refuses, or hands on and adds the security headers to the answer.

    A route finds its Record in scope["record"] and the Key in scope["key"]. `closing` gets each Record before the end
    of its answer is sent, `done` when it is finished. `open_paths` may be read without a key. A route may say a policy
    of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        callers: Callers,
        port: int,
        hosts: Collection[str] = (),
        tls: bool = False,
        open_paths: Collection[str] = ("/health",),
        closing: Callable[[Record], None] = lambda record: None,
        done: Callable[[Record], None] = lambda record: None,
        refusing: Refusing = as_json,
    ) -> None:
        others = {host for name in hosts for host in (name.lower(), with_port(name.lower(), port))}
        ours = {f"{name}:{port}" for name in LOOPBACK}
        self.app, self.callers, self.closing, self.done = app, callers, closing, done
        self.open_paths = set(open_paths)
        self.refusing = refusing
        self.hosts = {*LOOPBACK, *ours, *others}
        # a page on another port of this machine is another page; the other names may be a proxy's, with TLS
        schemes = ("https",) if tls else ("http",)
        self.origins = {f"{scheme}://{host}" for host in ours for scheme in schemes}
        self.origins |= {f"{scheme}://{host}" for host in others for scheme in {*schemes, "https"}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        record, started = Record(scope["method"], scope["path"][:256]), time.monotonic()

        begun = False

        async def hardened(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault(POLICY, "default-src 'none'; frame-ancestors 'none'")
            elif not message.get("more_body"):
                self._spend(record)  # before whoever asked can ask again
                self.closing(record)
            elif record.first_seconds is None and message.get("body"):
                record.first_seconds = time.monotonic() - started
            await send(message)

        try:
            try:
                self._admit(scope, record)
            except Refused as refused:
                return await self.refusing(scope, refused)(scope, receive, hardened)
            await self.app({**scope, "record": record}, receive, hardened)
        except Exception:
            record.broke = True
            if begun:
                raise
            _log.exception("%s failed", record.path)
            sorry = Refused(500, "The server failed on this request.", code="internal_error")
            await self.refusing(scope, sorry)(scope, receive, hardened)
        finally:
            self._spend(record)
            record.seconds = time.monotonic() - started
            self.done(record)

    def _admit(self, scope: Scope, record: Record) -> None:
        headers = Headers(scope=scope)
        try:
            key = scope["key"] = self.check(record.method, scope["path"], headers)
            if key:
                record.who = key.name
                if record.method == "POST":
                    self.callers.admit(key)
        except sqlite3.Error as error:
            _log.error("the server's book cannot be read: %s", error)
            raise Refused(503, "The server cannot read its keys now.", code="no_keys") from None

    def check(self, method: str, path: str, headers: Headers) -> Key | None:
        """Who asks; None where nobody needs to be known. Raises Refused unless this request may go on."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise Refused(421, "This server does not answer to that host name.", code="wrong_host")
        if not all(origin.lower() in self.origins for origin in headers.getlist("origin")):
            raise Refused(403, "This server does not answer other web pages.", code="wrong_origin")
        if path in self.open_paths and method in ("GET", "HEAD"):
            return None
        if key := self.callers.authorise(method, headers):
            return key
        raise Refused(
            401,
            "Send a key of this server: `Authorization: Bearer nsk-…`.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _spend(self, record: Record) -> None:
        """Counts the tokens that were not counted yet."""
        try:
            self.callers.spend(record.who, record.tokens - record.counted)
            record.counted = record.tokens
        except sqlite3.Error as error:
            _log.error("the server's book cannot be read: %s", error)
