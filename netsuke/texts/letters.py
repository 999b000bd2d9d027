"""Words beside what `\\w` knows: with the signs of their letters, and in scripts without spaces between words."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain, pairwise

# Marks that belong to the letter before them, as the vowels of Hindi and Thai do: Unicode's category M. Beyond its
# first plane those of Chakma and Adlam alone: a pattern with all the historical ones takes five times as long.
_MARKED = chain(range(0x300, 0x10000), range(0x11100, 0x11150), range(0x1E900, 0x1E960))
SIGNS = "".join(c for c in map(chr, _MARKED) if unicodedata.category(c)[0] == "M")
WORD = re.compile(rf"\w[\w{SIGNS}]*")

# Between the brackets of a pattern, as SIGNS.
CJK = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # a character tells something
_JOINED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer: a letter alone tells nothing
_RUN = re.compile(rf"([{_JOINED}]+)|(?=\w)(?:[{CJK}]|[^{CJK}{_JOINED}]+)")
_LETTER = re.compile(r"\w\W*")


def apart(word: str) -> list[str]:
    """A word as it is; Chinese and Japanese by the character, Thai and its like by each two letters side by side."""
    if word.isascii():
        return [word]
    found: list[str] = []
    for run in _RUN.finditer(word):
        letters = _LETTER.findall(run[0]) if run[1] else [run[0]]
        found += [one + other for one, other in pairwise(letters)] or letters
    return found
