"""The rules by which web datasets keep or drop a text: Gopher, FineWeb and C4, with datatrove's limits.

Sources: arXiv 2112.11446 (Gopher, table A1), arXiv 2406.17557 (FineWeb), arXiv 1910.10683 (C4), and
huggingface/datatrove 0.10.1, src/datatrove/pipeline/filters, whose definitions these are but for two, see LIMITS and
_word_values.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from .words import IS_LETTER, IS_SPELLED, SENTENCE_ENDS, Words, split_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .words import Hashes, Ints, Marked

Failure = tuple[str, float, float]

# A text passes a rule if its value is at least the first number and at most the second.
LIMITS: dict[str, tuple[float, float]] = {
    "gopher: words": (50, inf),  # Gopher's 100,000 would drop a person's novel
    "gopher: mean word length": (3, 10),
    "gopher: hash signs per word": (0, 0.1),
    "gopher: ellipses per word": (0, 0.1),
    "gopher: bullet lines": (0, 0.9),
    "gopher: ellipsis lines": (0, 0.3),
    "gopher: words with a letter": (0.8, inf),
    "gopher: stop words": (2, inf),
    "gopher repetition: duplicate paragraphs": (0, 0.3),
    "gopher repetition: characters in duplicate paragraphs": (0, 0.2),
    "gopher repetition: duplicate lines": (0, 0.3),
    "gopher repetition: characters in duplicate lines": (0, 0.2),
    "gopher repetition: top 2-gram": (0, 0.20),
    "gopher repetition: top 3-gram": (0, 0.18),
    "gopher repetition: top 4-gram": (0, 0.16),
    "gopher repetition: duplicate 5-grams": (0, 0.15),
    "gopher repetition: duplicate 6-grams": (0, 0.14),
    "gopher repetition: duplicate 7-grams": (0, 0.13),
    "gopher repetition: duplicate 8-grams": (0, 0.12),
    "gopher repetition: duplicate 9-grams": (0, 0.11),
    "gopher repetition: duplicate 10-grams": (0, 0.10),
    "fineweb: lines ending in punctuation": (0.12, inf),
    "fineweb: short lines": (0, 0.67),
    "fineweb: characters in duplicate lines": (0, 0.01),
    "fineweb: newlines per word": (0, 0.3),
    "c4: lorem ipsum": (0, 0),
    "c4: sentences": (5, inf),
}
STOP_WORDS = ("the", "to", "of", "and", "that", "with", "be", "have")  # the most frequent first
SHORT_LINE_CHARS = 30
C4_LINE_WORDS = 3
C4_WORD_CHARS = 1000
C4_LINE_PHRASES = (
    "javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies",
    "use cookies",
)  # fmt: skip
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_BULLET = re.compile(r"\n[^\S\n]*[-•]")
_N_GRAM_BASE = 0xD1B54A32D192ED03
UNSPACED_SHARE = 0.3  # of the letters; from here on a text is not judged by its words

# A mark that ends a sentence, and a word after it in the line; a single letter ("J.", "e.g.") ends none.
# Bounded runs keep the time linear; without the marks of rare scripts it is much faster.
_NEXT_SENTENCE = re.compile(
    rf"[{re.escape(''.join(mark for mark in sorted(SENTENCE_ENDS) if mark < chr(0x10000)))}]"
    r"(?<!\b[A-Za-z].)(?<!\.\.)(?!\.)[^\w\s]{0,5}\s\W{0,30}\w"
)


def failures(text: str, language: str, *, layout: bool = False) -> list[Failure]:
    """(rule, value, limit) of each rule that a normalised text breaks, in the order of LIMITS.

    Values are shares, except for the counts of words, stop words, sentences and lines with "lorem ipsum", and
    the mean word length in characters. `layout` says that the lines are those of a page (HTML, PDF): then
    FineWeb's rules count too. C4's rule against curly brackets is left out, since it drops all code; its rule
    for the end of a line too, as in FineWeb. The stop words are English, and count if the language is "en".
    A text of which more than UNSPACED_SHARE of the letters are in a script without spaces between words is
    judged only by rules that need no word and no full stop.
    """
    found = []
    for rule, value in _values(text, language, layout=layout).items():
        least, most = LIMITS[rule]
        if not least <= value <= most:
            found.append((rule, value, least if value < least else most))
    return found


def _values(text: str, language: str, *, layout: bool = False) -> dict[str, float]:
    """What each rule that applies to a text comes to, in the order of LIMITS.

    A value that is within its limit may be a bound: what cannot break a rule is not worked out.
    """
    words = split_words(text)
    spaced = words.unspaced <= UNSPACED_SHARE
    filled = [line for line in text.split("\n") if line]
    made = _line_values(text, filled)
    made["c4: lorem ipsum"] = _lorem_lines(text)
    if spaced:
        made |= _word_values(text, words, language) | _repetition_values(text, words)
        made["c4: sentences"] = _sentences(filled)
    if layout and filled:
        made |= _layout_values(text, filled, words if spaced else None)
    return {rule: made[rule] for rule in LIMITS if rule in made}


# -- lines -----------------------------------------------------------------------------------------------
def _line_values(text: str, filled: list[str]) -> dict[str, float]:
    """Bullets, ellipses and duplicates: shares of the lines, the paragraphs, or the text's characters."""
    lined = f"\n{text}\n"
    n_lines = text.count("\n") + 1
    made = {
        "gopher: bullet lines": len(_BULLET.findall(lined)) / n_lines,
        "gopher: ellipsis lines": (lined.count("...\n") + lined.count("…\n")) / n_lines,
    }
    paragraphs = [part for part in [part.strip("\n") for part in text.split("\n\n")] if part]
    for name, parts in (("paragraphs", paragraphs), ("lines", filled)):
        n_duplicates, n_characters = _duplicates(parts)
        made[f"gopher repetition: duplicate {name}"] = n_duplicates / max(1, len(parts))
        made[f"gopher repetition: characters in duplicate {name}"] = n_characters / max(1, len(text))
    return made


