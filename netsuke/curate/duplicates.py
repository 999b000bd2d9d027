"""Copies and near-copies: of each group the best-licensed, then the longest, stays.

MinHash in bands finds candidates and exact Jaccard over the runs of five words confirms them. The setting is FineWeb's
(datatrove, pipeline/dedup/minhash.py): it finds 0.92 of the pairs of Jaccard 0.8, and all but none below 0.5.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from .items import Drops, Item

BANDS, ROWS, SHINGLE_WORDS = 14, 8, 5
SAME_SIDE = 0.7  # Jaccard from which two documents are held out together

# Chinese, Japanese and Korean have no spaces between words: each character counts as one.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")


_CJK_SIGN, _WORD_WITHOUT_CJK = re.compile(f"[{_CJK}]"), re.compile(r"\w+")
_MARKS = "\u201c\u201d\u2018\u2019\u2013\u2014\u2026\u2022\u00a0"  # what plain English has outside ASCII
_SPACES = {code: " " for code in range(128) if not (chr(code).isalnum() or code == ord("_"))}


def words(text: str) -> list[str]:
    """The words of a text, case and punctuation aside."""
    if not text.isascii():
        for mark in _MARKS:
            text = text.replace(mark, " ")
    if text.isascii():  # the same in half the time
        return text.lower().translate(_SPACES).split()
    text = text.casefold()
    return (_WORD if _CJK_SIGN.search(text) else _WORD_WITHOUT_CJK).findall(text)


def _runs(text: str) -> list[str]:
    w = words(text)
    if len(w) <= SHINGLE_WORDS:
        return [" ".join(w)]
    return [f"{a} {b} {c} {d} {e}" for a, b, c, d, e in zip(w, w[1:], w[2:], w[3:], w[4:], strict=False)]


def shingles(text: str) -> set[str]:
    """The runs of five words in a text, case and punctuation aside."""
    return set(_runs(text))


def signature(text: str) -> tuple[int, ...]:
    """The MinHash of a text: BANDS * ROWS numbers."""
    from rensa import RMinHash

    sketch = RMinHash(num_perm=BANDS * ROWS, seed=1)
    sketch.update(_runs(text))  # neither their order nor how often they come matters
    return tuple(sketch.digest())


# -- candidates ------------------------------------------------------------------------------------------
class Near:
    """Which of these items are alike: bands of their MinHash propose, exact Jaccard decides."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self._buckets = _buckets([item.signature or signature(item.text) for item in items])
        self._shingles = lru_cache(maxsize=256)(lambda number: shingles(items[number].text))

    def candidates(self, number: int) -> list[int]:
        """The other items that share a band with this one, in order."""
        return sorted({n for bucket in self._buckets[number] for n in bucket} - {number})

    def agree(self, a: int, b: int, jaccard: float) -> bool:
        """Whether the Jaccard similarity of the runs of five words is this or more."""
        one, other = self._shingles(a), self._shingles(b)
        return len(one & other) >= jaccard * len(one | other)


def _buckets(signatures: Sequence[Sequence[int]]) -> list[list[list[int]]]:
    """For each signature the groups of those that share a band with it."""
    by_band: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, values in enumerate(signatures):
        for band in range(BANDS):
            by_band[band, *values[band * ROWS : (band + 1) * ROWS]].append(number)
    found: list[list[list[int]]] = [[] for _ in signatures]
    for bucket in by_band.values():
        if len(bucket) > 1:
            for number in bucket:
                found[number].append(bucket)
    return found


# -- leaving out -----------------------------------------------------------------------------------------
Copies = dict[tuple[int, str, int], list[Item]]  # by the key of the item that stands for them


def without_copies(items: Sequence[Item], drops: Drops) -> tuple[list[Item], Copies]:
    """(the items that stay, the copies that they stand for): of equal texts the best stays."""
    same: defaultdict[str, list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        same[item.hash].append(number)
    return _best_stay(
        items, lambda number, copy: True, lambda n: same[items[n].hash], drops, "exact duplicate"
    )


def without_near_copies(items: Sequence[Item], jaccard: float, drops: Drops) -> tuple[list[Item], Copies]:
    """The same of texts whose runs of five words agree to `jaccard` or more."""
    near = Near(items)
    return _best_stay(items, lambda a, b: near.agree(a, b, jaccard), near.candidates, drops, "near duplicate")


def _best_stay(
    items: Sequence[Item],
    same: Callable[[int, int], bool],
    candidates: Callable[[int], Iterable[int]],
    drops: Drops,
    rule: str,
) -> tuple[list[Item], Copies]:
    """The best-licensed, then the longest, then the first: each takes out what is the same and comes after it."""
    order = sorted(range(len(items)), key=lambda n: (items[n].rank, -len(items[n].text), n))
    place = {number: at for at, number in enumerate(order)}
    gone: set[int] = set()
    copies: defaultdict[tuple[int, str, int], list[Item]] = defaultdict(list)
    for number in order:
        if number in gone:
            continue
        for copy in candidates(number):
            if place[copy] > place[number] and copy not in gone and same(number, copy):
                if drops.add(items[copy], rule, f"of {items[number].name}"):
                    gone.add(copy)
                    copies[items[number].key].append(items[copy])
    return [item for number, item in enumerate(items) if number not in gone], dict(copies)


# -- grouping --------------------------------------------------------------------------------------------
def groups(items: Sequence[Item]) -> list[int]:
    """For each item the number of the first of its group: those alike to 0.7, directly or through others."""
    group = list(range(len(items)))

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    near = Near(items)
    for number in range(len(items)):
        for other in near.candidates(number):
            a, b = root(number), root(other)
            if other > number and a != b and near.agree(number, other, SAME_SIDE):
                group[max(a, b)] = min(a, b)
    return [root(number) for number in range(len(items))]
