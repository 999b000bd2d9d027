"""Carve: a smaller shape of the base, as far as the gates allow; and at the end, the file.

carve     base model -> model/ (fewer words; where the budget asks for it fewer channels and layers), vocabulary.json,
          choice.json
quantise  tuned model -> model.gguf under the byte budget
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..nouns import Compute, Measure, knob
from ..step import Made, Progress, Work, step
from ..texts.documents import write_json


@dataclass(frozen=True)
class Params:
    """[carve]"""

    general: Literal["gate", "off"] = knob(
        "gate", "whether general language counts: off makes a model of your domain alone, much smaller"
    )
    general_weight: float = knob(
        0.5, "what a loss on general text counts beside the same loss on yours, while carving", "", 0, 100
    )
    margin: float = knob(
        0.6, "share of the general gate that carving may use up; the rest is left to tuning", "fraction", 0, 1
    )
    domain_cost: float = knob(
        0.08, "most that carving may cost on the valid documents before tuning", "fraction", 0, 100
    )
    knee: float = knob(0.25, "without mb: most bits that may be lost, fraction by fraction of bytes", "", 0, 100)
    words: str = knob("auto", "auto, all, or how many of the most wanted words to keep besides your own")


@dataclass(frozen=True)
class Carving:
    """Params with what the rest of the recipe decides."""

    general: str
    general_weight: float
    margin: float
    domain_cost: float
    knee: float
    words: str
    budget_bytes: int
    general_gate: float
    compute: Compute
    blind: bool = False  # general text stands for the domain's: it cannot tell what other texts need words for

    @property
    def general_counts(self) -> bool:
        """Whether general language has a limit; its weight may be 0 all the same."""
        return self.general != "off"

    @property
    def weight(self) -> float:
        """What general text counts beside the domain's; 0 where it does not."""
        return self.general_weight if self.general_counts else 0.0


@dataclass(frozen=True)
class Quantising:
    """What decides the file besides the model."""

    name: str
    budget_bytes: int
    compute: Compute
    infill: bool = False  # whether it was taught to fill in the middle


FREE = 100.0  # a gate that nothing reaches


@step(version=6, libraries=("torch", "transformers", "tokenizers", "libgguf"))
def carve(params: Carving, out: Path, model: Path, train: Path, valid: Path, general: Path) -> Work:
    """Choose a shape by measurement; write the smaller model."""
    from ..engines import hf
    from . import choose, write
    from .shape import Choice

    hf.use(params.compute)
    yield Progress(0.02, "the base on your text and on general text")
    prices = write.prices(params, model, train, valid, general)
    words = prices.words
    found: list[Choice] = []
    for item in choose.choose(prices, choose.wish(params, words, prices.base)):
        if isinstance(item, Progress):
            yield Progress(0.06 + 0.85 * item.fraction, item.text)
        else:
            found.append(item)
    taken = found[-1]
    yield Progress(0.95, f"writing {taken.tokens:,} words")
    write.model(prices, found, out)
    return [
        Measure("words kept", taken.tokens, "words", better=""),
        Measure("layers", words.config["num_hidden_layers"] - len(taken.shape.dropped), "layers", better=""),
        Measure("channels", taken.shape.channels, "channels", better=""),
        Measure("pruned", float(taken.shape.pruned(words.channels)), "", better=""),
        Measure("general after carving", taken.cost.general, "bits per byte", better="lower"),
        Measure("general before carving", prices.base.general, "bits per byte", better="lower"),
        Measure("valid after carving", taken.cost.domain, "bits per byte", better="lower"),
        Measure("valid before carving", prices.base.domain, "bits per byte", better="lower"),
        Measure("expected size", taken.bytes, "bytes", better="lower"),
    ]


@step(version=4, libraries=("torch", "transformers", "tokenizers", "libgguf", "gguf"))
def quantise(
    params: Quantising, out: Path, model: Path, choice: Path, train: Path, valid: Path, general: Path
) -> Work:
    """Write the tuned model as GGUF, each matrix in the type and rounded in the way that changes its answers least."""
    from ..engines import hf
    from . import write

    hf.use(params.compute)
    file = write.File(model, choice, params)
    texts = {"train": train, "valid": valid, "general": general}
    yield from file.make(out / "model.gguf", {name: write.read(path) for name, path in texts.items()})
    return [
        Measure("size", file.size, "bytes", better="lower"),
        Measure("bits a weight", file.bits_a_weight, "bits", better="lower"),
    ]


@step(version=3, libraries=("torch", "transformers", "tokenizers", "libgguf", "gguf", "matplotlib", "xllamacpp"))
def frontier(params: Carving, out: Path, model: Path, train: Path, valid: Path, general: Path) -> Work:
    """Measure what each size costs and how fast it is, beside llama.cpp's presets: frontier.json, frontier.svg."""
    from ..engines import hf
    from . import choose, write
    from .trace import picture, trace

    hf.use(params.compute)
    yield Progress(0.01, "the base on your text and on general text")
    prices = write.prices(params, model, train, valid, general)
    wish, text = choose.wish(params, prices.words, prices.base), "\n\n".join(write.read(general))
    rows = []
    work = trace(prices, wish, text, params.compute.threads)
    for item in work:
        if isinstance(item, Progress):
            yield item
        else:
            rows.append(item)
    write_json(out / "frontier.json", rows)
    (out / "frontier.svg").write_text(picture(rows), encoding="utf-8")
    knee = next(row for row in rows if row["knee"])
    return [Measure("knee", knee["bytes"], "bytes", better="")]


def carving(
    params: Params, budget_bytes: int, general_gate: float, compute: Compute, blind: bool = False
) -> Carving:
    """The carve step's params from the recipe's section and the rest of the recipe."""
    wanted = dataclasses.asdict(params)
    return Carving(**wanted, budget_bytes=budget_bytes, general_gate=general_gate, compute=compute, blind=blind)


def pruned(carved: Made) -> str:
    """The shape of the body's layers in words, "" where they are the base's or not known."""
    if not (carved.run and carved.value("pruned")):
        return ""
    return f"{carved.value('layers'):.0f} layers of {carved.value('channels'):.0f}"