def _duplicates(parts: list[str]) -> tuple[int, int]:
    """(number, characters) of the parts that an earlier one equals."""
    distinct = set(parts)
    return len(parts) - len(distinct), sum(map(len, parts)) - sum(map(len, distinct))


def _layout_values(text: str, filled: list[str], words: Words | None) -> dict[str, float]:
    lengths = list(map(len, filled))
    made = {"fineweb: characters in duplicate lines": _duplicates(filled)[1] / sum(lengths)}
    if words:
        n_ended = sum([line[-1] in SENTENCE_ENDS for line in filled])
        n_short = sum([length <= SHORT_LINE_CHARS for length in lengths])
        made["fineweb: lines ending in punctuation"] = n_ended / len(filled)
        made["fineweb: short lines"] = n_short / len(filled)
        made["fineweb: newlines per word"] = text.count("\n") / max(1, len(words))
    return made


def _lorem_lines(text: str) -> int:
    """Lines of three words or more with "lorem ipsum"."""
    lowered = text.encode("utf-8", "surrogatepass").lower()
    if b"lorem ipsum" not in lowered:
        return 0
    lines = lowered.split(b"\n")
    return sum(b"lorem ipsum" in line and len(line.split()) >= C4_LINE_WORDS for line in lines)


def _sentences(filled: list[str]) -> int:
    """Sentences in the lines that C4 keeps, up to the number that it asks for."""
    number, enough = 0, int(LIMITS["c4: sentences"][0])
    for line in filled:
        words = line.split(None, C4_LINE_WORDS - 1)
        if len(words) < C4_LINE_WORDS or len(line) > C4_WORD_CHARS < max(map(len, line.split())):
            continue
        lowered = line.lower()
        if not any(phrase in lowered for phrase in C4_LINE_PHRASES):
            ends = _NEXT_SENTENCE.finditer(_CITATION.sub("", line))
            number += 1 + sum(1 for _ in islice(ends, enough))
            if number >= enough:
                return enough
    return number


# -- rules about words -----------------------------------------------------------------------------------
def _word_values(text: str, words: Words, language: str) -> dict[str, float]:
    import numpy as np

    spelled = words.kinds & IS_SPELLED != 0
    n_spelled = int(np.count_nonzero(spelled))
    made: dict[str, float] = {"gopher: words": n_spelled}
    if n_spelled:
        made["gopher: mean word length"] = int((words.end - words.start)[spelled].sum()) / n_spelled
        # Of words alone, as the paper says; datatrove counts marks too, and 78 of 79 pages of Python's reference fail.
        made["gopher: words with a letter"] = int(np.count_nonzero(words.kinds & IS_LETTER)) / n_spelled
    if len(words):
        made["gopher: hash signs per word"] = text.count("#") / len(words)
        made["gopher: ellipses per word"] = (text.count("...") + text.count("…")) / len(words)
    if language == "en":
        made["gopher: stop words"] = _stop_words(words)
    return made


def _stop_words(words: Words) -> int:
    """Different stop words, up to the number that Gopher asks for."""
    number, enough = 0, int(LIMITS["gopher: stop words"][0])
    for stop in _stop_hashes():
        number += bool((words.hashes == stop).any())
        if number >= enough:
            break
    return number


@lru_cache(maxsize=1)
def _stop_hashes() -> Hashes:
    return split_words(" ".join(STOP_WORDS)).hashes


