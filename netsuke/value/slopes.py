"""What each document does for the valid text, to first order: the product of their gradients, without a gradient each.

The in-run Shapley value of a text is, step by step, the learning rate times the product of its gradient with that of
the valid text (arXiv 2406.11011). For one direction in the weights, that product is how fast the text's own loss falls
as the model goes there; so the model is moved a little along the valid text's gradient and back, and each document is
scored at both places (arXiv 2402.08922). Two forward passes over the documents, whatever their number and packing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engines import hf
from ..step import Progress
from .game import Mixture, Sides

MOVE = 0.01  # of the valid loss that the step along its gradient is to take away
WINDOW = 512  # tokens of the valid text that are looked at together


def gradient(model: hf.Network, live: dict[str, Tensor], texts: Sequence[hf.Text]) -> tuple[dict[str, Tensor], float]:
    """(gradient of the mean natural-log loss of what is scored of these texts, by weight; that loss)."""
    total = count = 0.0
    for weight in live.values():
        weight.requires_grad_(True)
    for rows, ids in hf.windows(texts, WINDOW, batch_tokens=WINDOW):
        targets = ids[:, 1:].clone()
        for place, (number, at, _) in enumerate(rows):
            targets[place, : max(0, texts[number].begin - 1 - at)] = -1
        hidden = model.model(ids[:, :-1].clamp(min=0), use_cache=False).last_hidden_state[targets >= 0]
        if len(hidden):
            loss = F.cross_entropy(model.lm_head(hidden).float(), targets[targets >= 0], reduction="sum")
            loss.backward()
            total, count = total + loss.item(), count + len(hidden)
    found = {}
    for name, weight in live.items():
        assert weight.grad is not None
        found[name] = weight.grad / max(1.0, count)
        weight.grad = None
        weight.requires_grad_(False)
    return found, total / max(1.0, count)


def through(slope: Tensor, sides: Sides) -> Tensor:
    """The part of a gradient that an adapter can follow: what a step on A and on B changes in B A."""
    b, a = sides
    return slope @ a.t() @ a + b @ (b.t() @ slope)


def learnt(
    mixture: Mixture, valid: Sequence[hf.Text], documents: Sequence[hf.Text], scales: Sequence[float]
) -> Iterator[Any]:
    """Yields progress, then ([documents] bits that each one's loss falls by while valid's falls by a bit a token,
    [documents] bits of its loss where all is learnt).

    The mean over these shares of the way from the body to what was learnt; the last is the whole of it.
    """
    falls, losses = (torch.zeros(len(documents), dtype=torch.float64) for _ in range(2))
    for number, scale in enumerate(scales):
        begin, part = number / len(scales), 1 / len(scales)
        yield Progress(begin, "the gradient of the valid text")
        mixture.set([scale])
        slope, loss = gradient(mixture.model, mixture.live, valid)
        sides = mixture.sides[0]
        way = {name: through(slope[name], (scale * sides[name][0], sides[name][1])) for name in slope}
        steepness = sum(float((slope[name] * way[name]).sum()) for name in way)
        step = MOVE * loss / steepness if steepness > 0 else 0.0
        scored = []
        for sign in (1, -1):
            with torch.no_grad():
                for name, weight in mixture.live.items():
                    weight.add_(way[name], alpha=-sign * step * (1 if sign == 1 else 2))
            yield Progress(begin + part * (0.6 if sign < 0 else 0.2), f"{len(documents)} documents")
            bits = [one.bits for one in hf.score(mixture.model, documents)]
            scored.append(torch.tensor(bits, dtype=torch.float64))
        falls += (scored[1] - scored[0]) / (2 * MOVE * loss / math.log(2)) / len(scales)
        losses = (scored[0] + scored[1]) / 2
    yield falls.tolist(), losses.tolist()
