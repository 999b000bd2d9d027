"""How the adapters of a coalition are combined, and what its combination is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from . import Playing

RESAMPLES = 1000


def weights(params: Playing, coalition: int, there: Sequence[str]) -> list[float]:
    """What each adapter that is there counts in a coalition.

    task: its own weight, whoever else is in; linear: its share of the weights of those that are in.
    """
    inside = [bool(coalition >> params.names.index(name) & 1) for name in there]
    given = [params.weights.get(name, 1.0) if in_ else 0.0 for name, in_ in zip(there, inside, strict=True)]
    total = sum(given) if params.rule == "linear" else 1.0
    return [weight / total if total else 0.0 for weight in given]


def saved(game: Mapping[str, Any], picks: np.ndarray | None = None) -> dict[int, np.ndarray]:
    """Bits per byte that each coalition saves on the valid texts, or on each resample (rows of text numbers).

    Where there are documents and answers, the mean over both, as tuning looks at them.
    """
    size = np.array([text["bytes"] for text in game["texts"]], float)
    kinds = [text["kind"] for text in game["texts"]]
    chosen = np.arange(len(size))[None] if picks is None else picks
    parts = [np.array([kind == one for kind in kinds], float)[chosen] for one in dict.fromkeys(kinds)]
    bits = {int(mask): np.array(row) for mask, row in game["bits"].items()}

    def rate(row: np.ndarray) -> np.ndarray:
        found = [(row[chosen] * part).sum(1) / np.maximum(1.0, (size[chosen] * part).sum(1)) for part in parts]
        there = [part.any(1) for part in parts]  # a resample may hold one kind alone
        total: np.ndarray = sum(found, np.zeros(len(chosen))) / sum(there, np.zeros(len(chosen)))
        return total

    nothing = rate(bits[0])
    worth = {mask: nothing - rate(row) for mask, row in bits.items()}
    return worth if picks is not None else {mask: row[0] for mask, row in worth.items()}


def resamples(texts: int, seed: int) -> np.ndarray:
    """[RESAMPLES, texts] numbers of valid texts, drawn with replacement."""
    return np.random.default_rng(seed).integers(0, texts, (RESAMPLES, texts))
