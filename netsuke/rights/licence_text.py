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
from collections.abc import Iterator
from functools import cache
from typing import TypeAlias

from .licence_notices import with_rider, without_asides, without_names, without_pointers

MAX_CHARACTERS = 200_000  # of a text; no licence is near as long

# Debian's common texts that a pointer alone may stand for: of a GNU one it leaves "or later" open.
_POINTED = {
    "Apache-2.0": "Apache-2.0", "Artistic": "Artistic-1.0-Perl", "BSD": "BSD-3-Clause", "CC0-1.0": "CC0-1.0",
    "MPL-1.1": "MPL-1.1", "MPL-2.0": "MPL-2.0",
}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_ADDRESS = re.compile(r"(?:https?|ftp):/+\S+|\bwww\.\S+|(?<![\w.+-])[\w.+-]+@[\w.-]+")
_SAME = {  # SPDX's equivalent words, and those that licensecheck takes for one
    "licence": "license", "licences": "licenses", "sublicence": "sublicense",
    "acknowledgement": "acknowledgment", "acknowledgements": "acknowledgments",
    "are": "is", "these": "the", "this": "the", "those": "the",
    "copies": "copy", "https": "http",
}  # fmt: skip
# Words that restrict nothing wherever they stand: of titles, of copyright lines, of names.
_HARMLESS = frozenset(
    """all an and apache author authors berkeley bsd by c california clause co code company consortium
    contributor contributors copying copyright corp corporation data document documentation et al
    file files foundation free from gmbh group holder holders holdings html http in inc institute
    internet is isc it its january june library limited llc ltd license licenses material materials
    mit modified mozilla name names new nor of on or org organization owner owners package program
    project public regents reserved revised rights s script simplified software source spdx systems
    team technologies the their them they to university version work www x11 xxxx yyyy zlib""".split()
)


def identify(text: str) -> str | None:
    """The SPDX id that a text states, such as MIT or GPL-2.0-or-later; None unless it says that alone."""
    if len(text) > MAX_CHARACTERS:
        return None
    bare = _bare(text)
    owned = [line for line in bare.splitlines() if is_copyright(line)]
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
_BROKEN = re.compile(r"\b([^\W\d_]{2,}+)-[ \t]*\n[ \t]*([^\W\d_]+)")
_RUNS = re.compile(r"([^\w\s]|_)\1{2,}|[ \t]{2,}")
_GNU_TAIL = re.compile(r"\s+How to Apply These Terms to Your (?:New )?(?:Programs|Libraries)\b.*", re.DOTALL)
_COPYRIGHT = re.compile(
    r"^\W*(?:(?:portions|parts|modifications) )?(?:SPDX-FileCopyrightText\b|copyright\b|©|\(c\))",
    re.IGNORECASE,
)
_BODY_FOR = re.compile(r"(?i)\b(?:foundation|institute|cent(?:er|re)|association|society|laboratory) for\b")
# No sentence of such a line can restrict without one of these, in whatever case it stands.
_SENTENCE = frozenset(
    """be but can cannot commercial commercially confidential evaluation except for forbidden if is
    licensed may must no non noncommercial nor not only permission permitted private prohibited
    proprietary shall strictly training unless unlicensed until use used uses using when where with
    without""".split()
)
# Words of names that are ordinary words too.
_NAME_PARTS = frozenset(
    """address affiliates al as at by com core da de del den der developers development di du email entity
    et fast file fullname holder individual js la le listed many name names other others owner
    portions present python respective see shown their to txt van von y year years""".split()
)


def _bare(text: str) -> str:
    """The text with no comment markers, rules and markup brackets (what is in those would be passed over)."""
    text = _RUNS.sub(" ", _MARKERS.sub("", text.translate({ord(c): " " for c in "<>{}&"})))
    text = _BROKEN.sub(_mended, text)
    head, end, tail = text.partition("END OF TERMS AND CONDITIONS")
    if end and not re.search(r"(?i)commerc|sell|clause|prohibit|train", tail):
        return head + end + _GNU_TAIL.sub("", tail)
    return text


def _mended(broken: re.Match[str]) -> str:
    """A word that was broken at the end of a line, if the whole is a word of some licence."""
    whole = f"{broken[1]}{broken[2]}"
    return f"{whole}\n" if whole.casefold() in _vocabulary() else broken[0]


def is_copyright(line: str) -> bool:
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
    if len(folded) < 2 or folded.isdigit() or not folded.strip("ivx"):
        return True
    if folded in _HARMLESS or folded.removesuffix("s") in _HARMLESS:
        return True
    return folded not in _vocabulary() and not folded.startswith(_DENYING)


# -- patterns ------------------------------------------------------------------------------------------------
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


