"""The body of a request: an object of JSON, of bounded size, within a bounded time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from .refused import Refused

MOST_BODY_BYTES = 1_000_000
BODY_SECONDS = 30.0  # a body that takes longer to arrive is given up


async def read(request: Request) -> dict[str, Any]:
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
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could not be written anywhere
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise Refused(400, "The body must be a JSON object.", code="invalid_json")
    return value


def _too_large() -> Refused:
    return Refused(413, f"The body is larger than {MOST_BODY_BYTES} bytes.", code="body_too_large")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
