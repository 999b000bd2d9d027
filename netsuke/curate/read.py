"""Read one file in a child, within limits of time and memory; a bad file is named and never raises."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import EngineError
from ..machine import cores
from ..readers.pages import Refused
from ..store import canonical
from .child import ChildDied, ChildKilled, Children

SECONDS_PER_MB, LEAST_SECONDS = 10.0, 20.0  # of the processor
PATIENCE = 5  # times as long by the clock, where others are at work
MEMORY_MB = 1000.0  # besides what the child needs for itself

children = Children(cores())


def read_file(path: Path, suffix: str, max_mb: float, out: Path, options: Mapping[str, Any]) -> None:
    """Write to `out` what is known of a file (curate.examine), or {"drop": {"rule", "detail", "bytes"}}.

    `options` go to `examine`; "seconds" and "memory_mb" among them replace the limits. Never raises for what
    is wrong with the file, but OSError if `out` cannot be written, EngineError if no child starts or two are killed.
    """
    size = 0
    try:
        about = path.stat()
        size = about.st_size
        if not stat.S_ISREG(about.st_mode):
            raise Refused("unreadable", "neither a file nor a link to one")
        if size > max_mb * 1e6:
            raise Refused("too large", f"{size / 1e6:.1f} MB, the limit is {max_mb:g} MB")
    except Refused as refused:
        drop = {"rule": refused.rule, "detail": refused.detail}
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
        drop = {"rule": "unreadable", "detail": getattr(error, "strerror", None) or str(error)}
    else:
        drop = _ask(path, suffix, size, out, options)
    if drop:
        out.write_bytes(canonical({"drop": drop | {"bytes": size}}) + b"\n")


def _answer(request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """A child's answer; of a second one where the first was killed, for it may have been another's memory."""
    try:
        return children.ask(request, seconds)
    except ChildKilled:
        return children.ask(request, seconds)


def _ask(path: Path, suffix: str, size: int, out: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Why the file is dropped, or nothing: then a child has written `out`."""
    seconds = options.get("seconds", max(LEAST_SECONDS, SECONDS_PER_MB * size / 1e6))
    request = {
        "path": str(path.absolute()),
        "suffix": suffix,
        "bytes": size,
        "out": str(out.absolute()),
        "options": dict(options),
        "seconds": seconds,
        "memory_mb": options.get("memory_mb", MEMORY_MB),
    }
    try:
        answer = _answer(request, PATIENCE * seconds)
    except ChildKilled:
        hint = "close other programs and try again: what was read is kept"
        raise EngineError("the reader was killed; is memory short?", where=str(path), hint=hint) from None
    except ChildDied as died:
        return {"rule": "unreadable", "detail": str(died)}
    if code := answer.get("unwritten"):
        raise OSError(code, os.strerror(code), str(out))
    drop: dict[str, Any] = answer.get("drop", {})
    return drop
