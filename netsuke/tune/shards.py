"""An optimiser step in shards: each computed apart, by one process in turn or by a process each.

Gradients are summed in the shards' order wherever they were computed, so that the sum is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from ..errors import EngineError


class Crew(Protocol):
    """Who computes the shards of a step."""

    @property
    def mine(self) -> Sequence[int]:
        """The shards that this process computes."""

    @property
    def leads(self) -> bool:
        """Whether this process looks at valid and writes to the disk."""

    def sum(self, parts: Sequence[Tensor]) -> Tensor:
        """The sum over all shards, of `mine` in their order."""

    def agreed(self, look: Callable[[], float]) -> float:
        """A number that one process finds and all go by."""


class Alone:
    """All shards in this process, one after the other."""

    leads = True

    def __init__(self, shards: int) -> None:
        self.mine = range(shards)

    def sum(self, parts: Sequence[Tensor]) -> Tensor:
        return _summed(parts)

    def agreed(self, look: Callable[[], float]) -> float:
        return look()


class Together:
    """A shard for each process of torch's process group."""

    def __init__(self, shards: int) -> None:
        if dist.get_world_size() != shards:
            raise EngineError(f"{dist.get_world_size()} processes for {shards} shards of a step")
        self.mine = [dist.get_rank()]
        self.leads = dist.get_rank() == 0

    def sum(self, parts: Sequence[Tensor]) -> Tensor:
        (part,) = parts
        all_parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(all_parts, part)
        return _summed(all_parts)

    def agreed(self, look: Callable[[], float]) -> float:
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        told = torch.tensor(look() if self.leads else 0.0, dtype=torch.float64, device=device)
        dist.broadcast(told, 0)
        return told.item()


def _summed(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def crew(shards: int) -> Crew:
    """This process alone, or with the others of the group that it was started in."""
    return Together(shards) if dist.is_available() and dist.is_initialized() else Alone(shards)
