"""Carve: fewer words of the base, at fewer bits, as far as the gates allow; and at the end, writing the file.

carve     base model -> model/ (the same body, fewer rows of the embedding), vocabulary.json, choice.json
quantise  tuned model -> model.gguf under the byte budget
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ..nouns import Measure, knob
from ..step import Progress, Work, step


@dataclass(frozen=True)
class Params:
    """[carve]"""

    margin: float = knob(
        0.6, "share of the general gate that carving may use up; the rest is left to tuning", "fraction", 0, 1
    )
    domain_cost: float = knob(
        0.08, "most that carving may cost on the valid documents before tuning", "fraction", 0, 100
    )
    words: str = knob("auto", "auto, all, or how many of the most general words to keep besides your own")


@dataclass(frozen=True)
class Carving:
    """Params with what the rest of the recipe decides."""

    margin: float
    domain_cost: float
    words: str
    budget_bytes: int
    general_gate: float
    threads: int


@dataclass(frozen=True)
class Quantising:
    """What decides the file besides the model."""

    name: str
    budget_bytes: int
    threads: int


ROUNDING_BYTES = 24_000  # of training text that tells which columns matter while choosing
VALID_BYTES = 10_000  # as much as the general text has


@step(version=1, libraries=("torch", "transformers", "tokenizers", "libgguf"))
def carve(params: Carving, out: Path, model: Path, train: Path, valid: Path, general: Path) -> Work:
    """Choose the vocabulary and the embedding's type by measurement; write the smaller model."""
    from ..engines.hf import use_threads
    from . import choose, write

    use_threads(params.threads)
    yield Progress(0.02, "reading the base")
    words = choose.Words(model, write.read(train))
    sizes = choose.sizes(words, params.budget_bytes, params.words)
    bench = choose.Bench(words, write.read(general), write.read(valid, limit_bytes=VALID_BYTES))
    yield Progress(0.1, "rounding the body")
    bench.round_body(write.read(train, limit_bytes=ROUNDING_BYTES))
    most = choose.Cost(1 + params.general_gate * params.margin, 1 + params.domain_cost)
    limit = bench.base.times(most)
    shown: list[choose.Choice] = []
    for item in choose.choose(bench, sizes, params.budget_bytes, limit):
        if isinstance(item, Progress):
            yield Progress(0.3 + 0.6 * item.fraction, item.text)
        else:
            shown.append(item)
    taken = shown[-1]
    choose.require_holds(bench, taken, limit, params.general_gate, params.budget_bytes)
    yield Progress(0.95, f"keeping {taken.tokens:,} words in {taken.embedding}")
    write.model(bench, taken, shown, limit, out)
    return [
        Measure("words kept", taken.tokens, "words", better=""),
        Measure("general after carving", taken.cost.general, "bits per byte", better="lower"),
        Measure("general before carving", bench.base.general, "bits per byte", better="lower"),
        Measure("valid after carving", taken.cost.domain, "bits per byte", better="lower"),
        Measure("valid before carving", bench.base.domain, "bits per byte", better="lower"),
        Measure("expected size", taken.bytes, "bytes", better="lower"),
    ]


@step(version=1, libraries=("torch", "transformers", "tokenizers", "libgguf", "gguf"))
def quantise(params: Quantising, out: Path, model: Path, choice: Path, train: Path) -> Work:
    """Write the tuned model as GGUF, weighted by what its own layers see on the training text."""
    from . import write

    yield Progress(0.02, "importance of each column, on your text")
    energy = write.importance(model, write.read(train, limit_bytes=48_000), params.threads)
    yield Progress(0.3, "rounding")
    size = write.file(model, choice, energy, out / "model.gguf", params.name, params.budget_bytes)
    return [Measure("size", size, "bytes", better="lower")]


def sections(params: Params, budget_bytes: int, general_gate: float, threads: int) -> Carving:
    """The carve step's params from the recipe's section and the rest of the recipe."""
    return Carving(
        **dataclasses.asdict(params), budget_bytes=budget_bytes, general_gate=general_gate, threads=threads
    )
