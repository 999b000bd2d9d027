"""Bits per byte of two GGUF files on the same texts, read back from the files themselves.

The weights are dequantised exactly and run in the lock's float type; `trial` shows that llama.cpp computes the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..engines import gguf, hf
from ..step import Progress
from ..texts.documents import Lesson, read_texts
from . import Bounds

RESAMPLES = 1000
FEWEST = 3  # texts: an interval from fewer would say that chance has no part in it
TEST_BYTES = 400_000  # more held-out text than this changes the third digit and takes minutes
FRONTS, FRONT_BYTES = 20, 400  # how many documents' fronts tell whether one was learnt from, and how long they are


@dataclass(frozen=True)
class Pair:
    """Scores of base and ours on the same texts, which `keys` name without quoting them."""

    base: list[hf.Score]
    ours: list[hf.Score]
    keys: Sequence[str] = ()


def compare(
    params: Bounds,
    base_file: Path,
    base_folder: Path,
    ours_file: Path,
    ours_folder: Path,
    test: Path,
    general: Path,
    train: Path,
) -> Generator[Progress, None, dict[str, Pair]]:
    """Yields progress; returns {"domain": Pair, "answers": Pair, "general": Pair}, without what there is none of.

    Also "seen" and "unseen": the fronts of documents that it learnt from, and of those held out.
    """
    hf.use(params.compute)
    held_out = read_texts(test)
    texts = {
        "domain": within([text for text in held_out if not isinstance(text, Lesson)], TEST_BYTES),
        "answers": within([text for text in held_out if isinstance(text, Lesson)], TEST_BYTES),
        "general": read_texts(general), "seen": fronts(read_texts(train)), "unseen": fronts(held_out),
    }  # fmt: skip
    texts = {name: some for name, some in texts.items() if some}
    found: dict[str, dict[str, list[hf.Score]]] = {}
    for part, (who, file, folder) in enumerate(
        (("base", base_file, base_folder), ("ours", ours_file, ours_folder))
    ):
        yield Progress(part / 2, f"reading {who}")
        model = hf.model_of(folder, gguf.state_dict(file, hf.compute_type()))
        for place, (name, some) in enumerate(texts.items()):
            tokens = hf.open_texts(folder, some, answers=True)
            share = 0.95 / len(texts)
            found.setdefault(who, {})[name] = yield from hf.score_batches(
                model, tokens, whole=True, what=f"{who} on the {name} text",
                begin=(part + 0.05 + share * place) / 2, share=share / 2,
            )  # fmt: skip
    return {
        name: Pair(found["base"][name], found["ours"][name], [key_of(text) for text in some])
        for name, some in texts.items()
    }


def key_of(text: str) -> str:
    """What names a text without quoting it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fronts(texts: list[str]) -> list[str]:
    """The same number of bytes from the front of each of some documents, in an order that no path decides."""
    documents = [text for text in texts if not isinstance(text, Lesson) and len(text.encode()) >= FRONT_BYTES]
    chosen = sorted(documents, key=key_of)[:FRONTS]
    return [text.encode()[:FRONT_BYTES].decode(errors="ignore") for text in chosen]


def told_apart(seen: Pair, unseen: Pair, seed: int) -> dict[str, Any]:
    """How well the gain over the base tells what was learnt from what was not: the area under the ROC curve.

    0.5: not at all; 1: always. A sanity check and no promise: attacks that know more may see more (arXiv 2505.18773).
    """
    gains = [
        np.array([(b.bits - o.bits) / b.bytes for b, o in zip(pair.base, pair.ours, strict=True)])
        for pair in (seen, unseen)
    ]
    wins = np.sign(gains[0][:, None] - gains[1][None, :]) / 2 + 0.5
    random = np.random.default_rng(seed)
    rows, columns = (random.integers(0, len(some), (RESAMPLES, len(some))) for some in gains)
    drawn = [wins[np.ix_(row, column)].mean() for row, column in zip(rows, columns, strict=True)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"auc": float(wins.mean()), "low": float(low), "high": float(high),
            "n_seen": len(gains[0]), "n_unseen": len(gains[1]), "seed": seed}  # fmt: skip


def within(texts: list[str], limit_bytes: int) -> list[str]:
    """Texts up to `limit_bytes` in an order that no path decides; of long ones the fronts, so that there are FEWEST."""
    kept, room = list[str](), limit_bytes
    for text in sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()):
        part = front(text, limit_bytes // min(FEWEST, len(texts)))
        if (size := len(part.encode())) <= room:
            kept.append(part)
            room -= size
    return kept


def front(text: str, limit_bytes: int) -> str:
    """The text, or as much of its front as fits, cut behind a line where there is one in the second half."""
    if len(data := text.encode()) <= limit_bytes:
        return text  # as it is: a lesson stays one
    piece = data[:limit_bytes].decode(errors="ignore")
    return piece[: piece.rfind("\n", len(piece) // 2) + 1] or piece


def interval(scores: list[hf.Score], seed: int) -> tuple[float, float] | None:
    """95% bootstrap interval of bits per byte, documents resampled; None for fewer than FEWEST."""
    if len(scores) < FEWEST:
        return None
    bits, size = np.array([s.bits for s in scores]), np.array([s.bytes for s in scores])
    picks = np.random.default_rng(seed).integers(0, len(scores), (RESAMPLES, len(scores)))
    values = bits[picks].sum(1) / size[picks].sum(1)
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def change_interval(pair: Pair, seed: int) -> tuple[float, float] | None:
    """95% bootstrap interval of ours / base - 1, documents resampled in pairs; None for fewer than FEWEST."""
    if len(pair.base) < FEWEST:
        return None
    base, ours = np.array([s.bits for s in pair.base]), np.array([s.bits for s in pair.ours])
    picks = np.random.default_rng(seed).integers(0, len(base), (RESAMPLES, len(base)))
    low, high = np.percentile(ours[picks].sum(1) / base[picks].sum(1) - 1, [2.5, 97.5])
    return float(low), float(high)
