"""The studio's door: the owner's browser comes in by a link; the pages are for it alone.

A browser shows no key, so it gets a cookie, once, from a link with a token that works a single time. Host, Origin and
cookie are looked at by the server's Guard. The cookie goes along from every page of this machine, whatever its port (to
a browser they are one site), so no page of another origin may ask for anything, and a key opens no page.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from ..serve.callers import Callers
from ..serve.refused import Refused
from .rendering import Pages

API = ("/v1/", "/api/")  # and
API_PATHS = ("/infill", "/health", "/metrics", "/openapi.json")  # what is no page


class Door:
    """Gives links and cookies, and says no in the way of a page."""

    def __init__(self, callers: Callers, pages: Pages) -> None:
        self.callers, self.pages = callers, pages
        self.tokens: dict[str, str] = {}  # and where each leads

    def token(self, name: str = "") -> str:
        """A new token that opens the door once, at /enter?token=…, to the first page or a model's."""
        token = secrets.token_urlsafe(24)
        self.tokens[token] = f"/m/{quote(name, safe='')}" if name else "/"
        return token

    def check(self, request: Request) -> None:
        """Lets a request to a page go on. Raises Refused unless the owner's browser asks, from our own pages."""
        request.state.nonce = secrets.token_urlsafe(16)
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "The studio does not answer other web pages.", code="wrong_origin")
        if "authorization" in request.headers or "x-api-key" in request.headers:
            raise _locked()

    async def enter(self, request: Request) -> Response:
        """The cookie, to whoever has a token that was not used yet. Raises Refused."""
        shown = request.query_params.get("token", "").encode("utf-8", "replace")
        if not (found := [one for one in self.tokens if hmac.compare_digest(one.encode(), shown)]):
            raise Refused(401, "This link has been used. `netsuke open` prints a new one.", code="used_link")
        answer = RedirectResponse(self.tokens.pop(found[0]), 303)
        session = self.callers.session()
        answer.set_cookie(self.callers.cookie, session, httponly=True, samesite="strict", path="/")
        return answer

    async def new_link(self, request: Request) -> Response:
        """A new token, to whoever shows the owner's key: `netsuke open` while a studio runs. Raises Refused."""
        if not request.scope["key"].is_owner:
            raise Refused(403, "The studio is its owner's.", code="owner_only")
        return Response(self.token(request.query_params.get("name", "")), media_type="text/plain")

    def refused(self, scope: Scope, refused: Refused) -> Response:
        """The answer to a request that is refused: the API's own on its paths, else a page's."""
        path = scope["path"]
        if path.startswith(API) or path in API_PATHS:
            return refused.response(path)
        if refused.code == "invalid_api_key":
            refused = _locked()
        elif refused.status == 404 and refused.code is None:
            refused = Refused(404, "There is no such page.", code="not_found")
        return as_page(self.pages.refused(scope, refused))


def _locked() -> Refused:
    return Refused(401, "Open the studio by the link that `netsuke open` prints.", code="no_session")


def as_page(answer: Response, nonce: str = "") -> Response:
    """An answer with what every page says to the browser."""
    for name, value in page_headers(nonce).items():
        answer.headers.setdefault(name, value)
    return answer


def page_headers(nonce: str = "") -> dict[str, str]:
    """What every page says to the browser: nothing from elsewhere, no inline script, no framing, nothing kept.

    The editor writes its own style sheet, which the nonce lets through; no other inline style is.
    """
    styles = f"style-src 'self' 'nonce-{nonce}'" if nonce else "style-src 'self'"
    policy = [
        "default-src 'none'", "script-src 'self'", styles, "img-src 'self' data:", "font-src 'self'",
        "connect-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    ]  # fmt: skip
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "same-origin",  # with none, a form would not say its Origin
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


def looks(room: Path) -> set[str]:
    """The paths of what a page needs to look like one: the page that says how to come in has it too."""
    return {f"/{file.relative_to(room)}" for file in (room / "static").rglob("*") if file.is_file()}
