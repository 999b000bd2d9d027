"""Better answers that people gave, with their consent: a small file each, so that each can be listed and forgotten.

    watched/MODEL/corrections/OWNER/HASH.jsonl      one example; HASH is that of what it says
    watched/MODEL/trained.json                      when it was last trained again, and with which of them

The same correction is the same file. OWNER is a key's name; the owner of the home is "owner", whose work is their own.
A retraining reads these folders as sources of the recipe, through the ledger as every file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk import sync
from ..errors import RecipeError, explained
from ..nouns import Source
from ..store import Store

OWNER = "owner"
MOST = 2_000  # of one owner for one model
MOST_CHARS = 20_000  # of a question, and of an answer
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = re.compile(r"([0-9a-f]{64})\.jsonl")


@dataclass(frozen=True)
class Correction:
    """What was asked and what would have been the better answer; `id` is a hash of both."""

    model: str
    owner: str
    id: str
    time: float  # seconds since 1970
    prompt: str
    answer: str
    file: Path


def room(home: Path, model: str) -> Path:
    """The folder of what Watch keeps of a model. Raises RecipeError for what is no model's name."""
    return home / "watched" / _checked(model)


def trained(home: Path, model: str) -> dict[str, Any]:
    """{"time", "corrections"} of the last time a model was trained again, shipped or not; {} where it never was."""
    try:
        found = json.loads((room(home, model) / "trained.json").read_text("utf-8"))
        return {"time": float(found["time"]), "corrections": list(found["corrections"])}
    except (OSError, ValueError, KeyError, TypeError, RecipeError):
        return {}


def since(store: Store, model: str) -> float:
    """When a model was last made, or tried to be trained again, in seconds since 1970; 0 where there is none."""
    return max(store.made("packs", model), float(trained(store.root, model).get("time", 0.0)))


def keep(home: Path, model: str, owner: str, prompt: str, answer: str, *, label: bool = False) -> Correction:
    """Keeps a correction, whole or not at all; with `label` as an example of a task of labels.

    Raises RecipeError where a text is empty or the owner has MOST already, StoreError where the disk takes none.
    """
    prompt, answer = _plain(prompt), _plain(answer)
    if not prompt.strip() or not answer.strip():
        raise RecipeError("a correction needs a question and an answer", hint="say what was asked, and what is better")
    names = ("text", "label") if label else ("prompt", "completion")
    data = json.dumps(dict(zip(names, (prompt, answer.strip()), strict=True)), ensure_ascii=False) + "\n"
    digest = hashlib.sha256(data.encode()).hexdigest()
    folder = room(home, model) / "corrections" / _checked(owner)
    file = folder / f"{digest}.jsonl"
    with explained("keep the correction", folder):
        for place in (home / "watched", room(home, model), folder.parent, folder):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            if len(os.listdir(folder)) >= MOST:
                hint = f"netsuke watch {model} --forget ID takes one away"
                raise RecipeError(f"{owner} has given {MOST:,} corrections of {model} already", hint=hint)
            _write(file, data.encode())
    return _read(file, model, owner)


def every(home: Path, model: str, owner: str | None = None) -> list[Correction]:
    """The corrections of a model, of one owner or of all, by owner and id. What cannot be read is left out."""
    found = []
    for file in _files(room(home, model) / "corrections"):
        if owner in (None, file.parent.name):
            with contextlib.suppress(OSError, ValueError, KeyError):
                found.append(_read(file, model, file.parent.name))
    return found


def drop(home: Path, *, model: str | None = None, owner: str | None = None, id: str | None = None,
         text: str | None = None) -> list[Path]:  # fmt: skip
    """Deletes the corrections that all of these fit, and says which files that were; with none of these, all of them.

    `id` may be its first digits, from eight on; `text` is the sha256 of a question's or an answer's text. The folder of
    an owner stays, since a recipe may name it. Raises StoreError where the disk lets nothing go.
    """
    watched = home / "watched"
    models = [model] if model else sorted(os.listdir(watched)) if watched.is_dir() else []
    gone = []
    for name in models:
        for file in _files(room(home, name) / "corrections") if _NAME.fullmatch(name) else ():
            if _fits(file, owner, id, text):
                with explained("forget a correction", file):
                    file.unlink(missing_ok=True)
                    sync(file.parent)
                gone.append(file)
    return gone


def sources(home: Path, model: str) -> tuple[Source, ...]:
    """A source of a recipe for each owner who gave corrections: their own yes is its consent."""
    owners = sorted({file.parent for file in _files(room(home, model) / "corrections")})
    return tuple(
        Source(str(folder), profile="examples")
        if folder.name == OWNER
        else Source(str(folder), owner=whose(folder), consent="in", profile="examples")
        for folder in owners
    )


def whose(folder: Path) -> str:
    """Whose corrections lie in a folder, as the ledger names them."""
    return Source("").owner if folder.name == OWNER else folder.name


def is_of(model: str, source: Source) -> bool:
    """Whether a recipe's source is such a folder of this model, in this home or where it was before it was moved."""
    return Path(source.path).parts[-4:-1] == ("watched", model, "corrections")


def _files(folder: Path) -> Iterator[Path]:
    for place in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _NAME.fullmatch(place.name) and place.is_dir():
            yield from sorted(file for file in place.iterdir() if _FILE.fullmatch(file.name))


def _fits(file: Path, owner: str | None, id: str | None, text: str | None) -> bool:
    if owner not in (None, file.parent.name) or (id is not None and not (len(id) >= 8 and file.name.startswith(id))):
        return False
    if text is None:
        return True
    try:
        return text in {hashlib.sha256(said.encode()).hexdigest() for said in _said(file).values()}
    except (OSError, ValueError):
        return False


def _said(file: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(file.read_text("utf-8"))
    return found


def _read(file: Path, model: str, owner: str) -> Correction:
    said: dict[str, Any] = _said(file)
    prompt, answer = (said["text"], said["label"]) if "label" in said else (said["prompt"], said["completion"])
    return Correction(model, owner, file.stem, file.stat().st_mtime, str(prompt), str(answer), file)


def _write(file: Path, data: bytes) -> None:
    """The whole file, readable by its owner alone, or none."""
    descriptor, part = tempfile.mkstemp(dir=file.parent.parent, prefix=".part-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(part, file)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    sync(file.parent)


def _plain(text: str) -> str:
    """Text that a file can hold and an example may: no NUL, no half of a character."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise RecipeError(f"{name[:80]!r} is the name of no model and no key", hint="netsuke list")
    return name
