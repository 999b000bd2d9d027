"""What every request must pass before any route sees it: host, origin, key.

A web page that the owner happens to visit can reach 127.0.0.1 too, by a rebound name or a forged form. So
the Host must be one of ours (no rebinding), an Origin must be ours (no other page), and all but /health
needs the key, whether the route exists or not.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refused import Refused

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Guard:
    """ASGI middleware: refuses, or hands on and adds the security headers to the answer."""

    def __init__(self, app: ASGIApp, *, key: str, port: int, hosts: Collection[str] = ()) -> None:
        if not key:
            raise ValueError("the server needs a key")
        others = {host for name in hosts for host in (name.lower(), f"{name.lower()}:{port}")}
        ours = {f"{name}:{port}" for name in LOOPBACK}
        self.app = app
        self.key = key.encode()
        self.hosts = {*LOOPBACK, *ours, *others}
        # a page on another port of this machine is another page; the other names may be a proxy's, with TLS
        self.origins = {f"http://{host}" for host in ours | others} | {f"https://{host}" for host in others}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            self.check(scope["method"], scope["path"], Headers(scope=scope))
        except Refused as refused:
            return await refused.response()(scope, receive, hardened)
        await self.app(scope, receive, hardened)

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raises Refused unless this request may go on."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            raise Refused(421, "This server does not answer to that host name.", code="wrong_host")
        if not all(origin.lower() in self.origins for origin in headers.getlist("origin")):
            raise Refused(403, "This server does not answer other web pages.", code="wrong_origin")
        if (path == "/health" and method in ("GET", "HEAD")) or self.authorise(headers):
            return
        raise Refused(
            401,
            "Send the server's key: `Authorization: Bearer nsk-…`.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def authorise(self, headers: Headers) -> bool:
        """Whether the request shows the key, as Bearer or x-api-key, and no wrong one beside it."""
        shown = headers.getlist("x-api-key")
        for value in headers.getlist("authorization"):
            scheme, _, credential = value.partition(" ")
            shown.append(credential.strip() if scheme.lower() == "bearer" else "")
        right = [hmac.compare_digest(one.encode("latin-1"), self.key) for one in shown]
        return bool(right) and all(right)