@cache
def _title(name: str) -> frozenset[str]:
    """The words of a licence's name: the first line of its pattern."""
    first = re.match(r"(?://\*\*)?\s*(.*)", _entries().get(name, [""])[0])
    more = "Open Data Commons" if name == "ODbL-1.0" else ""
    return frozenset(word for word, _ in _words(f"{first[1] if first else ''} {more}"))


@cache
def _vocabulary() -> frozenset[str]:
    """Every word that some pattern writes in small letters: what is in none of them is a name."""
    text = "\n".join(_REMARK.sub(" ", one) for patterns in _entries().values() for one in patterns)
    words = set(_WORD.findall(re.sub(r"http\S+", " ", text)))
    return frozenset(_SAME.get(word, word) for word in words if word.islower())


def _is_accounted(name: str, region: str, names: frozenset[str]) -> bool:
    """Whether a pattern of a licence, slots aside, is just the words of a region, names and numbers aside."""
    words = [folded for folded, _ in _words(region)]
    # A match is stretched back to a copyright line; what stands between is no part of the pattern.
    stretched = bool(words) and words[0] in ("copyright", "c")
    patterns = [
        _parsed(entry) for entry in _entries().get(name, [""]) if not stretched or _starts(entry, words[0])
    ]
    said = tuple(word for word in words if not _is_harmless(word))
    return any(
        len(said) in _ends(pattern, said, names, _past_names(said, names, {0})) for pattern in patterns
    )


def _starts(entry: str, word: str) -> bool:
    return next((folded for folded, _ in _words(_MARK.sub(" ", _REMARK.sub(" ", entry)))), "") == word


# A pattern: a word, or ("all", its parts), ("any", its alternatives), ("maybe", a part).
_Pattern: TypeAlias = "str | tuple[str, list[_Pattern]]"
_REMARK = re.compile(r"//\*\*.*?\*\*//", re.DOTALL)
_MARK = re.compile(r"(\(\(|\)\)\?\?|\)\)|\|\||__\d+__)")
# What stands in the long slot of the BSD patterns.
_NAME_SLOT = ("neither", "nor", "any", "other", "may", "must", "not", "be")


@cache
def _parsed(entry: str) -> _Pattern:
    """A pattern of licensecheck without harmless words and slots: (( )) groups, || parts, ?? is optional."""
    stack: list[list[list[_Pattern]]] = [[[]]]  # of groups, of alternatives, of parts
    for piece in _MARK.split(_REMARK.sub(" ", entry)):
        if piece == "((":
            stack.append([[]])
        elif piece == "||":
            stack[-1].append([])
        elif piece in ("))", "))??"):
            group: _Pattern = ("any", [("all", parts) for parts in stack.pop()])
            stack[-1][-1].append(("maybe", [group]) if piece == "))??" else group)
        elif piece == "__40__":
            stack[-1][-1] += [("maybe", [word]) for word in _NAME_SLOT]
        elif not piece.startswith("__"):
            stack[-1][-1] += [word for word, _ in _words(piece) if not _is_harmless(word)]
    return "any", [("all", parts) for parts in stack[0]]


def _ends(pattern: _Pattern, words: tuple[str, ...], names: frozenset[str], starts: set[int]) -> set[int]:
    """Where a pattern can end in the words that begins at one of these places."""
    if isinstance(pattern, str):
        ends = {end for start in starts for end in _after(pattern, words, start)}
        return _past_names(words, names, ends)
    kind, parts = pattern
    if kind == "all":
        for part in parts:
            if not starts:
                break
            starts = _ends(part, words, names, starts)
        return starts
    ends = set().union(*(_ends(part, words, names, starts) for part in parts))
    return ends | starts if kind == "maybe" else ends


def _after(expected: str, words: tuple[str, ...], start: int) -> Iterator[int]:
    """The place after an expected word, which may be misspelt or in two parts."""
    if start < len(words) and (words[start] == expected or _is_misspelt(words[start], expected)):
        yield start + 1
    if "".join(words[start : start + 2]) == expected:
        yield start + 2


def _past_names(words: tuple[str, ...], names: frozenset[str], places: set[int]) -> set[int]:
    """These places and those after the names that follow: a name may be an ordinary word too."""
    found = set(places)
    for place in places:
        while place < len(words) and words[place] in names:
            place += 1
            found.add(place)
    return found


def _is_misspelt(word: str, other: str) -> bool:
    """Whether a word is another but for one letter that differs, is missing or is too many."""
    if max(len(word), len(other)) < 4 or abs(len(word) - len(other)) > 1:  # licensecheck's bounds
        return False
    i = len(os.path.commonprefix([word, other]))
    return word[i + 1 :] in (other[i:], other[i + 1 :]) or word[i:] == other[i + 1 :]


def _current(name: str) -> str:
    """The id that SPDX gives the plain text of a GNU licence now."""
    return f"{name}-only" if re.fullmatch(r"(?:[AL]?GPL|GFDL)-\d\.\d", name) else name
