"""Value: what each owner, source and document was worth to a model, in bits saved on valid text. Test is never read.

    divide      the training text by owner or source: units.json, and a train.jsonl each
    play        the combining game: what the combination of some units' adapters needs for the valid text
    influence   what each document does for the valid text, to first order, beside BM25
    worth       value.json, value.csv and value.svg: Shapley, leave-one-out, coverage, copies, licences

The worth of a coalition is the bits per byte that the combination of its adapters saves on the valid text against the
body without any. Nothing is trained for it beyond one adapter a unit, which the front (front/worth.py) sees to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from ..nouns import Compute, Measure
from ..step import Progress, Work, step
from ..texts.documents import read_rows, write_json, write_rows

By = Literal["owner", "source"]
Rule = Literal["task", "linear"]
MOST_EXACT = 8  # units of whom every coalition is scored
MOST_UNITS = 16  # units there are at most: the smallest count as one
MOST_COALITIONS = 256  # of more than MOST_EXACT units, drawn at random
PARENTS = "parents.json"  # beside a folder of adapters, as combine.gathered writes it


@dataclass(frozen=True)
class Dividing:
    """Who is valued."""

    by: By
    sources: tuple[str, ...]  # what they are called, by number


@dataclass(frozen=True)
class Playing:
    """Whose coalitions are scored, and how their adapters are combined."""

    names: tuple[str, ...]  # the units, in their order; one without an adapter brings nothing
    compute: Compute
    valid_bytes: int
    rule: Rule = "task"  # task: the sum of the changes, each by its weight; linear: their weighted mean
    weights: Mapping[str, float] = field(default_factory=dict)  # by name; none: all the same
    orders: tuple[tuple[int, ...], ...] = ()  # in which units come, where they are too many for all coalitions


@dataclass(frozen=True)
class Looking:
    """How much text the influence of documents is taken from."""

    compute: Compute
    document_bytes: int  # of all documents together; of longer ones the fronts are read


@dataclass(frozen=True)
class Weighing:
    """What is written of it all."""

    by: By
    orders: tuple[tuple[int, ...], ...] = ()
    seed: int = 0


@step(version=3)
def divide(params: Dividing, out: Path, rendered: Path, documents: Path) -> Work:
    """Write units.json and, for unit n, train-n.jsonl; train.jsonl, the rows that they are of."""
    from . import units

    yield Progress(0.1, f"whose is what, by {params.by}")
    rows = units.bare(rendered)
    found = units.units(units.pieces(rendered, read_rows(documents)), params.by, params.sources, MOST_UNITS)
    write_rows(out / "train.jsonl", rows)
    for number, unit in enumerate(found):
        write_rows(out / f"train-{number}.jsonl", (rows[piece.row] for piece in unit.pieces))
    write_json(out / "units.json", [asdict(unit) | {"bytes": unit.bytes} for unit in found])
    return [Measure("units", len(found), ""), Measure("text", sum(unit.bytes for unit in found), "bytes")]


@step(version=2, libraries=("torch", "transformers", "tokenizers", "safetensors"))
def play(params: Playing, out: Path, scratch: Path, model: Path, parents: Path, valid: Path) -> Work:
    """Write game.json: the bits that each coalition's combination needs for each valid text."""
    from ..engines import hf
    from . import game, rules, shapley

    hf.use(params.compute)
    yield Progress(0.0, "reading")
    held = game.Held.of(model, valid, params.valid_bytes)
    refs = {row["name"]: row["ref"] for row in json.loads((parents / PARENTS).read_text(encoding="utf-8"))}
    there = [name for name in params.names if name in refs]
    mixture = game.Mixture(model, [parents / refs[name] for name in there])
    coalitions = shapley.coalitions(len(params.names), params.orders or None)
    asked = {mask: rules.weights(params, mask, there) for mask in coalitions}
    scored = yield from game.play(mixture, held, asked, scratch)
    texts = [{"kind": kind, "bytes": text.bytes} for kind, text in zip(held.keys, held.texts, strict=True)]
    bits = {str(mask): found for mask, found in scored.items()}
    write_json(out / "game.json", {"names": params.names, "texts": texts, "bits": bits})
    size = sum(text.bytes for text in held.texts)
    return [Measure("coalitions", len(scored), ""), Measure("valid text", size, "bytes", n=len(texts))]


@step(version=4, libraries=("torch", "transformers", "tokenizers", "safetensors"))
def influence(params: Looking, out: Path, model: Path, mirror: Path, units: Path, train: Path, valid: Path) -> Work:
    """Write influence.json: what having learnt the valid text (`mirror`) saves on each document; its loss, its BM25."""
    from ..engines import hf
    from . import look

    hf.use(params.compute)
    yield Progress(0.0, "reading")
    rows = yield from look.documents(params, model, mirror, json.loads(units.read_bytes()), train, valid)
    write_json(out / "influence.json", rows)
    return [Measure("documents", len(rows), "")]


@step(version=4, libraries=("numpy", "matplotlib"))
def worth(
    params: Weighing, out: Path, units: Path, documents: Path, train: Path, valid: Path,
    game: Path | None = None, influence: Path | None = None,
) -> Work:  # fmt: skip
    """Write value.json, value.csv and value.svg."""
    from . import content, picture, tables

    yield Progress(0.1, "values and their intervals")
    found = content.content(
        params, json.loads(units.read_bytes()), list(read_rows(documents)), train, valid,
        json.loads(game.read_bytes()) if game else None, json.loads(influence.read_bytes()) if influence else None,
    )  # fmt: skip
    write_json(out / "value.json", found)
    (out / "value.csv").write_text(tables.as_csv(found), encoding="utf-8", newline="")
    (out / "value.svg").write_text(picture.picture(found), encoding="utf-8")
    saved = found["saved"]
    return [Measure("saved on valid", saved["value"], "bits per byte", n=saved["n"], better="higher",
                    low=saved["low"], high=saved["high"])] if saved else []  # fmt: skip
