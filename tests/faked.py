"""Models of a home without a make: their recipe, the runs of their lineage, their record, and what the ledger has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from netsuke import loop, recipe
from netsuke.front import combining
from netsuke.nouns import Recipe, Run, Source
from netsuke.outcome import Checked, Outcome, Tasked
from netsuke.step import Made
from netsuke.store import Store, key_of

BASE = {"name": "base", "title": "A base", "licence": "MIT", "sha256": "b" * 64}


def made(store: Store, step: str, files: dict[str, Any], of: str = "") -> Made:
    """A run of a step that wrote these files."""
    content = {name: text if isinstance(text, str) else json.dumps(text) for name, text in files.items()}
    output = store.add_tree({name: store.add_bytes(text.encode()) for name, text in content.items()})
    params = {"compute": {"threads": 1}, "of": of, "wrote": output}
    run = Run(key_of(step, 1, params, {}, {}), step, 1, params, {}, {}, output, 0.0)
    store.record(run)
    return Made(store, run)


def row(path: str, source: int, owner: str = "me", **more: Any) -> dict[str, Any]:
    """A row of documents.jsonl."""
    digest = hashlib.sha256(f"{source} {path}".encode()).hexdigest()
    return {
        "path": path, "source": source, "owner": owner, "file": digest, "hash": digest, "licence": "CC0-1.0",
        "decision": "in", "reason": "It is open.", "split": "train", "stands_for": [], **more,
    }  # fmt: skip


def write_recipe(folder: Path, name: str, *sources: Source) -> Path:
    """A recipe with these sources; the path of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / recipe.FILE
    place.unlink(missing_ok=True)
    wanted = recipe.fresh(name, loop.SECTIONS)
    recipe.save(Recipe(name, wanted.base, sources or (Source("."),), params=wanted.params), place)
    return place


def pack(store: Store, name: str, learnt: str, rows: list[dict[str, Any]]) -> tuple[Made, Made]:
    """(the pack, its dataset) of one body, whose adapter's bytes are `learnt`."""
    data = made(store, "curate", {"documents.jsonl": "".join(json.dumps(one) + "\n" for one in rows)}, name)
    steps = {
        "data": data,
        "carve": made(store, "carve", {"vocabulary.json": [], "model/config.json": {}}),
        "tune": made(store, "tune", {"adapter_model.safetensors": learnt, "curve.json": {}}, name),
        "combine": made(store, "combine", {"model.safetensors": learnt}, name),
    }
    lineage = {step: {"key": one.run.key, "output": one.run.output} for step, one in steps.items() if one.run}
    told = {"netsuke": 1, "name": name, "base": BASE, "lineage": lineage, "task": None}
    return made(store, "pack", {"netsuke.json": told}, name), data


def model(store: Store, place: Path, rows: list[dict[str, Any]] | None = None, learnt: str | None = None) -> None:
    """Name a model that was made from the recipe at `place`, as `make` does."""
    wanted = recipe.load(place, loop.SECTIONS)
    packed, data = pack(store, wanted.name, learnt or wanted.name, [row("a.md", 0)] if rows is None else rows)
    loop.record(wanted, store, data)
    store.name("packs", wanted.name, {"ref": packed.ref, "recipe": str(place)})


def combination(store: Store, name: str, *order: str, rows: Sequence[dict[str, Any]] = ()) -> None:
    """Name a model that was combined from others."""
    packed, _ = pack(store, name, name, [*rows])
    place = combining.place_of(name, store)
    combining.save(combining.Wanted(name, order), place)
    parents = [{"name": one, "ref": "0" * 64} for one in order]
    told = {"method": "linear", "order": list(order), "parents": parents}
    store.name("packs", name, {"ref": packed.ref, "recipe": str(place), "combined": told})


def outcome(store: Store, name: str, passed: bool) -> Outcome:
    """What combining came to: a pack whose gates hold, or not."""
    gate = {"name": "domain", "passed": passed, "sentence": "It writes worse than its base."}
    weighed = made(store, "weigh", {"weights.json": {"parents": []}}, name)
    lineage = {"tune": {"key": weighed.run.key, "output": weighed.run.output}} if weighed.run else {}
    packed = made(store, "pack", {"netsuke.json": {"netsuke": 1, "name": name, "lineage": lineage}}, f"{name} {passed}")
    report = made(store, "check", {"report.json": {"gates": [gate], "measures": []}}, name)
    names = ("memory", "honesty", "safety", "samples")
    parts = {part: made(store, part, {f"{part}.json": {"gates": []}}) for part in names}
    data = made(store, "unite", {"documents.jsonl": ""}, name)
    return Outcome(packed, report, made(store, "trial", {"trial.json": {}}), data, Tasked(), Checked(**parts))


def parent(name: str) -> Any:
    """What `make` looks at of a parent when it names what was combined."""
    return SimpleNamespace(name=name, record={"ref": "0" * 64})
