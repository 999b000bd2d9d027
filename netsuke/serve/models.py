"""Where the models that are served lie: in folders that were named, or under names of the store, which may move on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from .. import voices
from ..engines.asking import TASK
from ..errors import StoreError
from ..nouns import Ref
from ..store import Store, hash_file

FILE = "model.gguf"


@dataclass(frozen=True)
class Facts:
    """What can be told of a model without running it."""

    bytes: int
    sha256: str
    modified: float  # seconds since 1970
    base: str = ""
    licence: str = ""
    voices: tuple[str, ...] = ()
    task: bool = False  # whether it was taught one

    @property
    def when(self) -> str:
        return datetime.fromtimestamp(self.modified, UTC).isoformat().replace("+00:00", "Z")


class Models(Protocol):
    """Models by name. `stamp` is cheap and differs once there is another model under the name."""

    def names(self) -> list[str]:
        """The names, the first one being what a request gets that names none."""

    def stamp(self, name: str) -> str | None:
        """What stands for the model as it is now; None where there is none (any more). Raises StoreError, OSError."""

    def folder(self, name: str, stamp: str) -> Path:
        """The model's folder, with model.gguf in it, or its file alone; its bytes checked. Takes a while.

        Raises StoreError.
        """

    def facts(self, name: str) -> Facts | None:
        """None where there is no such model. Cheap after the first time."""


class Folders:
    """Models that stay what they are."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = dict(folders)
        self._facts: dict[str, Facts] = {}

    def names(self) -> list[str]:
        return list(self._folders)

    def stamp(self, name: str) -> str | None:
        return "as it is" if name in self._folders else None

    def folder(self, name: str, stamp: str) -> Path:
        return self._folders[name]

    def facts(self, name: str) -> Facts | None:
        if name in self._folders and name not in self._facts:
            folder = self._folders[name]
            file, listed = folder / FILE, folder / "netsuke.json"
            manifest = listed.read_bytes() if listed.exists() else b""
            digest = _digest(manifest) or hash_file(file)  # a pack's is what was checked when the server started
            sung = tuple(one.name for one in voices.read(folder))
            taught = (folder / TASK).exists()
            self._facts[name] = Facts(
                file.stat().st_size, digest, file.stat().st_mtime, *_told(manifest), sung, taught
            )
        return self._facts.get(name)


class Shipped:
    """The packs of a home: `chosen` names, or all that are there at the moment."""

    def __init__(self, store: Store, chosen: Sequence[str] = ()) -> None:
        self.store, self._chosen = store, list(chosen)
        self._facts: dict[str, Facts] = {}

    def names(self) -> list[str]:
        there = self.store.names("packs")
        return [name for name in self._chosen if name in there] if self._chosen else there

    def stamp(self, name: str) -> str | None:
        record = self.store.named("packs", name) if name in self.names() else None
        return record["ref"] if record else None

    def folder(self, name: str, stamp: str) -> Path:
        return self.store.path(stamp)

    def facts(self, name: str) -> Facts | None:
        try:
            stamp = self.stamp(name)
            if stamp is None or stamp in self._facts:
                return self._facts.get(stamp or "")
            files = self.store.tree(stamp)
            told = _told(self.store.path(files["netsuke.json"]).read_bytes()) if "netsuke.json" in files else ("", "")
            made = self.store.made("packs", name)
            found = self._facts[stamp] = Facts(
                self.store.size(files[FILE]), files[FILE], made, *told, self._voices(files), TASK in files
            )
            return found
        except (StoreError, KeyError):
            return None

    def _voices(self, files: Mapping[str, Ref]) -> tuple[str, ...]:
        listed = files.get(voices.FILE)
        return tuple(one.name for one in voices.parsed(self.store.path(listed).read_bytes())) if listed else ()


class Several:
    """Several such places as one; the first that knows a name has it."""

    def __init__(self, places: Sequence[Models]) -> None:
        self._places = places

    def names(self) -> list[str]:
        return list(dict.fromkeys(name for place in self._places for name in place.names()))

    def stamp(self, name: str) -> str | None:
        return next(filter(None, (place.stamp(name) for place in self._places)), None)

    def folder(self, name: str, stamp: str) -> Path:
        place = next((place for place in self._places if place.stamp(name) == stamp), None)
        if place is None:
            raise StoreError(f"{name} is another one by now, or gone")
        return place.folder(name, stamp)

    def facts(self, name: str) -> Facts | None:
        return next(filter(None, (place.facts(name) for place in self._places)), None)


def _told(manifest: bytes) -> tuple[str, str]:
    """(the base's name, its licence) of a manifest."""
    try:
        base = json.loads(manifest)["base"]
        return str(base["name"]), str(base["licence"])
    except (ValueError, KeyError, TypeError):
        return "", ""


def _digest(manifest: bytes) -> str:
    """The sha256 of the model by a manifest; "" where it tells none."""
    try:
        return str(json.loads(manifest)["files"][FILE]["sha256"])
    except (ValueError, KeyError, TypeError):
        return ""
