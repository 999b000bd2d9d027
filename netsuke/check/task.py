"""A task's score on examples that nothing has looked at, beside three baselines that a user could have had.

    base, no example        the base, told what to answer with
    base, with examples     the same behind the nearest examples of train
    words                   TF-IDF and logistic regression (labels only)
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..engines.asking import CONTEXT_TOKENS, Answer, Asker, Way
from ..engines.llama import Engine
from ..nouns import Gate
from ..step import Progress
from ..texts.documents import evenly, read_examples, read_rows
from ..texts.examples import Row, as_messages, input_of, right_answer
from ..texts.scores import SCORES
from . import Examining

RESAMPLES = 1000
BINS = 10
REGULARISATION = (1.0, 10.0, 100.0)  # inverse strengths that are tried on valid, as a careful user would


def examine(
    params: Examining, task: Mapping[str, Any], ours: Path, base: Path, shots: Path, rendered: Path
) -> Generator[Progress, None, dict[str, Any]]:
    """Yields progress; returns what was measured, with the verdict of the task's gate."""
    examples = read_examples(rendered)
    test = evenly(examples["test"], params.items)
    way = Way.of(task)
    zero = replace(way, instruction=way.in_words, shots=0, temperature=1.0, abstain=0.0)
    asked = {
        "ours": (ours, way, list(read_rows(shots))),
        "base, no example": (base, zero, []),
        "base, with examples": (base, replace(zero, shots=params.shots), examples["train"]),
    }
    said: dict[str, list[str]] = {}
    answers: list[Answer] = []
    for number, (name, (file, how, shown)) in enumerate(asked.items()):
        found: list[Answer] = []
        with Engine(file, context_tokens=CONTEXT_TOKENS, threads=params.compute.threads) as engine:
            asker = Asker(engine, how, shown)
            for row in test:
                yield Progress((number + len(found) / len(test)) / len(asked), name, len(found), "answers")
                found.append(asker.ask(as_messages(row)[:-1]))
        said[name] = [one.text for one in found]
        answers = answers or found
    if way.kind == "labels":
        said["words (TF-IDF, logistic regression)"] = by_words(examples["train"], examples["valid"], test)
    right = [right_answer(row) for row in test]
    content = scored(way.kind, said, right, params.seed)
    if way.kind == "labels":
        content |= trust(answers, right, way.abstain)
    return content


def by_words(train: Sequence[Row], valid: Sequence[Row], test: Sequence[Row]) -> list[str]:
    """Answers of TF-IDF and logistic regression (scikit-learn), its strength chosen on valid."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    labels = [right_answer(row) for row in train]
    if len(set(labels)) < 2:
        return [labels[0]] * len(test)

    def fitted(strength: float) -> Any:
        words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
        model = make_pipeline(words, LogisticRegression(C=strength, max_iter=1000))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The number of unique classes")  # few examples of many labels
            return model.fit([input_of(row) for row in train], labels)

    try:
        models = [fitted(strength) for strength in REGULARISATION]
    except ValueError:  # no input has a word
        return [Counter(labels).most_common(1)[0][0]] * len(test)
    inputs, right = [input_of(row) for row in valid], [right_answer(row) for row in valid]
    best = max(models, key=lambda model: model.score(inputs, right))
    return [str(label) for label in best.predict([input_of(row) for row in test])]


def scored(kind: str, said: Mapping[str, Sequence[str]], right: Sequence[str], seed: int) -> dict[str, Any]:
    """Each score of each with its 95% bootstrap interval, and the gate: not worse than the base beyond chance."""
    picks = np.random.default_rng(seed).integers(0, len(right), (RESAMPLES, len(right)))
    rows, drawn = [], {}
    for score in SCORES[kind]:
        for name, answers in said.items():
            values = score.resampled(answers, right, picks.tolist())
            drawn[score.name, name] = np.array(values)
            low, high = np.percentile(values, [2.5, 97.5])
            rows.append({
                "score": score.name, "who": name, "value": round(score.function(answers, right), 6),
                "low": round(float(low), 6), "high": round(float(high), 6), "n": len(right), "seed": seed,
            })  # fmt: skip
    first, peers = SCORES[kind][0].name, [name for name in said if name.startswith("base")]
    gates = [_gate(first, rows, drawn[first, "ours"] - drawn[first, name], name) for name in peers]
    return {"kind": kind, "scores": rows, "gates": [gate.__dict__ for gate in gates]}


def _gate(score: str, rows: Sequence[Row], differences: np.ndarray, other: str) -> Gate:
    """Held unless ours is worse in 97.5% of the resamples."""
    value = {row["who"]: row["value"] for row in rows if row["score"] == score}
    change = value["ours"] - value[other]
    low, high = (round(float(end), 6) for end in np.percentile(differences, [2.5, 97.5]))
    sentence = (
        f"{score} {value['ours']:.1%}, {other}: {value[other]:.1%} (difference, 95%: {low:+.1%} to {high:+.1%}); "
        "it may not be worse beyond chance"
    )
    if high < 0:
        sentence += f"; worse by {-high:.1%} at least"
    return Gate(f"task: {other}", round(change, 6), 0.0, high >= 0, sentence, low, high)


def calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """Mean gap between confidence and share right over bins of equal width, each by how much lies in it."""
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = [abs(sure[place == b].mean() - right[place == b].mean()) * (place == b).sum() for b in set(place.tolist())]
    return float(sum(gaps) / len(sure))


def trust(answers: Sequence[Answer], right: Sequence[str], abstain: float) -> dict[str, Any]:
    """How far the confidence can be trusted: expected calibration error, and what is answered above the threshold."""
    sure = np.array([one.confidence or 0.0 for one in answers])
    hit = np.array([one.text == truth for one, truth in zip(answers, right, strict=True)], float)
    kept = sure >= abstain
    return {
        "calibration_error": round(calibration_error(sure, hit), 6),
        "abstain": abstain,
        "answered": round(float(kept.mean()), 6),
        "accuracy_answered": round(float(hit[kept].mean()), 6) if kept.any() else None,
    }
