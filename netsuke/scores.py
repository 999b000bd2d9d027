"""How good the answers to a task are: each score takes what was said and what is right, and comes back as 0 to 1."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .letters import SIGNS
from .nearest import words

Texts = Sequence[str]


@dataclass(frozen=True)
class Score:
    """A named score; `mean` is whether it is the mean of what each answer has alone."""

    name: str
    function: Callable[[Texts, Texts], float]
    mean: bool = True

    def resampled(self, said: Texts, right: Texts, picks: Sequence[Sequence[int]]) -> list[float]:
        """Its value for each choice of answers."""
        if not self.mean:
            return [self.function([said[n] for n in pick], [right[n] for n in pick]) for pick in picks]
        alone = [self.function([a], [b]) for a, b in zip(said, right, strict=True)]
        return [sum(alone[n] for n in pick) / len(pick) for pick in picks]


def accuracy(said: Texts, right: Texts) -> float:
    """The share of answers that are right to the letter."""
    return sum(a == b for a, b in zip(said, right, strict=True)) / max(1, len(right))


def macro_f1(said: Texts, right: Texts) -> float:
    """The mean over the labels that occur of the harmonic mean of precision and recall."""
    given, wanted = Counter(said), Counter(right)
    hits = Counter(a for a, b in zip(said, right, strict=True) if a == b)
    labels = {*given, *wanted}
    return sum(2 * hits[label] / (given[label] + wanted[label]) for label in labels) / max(1, len(labels))


def exact_match(said: Texts, right: Texts) -> float:
    """The share of answers that are right but for case, marks and spaces (after SQuAD, arXiv 1606.05250)."""
    return accuracy(*([" ".join(_words(text, keys=True)) for text in texts] for texts in (said, right)))


def token_f1(said: Texts, right: Texts) -> float:
    """The mean harmonic mean of precision and recall of an answer's words (after SQuAD, arXiv 1606.05250)."""
    return _mean(said, right, lambda a, b: (Counter(a) & Counter(b)).total())


def rouge_l(said: Texts, right: Texts) -> float:
    """The mean F1 of the longest common subsequence of words (Lin 2004, ROUGE-L)."""
    return _mean(said, right, _common)


def _mean(said: Texts, right: Texts, shared: Callable[[list[str], list[str]], int]) -> float:
    total = 0.0
    for one, other in zip(said, right, strict=True):
        a, b = _words(one), _words(other)
        total += 2 * shared(a, b) / (len(a) + len(b)) if a or b else 1.0
    return total / max(1, len(right))


def _common(a: list[str], b: list[str]) -> int:
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for place, other in enumerate(b, 1):
            before, row[place] = row[place], before + 1 if word == other else max(row[place], row[place - 1])
    return row[-1]


def _words(text: str, keys: bool = False) -> list[str]:
    """The words; of a JSON object those of its values, and of its keys only where these count.

    A text without letters and digits is taken by its characters: else "+" would be "-".
    """
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(record := json.loads(text), dict):
            text = " ".join(f"{key} {record[key]}" if keys else str(record[key]) for key in sorted(record))
    text = unicodedata.normalize("NFC", text).casefold()
    return [word for word in words(text) if any(map(str.isalnum, word))] or [
        character for character in text if not (character.isspace() or character in SIGNS)
    ]


SCORES: dict[str, tuple[Score, ...]] = {  # by kind of task; the first decides
    "labels": (Score("accuracy", accuracy), Score("macro F1", macro_f1, mean=False)),
    "extract": (Score("exact match", exact_match), Score("token F1", token_f1)),
    "free": (Score("ROUGE-L", rouge_l),),
}
