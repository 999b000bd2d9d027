"""Choosing how many words to keep and at how many bits, by measuring what each choice costs.

The cost of dropping words and the cost of rounding their rows nearly add up, in bits per byte on a log scale (1.2941
expected, 1.2937 measured; docs/log.md). So each is measured alone, on the body as it will be rounded; the sums rank all
pairs by size; the smallest pair that should hold is measured itself before it is taken.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..engines import gguf, hf, tokenizer
from ..errors import BudgetError, RecipeError
from ..step import Progress
from . import vocabulary

KINDS = ("IQ4_NL", "Q5_0", "Q8_0")  # smallest first
FLOORS = (4096, 8192, 16384, 24576, 32768, 40960)


@dataclass(frozen=True)
class Cost:
    """Bits per byte on the general text and on the domain's valid text; or ratios, or limits, of both."""

    general: float
    domain: float

    def times(self, other: Cost) -> Cost:
        return Cost(self.general * other.general, self.domain * other.domain)

    def over(self, other: Cost) -> Cost:
        return Cost(self.general / other.general, self.domain / other.domain)

    def within(self, limit: Cost) -> bool:
        return self.general <= limit.general and self.domain <= limit.domain


@dataclass(frozen=True)
class Choice:
    """One vocabulary at one precision: its size and what it was measured, or expected, to cost."""

    floor: int  # 0: the whole vocabulary
    tokens: int
    embedding: str
    bytes: int
    cost: Cost
    measured: bool

    @property
    def row(self) -> dict[str, Any]:
        return asdict(self)


class Words:
    """The base's vocabulary, and which of its words the training text uses."""

    def __init__(self, folder: Path, train: list[str]) -> None:
        self.folder = folder
        self.document: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text())
        self.start = tokenizer.document_start(folder)
        self.used = {token for text in hf.open_texts(folder, train) for token in text.ids}
        self.total: int = json.loads((folder / "config.json").read_text())["vocab_size"]

    @functools.lru_cache(None)  # noqa: B019 (the words live as long as their step)
    def keep(self, floor: int) -> list[int]:
        """Ids that a floor keeps; 0 keeps all."""
        if not floor:
            return list(range(self.total))
        return vocabulary.closed(self.document, self.used | set(vocabulary.floor_ids(self.document, floor)))

    def kept(self, keep: list[int]) -> dict[str, Any]:
        """tokenizer.json with these ids only."""
        return self.document if len(keep) == self.total else vocabulary.trimmed(self.document, keep)

    def size(self, floor: int, kind: str) -> tuple[int, int]:
        """(tokens, bytes of the file) of a choice."""
        keep = self.keep(floor)
        return len(keep), file_bytes(self.folder, self.kept(keep), len(keep), kind)

    def floors(self, words: str) -> list[int]:
        """The floors to try, from the whole vocabulary (0) down. Raises RecipeError for a setting that is none."""
        if words == "auto":
            return [0] + [f for f in reversed(FLOORS) if len(self.keep(f)) < 0.97 * self.total]
        if words == "all":
            return [0]
        if not words.isdecimal() or int(words) < 1:
            raise RecipeError(f"carve.words is {words!r}", hint='use "auto", "all" or a number from 1')
        return [int(words)] if len(self.keep(int(words))) < self.total else [0]


class Bench:
    """A base whose body is already rounded, to try vocabularies and embedding types on."""

    def __init__(self, words: Words, general: list[str], domain: list[str]) -> None:
        self.words, self.texts = words, (general, domain)
        self.model = hf.load_model(words.folder)
        self.rows: torch.Tensor = self.model.model.embed_tokens.weight.detach()
        self.head: torch.Tensor = self.model.lm_head.weight.detach()
        self.base = self.measure(words.keep(0), None)
        self.rounding: dict[str, Cost] = {}  # by embedding type: what rounding the whole file costs
        self.expected: list[Choice] = []  # every choice, also those over the budget, by size

    def round_body(self, texts: list[str]) -> None:
        """Replace the body's weights by what they will be in the file; learn the rows' importance on the way."""
        energy = hf.input_energy(self.model, hf.open_texts(self.words.folder, texts))
        self.energy = energy.get("model.embed_tokens.weight", energy.get("lm_head.weight"))
        for name, module in self.model.model.named_modules():
            if isinstance(module, torch.nn.Linear):
                key = f"model.{name}.weight"
                module.weight.data = gguf.rounded(module.weight, gguf.BODY_TYPE, energy[key])

    def measure(self, keep: list[int], kind: str | None) -> Cost:
        """Bits per byte with these ids kept and their rows rounded (None: not)."""
        rows, head = self.rows[keep], self.head[keep]
        if kind:
            tied = self.model.config.tie_word_embeddings
            rows = gguf.rounded(rows, kind, self.energy if tied else None)
            head = rows if tied else gguf.rounded(head, kind, self.energy)
        self.model.model.embed_tokens.weight.data, self.model.lm_head.weight.data = rows, head
        words = tokenizer.from_document(json.dumps(self.words.kept(keep)))
        start = keep.index(self.words.start)
        scores = (hf.score(self.model, hf.encode(words, texts, start)) for texts in self.texts)
        return Cost(*map(hf.bits_per_byte, scores))


