"""Which licence a text states: the whole text of one, or notices that name one. Near exactly, or not at all.

The patterns are those of google/licensecheck and of SPDX's list, as licenseclassifier carries them: words,
with slots for names. A slot takes any words, so a restriction could hide in it. Hence each word of the text
that the pattern does not spell out must be a number, a name, or a word that no restriction can be made of.
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import os.path
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from .licence_notices import with_rider, without_asides, without_names, without_pointers

MAX_CHARACTERS = 200_000  # of a text; no licence is near as long

# Debian's common texts that a pointer alone may stand for: of a GNU one it leaves "or later" open.
_POINTED = {
    "Apache-2.0": "Apache-2.0", "Artistic": "Artistic-1.0-Perl", "BSD": "BSD-3-Clause", "CC0-1.0": "CC0-1.0",
    "MPL-1.1": "MPL-1.1", "MPL-2.0": "MPL-2.0",
}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"(?:https?|ftp)://\S+|\bwww\.\S+|(?<![\w.+-])[\w.+-]+@[\w.-]+")
_SAME = {  # SPDX's equivalent words, and those that licensecheck takes for one
    "licence": "license", "licences": "licenses", "sublicence": "sublicense",
    "acknowledgement": "acknowledgment", "acknowledgements": "acknowledgments",
    "are": "is", "these": "the", "this": "the", "those": "the",
    "copies": "copy", "https": "http",
}  # fmt: skip
# Words that restrict nothing wherever they stand: of titles, of copyright lines, of names.
_HARMLESS = frozenset(
    """all an and apache author authors berkeley bsd by c california clause co code company consortium
    contributor contributors copying copyright corp corporation data document documentation et al file
    files foundation free from gmbh group holder holders holdings in inc institute internet is isc it
    its january june library limited llc ltd license material materials mit modified mozilla name new
    nor of on or org organization owner owners package program project public regents reserved revised
    rights s script simplified software source spdx systems team technologies the their them they to
    university version work x11 xxxx yyyy zlib""".split()
)


def identify(text: str) -> str | None:
    """The SPDX id that a text states, such as MIT or GPL-2.0-or-later; None unless it says that alone."""
    if len(text) > MAX_CHARACTERS:
        return None
    bare = _bare(text)
    owned = [line for line in bare.splitlines() if _is_copyright(line)]
    names = frozenset(word for line in owned for word, _ in _words(line))
    unowned = "\n".join("" if line in owned else line for line in bare.splitlines())
    for version in dict.fromkeys((unowned, bare)):  # some patterns run on over a line of copyright
        rest, pointed = without_pointers(version)
        found = _stated(rest, set(), names) or _stated(*without_names(without_asides(rest)), names)
        if found is not None:
            return _agreed(found, pointed)
    return None


def _agreed(found: set[str], pointed: set[str]) -> str | None:
    """The one id that is found, if what is pointed at is of its family; else the one pointed at."""
    if not found:
        found = {_POINTED.get(name, "") for name in pointed}
    elif any(_family(name) != _family(other) for name in pointed for other in found):
        return None
    return found.pop() or None if len(found) == 1 else None


def _family(name: str) -> str:
    return name.split("-")[0].casefold()


def _stated(text: str, named: set[str], names: frozenset[str]) -> set[str] | None:
    """The ids that a text states besides these, or None if some of it says anything else."""
    regions, outside = _regions(text)
    if not all(_is_accounted(name, region, names) for name, region in regions):
        return None
    found, outside = with_rider(named | {name for name, _ in regions}, without_asides(outside))
    known = names.union(*map(_title, found))
    words = (word for word, _ in _words(outside))
    return {_current(name) for name in found} if all(w in known or _is_harmless(w) for w in words) else None


# -- what changes nothing ------------------------------------------------------------------------------------
_MARKERS = re.compile(
    r"""(?im)^[ \t]*(?:\#+|//+|/?\*+/?|;+|--+|%+|dnl\b|rem\b|\.\\"|\.(?=\s*$))|\*+/[ \t]*$"""
)
_RUNS = re.compile(r"([^\w\s]|_)\1{2,}|[ \t]{2,}")
_GNU_TAIL = re.compile(r"\s+How to Apply These Terms to Your (?:New )?(?:Programs|Libraries)\b.*", re.DOTALL)
_COPYRIGHT = re.compile(
    r"^\W*(?:(?:portions|parts|modifications) )?(?:SPDX-FileCopyrightText\b|copyright\b|©|\(c\))",
    re.IGNORECASE,
)
_BODY_FOR = re.compile(r"(?i)\b(?:foundation|institute|cent(?:er|re)|association|society|laboratory) for\b")
# No sentence of such a line can restrict without one of these, in whatever case it stands.
_SENTENCE = frozenset(
    """be but can cannot commercial commercially confidential evaluation except for forbidden if is licensed
    may must no non noncommercial nor not only permission permitted private prohibited proprietary shall
    strictly training unless unlicensed until use used uses using when where with without""".split()
)
# Words of names that are ordinary words too.
_NAME_PARTS = frozenset(
    """address affiliates al as at by com core da de del den der developers development di du email entity et
    fast file fullname holder individual js la le listed many name names other others owner portions
    present python respective see shown their to txt van von y year years""".split()
)


def _bare(text: str) -> str:
    """The text with no comment markers, rules and markup brackets (what is in those would be passed over)."""
    text = _RUNS.sub(" ", _MARKERS.sub("", text.translate({ord(c): " " for c in "<>{}&"})))
    head, end, tail = text.partition("END OF TERMS AND CONDITIONS")
    if end and not re.search(r"(?i)commerc|sell|clause|prohibit|train", tail):
        return head + end + _GNU_TAIL.sub("", tail)
    return text


