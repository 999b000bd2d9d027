"""Words and passages as short vectors, from what the base knows of each word by itself; no model runs for it.

A passage is the mean of its words, each weighted by how rare it is, without what all passages have in common: after
Arora, Liang and Ma, "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017. The first components of
the words are taken out before, after Mu and Viswanath, "All-but-the-top", arXiv 1702.01417.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DIMENSIONS = 128
COMMON = 3  # components of the words that say how frequent a word is, not what it means


def shortened(rows: np.ndarray, counts: np.ndarray, dimensions: int = DIMENSIONS) -> np.ndarray:
    """float32 [words, dimensions] of rows [words, C]: centred, without the first components, by their spread.

    `counts` say how often each word is in the text: rare ones say little of what is common.
    """
    weights = np.sqrt(counts / counts.sum()).astype(np.float64)[:, None]
    centred = rows.astype(np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    centred /= np.where(norms > 0, norms, 1)
    centred -= (weights**2 * centred).sum(axis=0)
    _, axes = np.linalg.eigh((centred * weights).T @ (centred * weights))
    kept = axes[:, ::-1][:, COMMON : COMMON + dimensions]
    kept *= np.where(kept[np.abs(kept).argmax(axis=0), range(kept.shape[1])] < 0, -1, 1)  # one sign for each axis
    short = centred @ kept
    if short.shape[1] < dimensions:
        short = np.pad(short, ((0, 0), (0, dimensions - short.shape[1])))
    return unit(short)


@dataclass(frozen=True)
class Bags:
    """Texts as (which word, how often) pairs, all in a row; text i has those from starts[i] to starts[i + 1]."""

    words: np.ndarray
    times: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[dict[int, int]]) -> Bags:
        sizes = np.cumsum([0, *(len(text) for text in texts)])
        words = np.fromiter((word for text in texts for word in text), np.int64, sizes[-1])
        times = np.fromiter((n for text in texts for n in text.values()), np.float32, sizes[-1])
        return cls(words, times, sizes)


def means(bags: Bags, vectors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float32 [texts, D], of length 1 each; 0 where no word of a text has a vector."""
    found = np.zeros((len(bags.starts) - 1, vectors.shape[1]), np.float32)
    for number in range(len(found)):
        part = slice(bags.starts[number], bags.starts[number + 1])
        one = bags.words[part]
        found[number] = (np.log1p(bags.times[part]) * weights[one]) @ vectors[one]
    return unit(found)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1; rows of nothing stay so."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 1e-12, lengths, 1)).astype(np.float32)


def common(rows: np.ndarray) -> np.ndarray:
    """[D] the direction that all these passages share most."""
    if len(rows) < 2:
        return np.zeros(rows.shape[1], np.float32)
    _, axes = np.linalg.eigh(rows.astype(np.float64).T @ rows.astype(np.float64))
    return axes[:, -1].astype(np.float32)


def without(rows: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The rows without what they have of a direction, of length 1 again."""
    return unit(rows - np.outer(rows @ direction, direction))
