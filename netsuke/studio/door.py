"""The studio's door: who may see its pages, and from where.

A browser shows no key, so it gets a cookie, once, from a link with a token that works a single time. The cookie goes
along from every page of this machine, whatever its port (to a browser they are one site). So what changes something
must also come from our own origin, and no page of another origin may ask for anything.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..serve.guard import Guard
from ..serve.refused import Refused
from .rendering import Pages

SAFE = ("GET", "HEAD")
OPEN = ("/static/",)  # the look of the page that says how to come in
MOST_SESSIONS = 32  # the oldest leaves


class Door:
    """ASGI middleware around the pages: refuses, lets in by the link, or hands on with the headers of every page."""

    def __init__(self, app: ASGIApp, *, key: str, port: int, pages: Pages, hosts: Collection[str] = ()) -> None:
        self.app, self.pages = app, pages
        self.guard = Guard(app, key=key, port=port, hosts=hosts)
        self.cookie = f"netsuke-{port}"  # a browser sends a cookie to every port
        self.tokens: set[str] = set()
        self.sessions: dict[str, None] = {}  # in the order they came

    def token(self) -> str:
        """A new token that opens the door once, at /enter?token=…"""
        token = secrets.token_urlsafe(24)
        self.tokens.add(token)
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers, nonce = Headers(scope=scope), secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in page_headers(nonce).items():
                    answer.setdefault(name, value)
            await send(message)

        try:
            answer = self.checked(scope, headers)
        except Refused as refused:
            answer = self.pages.refused(scope, refused)
        await (answer or self.app)(scope, receive, hardened)

    def checked(self, scope: Scope, headers: Headers) -> Response | None:
        """None if this request may go on, or the answer to the link. Raises Refused."""
        method, path = scope["method"], scope["path"]
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.guard.hosts:
            raise Refused(421, "This server does not answer to that host name.", code="wrong_host")
        origins = [origin.lower() for origin in headers.getlist("origin")]
        ours = f"http://{hosts[0].lower()}"  # the page that was asked for, not another name of this machine
        if origins not in ([], [ours]) and not (len(origins) == 1 and origins[0] in self.guard.origins):
            raise Refused(403, "The studio does not answer other web pages.", code="wrong_origin")
        if method == "POST" and path == "/enter":
            return self._new_link(headers)
        if path == "/enter" and method in SAFE:
            return self._enter(QueryParams(scope["query_string"]).get("token", ""))
        if path.startswith(OPEN) and method in SAFE:
            return None
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "The studio does not answer other web pages.", code="wrong_origin")
        if not self._known(headers):
            raise Refused(401, "Open the studio by the link that `netsuke open` prints.", code="no_session")
        if method not in SAFE and not origins:
            raise Refused(403, "This does not come from a page of the studio.", code="wrong_origin")
        return None

    def _enter(self, token: str) -> Response:
        shown = token.encode("utf-8", "replace")
        if not (found := [one for one in self.tokens if hmac.compare_digest(one.encode(), shown)]):
            raise Refused(401, "This link has been used. `netsuke open` prints a new one.", code="used_link")
        self.tokens.discard(found[0])
        session = secrets.token_urlsafe(32)
        self.sessions[session] = None
        while len(self.sessions) > MOST_SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.cookie, session, httponly=True, samesite="strict", path="/")
        return answer

    def _new_link(self, headers: Headers) -> Response:
        """A new token, to whoever shows the server's key: `netsuke open` while a studio runs."""
        if not self.guard.authorise(headers):
            raise Refused(401, "Send the server's key.", code="invalid_api_key")
        return Response(self.token(), media_type="text/plain")

    def _known(self, headers: Headers) -> bool:
        cookies = SimpleCookie()
        for value in headers.getlist("cookie"):
            try:
                cookies.load(value)
            except CookieError:
                return False
        shown = cookies[self.cookie].value.encode() if self.cookie in cookies else b""
        return any(hmac.compare_digest(session.encode(), shown) for session in self.sessions)


def page_headers(nonce: str) -> dict[str, str]:
    """What every page says to the browser: nothing from elsewhere, no inline script, no framing, nothing kept.

    The editor writes its own style sheet, which the nonce lets through; no other inline style is.
    """
    policy = [
        "default-src 'none'", "script-src 'self'", f"style-src 'self' 'nonce-{nonce}'", "img-src 'self' data:",
        "font-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    ]  # fmt: skip
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
