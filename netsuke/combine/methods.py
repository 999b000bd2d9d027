"""How the changes that several parents made to one body become one change: a plain function each.

Each takes the parents' changes of one matrix, float32 and in canonical order, and their weights; gives the one change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import RecipeError


@dataclass(frozen=True)
class Dials:
    """What some of the methods take besides."""

    density: float = 0.5  # of each change that is kept (ties, dare)
    seed: int = 0  # of what dare drops
    matrix: str = ""  # which one it is
    parents: tuple[str, ...] = ()  # whose changes they are: dare draws for each by its name, not by its place


Method = Callable[[Sequence[Tensor], Sequence[float], Dials], Tensor]


def linear(changes: Sequence[Tensor], weights: Sequence[float], dials: Dials) -> Tensor:
    """The weighted mean: of one change it is that change."""
    return task(changes, shares(weights), dials)


def task(changes: Sequence[Tensor], weights: Sequence[float], dials: Dials) -> Tensor:
    """The weighted sum: task arithmetic."""
    total = torch.zeros_like(changes[0])
    for change, weight in zip(changes, weights, strict=True):
        total += weight * change
    return total


def slerp(changes: Sequence[Tensor], weights: Sequence[float], dials: Dials) -> Tensor:
    """Between two changes along the arc: the length of the mean direction is kept. Raises RecipeError for not two."""
    if len(changes) != 2:
        raise RecipeError(f"slerp goes between two parents, and there are {len(changes)}", hint="use linear")
    (first, second), share = changes, shares(weights)[1]
    lengths = first.norm(), second.norm()
    if not all(lengths):
        return linear(changes, weights, dials)
    angle = torch.acos(((first * second).sum() / (lengths[0] * lengths[1])).clamp(-1, 1))
    if torch.sin(angle) < 1e-4:  # nearly one line: the arc is the line
        return linear(changes, weights, dials)
    parts = torch.sin((1 - share) * angle), torch.sin(share * angle)
    return (parts[0] * first + parts[1] * second) / torch.sin(angle)


def ties(changes: Sequence[Tensor], weights: Sequence[float], dials: Dials) -> Tensor:
    """The largest of each change alone; where signs differ the heavier one, and the mean of those that have it."""
    kept = [largest(change, dials.density) for change in changes]
    sign = torch.where(task(kept, weights, dials) >= 0, 1.0, -1.0)
    total, weight_there = torch.zeros_like(kept[0]), torch.zeros_like(kept[0])
    for change, weight in zip(kept, weights, strict=True):
        agrees = (change.sign() == sign).float()
        total += weight * agrees * change
        weight_there += weight * agrees
    return total / torch.where(weight_there == 0, 1.0, weight_there)


def dare(changes: Sequence[Tensor], weights: Sequence[float], dials: Dials) -> Tensor:
    """The weighted mean of changes of which a part was dropped at random and the rest made larger for it."""
    drawn = []
    for change, parent in zip(changes, dials.parents, strict=True):
        told = f"{dials.seed} {dials.matrix} {parent}".encode()
        generator = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(told).digest()[:7], "big"))
        drawn.append(change * (torch.rand(change.shape, generator=generator) < dials.density) / dials.density)
    return linear(drawn, weights, dials)


METHODS: dict[str, Method] = {
    "linear": linear,  # arXiv 2203.05482, model soups
    "slerp": slerp,  # Shoemake 1985; as in arcee-ai/mergekit, on changes
    "ties": ties,  # arXiv 2306.01708
    "dare": dare,  # arXiv 2311.03099
    "task": task,  # arXiv 2212.04089
}


def counted(method: str, weights: Sequence[float]) -> list[float]:
    """What each change counts in the sum, by a method that sums; of the others, about."""
    return list(weights) if method == "task" else shares(weights)


def shares(weights: Sequence[float]) -> list[float]:
    """The weights as shares of their sum."""
    total = sum(weights)
    return [weight / total for weight in weights]


def largest(change: Tensor, density: float) -> Tensor:
    """`change` with all but its largest values set to zero; a share of `density` stays."""
    count = max(1, int(density * change.numel()))
    if count == change.numel():
        return change
    kept = torch.zeros(change.numel())
    places = torch.sort(change.abs().flatten(), descending=True, stable=True).indices[:count]
    kept[places] = 1.0
    return change * kept.view(change.shape)