def file_bytes(folder: Path, document: Mapping[str, Any], tokens: int, kind: str) -> int:
    """Bytes of the GGUF that a model folder will become with this vocabulary, to within a few kilobytes."""
    config = json.loads((folder / "config.json").read_text())
    width, inner, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    head = config.get("head_dim") or width // config["num_attention_heads"]
    q, kv = head * config["num_attention_heads"], head * config["num_key_value_heads"]

    def matrix(rows: int, columns: int, wanted: str) -> int:
        return gguf.tensor_bytes((rows, columns), gguf.fitting(wanted, columns))

    shapes = (
        (q, width),
        (kv, width),
        (kv, width),
        (width, q),
        (inner, width),
        (inner, width),
        (width, inner),
    )
    layer = sum(matrix(rows, columns, gguf.BODY_TYPE) for rows, columns in shapes) + 2 * 4 * width
    tables = matrix(tokens, width, kind) * (1 if config.get("tie_word_embeddings") else 2)
    vocab, template = document["model"]["vocab"], folder / "chat_template.jinja"
    words = sum(len(word.encode()) + 12 for word in vocab) + 32 * max(0, tokens - len(vocab))
    words += template.stat().st_size if template.exists() else 0
    merges = sum(len(a.encode()) + len(b.encode()) + 9 for a, b in tokenizer.merges_of(document["model"]))
    return layers * layer + tables + 4 * width + words + merges + layers * 9 * 110 + 12_000


def sizes(words: Words, budget_bytes: int, setting: str) -> dict[tuple[int, str], tuple[int, int]]:
    """(tokens, bytes) of every (floor, type) to consider. Raises BudgetError where none fits `budget_bytes`."""
    found = {(floor, kind): words.size(floor, kind) for floor in words.floors(setting) for kind in KINDS}
    smallest = min(size for _, size in found.values())
    if budget_bytes and smallest > budget_bytes:
        raise BudgetError(
            f"{budget_bytes / 1e6:.2f} MB cannot be reached: the smallest that this base and material can be is "
            f"{smallest / 1e6:.2f} MB",
            hint=f"use --mb {math.ceil(smallest / 1e4) / 100:.2f} or more",
        )
    return found


def choose(
    bench: Bench, sizes: Mapping[tuple[int, str], tuple[int, int]], budget_bytes: int, limit: Cost
) -> Iterator[Progress | Choice]:
    """Yields progress, then every Choice worth showing; the last one is taken. `limit`: the most it may cost."""
    floors = list(dict.fromkeys(floor for floor, _ in sizes))
    parts = len(floors) + len(KINDS) + 1
    whole = bench.measure(bench.words.keep(0), None)
    trim: dict[int, Cost] = {}
    for floor in floors:
        keep = bench.words.keep(floor)
        yield Progress((1 + len(trim)) / parts, f"keeping {len(keep):,} words")
        trim[floor] = bench.measure(keep, None) if floor else whole
        if not trim[floor].within(limit) and _any_fits(sizes, trim, budget_bytes):
            break  # fewer words cost more still
    bits: dict[str, Cost] = {}
    for kind in KINDS:
        yield Progress((1 + len(floors) + len(bits)) / parts, f"all words in {kind}")
        bits[kind] = bench.measure(bench.words.keep(0), kind)
    bench.rounding = {kind: cost.over(bench.base) for kind, cost in bits.items()}
    bench.expected = sorted(
        (
            Choice(floor, tokens, kind, size, trim[floor].times(bits[kind]).over(whole), False)
            for (floor, kind), (tokens, size) in sizes.items()
            if floor in trim
        ),
        key=lambda choice: choice.bytes,
    )
    expected = [choice for choice in bench.expected if not budget_bytes or choice.bytes <= budget_bytes]
    yield from expected
    yield from _measured(bench, expected, limit)


def require_holds(bench: Bench, taken: Choice, limit: Cost, gate: float, budget_bytes: int) -> None:
    """Raise BudgetError if what fits the budget costs so much general language that the gate cannot hold."""
    cost = taken.cost.general / bench.base.general - 1
    if not budget_bytes or cost <= gate:
        return
    holding = [choice.bytes for choice in bench.expected if choice.cost.within(limit)]
    size = f"use --mb {math.ceil(min(holding) / 1e5) / 10:.1f} or more, or " if holding else ""
    alone = f"allow it for a model of your domain alone: --set gates.general={math.ceil(cost * 10) / 10 + 0.2:.1f}"
    raise BudgetError(
        f"{budget_bytes / 1e6:.2f} MB would cost {cost:+.0%} on general text, at most {gate:+.0%} is allowed",
        hint=size + alone,
    )


def _any_fits(
    sizes: Mapping[tuple[int, str], tuple[int, int]], trim: Mapping[int, Cost], budget_bytes: int
) -> bool:
    return not budget_bytes or any(size <= budget_bytes for (f, _), (_, size) in sizes.items() if f in trim)


def _measured(bench: Bench, expected: list[Choice], limit: Cost) -> Iterator[Choice]:
    """Measure the smallest choices that should hold until one does; else what costs least on the general text."""
    tried: list[Choice] = []
    for choice in [c for c in expected if c.cost.within(limit)]:
        tried.append(_try(bench, choice))
        yield tried[-1]
        if tried[-1].cost.within(limit):
            return
    tried.append(_try(bench, min(expected, key=lambda c: c.cost.general)))
    yield min(tried, key=lambda c: c.cost.general)


def _try(bench: Bench, choice: Choice) -> Choice:
    cost = bench.measure(bench.words.keep(choice.floor), choice.embedding)
    return replace(choice, cost=cost, measured=True)
