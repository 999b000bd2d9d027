"""What a page sends: a form, or a JSON object, within limits."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from ..errors import NetsukeError
from ..serve import fields
from ..serve.checks import Check
from ..serve.refused import Refused

MOST_BYTES = 2_000_000


async def body_of(request: Request, kind: str, most: int = MOST_BYTES) -> bytes:
    """The body, of this media type. Raises Refused: 415 or 413, and 400 where it broke off."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise Refused(415, f"Send Content-Type: {kind}.", code="wrong_content_type")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise Refused(413, f"That is more than {most / 1e6:.0f} MB.", code="body_too_large")
    except ClientDisconnect:
        raise Refused(400, "The body broke off.", code="broken_body") from None
    return bytes(body)


async def form(request: Request) -> dict[str, str]:
    """The fields of a form; the last of a name counts."""
    body = await body_of(request, "application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise Refused(400, "This is not a form.", code="invalid_form") from None


async def record(request: Request, **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """A JSON object with exactly these fields, each of its type. Raises Refused."""
    try:
        value = json.loads(await body_of(request, "application/json"))
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(value, dict) or set(value) != set(kinds):
        raise Refused(400, f"The body must be an object of {', '.join(kinds)}.", code="invalid_json")
    for name, kind in kinds.items():
        if not isinstance(value[name], kind) or isinstance(value[name], bool) and kind is not bool:
            raise Refused(400, f"{name!r} is not of the right type.", code="invalid_value", param=name)
    return value


def checked(name: str, check: Check, value: Any) -> Any:
    """A value as the API takes it. Raises Refused that names the field."""
    try:
        return check(value)
    except ValueError as error:
        raise fields.wrong(name, str(error)) from None


def number(given: str, least: float, most: float, name: str) -> float | None:
    """A number of a form, None for an empty one. Raises Refused."""
    if not given.strip():
        return None
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise Refused(400, f"{name} must be a number from {least:g} to {most:g}.", code="invalid_value", param=name)
    return value


def wrong(error: Refused | NetsukeError) -> tuple[str, str]:
    """(what is wrong with a form, what to do), to be shown with the form again."""
    return str(error), getattr(error, "hint", None) or ""
