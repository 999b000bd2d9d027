"""A page's folder on 127.0.0.1, with the headers that allow a browser to use threads.

A browser shows no key, so the page's address holds one: a new one at each start, known to whoever started it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from ..errors import StoreError
from .address import Address
from .guard import LOOPBACK
from .refused import Refused

PARTS = {
    "index.html": "text/html; charset=utf-8",
    "wllama.wasm": "application/wasm",
    "model.gguf": "application/octet-stream",
}
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_page(folder: Path) -> bool:
    """Whether this is what `netsuke pack --to html --serve-dir` wrote."""
    return all((folder / name).is_file() for name in PARTS)


class Page:
    """ASGI: the files of one page under /`secret`/, to requests for a loopback name; everything else is refused."""

    def __init__(self, folder: Path, *, secret: str, port: int) -> None:
        self.folder, self.secret = folder, secret
        self.hosts = {*LOOPBACK, *(f"{name}:{port}" for name in LOOPBACK)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            refused = Refused(421, "This server does not answer to that host name.", code="wrong_host")
            return await refused.response()(scope, receive, send)
        name = self._name(scope["path"])
        if name not in PARTS or scope["method"] not in ("GET", "HEAD"):
            return await Refused(404, "There is nothing here.", code="not_found").response()(scope, receive, send)
        answer = FileResponse(self.folder / name, media_type=PARTS[name], headers=HEADERS)
        await answer(scope, receive, send)

    def _name(self, path: str) -> str:
        """Which file a path asks for; an empty text where it does not begin with the secret."""
        _, shown, name = path.split("/", 2) if path.count("/") >= 2 else ("", "", "")
        return (name or "index.html") if secrets.compare_digest(shown.encode(), self.secret.encode()) else ""


def serve_page(
    folder: Path, *, host: str = "127.0.0.1", port: int = 8177, on_ready: Callable[[str], None] = lambda address: None
) -> None:
    """Serve a page's folder until SIGINT or SIGTERM; `on_ready` gets its address. Raises StoreError, EngineError."""
    if not is_page(folder):
        hint = "netsuke pack NAME --to html --serve-dir makes one"
        raise StoreError("this is no page's folder", where=str(folder), hint=hint)
    secret = secrets.token_urlsafe(16)
    address = Address(host, port).checked()
    with address.listening() as listener:
        address.run(Page(folder, secret=secret, port=port), listener, lambda: on_ready(f"{address.url}/{secret}/"))
