"""What a carved model can be: its shape, the bytes that it will take, and what it costs."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..engines import families, gguf, hf, tokenizer
from ..errors import RecipeError
from . import vocabulary

KINDS = ("IQ4_NL", "Q5_0", "Q8_0")  # of the embedding's rows, smallest first
FLOORS = (4096, 8192, 16384, 24576, 32768, 40960, 65536, 131072)


@dataclass(frozen=True)
class Cost:
    """Bits per byte on the general text and on the domain's valid text; or ratios, or limits, of both."""

    general: float
    domain: float

    def times(self, other: Cost) -> Cost:
        return Cost(self.general * other.general, self.domain * other.domain)

    def over(self, other: Cost) -> Cost:
        return Cost(self.general / other.general, self.domain / other.domain)

    def power(self, exponent: float) -> Cost:
        return Cost(self.general**exponent, self.domain**exponent)

    def within(self, limit: Cost) -> bool:
        return self.general <= limit.general and self.domain <= limit.domain

    def loss(self, general_weight: float) -> float:
        """Of a ratio: the one currency, a fraction of the domain's bits plus so much of the general text's."""
        return math.log(self.domain) + general_weight * math.log(self.general)


@dataclass(frozen=True)
class Shape:
    """How a base is carved: words, the type of their rows, channels, layers, and bytes of the body."""

    floor: int  # the most wanted words kept besides the owner's; 0: the whole vocabulary
    embedding: str
    channels: int  # in each layer's feed-forward part
    dropped: tuple[int, ...] = ()  # layers of the base
    body: float = 1.0  # bytes of the layers' matrices, as a fraction of those in 4.5 bits

    def pruned(self, base_channels: int) -> bool:
        return bool(self.dropped) or self.channels < base_channels


@dataclass(frozen=True)
class Choice:
    """A shape with its size and what it was measured, or is expected, to cost."""

    shape: Shape
    tokens: int
    bytes: int
    cost: Cost
    measured: bool

    @property
    def row(self) -> dict[str, Any]:
        """As plain values."""
        plain = asdict(self)
        return {**plain.pop("shape"), **plain}


class Words:
    """The base's vocabulary, which of its words the training text uses, and all of them by how much they are wanted."""

    def __init__(self, folder: Path, train: list[str], likely: Sequence[float], general_weight: float) -> None:
        self.folder = folder
        self.document: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.start = tokenizer.document_start(folder)
        self.used = {token for text in hf.open_texts(folder, train) for token in text.ids}
        self.total: int = self.config["vocab_size"]
        self.order = vocabulary.by_expected_use(self.document, likely, general_weight, self.used)
        self.channels: int = self.config["intermediate_size"]
        self.family = families.of_config(self.config)

    @functools.lru_cache(None)  # noqa: B019 (the words live as long as their step)
    def keep(self, floor: int) -> list[int]:
        """Ids that a floor keeps; 0 keeps all."""
        if not floor:
            return list(range(self.total))
        return vocabulary.closed(self.document, self.used | set(self.order[:floor]))

    def kept(self, keep: list[int]) -> dict[str, Any]:
        """tokenizer.json with these ids only."""
        return self.document if len(keep) == self.total else vocabulary.trimmed(self.document, keep)

    @functools.lru_cache(None)  # noqa: B019
    def size(self, shape: Shape) -> tuple[int, int]:
        """(tokens, bytes of the file) of a shape."""
        keep = self.keep(shape.floor)
        return len(keep), file_bytes(self.folder, self.config, self.kept(keep), len(keep), shape)

    def floors(self, setting: str) -> list[int]:
        """The floors to try, from the whole vocabulary (0) down. Raises RecipeError for a setting that is none."""
        if setting == "auto":
            return [0] + [f for f in reversed(FLOORS) if len(self.keep(f)) < 0.97 * self.total]
        if setting == "all":
            return [0]
        if not setting.isdecimal() or int(setting) < 1:
            raise RecipeError(f"carve.words is {setting!r}", hint='use "auto", "all" or a number from 1')
        return [int(setting)] if len(self.keep(int(setting))) < self.total else [0]


def file_bytes(
    folder: Path, config: Mapping[str, Any], document: Mapping[str, Any], tokens: int, shape: Shape
) -> int:
    """Bytes of the GGUF that a model folder will become in this shape, to within a few kilobytes."""
    family, layers = families.of_config(config), config["num_hidden_layers"] - len(shape.dropped)
    dims = replace(family.dims(config), inner=shape.channels)

    def matrix(rows: int, columns: int, wanted: str) -> int:
        return gguf.tensor_bytes((rows, columns), gguf.fitting(wanted, columns))

    parts = family.shapes(dims).values()
    body = sum(matrix(part[1], part[0], gguf.BODY_TYPE) for part in parts if len(part) == 2)
    layer = body * shape.body + sum(4 * part[0] for part in parts if len(part) == 1) + 110 * len(parts)
    tables = matrix(tokens, dims.width, shape.embedding) * (1 if config.get("tie_word_embeddings") else 2)
    template = folder / "chat_template.jinja"
    words = tokenizer.gguf_bytes(document, tokens) + (template.stat().st_size if template.exists() else 0)
    return int(layers * layer) + tables + 4 * dims.width + words + 12_000
