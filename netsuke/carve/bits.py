"""Which GGUF type each matrix of the layers gets, by what its rounding does to the model's answers.

Weight error does not tell how much a matrix matters, and trying every type of every matrix takes too long. So each
group of matrices that share an input is rounded alone and once, crudely, and the divergence (KL, nats a token) of the
model's answers is measured. Small errors count by their square, so another type's divergence follows from the ratio
of the two weighted errors.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines import gguf
from ..engines.hf import Network
from ..engines.layers import GROUPS, first_input

TYPES = ("Q3_K", "IQ4_NL", "Q6_K", "Q8_0")  # all but Q3_K have fast kernels in llama.cpp
ROWS = 64  # of each matrix: enough to tell how types compare


Energy = Mapping[str, np.ndarray]  # by weight name: mean square of each column's input


@dataclass(frozen=True)
class Option:
    """One type for a group: its bytes, and what it would cost (KL, nats a token)."""

    kind: str
    bytes: int
    divergence: float


@dataclass(frozen=True)
class Group:
    """Matrices of one layer that share an input, and the types they can have, smallest first."""

    names: tuple[str, ...]
    options: tuple[Option, ...]


@torch.no_grad()
def measure(
    model: Network, ids: Tensor, energy: Energy, types: Sequence[str] = TYPES
) -> Iterator[Group]:
    """Each group of the model, measured on ids [B, T + 1]. Cost: about 60 forward passes of them."""
    hidden, others = first_input(model, ids)
    states = [hidden]
    for number, layer in enumerate(model.model.layers):
        states.append(layer(states[-1], **others[number]))
    truth = _answers(model, states.pop())
    for number, layer in enumerate(model.model.layers):
        for parts in GROUPS.values():
            linears = [layer.get_submodule(part) for part in parts]
            weights = [linear.weight.data for linear in linears]
            for linear, weight in zip(linears, weights, strict=True):
                linear.weight.data = crude(weight)
            after = states[number]
            for later, rest in zip(model.model.layers[number:], others[number:], strict=True):
                after = later(after, **rest)
            divergence = float((truth.exp() * (truth - _answers(model, after))).sum(-1).mean())
            for linear, weight in zip(linears, weights, strict=True):
                linear.weight.data = weight
            names = tuple(f"model.layers.{number}.{part}.weight" for part in parts)
            yield Group(names, _options(weights, energy[names[0]], divergence, types))


def _answers(model: Network, hidden: Tensor) -> Tensor:
    """[B T, V] log-probabilities behind the last layer's output."""
    return torch.log_softmax(model.lm_head(model.model.norm(hidden)).flatten(0, 1).float(), -1)


def crude(weight: Tensor) -> Tensor:
    """`weight` [R, C] in 16 steps a block of 32 (of a row that has none): what every group is measured with."""
    columns = weight.shape[1]
    blocks = weight.float().reshape(len(weight), -1, columns if columns % 32 else 32)
    scale = blocks.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 7
    return ((blocks / scale).round() * scale).reshape(weight.shape).to(weight.dtype)


def _options(
    weights: Sequence[Tensor], importance: np.ndarray, divergence: float, types: Iterable[str]
) -> tuple[Option, ...]:
    columns = weights[0].shape[1]
    some = torch.cat([weight[:: max(1, len(weight) // ROWS)] for weight in weights]).float()
    seen = torch.from_numpy(importance)

    def error(said: Tensor) -> float:
        return float(((some - said).square() * seen).sum())

    known, options = error(crude(some)), []
    fit = [kind for kind in types if columns % gguf.block_columns(kind) == 0]
    for kind in fit or [gguf.fitting(gguf.BODY_TYPE, columns)]:
        size = sum(gguf.tensor_bytes(tuple(weight.shape), kind) for weight in weights)
        cost = divergence * error(gguf.rounded(some, kind, importance)) / max(known, 1e-30)
        options.append(Option(kind, size, cost))
    return tuple(sorted(options, key=lambda option: (option.bytes, option.divergence)))


def assign(groups: Sequence[Group], budget_bytes: int) -> dict[str, str]:
    """A type for each matrix, by name: from the smallest up, always what saves most divergence a byte, while it fits.

    Where even the smallest do not fit, they are what comes back.
    """
    taken = [0] * len(groups)
    left = budget_bytes - sum(group.options[0].bytes for group in groups)
    heap: list[tuple[float, int, int]] = []

    def push(number: int) -> None:
        options, now = groups[number].options, groups[number].options[taken[number]]
        rates = [
            ((now.divergence - option.divergence) / (option.bytes - now.bytes), place)
            for place, option in enumerate(options)
            if 0 < option.bytes - now.bytes <= left
        ]
        if rates and (best := max(rates))[0] > 0:
            heapq.heappush(heap, (-best[0], number, best[1]))

    for number in range(len(groups)):
        push(number)
    while heap:
        _, number, place = heapq.heappop(heap)
        options = groups[number].options
        more = options[place].bytes - options[taken[number]].bytes
        if more <= left:
            left -= more
            taken[number] = place
        push(number)  # what fitted when it was looked at may not any more: then the next best that does
    return {
        name: group.options[at].kind for group, at in zip(groups, taken, strict=True) for name in group.names
    }


def divergence(groups: Sequence[Group], types: Mapping[str, str]) -> float:
    """What a choice of types should cost, in nats a token, if the groups' costs add up."""
    return sum(
        next(option.divergence for option in group.options if option.kind == types[group.names[0]])
        for group in groups
    )
