"""A base, and what each thing that can be carved off it costs: measured alone, when it is first asked for.

Costs nearly add up, in bits per byte on a log scale (docs/log.md). So the price of a shape is expected from those of
its parts; the one that is taken is measured as a whole.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..engines import gguf, hf, tokenizer
from ..step import Progress
from ..texts.documents import sample
from . import bits, prune
from .shape import Choice, Cost, Shape, Words

BODY = Cost(1.02, 1.015)  # what rounding the layers to 4.5 bits costs (docs/log.md)
HEALED = 0.1  # of what pruning costs that minutes of tuning win back (docs/log.md)
GENERAL_WORDS = 32  # times what Zipf's law says are general words wanted beside the likely ones (docs/log.md)
FEWEST = 0.6  # of the base's layers, or channels, that are left at least
MANY_WORDS, FEW_WORDS = 65_536, 40_960  # of more than the first, rows are priced on the second: all take minutes
TRIED = 3  # layers that look least needed are measured
SHORT_BYTES = 3_000  # of each text that tell which of them goes
CALIBRATION_BYTES = 24_000
WINDOW = 128  # tokens of either text that tell what types cost

Plan = tuple[int, tuple[int, ...]]  # channels, layers dropped


class Prices:
    """What each part of a shape costs, and shapes as wholes."""

    def __init__(
        self, folder: Path, train: list[str], general: list[str], domain: list[str], general_weight: float,
        general_counts: bool,
    ) -> None:  # fmt: skip
        self.texts, self.general_weight, self.general_counts = (general, domain), general_weight, general_counts
        self.calibration = hf.open_texts(folder, sample(train, CALIBRATION_BYTES))
        self.whole = hf.load_model(folder)
        self.energy, likely = hf.look(self.whole, self.calibration)
        self.words = Words(folder, train, likely, GENERAL_WORDS * general_weight)
        self.rows = self.whole.model.embed_tokens.weight.detach()
        self.head = self.whole.lm_head.weight.detach()
        self.full = Shape(0, "", self.words.channels)
        self.ratios: dict[tuple[str, object], Cost] = {}
        self._pruned: dict[Plan, hf.Network] = {(self.words.channels, ()): self.whole}
        self.base = self.measure(self.full)
        self._groups: list[bits.Group] = []
        self._next: dict[tuple[int, ...], int] = {}  # by layers that are gone, the one that is least needed then

    # -- parts --------------------------------------------------------------------------------------
    def parts(self, shape: Shape) -> dict[tuple[str, object], str]:
        """The parts that a shape's price is made of, and what to call measuring each."""
        found: dict[tuple[str, object], str] = {
            ("embedding", shape.embedding): f"all words in {shape.embedding}"
        }
        if shape.floor:
            found["floor", shape.floor] = f"keeping {len(self.words.keep(shape.floor)):,} words"
        if shape.channels < self.words.channels:
            found["channels", shape.channels] = f"{shape.channels:,} channels a layer"
        if shape.dropped:
            found["dropped", shape.dropped] = f"without layer {shape.dropped[-1] + 1}"
        if shape.body < 1:
            found["body", shape.body] = "bits of each matrix"
        return found

    def price(self, shape: Shape) -> Iterator[Progress]:
        """Measure the parts of a shape that have no price yet."""
        for part, title in self.parts(shape).items():
            if part not in self.ratios:
                yield Progress(1 - 0.93 ** len(self.ratios), title)
                self.ratios[part] = self._ratio(*part)

    def expected(self, shape: Shape) -> Choice:
        """A priced shape, its cost the product of its parts'."""
        cost = self.base.times(BODY)
        for part in self.parts(shape):
            healed = HEALED if part[0] in ("channels", "dropped") else 0.0
            cost = cost.times(self.ratios[part].power(1 - healed))
        return Choice(shape, *self.words.size(shape), cost, False)

    def _ratio(self, part: str, value: object) -> Cost:
        if part == "body":
            assert isinstance(value, float)
            return self._body_ratio(value)
        changed: dict[str, Any] = {part: value}
        if part == "embedding" and self.words.total > MANY_WORDS:
            if ("floor", FEW_WORDS) not in self.ratios:
                self.ratios["floor", FEW_WORDS] = self._ratio("floor", FEW_WORDS)
            fewer = self.base.times(self.ratios["floor", FEW_WORDS])
            return self.measure(replace(self.full, floor=FEW_WORDS, **changed)).over(fewer)
        return self.measure(replace(self.full, **changed)).over(self.base)

    def _body_ratio(self, share: float) -> Cost:
        """What fewer bytes for the layers' matrices cost: the divergence of the best types, against 4.5 bits."""
        if not self._groups:
            self._groups = list(bits.measure(self.whole, self.windows(), self.energy))
        plain = sum(size_of(group, gguf.BODY_TYPE) for group in self._groups)
        at = [
            bits.divergence(self._groups, bits.assign(self._groups, int(plain * part)))
            for part in (share, 1.0)
        ]
        nats = self.base.domain * math.log(2) * self.bytes_a_token()
        ratio = math.exp((at[0] - at[1]) / nats)
        return Cost(ratio, ratio)

    def windows(self) -> torch.Tensor:
        """[1 or 2, WINDOW + 1] ids: some of the domain's text, and of the general text where that counts."""
        return windows_of(self.words.folder, self.texts if self.general_counts else self.texts[1:])

    def bytes_a_token(self, place: int = 1) -> float:
        """Of the domain's valid text, or (0) of the general text, in the base's own words."""
        texts = hf.open_texts(self.words.folder, self.texts[place])
        return sum(text.bytes for text in texts) / sum(len(text.ids) - 1 for text in texts)

    def least_needed(self, shape: Shape) -> Iterator[Progress | int]:
        """Yields progress, then the layer whose loss costs least when these are gone already."""
        if (known := self._next.get(shape.dropped)) is not None:
            yield known
            return
        model = self.pruned(self.words.channels, shape.dropped)
        left = [n for n in range(len(self.whole.model.layers)) if n not in shape.dropped]
        scores = dict(zip(left, prune.influence(model, self.windows()[:, :-1]), strict=True))
        best: tuple[float, int] | None = None
        for layer in sorted(left, key=lambda n: scores[n])[:TRIED]:
            yield Progress(1 - 0.93 ** len(self.ratios), f"without layer {layer + 1}")
            cost = self._short(tuple(sorted((*shape.dropped, layer))))
            best = min(best, (cost, layer)) if best else (cost, layer)
        assert best
        self._next[shape.dropped] = best[1]
        yield best[1]

    def _short(self, dropped: tuple[int, ...]) -> float:
        """What is left without these layers, on a little of both texts, in the one currency."""
        model, folder = self.pruned(self.words.channels, dropped), self.words.folder
        short = [hf.open_texts(folder, sample(list(texts), SHORT_BYTES)) for texts in self.texts]
        return Cost(*(hf.bits_per_byte(hf.score(model, texts)) for texts in short)).loss(self.general_weight)

    # -- wholes -------------------------------------------------------------------------------------
    def measure(self, shape: Shape, model: hf.Network | None = None) -> Cost:
        """Bits per byte in this shape, but for the rounding of its body; "" as embedding: rows as they are.

        `model` stands for the body, where it is not to be that of the shape.
        """
        keep = self.words.keep(shape.floor)
        model = model or self.pruned(shape.channels, shape.dropped)
        rows, head = self.rows[keep], self.head[keep]
        tied = self.whole.config.tie_word_embeddings
        if shape.embedding:
            energy = self.energy.get("model.embed_tokens.weight", self.energy.get("lm_head.weight"))
            rows = gguf.rounded(rows, shape.embedding, energy if tied else None)
            head = rows if tied else gguf.rounded(head, shape.embedding, energy)
        model.model.embed_tokens.weight.data, model.lm_head.weight.data = rows, head
        words = tokenizer.from_document(json.dumps(self.words.kept(keep)))
        start = keep.index(self.words.start)
        scores = (hf.score(model, hf.encode(words, texts, start)) for texts in self.texts)
        cost = Cost(*map(hf.bits_per_byte, scores))
        model.model.embed_tokens.weight.data, model.lm_head.weight.data = self.rows, self.head
        return cost

    def measured(self, shape: Shape) -> Choice:
        """A priced shape, measured as a whole, before any healing."""
        cost = self.measure(shape).times(self.body_rounding(shape))
        return Choice(shape, *self.words.size(shape), cost, True)

    def body_rounding(self, shape: Shape) -> Cost:
        """What rounding the layers' matrices costs a priced shape."""
        return BODY.times(self.ratios["body", shape.body]) if shape.body < 1 else BODY

    def pruned(self, channels: int, dropped: tuple[int, ...]) -> hf.Network:
        """The base without these layers, with so many channels; the last one made is kept."""
        if (channels, dropped) not in self._pruned:
            model = hf.load_model(self.words.folder)
            model.model.layers = prune.without(model, dropped)
            model.config.num_hidden_layers = len(model.model.layers)
            if channels < self.words.channels:
                for _ in prune.narrow(model, self.calibration, channels):
                    pass
            self._pruned = {(self.words.channels, ()): self.whole, (channels, dropped): model}
        return self._pruned[channels, dropped]


def windows_of(folder: Path, texts: Sequence[Sequence[str]]) -> torch.Tensor:
    """[number of texts, WINDOW + 1] ids, or fewer where there is less."""
    rows = [
        [token for text in hf.open_texts(folder, part) for token in text.ids][: WINDOW + 1] for part in texts
    ]
    length = min(map(len, rows))
    return torch.tensor([row[:length] for row in rows])


def size_of(group: bits.Group, kind: str) -> int:
    """Bytes of a group in the type, or in the nearest one that it can have."""
    return next((o.bytes for o in group.options if o.kind == kind), group.options[-1].bytes)
