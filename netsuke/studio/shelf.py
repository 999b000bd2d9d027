"""The models that are here, as the pages show them: from the names, the packs and what the loop kept of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import NetsukeError, StoreError
from ..front import targets
from ..nouns import Ref
from ..pack import manifest
from ..store import Store
from ..texts.documents import read_rows
from ..voices import FILE as VOICES
from ..voices import Voice, parsed


@dataclass(frozen=True)
class Model:
    """A named pack, with what its steps left in the store."""

    name: str
    store: Store
    record: dict[str, Any]
    content: dict[str, Any] = field(repr=False)

    @property
    def ref(self) -> Ref:
        return Ref(self.record["ref"])

    @property
    def file(self) -> Path:
        """Its GGUF, verified by the store."""
        return self.store.path(self.ref) / "model.gguf"

    @property
    def made(self) -> datetime:
        """When its name was last written."""
        return datetime.fromtimestamp(self.store.made("packs", self.name))

    @property
    def bytes(self) -> int:
        return int(self.content["files"]["model.gguf"]["bytes"])

    @property
    def own(self) -> dict[str, Any] | None:
        return own(self.content["measures"])

    @property
    def held_out(self) -> str:
        """What of its material it is measured on."""
        return "answers" if self.own and self.own["name"] == "answers" else "text"

    @property
    def has_task(self) -> bool:
        return "task.json" in self.content["files"]

    @property
    def voices(self) -> tuple[Voice, ...]:
        """What each of its parents learnt, where the pack has that beside the model."""
        files = self.store.tree(self.ref)
        return parsed(self.store.path(files[VOICES]).read_bytes()) if VOICES in files else ()

    def part(self, name: str) -> dict[str, Any]:
        """A JSON file of the pack; empty for a pack without it."""
        files = self.store.tree(self.ref)
        return dict(json.loads(self.store.path(files[name]).read_bytes())) if name in files else {}

    @cached_property
    def report(self) -> dict[str, Any]:
        """report.json; empty for a pack of an older netsuke."""
        return self.part("report.json")

    def left(self, step: str) -> dict[str, Ref]:
        """The files that a step of its lineage left, by name; none where they are gone."""
        output = self.content["lineage"].get(step, {}).get("output", "")
        try:
            return self.store.tree(output) if output and self.store.has(output) else {}
        except StoreError:
            return {}

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a file of its dataset (documents.jsonl, train.jsonl, …); none where it is gone."""
        files = self.left("data")
        return list(read_rows(self.store.path(files[name]))) if name in files else []

    @property
    def curve(self) -> list[dict[str, float]]:
        """How it learnt: step, tokens and bits per byte on valid."""
        learning = self.report.get("learning")
        if learning is None and "curve.json" in (files := self.left("tune")):
            learning = json.loads(self.store.path(files["curve.json"]).read_bytes())
        return list((learning or {}).get("history", ()))

    @property
    def base_file(self) -> Path | None:
        """The GGUF of its base, as it was compared with; None where it is gone."""
        return base_file(self.store, self.content["base"]["sha256"])


def own(measures: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The measure of what it was made of: of held-out text; of held-out answers where there is no such text."""
    by_name = {row["name"]: row for row in measures}
    return by_name.get("domain") or by_name.get("answers")


def base_file(store: Store, base: str) -> Path | None:
    """The GGUF of a base in the store: what `unpack` made of it, else its own file."""
    for run in store.runs():
        if run.step == "unpack" and run.inputs.get("base") == base and store.has(run.output):
            return store.path(store.tree(run.output)["base.gguf"])
    known = store.has(base) and not store.is_tree(base)
    return store.path(base) if known else None


def find(name: str, store: Store) -> Model:
    """The model of this name. Raises StoreError that lists those that are here."""
    record = targets.named_pack(name, store)
    if record is None:
        raise targets.no_model(name, store)
    return Model(name, store, record, manifest.read_from(store, record["ref"]))


def every(store: Store) -> tuple[list[Model], list[str]]:
    """(the models, newest first; what is wrong with those that cannot be read)."""
    models, wrong = [], []
    for name in store.names("packs"):
        try:
            models.append(find(name, store))
        except NetsukeError as error:
            wrong.append(f"{name}: {error}")
    return sorted(models, key=lambda model: (-model.made.timestamp(), model.name)), wrong


def past(name: str, store: Store) -> Iterator[tuple[datetime, Ref, dict[str, Any]]]:
    """(when, Ref, manifest) of each pack of a name that is still in the store, oldest first."""
    found = []
    for run in store.runs():
        if run.step == "pack" and run.params.get("name") == name and store.has(run.output):
            when = datetime.fromtimestamp(store.run_file(run.key).stat().st_mtime)
            found.append((when, run.output, manifest.read_from(store, run.output)))
    yield from sorted(found, key=lambda row: (row[0], row[1]))
