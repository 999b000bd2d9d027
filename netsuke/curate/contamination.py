"""Passages of what is learnt from that what is held out has too, so that they can be cut.

A shared run of 12 words counts (datatrove, pipeline/decont/n_grams.py; GPT-3, arXiv 2005.14165, appendix C,
has 13). They drop the document or split it there; here only the paragraph goes, or of a long one the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import TYPE_CHECKING

from ..texts.markdown import fences
from .duplicates import words
from .lines import Range, paragraphs, with_underlines

if TYPE_CHECKING:
    from numpy import bool_, intp, uint64
    from numpy.typing import NDArray

LONG_PARAGRAPH_CHARS = 1_200

# Odd, so that multiplying loses nothing modulo 2^64: Fibonacci hashing's golden ratio.
_MULTIPLIER = 0x9E3779B97F4A7C15
_UNKNOWN = 0

# A table of flags by the first bits of a hash spares most runs the binary search, which is 8 times as slow.
_SLOTS_PER_RUN, _MOST_BITS = 8, 26


class Index:
    """Each run of `length` words in some texts, case and punctuation aside, as a 64-bit hash; a shorter text has none.

    Among 10^6 runs the chance to take another one for one of them is about 10^-13.
    """

    def __init__(self, held_out: Iterable[str], length: int = 12) -> None:
        import numpy as np

        self.length = length
        self._values: dict[str, int] = {}
        runs = [np.empty(0, np.uint64)]
        for text in held_out:
            found = words(text)
            self._values |= {word: _value(word) for word in set(found) - self._values.keys()}
            runs.append(self._runs(found))
        self._hashes = np.unique(np.concatenate(runs))
        bits = min(max(len(self._hashes) * _SLOTS_PER_RUN, 2).bit_length(), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        self._slots: NDArray[bool_] = np.zeros(1 << bits, np.bool_)
        self._slots[self._hashes >> self._shift] = True

    def __len__(self) -> int:
        """The number of different runs."""
        return len(self._hashes)

    def cut(self, text: str) -> list[Range]:
        """The lines to be cut: ranges from 0, the second not included, in order, none over another.

        They are the paragraphs (between blank lines) and the fenced code that a shared run touches, and of a
        paragraph of more than 1,200 characters the lines that it touches.
        """
        import numpy as np

        starts = self._shared(words(text))
        if not len(starts):
            return []
        lines = text.split("\n")  # no word goes over the end of a line
        line_of_word = np.repeat(np.arange(len(lines)), [len(words(line)) for line in lines])
        touched = np.unique(line_of_word[starts[:, None] + np.arange(self.length)])
        return list(_ranges(lines, set(touched.tolist())))

    def _shared(self, found: Sequence[str]) -> NDArray[intp]:
        """The words (from 0) at which a run begins that is in the index."""
        import numpy as np

        runs = self._runs(found)
        maybe = np.flatnonzero(self._slots[runs >> self._shift])
        at = np.searchsorted(self._hashes, runs[maybe]).clip(max=max(len(self) - 1, 0))
        return maybe[self._hashes[at] == runs[maybe]]

    def _runs(self, found: Sequence[str]) -> NDArray[uint64]:
        """The hash of each run of words: a polynomial in the words' values, modulo 2^64."""
        import numpy as np

        values = np.fromiter(map(self._values.get, found, repeat(_UNKNOWN)), np.uint64, len(found))
        count = max(len(found) - self.length + 1, 0)
        runs = np.zeros(count, np.uint64)
        for start in range(self.length):
            runs = runs * np.uint64(_MULTIPLIER) + values[start : start + count]
        return runs


def _value(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "replace"), digest_size=8).digest(), "little")


def _ranges(lines: Sequence[str], touched: set[int]) -> Iterator[Range]:
    code = set(fences(lines))  # half of it would leave a fence that opens or closes nothing
    for start, end in paragraphs(lines):
        mine = [number for number in range(start, end) if number in touched]
        if mine and ((start, end) in code or len("\n".join(lines[start:end])) <= LONG_PARAGRAPH_CHARS):
            yield start, end
        else:
            yield from _joined(sorted({n for where in with_underlines(lines, mine) for n in range(*where)}))


def _joined(numbers: Iterable[int]) -> Iterator[Range]:
    """Ascending numbers as ranges."""
    start = end = -1
    for number in numbers:
        if number != end:
            if end > 0:
                yield start, end
            start = number
        end = number + 1
    if end > 0:
        yield start, end
