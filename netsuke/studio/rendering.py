"""Pages from templates: our own, in a sandbox, every value escaped."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from .. import __version__
from ..errors import NetsukeError
from ..front.show import duration
from ..serve.refused import Refused
from ..terminal import escaped

ROOM = Path(__file__).parent
TABS = (("model", "Model"), ("material", "Material"), ("write", "Write"), ("ask", "Ask"), ("search", "Search"),
        ("watch", "Watch"))  # fmt: skip
PLACES = (("home", "Home", "/"), ("keys", "Keys", "/keys"), ("audit", "Audit", "/audit"))  # pages of no model
_STATUS = {2: 400, 3: 409, 4: 409, 5: 409, 6: 404, 7: 503}  # by a NetsukeError's exit code
_HINTS = {
    "no_session": "Run netsuke open in a terminal. It prints a link that works once and opens it.",
    "used_link": "Run netsuke open again; it prints a new link.",
}


class Pages:
    """The templates, and what every page has."""

    def __init__(self) -> None:
        self.environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(ROOM / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.environment.filters |= {"duration": duration, "megabytes": megabytes, "percent": percent, "signed": signed,
                                     "escaped": escaped, "minus": minus}  # fmt: skip

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A whole page, or a part of one, from its template."""
        return HTMLResponse(self.text(request.scope, template, **values), status)

    def text(self, scope: Scope, template: str, **values: Any) -> str:
        """The markup of a template."""
        state = scope.get("state", {})
        common: dict[str, Any] = {
            "version": __version__, "nonce": state.get("nonce", ""), "tabs": TABS, "places": PLACES, "tab": "",
            "name": "",
        }  # fmt: skip
        return self.environment.get_template(template).render({**common, **values})

    def refused(self, scope: Scope, refused: Refused) -> Response:
        """The answer to a request that is refused: JSON where a script asked, else a page."""
        if wants_json(scope):
            return refused.response()
        hint = _HINTS.get(refused.code or "", "")
        return self.trouble(scope, refused.status, refused.message, hint, refused.headers)

    def failed(self, scope: Scope, error: NetsukeError) -> Response:
        """The answer where the house itself says what failed, where and what to do."""
        cause = error.__cause__
        broken = isinstance(cause, OSError) and cause.errno not in (errno.ENOENT, errno.ENAMETOOLONG)
        status = 503 if broken else _STATUS.get(error.exit_code, 500)  # a disk that fails is no page that is missing
        if wants_json(scope):
            answer = Refused(status, str(error), code=type(error).__name__)
            return JSONResponse({"error": {**answer.body()["error"], "hint": error.hint}}, status)
        return self.trouble(scope, status, str(error), error.hint or "")

    def trouble(
        self, scope: Scope, status: int, what: str, hint: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A page, or the part that stands in for a part of one, that says what happened and what to do."""
        asked = dict(scope["headers"])
        template = "trouble_part.html" if b"hx-request" in asked else "trouble.html"
        text = self.text(scope, template, what=what, hint=hint, locked=status == 401)
        return HTMLResponse(text, status, headers)


def wants_json(scope: Scope) -> bool:
    """Whether a script asks that reads JSON."""
    asked = dict(scope["headers"])
    return b"application/json" in asked.get(b"accept", b"") or asked.get(b"content-type", b"") == b"application/json"


def megabytes(size: float) -> str:
    """Bytes as "79.9 MB", small ones as "12 kB"."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB" if size else "0"


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}%"


def signed(change: float) -> str:
    """A change as "+2.4%", with a real minus."""
    return minus(f"{100 * change:+.1f}%")


def minus(text: str) -> str:
    """A sentence with a real minus before its numbers."""
    return re.sub(r"(?<![\w.-])-(?=\d)", "\u2212", text)


def event(value: Mapping[str, Any], kind: str = "message") -> str:
    """A server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n"
