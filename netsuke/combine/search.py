"""What each parent counts: as given, or as valid likes it best within a few looks, always the same ones.

`scale` is for adapters that learnt different parts of one material: all count the same, from their mean to their sum.
`each` is for models that have little in common: one weight after the other is doubled and halved. At the end all are
made smaller until the general text is within its gate, where the method lets them (task).
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..engines import hf
from ..errors import RecipeError
from ..step import Progress
from ..texts.documents import read_texts, sample
from . import PARENTS, How, merge
from .methods import Dials

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)  # exponents: k parents count k ** -1 (their mean) to k ** 0 (their sum) each
MEAN = (0.0,)
FACTORS = (2.0, 0.5)
BACK_OFF = (1.0, 0.75, 0.5)
SHARE = 0.9  # of the general gate, as while tuning: the test text differs from this one

Weights = dict[str, float]
Look = tuple[float, Weights]


class Scale:
    """The body with any weights merged in, and its bits per byte."""

    def __init__(self, params: How, model: Path, parents: Mapping[str, Path], valid: Path, general: Path) -> None:
        self.params, self.body = params, hf.load_weights(model / "model.safetensors")
        self.network = hf.load_model(model)
        self.changes = {ref: merge.learnt(folder, self.body) for ref, folder in parents.items()}
        self.valid = hf.open_texts(model, sample(read_texts(valid), params.valid_bytes), answers=True)
        self.general = hf.open_texts(model, read_texts(general))

    def set(self, weights: Mapping[str, float]) -> None:
        """Merge these weights in."""
        dials = Dials(self.params.density, self.params.seed)
        changes = merge.mixed(self.changes, weights, self.params.method, dials)
        with torch.no_grad():
            for name, weight in merge.onto(self.body, changes):
                self.network.get_parameter(name).copy_(weight)

    def valid_bits(self, weights: Mapping[str, float]) -> float:
        """Bits per byte on valid with these weights, of documents and answers as tuning looks at them."""
        self.set(weights)
        if not self.valid:
            return 0.0
        return hf.bits_of_kinds(self.valid, hf.score(self.network.eval(), self.valid, whole=True))

    def general_bits(self, weights: Mapping[str, float]) -> float:
        """Bits per byte on the general text with these weights."""
        self.set(weights)
        return hf.bits_per_byte(hf.score(self.network.eval(), self.general))


def weights(
    params: How, model: Path, parents: Path, choice: Path, valid: Path, general: Path
) -> Generator[Progress, None, dict[str, Any]]:
    """Yields progress; returns weights.json: {"method", "parents": [{"name", "ref", "weight"}], "tried"}."""
    rows = json.loads((parents / PARENTS).read_text(encoding="utf-8"))
    refs = [row["ref"] for row in rows]
    start = {row["ref"]: float(params.weights.get(row["name"], 0.0 if params.weights else 1.0)) for row in rows}
    found, tried = start, list[Look]()
    if params.search != "none" and len(rows) > 1:
        scale = Scale(params, model, {ref: parents / ref for ref in refs}, valid, general)
        if not scale.valid and params.search == "each":
            raise RecipeError("there is no valid text to search the weights on", hint="give --weights")
        looks = turned(start, tried) if params.search == "each" else scaled(start, SCALES if scale.valid else MEAN)
        for number, wanted in enumerate(looks):
            yield Progress(min(0.8, 0.1 + 0.08 * number), "looking at valid")
            tried.append((scale.valid_bits(wanted), wanted))
        found = min(tried, key=lambda look: look[0])[1]
        yield Progress(0.85, "checking the general text")
        found = within(params, scale, found, choice)
    named = [row | {"weight": round(found[row["ref"]], 6)} for row in rows]
    told = [{"valid": bits, "weights": [round(at[ref], 6) for ref in refs]} for bits, at in tried]
    return {"method": params.method, "parents": named, "tried": told}


def scaled(start: Weights, exponents: Sequence[float] = SCALES) -> Iterator[Weights]:
    """The same weights, from their mean to their sum."""
    for exponent in exponents:
        factor = len(start) ** (exponent - 1)
        yield {ref: weight * factor for ref, weight in start.items()}


def turned(start: Weights, tried: list[Look]) -> Iterator[Weights]:
    """The start; then from the best of `tried` one weight at a time doubled and halved, in the order of their Refs."""
    yield start
    for ref in sorted(start):
        best = min(tried, key=lambda look: look[0])[1]
        for factor in FACTORS:
            yield best | {ref: best[ref] * factor}


def within(params: How, scale: Scale, found: Weights, choice: Path) -> Weights:
    """The weights, smaller if the general text asks for it: the largest that hold, else the best."""
    if params.method != "task":
        return found
    record = json.loads(choice.read_text(encoding="utf-8"))
    bound = record["base"]["general"] * (1 + params.general_gate * SHARE) / record["rounding"]["general"]
    tried = list[Look]()
    for factor in BACK_OFF:
        smaller = {ref: weight * factor for ref, weight in found.items()}
        tried.append((scale.general_bits(smaller), smaller))
        if tried[-1][0] <= bound:
            return smaller
    return min(tried, key=lambda look: look[0])[1]


def curve(parents: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """How they learnt, as one record of the shape that `tune` writes; each one's own under "parts"."""
    parts = []
    for row in found["parents"]:
        own = json.loads((parents / row["ref"] / "curve.json").read_text(encoding="utf-8"))
        parts.append({**own, "name": row["name"], "ref": row["ref"], "weight": row["weight"]})
    longest = max(parts, key=lambda part: part["steps"])
    return {
        "steps": sum(part["steps"] for part in parts),
        "epochs": sum(part["epochs"] for part in parts) / len(parts),
        "learning_rate": longest["learning_rate"], "trials": [], "scale": 1.0, "start": "", "history": [],
        "method": found["method"], "tried": found["tried"], "parts": parts,
    }  # fmt: skip
