"""The voices of a pack: what each of its parents learnt, as an adapter that a request can make louder or softer.

The model of such a pack holds the weighed sum of its parents. A voice at scale s adds its adapter s - 1 times what it
counts in that sum: at 0 it is taken out, at 1 the model is the one that was checked, at 2 it counts twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StoreError

FILE = "voices.json"
LOUDEST = 2.0
HEAVIEST = 1e6  # what a parent may count: beyond, the numbers of the sum are lost
_NAMED = re.compile(r"voice-[1-9][0-9]{0,3}\.gguf")


@dataclass(frozen=True)
class Voice:
    """Whose it is, its GGUF adapter beside the model, and what that counts in the model's sum."""

    name: str
    file: str
    weight: float


def file_of(number: int) -> str:
    """What the adapter of the voice of this number, from 1, is called."""
    return f"voice-{number}.gguf"


def read(folder: Path) -> tuple[Voice, ...]:
    """The voices of a pack in their order; none for a pack without. Raises StoreError for a list that is none."""
    path = folder / FILE
    return parsed(path.read_bytes(), str(folder)) if path.is_file() else ()


def parsed(content: bytes, where: str = FILE) -> tuple[Voice, ...]:
    """The voices that a voices.json names. Raises StoreError, `where` in it."""
    try:
        found = tuple(map(_voice, _rows(json.loads(content))))
        if len({one.name for one in found}) < len(found) or len({one.file for one in found}) < len(found):
            raise ValueError("two voices have one name or one file")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise StoreError(f"the pack's {FILE} is damaged: {error}", where=where, hint="`netsuke verify`") from None
    return found


def _rows(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError("it is no list")
    return content


def _voice(row: Any) -> Voice:
    one = Voice(row["name"], row["file"], float(row["weight"]))
    named = isinstance(one.name, str) and one.name and _NAMED.fullmatch(one.file)
    if not named or not abs(one.weight) <= HEAVIEST:  # also where it is no number
        raise ValueError("a voice needs a name, a file voice-N.gguf and a weight")
    return one


def written(voices: Sequence[Voice], path: Path) -> None:
    """Write a voices.json."""
    rows = [{"name": one.name, "file": one.file, "weight": one.weight} for one in voices]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def added(voices: Sequence[Voice], scales: Mapping[str, float]) -> tuple[float, ...]:
    """How much of each adapter, by its place, these scales add to the model; () where that is nothing of any."""
    found = tuple(one.weight * (scales.get(one.name, 1.0) - 1.0) for one in voices)
    return found if any(found) else ()
