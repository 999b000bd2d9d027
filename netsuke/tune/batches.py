"""Packing: documents one after the other in windows of one length, and the order in which they are seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ..engines.hf import Text


def pack(texts: Sequence[Text], window: int) -> torch.Tensor:
    """[N, window + 1] ids: each row's last id is the next row's first, so every token is a target once.

    The last row is filled up with -1. Documents keep their order; each begins with its start token.
    """
    stream = [token for text in texts for token in text.ids]
    rows = [stream[at : at + window + 1] for at in range(0, max(1, len(stream) - 1), window)]
    rows[-1] = rows[-1] + [-1] * (window + 1 - len(rows[-1]))
    return torch.tensor(rows)


def order(rows: int, steps: int, per_step: int, seed: int) -> Iterator[torch.Tensor]:
    """Row numbers of each step: a fresh shuffle every epoch, a function of the seed alone."""
    wanted = steps * per_step
    epochs = -(-wanted // rows)
    numbers = torch.cat([
        torch.randperm(rows, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for epoch in range(epochs)
    ])  # fmt: skip
    yield from numbers[:wanted].split(per_step)
