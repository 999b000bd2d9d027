"""Combine: the body and what was learnt, as one model.

    combine   one adapter, or one set of changed weights, merged into its body
    weigh     of several: what each counts, as given or as valid likes it best
    join      several merged into their body as one change
    voice     each of several as an adapter for llama.cpp, beside what they were merged to

Several come as a folder of `tune`'s outputs, each in a folder named by its Ref, with parents.json beside them:
[{"name": an owner or a model, "ref"}]. A method is a plain function in methods.METHODS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .. import voices
from ..nouns import Compute, Measure, Ref
from ..step import Progress, Work, step
from ..store import Store, canonical
from ..texts.documents import write_json

MethodName = Literal["linear", "slerp", "ties", "dare", "task"]
PARENTS = "parents.json"


@dataclass(frozen=True)
class How:
    """How several changes become one, and how their weights are found."""

    method: MethodName
    compute: Compute
    weights: Mapping[str, float] = field(default_factory=dict)  # by name of the parent; none: all the same
    search: Literal["none", "scale", "each"] = "none"  # on valid: one weight for all, or one for each
    density: float = 0.5  # of each change that is kept (ties, dare)
    seed: int = 0
    general_gate: float = 0.0
    valid_bytes: int = 6_000  # of valid text in one look


@dataclass(frozen=True)
class Joining:
    """The part of How that decides the one change, once weights.json is there."""

    method: MethodName
    density: float
    seed: int
    compute: Compute


@step(version=1, libraries=("torch", "safetensors"))
def combine(params: None, out: Path, model: Path, adapter: Path) -> Work:
    """Write the model folder with the adapter merged in: W + alpha / r · B A, formed in float32."""
    from . import merge

    yield Progress(0.1, "merging")
    merge.write(model, adapter, out)
    return []


@step(version=3, libraries=("torch", "transformers", "tokenizers", "safetensors"))
def weigh(params: How, out: Path, model: Path, parents: Path, choice: Path, valid: Path, general: Path) -> Work:
    """Write weights.json: what each parent counts; and curve.json: how they learnt, as one record."""
    from ..engines import hf
    from . import search

    hf.use(params.compute)
    yield Progress(0.05, "reading")
    found = yield from search.weights(params, model, parents, choice, valid, general)
    write_json(out / "weights.json", found)
    write_json(out / "curve.json", search.curve(parents, found) | {"models": params.search != "scale"})
    return [
        Measure("parents", len(found["parents"]), "models"),
        Measure("largest weight", max(row["weight"] for row in found["parents"]), ""),
    ]


@step(version=1, libraries=("torch", "safetensors"))
def join(params: Joining, out: Path, model: Path, parents: Path, weights: Path) -> Work:
    """Write the model folder with the changes of all parents merged in as one, formed in float32."""
    from ..engines import hf
    from . import merge
    from .methods import Dials

    hf.use(params.compute)
    yield Progress(0.1, "merging")
    rows = json.loads(weights.read_text(encoding="utf-8"))["parents"]
    folders = {row["ref"]: parents / row["ref"] for row in rows}
    given = {row["ref"]: row["weight"] for row in rows}
    merge.write_mixed(model, folders, given, params.method, Dials(params.density, params.seed), out)
    return []


@step(version=1, libraries=("torch", "safetensors", "gguf"))
def voice(params: None, out: Path, model: Path, parents: Path, weights: Path) -> Work:
    """Write voice-N.gguf of each parent that learnt an adapter, and voices.json: what each counts in the sum.

    A parent that is a whole changed model has none: its change is not of low rank.
    """
    from ..engines import adapter
    from .methods import counted

    found = json.loads(weights.read_text(encoding="utf-8"))
    counts = counted(found["method"], [row["weight"] for row in found["parents"]])
    rows = {row["ref"]: (row["name"], count) for row, count in zip(found["parents"], counts, strict=True) if count}
    made: list[voices.Voice] = []
    for ref, (name, count) in rows.items():
        if (parents / ref / "adapter_model.safetensors").exists():
            yield Progress(len(made) / len(rows), name)
            made.append(voices.Voice(name, voices.file_of(len(made) + 1), count))
            adapter.to_gguf(parents / ref, model, out / made[-1].file)
    voices.written(made, out / voices.FILE)
    size = sum((out / one.file).stat().st_size for one in made)
    return [Measure("voices", len(made), "adapters"), Measure("size", size, "bytes")]


def gathered(store: Store, learnt: Sequence[tuple[str, Ref | None]]) -> Ref | None:
    """Ref of a folder of what was learnt, by name, in the order of their Refs; None where a plan knows too little."""
    rows = sorted(({"name": name, "ref": str(ref)} for name, ref in learnt if ref), key=lambda row: row["ref"])
    if not rows or len(rows) < len(learnt):
        return None
    entries = {f"{row['ref']}/{file}": ref for row in rows for file, ref in store.tree(row["ref"]).items()}
    return store.add_tree({**entries, PARENTS: store.add_bytes(canonical(rows))})


def joining(how: How) -> Joining:
    """The params of `join` that go with these of `weigh`."""
    return Joining(how.method, how.density, how.seed, how.compute)
