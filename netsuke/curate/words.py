"""The words of a text as arrays: where they lie, what they are made of, and a hash of each.

They are split nearly as spaCy splits English (explosion/spaCy, spacy/lang/en/punctuation.py), by looking up
every four characters in a table, so that no Python code runs for a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Kinds = NDArray[np.uint8]
    Marked = NDArray[np.bool_]

# What ends a sentence (Unicode's Sentence_Terminal), as code points in hexadecimal; datatrove/utils/text.py.
_SENTENCE_ENDS = """
21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 17d4-17d6
17d9-17da 1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e 1c3b-1c3c 1c7e-1c7f 203c-203d 2047-2049
2e2e 2e3c 2e53-2e54 3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb
fe52 fe56-fe57 ff01 ff0e ff1f ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143
111c5-111c6 111cd 111de-111df 11238-11239 1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7 11641-11642
1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c 11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5
16b37-16b38 16b44 16e98 1bc9f 1da88"""
# Scripts written without a space between words: Thai, Lao, Tibetan, Burmese, Khmer, Chinese, Japanese.
_UNSPACED = "e00-eff f00-fff 1000-109f 1780-17ff 3040-30ff 3400-9fff f900-faff 20000-3ffff"
_PICTURES = "2190-2bff 1f000-1faff"
_PUNCTUATION = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»“”„–—’…∶、。〈〉《》「」【】━！（），．％１：；？～►"
    + "".join(map(chr, (*range(32), *range(127, 160))))
)
# How words are split at a character: the lowest four bits of its kind.
_SPACE, _OTHER, _LETTER, _DIGIT, _EDGE, _RELATION, _DOT, _APOSTROPHE, _HYPHEN, _JOINT, _ALONE = range(11)
_SPLIT_AT = {
    _EDGE: "!\"#$%&()*;?[]_`{}§«»‘“”„‚…¿¡·•€£¥（）【】《》〈〉「」『』、。，；：！？؟،؛۔।٪～",
    _RELATION: ",:<=>", _DOT: ".", _APOSTROPHE: "'’", _HYPHEN: "-", _JOINT: "/~",
    _ALONE: "–—", _DIGIT: "0123456789",
}  # fmt: skip
_N_SPLITS = 11
# What a character is: its other bits.
IS_LETTER, IS_SPELLED, IS_UNSPACED = 16, 32, 64
_BLOCK = 1 << 16  # characters split at a time: what is worked on stays in the cache
_BASE = 0x9E3779B97F4A7C15


def _ranges(hexadecimal: str) -> list[int]:
    pairs = [part.partition("-") for part in hexadecimal.split()]
    return [code for low, _, high in pairs for code in range(int(low, 16), int(high or low, 16) + 1)]


SENTENCE_ENDS = frozenset(map(chr, _ranges(_SENTENCE_ENDS)))


@dataclass(frozen=True)
class Words:
    """The words of a text, an array element each: where they lie, and what they are made of."""

    start: Ints
    end: Ints
    kinds: Kinds  # bits of all their characters
    hashes: Hashes  # equal words have equal ones
    unspaced: float  # share of the letters that are of scripts without spaces

    def __len__(self) -> int:
        return len(self.start)

    def texts(self, text: str) -> list[str]:
        """The words themselves, of the text that they were split from."""
        return [text[start:end] for start, end in zip(self.start.tolist(), self.end.tolist(), strict=True)]


@lru_cache(maxsize=1)
def _kinds() -> Kinds:
    """What each code point is."""
    import numpy as np

    codes = np.arange(0x110000, dtype=np.uint32).view("<U1")
    kinds = np.full(len(codes), _OTHER | IS_SPELLED, np.uint8)
    kinds[np.strings.isalpha(codes)] = _LETTER | IS_LETTER | IS_SPELLED
    for how, characters in _SPLIT_AT.items():
        kinds[[ord(character) for character in characters]] = how | IS_SPELLED
    kinds[_ranges(_PICTURES)] = _ALONE | IS_SPELLED
    kinds[_ranges(_SENTENCE_ENDS) + [ord(character) for character in _PUNCTUATION]] &= 0xFF - IS_SPELLED
    kinds[_ranges(_UNSPACED)] |= IS_UNSPACED
    kinds[np.strings.isspace(codes)] = _SPACE
    return kinds


@lru_cache(maxsize=1)
def _starts() -> Marked:
    """Whether a word starts at a character, by how words are split at two before it, at it, and at the next.

    White space ends a word. A mark stands alone at the edges of what is between white space; a comma, a slash
    and alike also between a letter or digit and a letter, and a hyphen between digits. Full stops in a row
    are one word, and an apostrophe inside a word starts a new one.
    """
    import numpy as np

    def among(how: Ints, *some: int) -> Marked:
        return np.isin(how, some)

    def alone(left: Ints, here: Ints, right: Ints) -> Marked:
        marks = (_EDGE, _RELATION, _DOT, _APOSTROPHE)
        at_edge = among(here, *marks) & (among(left, _SPACE, *marks) | among(right, _SPACE, *marks))
        related = (
            among(here, _RELATION, _JOINT, _HYPHEN) & among(left, _LETTER, _DIGIT) & among(right, _LETTER)
        )
        numbers = among(here, _HYPHEN) & among(left, _DIGIT) & among(right, _DIGIT)
        return among(here, _ALONE) | at_edge | related | numbers

    second, left, here, right = np.ogrid[:_N_SPLITS, :_N_SPLITS, :_N_SPLITS, :_N_SPLITS]
    apart = alone(second, left, here) | alone(left, here, right)
    starts = among(left, _SPACE) | among(here, _APOSTROPHE) | apart
    return (starts & ~among(here, _SPACE) & ~(among(left, _DOT) & among(here, _DOT))).ravel()


@lru_cache(maxsize=1)
def _powers() -> Hashes:
    """_BASE to the power of a position in a block, the last position first."""
    import numpy as np

    return np.full(_BLOCK, _BASE, np.uint64).cumprod()[::-1].copy()


def split_words(text: str) -> Words:
    """The words of a text: see `_starts`."""
    import numpy as np

    blocks: list[tuple[Ints, Ints, Kinds, Hashes]] = []
    only_ascii = text.isascii()
    start = n_letters = n_unspaced = 0
    while start < len(text) or not blocks:
        end = start + _BLOCK
        if end < len(text):
            end = max(text.rfind("\n", start, end), text.rfind(" ", start, end)) + 1 or end
        codes = np.frombuffer(text[start:end].encode("utf-32-le", "surrogatepass"), np.uint32)
        kinds = _kinds()[codes]
        if not only_ascii:
            n_unspaced += int(np.count_nonzero(kinds & IS_UNSPACED))
            n_letters += int(np.count_nonzero(kinds & (IS_LETTER | IS_UNSPACED)))
        blocks.append(_split_block(codes, kinds, start))
        start = end
    starts, ends, made_of, hashes = (
        blocks[0] if len(blocks) == 1 else map(np.concatenate, zip(*blocks, strict=True))
    )
    return Words(starts, ends, made_of, hashes, n_unspaced / max(1, n_letters))


def _split_block(codes: NDArray[np.uint32], kinds: Kinds, offset: int) -> tuple[Ints, Ints, Kinds, Hashes]:
    """(start, end, kinds, hashes) of a block's words; a hash is a polynomial of their codes modulo 2**64."""
    import numpy as np

    how = np.zeros(len(kinds) + 3, np.uint16)  # white space around the block
    how[2:-1] = kinds & 0xF
    pairs = how[:-1] * np.uint16(_N_SPLITS) + how[1:]
    starts = _starts()[pairs[:-2] * np.uint16(_N_SPLITS**2) + pairs[2:]]
    start = starts.nonzero()[0]
    if not len(start):
        return start, start, kinds[:0], _powers()[:0]
    ends = how[2:-1] != _SPACE
    ends[:-1] &= starts[1:] | ~ends[1:]
    end = ends.nonzero()[0] + 1
    summed = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(codes * _powers()[: len(codes)], out=summed[1:])
    hashes = (summed[end] - summed[start]) * _powers()[-1 - start]
    hashes ^= hashes >> np.uint64(32)  # no longer a sum: "ab c" and "ac b" must not come to the same
    return start + offset, end + offset, np.bitwise_or.reduceat(kinds, start), hashes