def _is_copyright(line: str) -> bool:
    """Whether a line says who holds the copyright and nothing else: no word of it could make a sentence."""
    if not _COPYRIGHT.match(line):
        return False
    words = _WORD.findall(_ADDRESS.sub(" ", _BODY_FOR.sub(" ", line)))
    if any(word.casefold() in _SENTENCE for word in words):
        return False
    return all(not word.islower() or word in _NAME_PARTS or _is_harmless(word) for word in words)


# A word that is in no pattern is a name, unless it can restrict all alone.
_DENYING = ("anti", "nc", "nd", "noai", "nocommercial", "nod", "non", "un")


def _is_harmless(folded: str) -> bool:
    """Whether a word is a number, a mark, a name or a word of a title."""
    if len(folded) < 2 or folded.isdigit() or folded in _HARMLESS or not folded.strip("ivx"):
        return True
    return folded not in _vocabulary() and not folded.startswith(_DENYING)


# -- patterns ------------------------------------------------------------------------------------------------
# What the long slot of the BSD patterns is for.
_NAME_SLOT = " neither the name of nor the names of its contributors may not be "


def _regions(text: str) -> tuple[list[tuple[str, str]], str]:
    """([(id, the words that match its pattern), ...], what is outside of all of them)."""
    from licenseclassifier import identify_license

    found = [(match.id, match.start, match.end) for match in identify_license(text, 0.0)]
    edges = [0, *(edge for _, start, end in found for edge in (start, end)), len(text)]
    outside = [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return [(name, text[start:end]) for name, start, end in found], " ".join(outside)


def _words(text: str) -> Iterator[tuple[str, str]]:
    """Each word, as it is compared and as it is written; addresses aside."""
    for word in _WORD.findall(_ADDRESS.sub(" ", text)):
        folded = word.casefold()
        yield _SAME.get(folded, folded), word


@cache
def _entries() -> dict[str, list[str]]:
    """The patterns of each id, as licenseclassifier carries them."""
    packed = importlib.resources.files("licenseclassifier") / "_engine" / "licenses.json.gz"
    found: dict[str, list[str]] = {}
    for entry in json.loads(gzip.decompress(packed.read_bytes())):
        found.setdefault(entry["id"], []).append(entry["lre"])
    return found


def _written(pattern: str) -> str:
    """What a pattern spells out, without its remarks and slots."""
    pattern = re.sub(r"//\*\*.*?\*\*//", " ", pattern, flags=re.DOTALL)
    return re.sub(r"__\d+__", " ", pattern.replace("__40__", _NAME_SLOT))


@cache
def _title(name: str) -> frozenset[str]:
    """The words of a licence's name: the first line of its pattern."""
    first = re.match(r"(?://\*\*)?\s*(.*)", _entries().get(name, [""])[0])
    more = "Open Data Commons" if name == "ODbL-1.0" else ""
    return frozenset(word for word, _ in _words(f"{first[1] if first else ''} {more}"))


@cache
def _patterns(name: str) -> tuple[tuple[list[str], dict[str, list[int]]], ...]:
    """(its words in order, where each stands) of each pattern of an id; an id known by address alone has none."""
    found = []
    for entry in _entries().get(name, [""]):
        words = [word for word, _ in _words(_written(entry))]
        places: dict[str, list[int]] = {}
        for place, word in enumerate(words):
            places.setdefault(word, []).append(place)
        found.append((words, places))
    return tuple(found)


@cache
def _vocabulary() -> frozenset[str]:
    """Every word that some pattern writes in small letters: what is in none of them is a name."""
    text = "\n".join(_written(pattern) for patterns in _entries().values() for pattern in patterns)
    words = set(_WORD.findall(re.sub(r"http\S+", " ", text)))
    return frozenset(_SAME.get(word, word) for word in words if word.islower())


def _is_accounted(name: str, region: str, names: frozenset[str]) -> bool:
    """Whether one pattern of a licence spells out, in its order, each word of a region but numbers and names."""
    words = [folded for folded, _ in _words(region)]
    # A match is stretched back to a copyright line; what stands between is no part of the pattern.
    stretched = bool(words) and words[0] in ("copyright", "c")
    words_left = [word for word in words if word not in names and not _is_harmless(word)]
    return any(
        _is_spelt(words_left, pattern, places)
        for pattern, places in _patterns(name)
        if not stretched or words[:1] == pattern[:1]
    )


def _is_spelt(words: list[str], pattern: list[str], places: dict[str, list[int]]) -> bool:
    """Whether these words stand in a pattern in this order; a pattern lists what may be left out, in order too."""
    at = 0
    for word in words:
        ahead = places.get(word, [])
        found = bisect_left(ahead, at)
        if found < len(ahead):
            at = ahead[found] + 1
        elif not any(_is_misspelt(word, other) for other in pattern[at : at + 12]):
            return False
    return True


def _is_misspelt(word: str, other: str) -> bool:
    """Whether a long word is another but for one letter that differs, is missing or is too many."""
    if len(word) < 7 or abs(len(word) - len(other)) > 1:
        return False
    i = len(os.path.commonprefix([word, other]))
    return word[i + 1 :] in (other[i:], other[i + 1 :]) or word[i:] == other[i + 1 :]


def _current(name: str) -> str:
    """The id that SPDX gives the plain text of a GNU licence now."""
    return f"{name}-only" if re.fullmatch(r"(?:[AL]?GPL|GFDL)-\d\.\d", name) else name
