"""How sure the model is of a sentence, and whether that can be trusted.

A sentence is right to the share of its tokens that the model would have written as the author did, each after what the
author wrote before it; it is sure by the mean probability of its own likeliest tokens. Both come from one pass over a
text. A rising curve from the one to the other is fitted on valid (isotonic regression) and tried on test.

    calibration error    how far the confidence is from the share that is right, on average (ECE, arXiv 1706.04599)
    risk at a coverage   the share that is wrong in the surest sentences (selective prediction, arXiv 1705.08500)
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..engines import gguf, hf
from ..engines.tokenizer import document_start, load_tokenizer
from ..step import Progress
from ..texts.documents import Lesson, read_texts
from ..texts.sentences import confidence, shares
from . import Calibrating, gates
from .quality import within
from .task import calibration_error

RESAMPLES = 1000
COVERAGES = [share / 20 for share in range(1, 21)]
FEWEST_TEXTS = 3  # texts that are resampled for an interval; of fewer the sentences are
FEWEST = 20  # sentences in valid, and in test: fewer tell nothing


@dataclass(frozen=True)
class Sentences:
    """Sentences of texts: which text, the mean probability of the likeliest tokens, the share that is right."""

    text: np.ndarray
    sure: np.ndarray
    right: np.ndarray


def examine(
    params: Calibrating, file: Path, folder: Path, valid: Path, test: Path
) -> Generator[Progress, None, dict[str, Any]]:
    """Yields progress; returns what honesty.json holds."""
    hf.use(params.compute)
    parts = {
        name: within([text for text in read_texts(path) if not isinstance(text, Lesson)], params.bytes)
        for name, path in (("valid", valid), ("test", test))
    }
    if not all(parts.values()):
        return {"sentences": 0, "why": "there are no held-out documents", "gates": []}
    yield Progress(0.05, "reading ours")
    model = hf.model_of(folder, gguf.state_dict(file, hf.compute_type()))
    found: dict[str, Sentences] = {}
    for number, (name, texts) in enumerate(parts.items()):
        rows: list[tuple[int, float, float]] = []
        for place, text in enumerate(texts):
            yield Progress(0.1 + 0.45 * (number + place / len(texts)), f"how sure, {name}")
            rows += [(place, *row) for row in measure(model, folder, text)]
        columns = np.array(rows, float).reshape(-1, 3)
        found[name] = Sentences(columns[:, 0].astype(int), columns[:, 1], columns[:, 2])
    return judged(found["valid"], found["test"], params)


def measure(model: Any, folder: Path, text: str) -> list[tuple[float, float]]:
    """(mean probability, share right) of each sentence of a text."""
    encoding = load_tokenizer(folder).encode(text, add_special_tokens=False)
    if not encoding.ids:
        return []
    sure, right = hf.guesses(model, hf.Text([document_start(folder), *encoding.ids], len(text.encode())))
    starts = [start for start, _ in encoding.offsets]
    return [(mean, float(right[a:b].mean())) for a, b, mean in shares(sure.tolist(), starts, text)]


def judged(valid: Sentences, test: Sentences, params: Calibrating) -> dict[str, Any]:
    """The curve fitted on valid, and what it is worth on test."""
    n = len(test.sure)
    if min(len(valid.sure), n) < FEWEST:
        return {"sentences": n, "why": f"fewer than {FEWEST} held-out sentences", "gates": []}
    curve = fitted(valid)
    sure = np.array([confidence(float(mean), curve) for mean in test.sure])
    error, risk = calibration_error(sure, test.right), risks(sure, test.right)
    groups = [np.flatnonzero(test.text == number) for number in np.unique(test.text)]
    texts = len(groups)
    if texts < FEWEST_TEXTS:
        groups = [np.array([number]) for number in range(n)]
    random, drawn = np.random.default_rng(params.seed), []
    for _ in range(RESAMPLES):
        pick = np.concatenate([groups[number] for number in random.integers(0, len(groups), len(groups))])
        drawn.append((calibration_error(sure[pick], test.right[pick]), *at_80(sure[pick], test.right[pick])))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    interval = float(low[0]), float(high[0])
    what = f"confidence is off by, on average over {n} held-out sentences"
    gate = gates.at_most("confidence", what, error, params.limit, interval, signed=False)
    kept, whole = at_80(sure, test.right)
    return {
        "sentences": n, "sentences_valid": len(valid.sure), "texts": texts, "seed": params.seed,
        "curve": [[round(x, 5), round(y, 5)] for x, y in curve],
        "calibration_error": _ends(error, low, high, 0),
        "uncalibrated_error": round(calibration_error(test.sure, test.right), 6),
        "risk_at_80": _ends(kept, low, high, 1), "risk_at_100": _ends(whole, low, high, 2),
        "area_under_risk": round(float(np.mean(risk)), 6),
        "risk_coverage": [[share, round(one, 6)] for share, one in zip(COVERAGES, curve_of(risk), strict=True)],
        "gates": [gate.__dict__],
    }  # fmt: skip


def _ends(value: float, low: np.ndarray, high: np.ndarray, place: int) -> dict[str, float]:
    return {"value": round(value, 6), "low": round(float(low[place]), 6), "high": round(float(high[place]), 6)}


def fitted(valid: Sentences) -> list[tuple[float, float]]:
    """The points of the rising curve from mean probability to share right that fits best (scikit-learn)."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(valid.sure, valid.right)
    return list(zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True))


def risks(sure: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The share that is wrong in the k surest sentences, for k from 1 on; equally sure ones count by their mean."""
    order = np.argsort(-sure, kind="stable")
    values, place = np.unique(-sure[order], return_inverse=True)
    mean = np.bincount(place, 1 - right[order]) / np.bincount(place, minlength=len(values))
    return np.cumsum(mean[place]) / np.arange(1, len(sure) + 1)


def curve_of(risk: np.ndarray) -> list[float]:
    """The risk at each of COVERAGES."""
    return [float(risk[max(0, round(share * len(risk)) - 1)]) for share in COVERAGES]


def at_80(sure: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """(risk in the surest 80%, risk in all)."""
    risk = risks(sure, right)
    return float(risk[max(0, round(0.8 * len(risk)) - 1)]), float(risk[-1])
