"""How much support an answer needs: settled on questions cut out of valid documents, beside foreign ones.

A foreign question is made of general text, as many words long as the others, and has no answer here. Those that people
ask are nearer to the documents than such text, and the least support that seems to do was partly luck; so what is held
is the upper end of what the foreign ones leave open (docs/log.md).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..search.find import Index
from ..search.quotes import Quote, quote
from ..search.words import STOP, words
from ..texts.documents import evenly
from ..texts.sentences import spans
from .asked import Asked

TARGET = 0.05  # where half the questions are foreign, at most this share of what is answered is
SURE = 0.9  # that it is no more
FEWEST, MOST = 20, 300  # questions of each kind: with fewer nothing is settled
UNSETTLED = 0.6  # the support that is needed then


@dataclass(frozen=True)
class Tried:
    """The best answer to each question: its support, and whether it comes from the document that was asked about."""

    own: tuple[tuple[float, bool], ...]
    foreign: tuple[float, ...]


def best(index: Index, text: str, without: int = 0) -> Quote | None:
    """The first quote for a question, whatever its support."""
    question = index.question(text)
    hits = index.search(question, most=1, without=without)
    return quote(index, question, hits[0]) if hits else None


def tried(index: Index, asked: Sequence[tuple[int, Asked]], foreign: Sequence[str]) -> Tried:
    """Ask each: `asked` are (document, question)."""
    own = [(document, best(index, one.question)) for document, one in asked]
    others = [best(index, text) for text in foreign]
    return Tried(
        tuple((one.support, one.document == document) if one else (0.0, False) for document, one in own),
        tuple(one.support if one else 0.0 for one in others),
    )


def strangers(texts: Sequence[str], asked: Sequence[tuple[int, Asked]]) -> list[str]:
    """Questions made of other texts, with as many telling words as `asked` have."""
    lengths = [max(2, sum(map(_tells, one.question.split()))) for _, one in asked] or [4]
    found: list[str] = []
    for text in texts:
        for begin, end in spans(text):
            left = [word.strip(".,;:!?\"'()") for word in text[begin:end].split()]
            left = [word for word in left if len(word) > 2 and _tells(word)]
            while len(left) >= (length := lengths[len(found) % len(lengths)]):
                found.append(" ".join(left[:length]))
                left = left[length:]
    return evenly(found, MOST)


def _tells(word: str) -> bool:
    """Whether a word between spaces is asked for: "the" and "don't" are not."""
    return not STOP.issuperset(words(word))


def settled(trials: Tried) -> dict[str, Any]:
    """The least support at which surely no more than TARGET of what is answered is foreign, and what that comes to.

    Where no support makes us so sure, since too few were tried or theirs are too alike, the least that none of the
    foreign ones has: `at_most`, what may be foreign of what is answered (SURE), is over `target` then.
    """
    facts = {"questions": len(trials.own), "foreign": len(trials.foreign), "target": TARGET, "sure": SURE}
    if min(len(trials.own), len(trials.foreign)) < FEWEST:
        nothing = dict.fromkeys(("wrong", "at_most", "coverage", "own_document"))
        return {**facts, "threshold": UNSETTLED, **nothing}
    above = [0.0, *sorted({_above(support) for support in (*trials.foreign, *(s for s, _ in trials.own))})]
    safe = (support for support in above if _at_most(trials, support) <= TARGET)
    threshold = next(safe, _above(max(trials.foreign)))
    wrong, coverage, own = measured(trials, threshold)
    return {**facts, "threshold": threshold, "wrong": round(wrong, 4), "at_most": round(_at_most(trials, threshold), 4),
            "coverage": round(coverage, 4), "own_document": round(own, 4)}  # fmt: skip


def _above(support: float) -> float:
    """The least threshold, to four digits, that this support does not reach."""
    return round(support + 0.0001, 4)


def _at_most(trials: Tried, threshold: float) -> float:
    """The share of what is answered that is foreign, at most: the exact upper bound of the foreign share (SURE)."""
    most = _at_most_of(sum(support >= threshold for support in trials.foreign), len(trials.foreign))
    coverage = sum(support >= threshold for support, _ in trials.own) / len(trials.own)
    return most / (most + coverage)


@functools.lru_cache(1024)
def _at_most_of(taken: int, n: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(taken, n).proportion_ci(2 * SURE - 1).high)


def measured(trials: Tried, threshold: float) -> tuple[float, float, float]:
    """(share of what is answered that is foreign, share of the others answered, of those from the right document)."""
    shown = [right for support, right in trials.own if support >= threshold]
    coverage = len(shown) / max(len(trials.own), 1)
    taken = sum(support >= threshold for support in trials.foreign) / max(len(trials.foreign), 1)
    return taken / (taken + coverage) if taken else 0.0, coverage, sum(shown) / max(len(shown), 1)


def chosen(asked: Sequence[tuple[int, Asked]], more: Sequence[tuple[int, Asked]]) -> list[tuple[int, Asked]]:
    """At most MOST questions of valid documents; where those have few, others' beside them."""
    own = evenly(asked, MOST)
    return own if len(own) >= 2 * FEWEST else own + evenly(more, 2 * FEWEST - len(own))
