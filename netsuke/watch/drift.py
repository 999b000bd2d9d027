"""Drift of prompts: do the documents know fewer of their words than they did when the model was new?

The statistic of a prompt is the share of its words, weighed by how rare they are, that the documents have
(search/familiar.py). Prompts come in blocks of BLOCK; the first one since the model was made is the null, and the last
whole one is held against it.

    U = the sum of the mid-ranks of the last block's shares among those of both blocks
    p = (1 + relabellings with a U at most this one) / (1 + RELABELLINGS), relabelled by a fixed seed

Under the null that both blocks are drawn alike (exchangeable), P(p <= a) <= a for every a: exact, ties and all. A small
p says that the last prompts are less known to the documents than the first ones were, beyond chance; not that answers
got worse. Whether prompts are like the documents at all is another question with another null: `unlike`.

One-sided rank-sum test after Wilcoxon (1945) and Mann and Whitney (1947), as a permutation test: Phipson and Smyth,
"Permutation p-values should never be zero", 2010 (arXiv 1603.05766).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..texts.ranked import mid_ranks, quantile
from ..traffic import BLOCK

RELABELLINGS = 4999
SEED = 0


@dataclass(frozen=True)
class Drift:
    """How the last block of prompts stands to the first; `p` is None while there are too few."""

    prompts: int  # since the model was made
    p: float | None = None
    first: float | None = None  # the median share of the first block
    last: float | None = None  # and of the last whole one

    @property
    def missing(self) -> int:
        """Prompts that are still needed."""
        return max(0, 2 * BLOCK - self.prompts)


@dataclass(frozen=True)
class Unlike:
    """How prompts stand to pieces of the documents, of as many words, that the other documents are asked for."""

    prompts: int
    pieces: int
    prompt: float  # the median share of the prompts
    piece: float  # and of the pieces
    less: float  # how often a prompt is less known than a piece, ties half: 0.5 where they are alike
    p: float


def drift(shares: Sequence[float]) -> Drift:
    """The last whole block of prompts against the first; `shares` in their order since the model was made."""
    blocks = len(shares) // BLOCK
    if blocks < 2:
        return Drift(len(shares))
    first, last = shares[:BLOCK], shares[(blocks - 1) * BLOCK : blocks * BLOCK]
    return Drift(len(shares), rank_p(tuple(last), tuple(first)), quantile(first, 0.5), quantile(last, 0.5))


def unlike(prompts: Sequence[float], pieces: Sequence[float]) -> Unlike | None:
    """Prompts against pieces of the documents; None where there are none of either."""
    if not prompts or not pieces:
        return None
    ranks = mid_ranks([*prompts, *pieces])
    above = sum(ranks[: len(prompts)]) - len(prompts) * (len(prompts) + 1) / 2  # pairs, ties half
    middle = quantile(prompts, 0.5), quantile(pieces, 0.5)
    less = 1 - above / (len(prompts) * len(pieces))
    return Unlike(len(prompts), len(pieces), *middle, less, rank_p(tuple(prompts), tuple(pieces)))


@lru_cache(64)
def rank_p(some: tuple[float, ...], others: tuple[float, ...], relabellings: int = RELABELLINGS) -> float:
    """The probability, were both drawn alike, that `some` rank as low among all as they do, or lower."""
    ranks = mid_ranks([*some, *others])
    found, draw = sum(ranks[: len(some)]), random.Random(SEED)
    lower = sum(sum(draw.sample(ranks, len(some))) <= found + 1e-9 for _ in range(relabellings))
    return (1 + lower) / (1 + relabellings)