# -- repetition ------------------------------------------------------------------------------------------
def _repetition_values(text: str, words: Words) -> dict[str, float]:
    """Shares of the text in the most frequent n-gram, and in n-grams that came before."""
    import numpy as np

    if len(words) < 2:
        return {}
    before = np.zeros(len(words) + 1, np.int64)  # characters in the words before each
    np.cumsum(words.end - words.start, out=before[1:])
    hashes, found = words.hashes, {}
    for n in range(2, min(4, len(words)) + 1):
        rule = f"gopher repetition: top {n}-gram"
        hashes = _longer(hashes, words.hashes)
        found[rule] = _most_frequent_characters(hashes, n, before, LIMITS[rule][1] * len(text))
    if len(words) >= 5:
        rules = [f"gopher repetition: duplicate {n}-grams" for n in range(5, 11)]
        limits = [LIMITS[rule][1] * len(text) for rule in rules]
        hashes = _longer(hashes, words.hashes)
        found |= zip(rules, _duplicate_characters(hashes, words.hashes, before, limits), strict=True)
    return {rule: characters / len(text) for rule, characters in found.items()}


def _longer(n_grams: Hashes, words: Hashes) -> Hashes:
    """The hashes of n-grams with one word more."""
    import numpy as np

    return n_grams[:-1] * np.uint64(_N_GRAM_BASE) + words[len(words) - len(n_grams) + 1 :]


def _crowd(hashes: Hashes) -> Ints:
    """How many hashes begin with the same bits as each: what occurs so often does not occur oftener."""
    import numpy as np

    buckets = (hashes >> np.uint64(63 - len(hashes).bit_length())).astype(np.int64)
    return np.bincount(buckets)[buckets]


def _most_frequent_characters(hashes: Hashes, n: int, before: Ints, limit: float) -> int:
    """Characters, spaces too, in the n-gram that occurs most often, of equal ones the first; or a bound <= limit."""
    import numpy as np

    lengths = before[n:] - before[:-n] + n - 1
    crowd = _crowd(hashes)
    bound = int((crowd * lengths).max())
    if bound <= limit:
        return bound
    place, times = 0, 1
    for least in (int(crowd.max()), 2):
        origins = _origins(hashes, (crowd >= max(least, times)).nonzero()[0])
        if len(counted := origins[origins >= 0]):
            counts = np.bincount(counted)
            place, times = int(counts.argmax()), int(counts.max()) + 1
    return times * int(lengths[place])


def _duplicate_characters(hashes: Hashes, words: Hashes, before: Ints, limits: Sequence[float]) -> list[int]:
    """Characters in 5-grams to 10-grams that came before; or a bound, where that is within the limit.

    An n-gram can only occur twice if both (n - 1)-grams in it do: each n has fewer places to look at, and a bound
    that is no higher than the one before. The limits fall.
    """
    places = (_crowd(hashes) > 1).nonzero()[0]
    found: list[int] = []
    for n, limit in enumerate(limits, 5):
        origins = _origins(hashes, places)
        again = origins >= 0
        bound = _characters_in(again, n, before)
        if bound <= limits[-1]:
            return found + [bound] * (11 - n)
        found.append(bound if bound <= limit else _read_again(origins, n, before))
        again[origins[again]] = True
        places = (again[:-1] & again[1:]).nonzero()[0]
        hashes = _longer(hashes, words)
    return found


def _characters_in(marked: Marked, n: int, before: Ints) -> int:
    """Characters of the words in marked n-grams."""
    import numpy as np

    inside = np.zeros(len(before) - 1, np.bool_)
    for offset in range(n):
        inside[offset : offset + len(marked)] |= marked
    return int((before[1:] - before[:-1])[inside].sum())


def _origins(hashes: Hashes, places: Ints) -> Ints:
    """Where each n-gram occurs first, if not here, else -1. Looks only at `places`.

    Hash and place are sorted as one number, which is faster than sorting one by the other.
    """
    import numpy as np

    origins = np.full(len(hashes), -1)
    bits = np.uint64(len(hashes).bit_length())
    packed = hashes[places] >> bits << bits | places.astype(np.uint64)
    packed.sort()
    keys = packed >> bits
    new = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    if not new.all():
        ordered = (packed - (keys << bits)).astype(np.int64)
        firsts = ordered[new][np.cumsum(new) - 1]
        firsts[new] = -1
        origins[ordered] = firsts
    return origins


def _read_again(origins: Ints, n: int, before: Ints) -> int:
    """Characters of the words in n-grams that came before: read from the left, n words on after each."""
    import numpy as np

    find, origin = (origins >= 0).tobytes().find, origins.data
    skipped, read, hits = bytearray(len(origins) + n), set(), []
    inner = b"\1" * (n - 1)
    place = find(1)
    while place >= 0:
        if skipped[first := origin[place]] and first not in read:
            read.add(first)
            place = find(1, place + 1)
        else:
            hits.append(place)
            skipped[place + 1 : place + n] = inner
            place = find(1, place + n)
    found = np.array(hits, np.int64)
    return int((before[found + n] - before[found]).sum())
