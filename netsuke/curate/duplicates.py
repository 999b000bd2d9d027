"""Copies and near-copies: of each group the best-licensed, then the longest, stays.

MinHash in bands finds candidates and exact Jaccard over the runs of five words confirms them. The setting is FineWeb's
(datatrove, pipeline/dedup/minhash.py): it finds 0.92 of the pairs of Jaccard 0.8, and all but none below 0.5.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

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


def runs(text: str) -> list[str]:
    """The runs of five words in a text, case and punctuation aside; all of a shorter one."""
    w = words(text)
    if len(w) <= SHINGLE_WORDS:
        return [" ".join(w)]
    return [f"{a} {b} {c} {d} {e}" for a, b, c, d, e in zip(w, w[1:], w[2:], w[3:], w[4:], strict=False)]


def signature(text: str) -> tuple[int, ...]:
    """The MinHash of a text: BANDS * ROWS numbers."""
    from rensa import RMinHash

    sketch = RMinHash(num_perm=BANDS * ROWS, seed=1)
    sketch.update(runs(text))  # neither their order nor how often they come matters
    return tuple(sketch.digest())


# -- candidates ------------------------------------------------------------------------------------------
class Near:
    """Which of these items are alike: bands of their MinHash propose, exact Jaccard decides."""

    def __init__(self, items: Sequence[Item]) -> None:
        import numpy as np

        self._buckets = _buckets([item.signature or signature(item.text) for item in items])
        proposed = [number for number, buckets in enumerate(self._buckets) if buckets]
        hashes = [np.unique(np.fromiter(map(hash, runs(items[number].text)), np.int64)) for number in proposed]
        every, ids = np.unique(np.concatenate([*hashes, np.empty(0, np.int64)]), return_inverse=True)
        self._has = np.zeros(len(every), np.int32)  # 1 at the runs of the one that is looked at
        ends = np.cumsum([len(one) for one in hashes])
        self._runs = dict(zip(proposed, np.split(ids.astype(np.int32), ends), strict=False))

    def candidates(self, number: int) -> list[int]:
        """The other items that share a band with this one, in order."""
        return sorted({n for bucket in self._buckets[number] for n in bucket} - {number})

    def alike(self, number: int, others: Sequence[int], jaccard: float) -> list[int]:
        """Those of its candidates whose runs of five words have this Jaccard similarity with its own, or more.

        All at once: of things made from one form, such as orders or tickets, each may be a candidate of each.
        """
        import numpy as np

        if not others:
            return []
        mine, theirs = self._runs[number], [self._runs[other] for other in others]
        sizes = np.array([len(one) for one in theirs])
        self._has[mine] = 1
        shared = np.add.reduceat(self._has[np.concatenate(theirs)], np.cumsum(sizes) - sizes)
        self._has[mine] = 0
        near = shared >= jaccard * (len(mine) + sizes - shared)
        return [other for other, is_near in zip(others, near, strict=True) if is_near]


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
    return _best_stay(items, lambda n: same[items[n].hash], lambda number, copies: copies, drops, "exact duplicate")


def without_near_copies(items: Sequence[Item], jaccard: float, drops: Drops) -> tuple[list[Item], Copies]:
    """The same of texts whose runs of five words agree to `jaccard` or more."""
    near = Near(items)
    return _best_stay(items, near.candidates, lambda n, others: near.alike(n, others, jaccard), drops, "near duplicate")


def _best_stay(
    items: Sequence[Item],
    candidates: Callable[[int], Iterable[int]],
    same: Callable[[int, Sequence[int]], Sequence[int]],
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
        behind = [copy for copy in candidates(number) if place[copy] > place[number] and copy not in gone]
        for copy in same(number, behind):
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
        apart = [n for n in near.candidates(number) if n > number and root(n) != root(number)]
        for other in near.alike(number, apart, SAME_SIDE):
            a, b = root(number), root(other)
            group[max(a, b)] = min(a, b)
    return [root(number) for number in range(len(items))]
