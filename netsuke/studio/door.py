"""The studio's door: the owner's browser comes in by a link; the pages are for it alone.

A browser shows no key, so it gets a cookie, once, from a link with a token that works a single time. Host, Origin and
cookie are looked at by the server's Guard. The cookie goes along from every page of this machine, whatever its port (to
a browser they are one site), so no page of another origin may ask for anything, and a key opens no page.

While a studio runs, `netsuke open` makes another link itself, out of the owner's key, once the studio has proved that
it knows that key too. Neither sends it: what listens there in a studio's place learns nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Scope

from ..serve.callers import Callers
from ..serve.refused import Refused
from .rendering import Pages

API = ("/v1/", "/api/")  # and
API_PATHS = ("/infill", "/health", "/metrics", "/openapi.json")  # what is no page
PROOF = "/enter/proof"


@dataclass(frozen=True)
class Seal:
    """What only those can say who know the owner's key; the key cannot be told from it.

    It holds for one port, or what listens at another could pass a question on to a studio and have its answer; and for
    one run, a random word that the studio chose, so that no link outlives its studio.
    """

    key: str = field(repr=False)
    port: int
    run: str

    def proof(self, nonce: str) -> str:
        """That the studio of this run knows the key, to whoever chose the nonce."""
        return self._of("studio", nonce)

    def token(self, name: str = "") -> str:
        """A new token that opens the door once, at /enter?token=…, to the first page or a model's."""
        nonce = secrets.token_urlsafe(24)
        return ".".join([nonce, self._of("link", nonce, name), quote(name, safe="")])

    def opens(self, token: str) -> tuple[str, str] | None:
        """A token's (nonce, name), if it was made with the key."""
        nonce, shown, name = [*token.split(".", 2), "", ""][:3]
        return (nonce, name) if same(shown, self._of("link", nonce, name)) else None

    def _of(self, *words: str) -> str:
        text = json.dumps(["netsuke", *words, self.port, self.run])  # so that no two lists of words are one text
        return hmac.new(self.key.encode(), text.encode(), hashlib.sha256).hexdigest()


def same(shown: str, right: str) -> bool:
    """Whether what is shown is right; how long it takes does not tell how much of it is."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), right.encode())


class Door:
    """Gives links and cookies, and says no in the way of a page."""

    def __init__(self, callers: Callers, pages: Pages, *, key: str, port: int) -> None:
        self.callers, self.pages = callers, pages
        self.seal = Seal(key, port, secrets.token_urlsafe(24))
        self.used: set[str] = set()  # the nonces of links
        self.token = self.seal.token

    def check(self, request: Request) -> None:
        """Lets a request to a page go on. Raises Refused unless the owner's browser asks, from our own pages."""
        request.state.nonce = secrets.token_urlsafe(16)
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Refused(403, "The studio does not answer other web pages.", code="wrong_origin")
        if "authorization" in request.headers or "x-api-key" in request.headers:
            raise _locked()

    async def enter(self, request: Request) -> Response:
        """The cookie, to whoever has a token that was not used yet. Raises Refused."""
        found = self.seal.opens(request.query_params.get("token", ""))
        if not found or found[0] in self.used:
            raise Refused(401, "This link has been used. `netsuke open` prints a new one.", code="used_link")
        nonce, name = found
        self.used.add(nonce)
        answer = RedirectResponse(f"/m/{quote(name, safe='')}" if name else "/", 303)
        session = self.callers.session()
        answer.set_cookie(self.callers.cookie, session, httponly=True, samesite="strict", path="/")
        return answer

    async def prove(self, request: Request) -> Response:
        """This run's word, and its proof for a nonce: all that `netsuke open` needs, and nothing without the key."""
        return PlainTextResponse(f"{self.seal.run} {self.seal.proof(request.query_params.get('nonce', ''))}")

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
