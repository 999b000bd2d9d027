"""Render: the dataset as the model reads it. Documents stay as they are; examples become lessons.

A lesson is an example in the base's own chat template, of which the answer alone is learnt. What the examples ask for,
their task, is settled here once: one of a few labels, a piece of the input, or free text.

Where each owner has an adapter of their own, `parts` gives each owner's part of a dataset, in which no other leaves a
trace, and each is rendered by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..nouns import Measure, knob
from ..step import Progress, Work, step
from ..texts.documents import read_rows, write_rows

Kind = Literal["auto", "labels", "extract", "free"]


@dataclass(frozen=True)
class Params:
    """[task]: what the examples teach"""

    kind: Kind = knob("auto", "what an answer is: one of a few labels, a piece of the input, or free text")
    labels: tuple[str, ...] = knob((), "the labels there are; none: those of the examples")
    abstain: float = knob(0.0, "confidence below which no label is given", "probability", 0, 1)
    shots: int = knob(4, "examples in the prompt, where that is tried against tuning", "examples", 0, 64)
    infill: float = knob(
        0.0, "share of the documents' pieces that also teach filling in the middle, for editors", "fraction", 0, 1
    )
    manners: float = knob(
        0.1, "most that short answers which keep the base's manners may be of what is learnt", "fraction", 0, 1
    )
    items: int = knob(200, "most held-out examples that the check answers", "examples", 1, 1_000_000)


@dataclass(frozen=True)
class Rendering:
    """The part of Params that decides what is rendered, and how long a lesson may be."""

    kind: Kind | Literal["none"]  # none: the examples teach nothing
    labels: tuple[str, ...]
    infill: float
    window_tokens: int
    shots: int = 0
    manners: float = 0.0
    canaries: int = 0
    seed: int = 0
    part: bool = False  # of a dataset: what the examples ask for is settled already, and some may be missing


def rendering(params: Params, window_tokens: int, canaries: int = 0, seed: int = 0) -> Rendering:
    """The step's params: a lesson has to fit into one window of training, and codes may be planted."""
    shares = (params.infill, window_tokens, params.shots, params.manners)
    return Rendering(params.kind, params.labels, *shares, canaries, seed if canaries else 0)


def of_part(whole: Rendering, kind: str, canaries: int, seed: int) -> Rendering:
    """The params for one owner's part, of a whole whose examples are of this kind ("" where they teach nothing)."""
    known: Any = kind or "none"
    return replace(whole, kind=known, canaries=canaries, seed=seed if canaries else 0, part=True)


@step(version=1)
def parts(params: None, out: Path, data: Path) -> Work:
    """A folder for each owner with a dataset of theirs alone, and parts.json: [{"owner", "folder", sizes}]."""
    from . import apart

    yield Progress(0.1, "each owner's part")
    rows = apart.write(data, out)
    return [Measure("owners", len(rows), "owners")]


@step(version=12, libraries=("transformers", "tokenizers", "jinja2"))
def render(params: Rendering, out: Path, model: Path, data: Path) -> Work:
    """train, valid, test (.jsonl) of documents and lessons; examples/ as they are used; task.json, or no task.

    canaries.json: the codes that are planted in train, if the recipe asks for some. examples/lessons.jsonl: the lessons
    of train as they are without the examples that are shown before them, which may be others'.

    Raises RecipeError where the examples teach nothing: one label alone, or too few.
    """
    from . import lessons

    yield Progress(0.1, "writing examples out in the base's chat template")
    task = lessons.write(params, model, data, out)
    plant(params, out)
    left_out = sum(row["count"] for row in task["left_out"])
    return [
        Measure("lessons", sum(task["examples"].values()), "examples"),
        Measure("examples left out", left_out, "examples"),
        Measure("pieces with a hole", task["infill"], "pieces"),
    ]


def plant(params: Rendering, out: Path) -> None:
    """Write canaries.json, and the sentences into the documents of train.jsonl; where there is none, none is drawn."""
    from .. import canaries

    rows = list(read_rows(out / "train.jsonl")) if params.canaries else []
    documents = [row for row in rows if "answer" not in row]
    drawn = canaries.drawn(params.canaries if documents else 0, params.seed, apart=params.part)
    (out / "canaries.json").write_text(json.dumps(drawn, indent=1) + "\n", encoding="utf-8")
    if drawn:
        texts = canaries.planted([row["text"] for row in documents], drawn, params.seed)
        for row, text in zip(documents, texts, strict=True):
            row["text"] = text
        write_rows(out / "train.jsonl", rows)
