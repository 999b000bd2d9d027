"""How good the answers to a task are: each score takes what was said and what is right, and comes back as 0 to 1."""

from __future__ import annotations

import contextlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .letters import SIGNS, WORD
from .nearest import words

Texts = Sequence[str]

# What an exact match tells apart beside words: operators, signs and decimal marks. A mark that touches no word and
# stands before no number is none (a dash, a bullet, a heading), but for those that no sentence has: < > =.
_MARKS = "-+<>=~^#%≤≥≠±"  # between the brackets of a pattern
_MARK = f"(?:!(?==)|[{_MARKS}])"
_TOLD = re.compile(
    rf"{WORD.pattern}"
    r"|(?<=\d)[.,](?=\d)|(?<![\w.])\.(?=\d)"
    r"|(?<=\d)\s+%"
    rf"|(?<=[\w{SIGNS}]){_MARK}++|(?<![{_MARKS}]){_MARK}++(?=\w|\.\d|\s+\.?\d)"
    r"|(?:!(?==)|[<>=≤≥≠])++"
)
_HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2212", "-"))  # as word processors write - and minus


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
    """The share of answers that are right but for case, punctuation and spaces (after SQuAD, arXiv 1606.05250)."""
    return accuracy(*([" ".join(_told(text)) for text in texts] for texts in (said, right)))


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


def _words(text: str) -> list[str]:
    """The words; of a JSON object those of its values.

    A text without letters and digits is taken by its characters: else "+" would be "-".
    """
    text = _folded(" ".join(_parts(text, keys=False)))
    return [word for word in words(text) if _is_word(word)] or _characters(text)


def _told(text: str) -> list[str]:
    """The words and the marks that tell something; of a JSON object those of each key and of each value."""
    told: list[str] = []
    for part in map(_folded, _parts(text, keys=True)):
        pieces = [found.strip() for found in _TOLD.findall(part.translate(_HYPHENS))]
        own = [word for piece in pieces for word in words(piece) or [piece] if word.strip("_")]
        told += own if any(map(_is_word, own)) else _characters(part)
    return told


def _parts(text: str, keys: bool) -> list[str]:
    """The text alone; of a JSON object its values in the order of their keys, and these where they count."""
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(record := json.loads(text), dict):
            named = sorted(record.items())
            return [str(part) for key, value in named for part in ((key, value) if keys else (value,))]
    return [text]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _is_word(word: str) -> bool:
    return any(map(str.isalnum, word))


def _characters(text: str) -> list[str]:
    return [character for character in text if not (character.isspace() or character in SIGNS)]


SCORES: dict[str, tuple[Score, ...]] = {  # by kind of task; the first decides
    "labels": (Score("accuracy", accuracy), Score("macro F1", macro_f1, mean=False)),
    "extract": (Score("exact match", exact_match), Score("token F1", token_f1)),
    "free": (Score("ROUGE-L", rouge_l),),
}
