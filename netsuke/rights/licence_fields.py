"""Fields in which a file names its licence: `license:` in front matter (YAML, TOML), and lines as "License: MIT"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..consent.decide import licence_allows
from . import licence_names
from .licence_declared import UNKNOWN, all_of
from .licence_subject import is_named_own
from .licence_text import identify

Said = tuple[int, str, bool]  # where, which licence, whether it is said of this file

FORBIDDEN = "LicenseRef-reserved"  # rights that are kept back, in words of their own
FRONT = 1024  # characters in which a field that is not open counts whatever it speaks of: it heads the file

_MATTER = re.compile(
    r"\ufeff?(-{3}|\+{3})[ \t]*\r?\n(?P<fields>.*?)\n(?:\1|\.{3})[ \t]*(?:\r?\n|\Z)", re.DOTALL
)
_IN_MATTER = re.compile(r"(?im)^licen[cs]e[ \t]*[:=][ \t]*(?P<value>[^\n]*(?:\n[ \t]*-[ \t][^\n]*)*)")
_ITEM = re.compile(r"\s*[-*+]\s")
_LINE = re.compile(r"(?im)^[^\w\n]{0,12}licen[cs]e[*_]{0,3}:[*_]{0,3}[ \t]+(?P<value>\S[^\n]*)$")
_FENCED = re.compile(r"(?ms)^(```|~~~).*?^\1")
_PARTED = re.compile(r"\n[^\w\n]*\n")
_ENTRY = re.compile(r"(?im)^[^\w\n]*(?:authors?|by|contact|copyright|date|e-?mail|maintainers?|version)\b[^\n]*\n")
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|[\"'`*<>]|[ \t]#.*")
_MOST_LINES = 2  # of one file; more are a list of what others are under
_LONGEST = 100  # characters of a value that names a licence; a longer one is prose
# A value that means another file, and one that keeps back rights in words that no id stands for.
_POINTS = re.compile(
    r"(?i)\b(?:see|in|file)\b.*\b(?:licen[cs]e|copying)|^(?:licen[cs]e|copying)[\w.-]*$|^see\b|^\.{0,2}/"
)
_CLOSED = re.compile(
    r"(?i)\bproprietary\b|\bconfidential\b|\bnon-?commercial\b|\bno-?deriv|\ball rights reserved\b"
    r"|^commercial(?: licen[cs]e)?$|\b(?:cc|creative commons)\b.*\b(?:nc|nd)\b"
    r"|\bno[tn]?\b.*\b(?:train\w*|ai|commercial)\b"
)
# Names of which some version is not open; those of BSD, MIT and Apache are open in all, and leave it to the folder.
_MIXED = re.compile(
    r"(?i)\b(?:cc|creative commons|[al]?gpl\w*|gnu|gfdl|mpl|mozilla|epl|eupl|cddl|osl|sspl|busl|polyform)\b"
)
_NOTHING = frozenset(("", "null", "none", "unknown", "true", "false", "~"))
_LIMITS = re.compile(
    r"(?i)\b(?:not?|non|never|nor|cannot|without|unless|except\w*|exclud\w+|only|but|however|prohibit\w*|forbid\w*"
    r"|restrict\w*|permission|consent|train\w*|ai|machine learning|language models?|crawl\w*|scrap\w+|commercial\w*"
    r"|fees?|pay)\b|n['’]t\b"
)
# What restricts nothing: that nothing is warranted, and Apache's own words.
_USUAL = re.compile(
    r"(?i)[^.]*\b(?:warrant(?:y|ies)|as[ -]is)\b[^.]*|\bmay not use this file except in compliance with the license\b"
)


def is_limited(text: str) -> bool:
    """Whether what stands beside the name of a licence may restrict it."""
    return bool(_LIMITS.search(_USUAL.sub(" ", " ".join(text.split()))))


def fields(text: str, windows: Sequence[tuple[int, int]], titles: Sequence[str]) -> list[Said]:
    """What the fields of a file say: those of its front matter, and the lines in these windows of it."""
    matter = _MATTER.match(text, 0, windows[0][1])
    below = matter.end() if matter else 0
    lines = [said for low, high in windows for said in _in_lines(text, max(low, below), high, titles)]
    return [*(_in_matter(matter) if matter else ()), *(lines if len(lines) <= _MOST_LINES else lines[:1])]


def _in_matter(matter: re.Match[str]) -> Iterator[Said]:
    """The field of a front matter; one in words that say nothing for sure is UNKNOWN."""
    for field in _IN_MATTER.finditer(matter["fields"]):
        sign = "," if field["value"].startswith("[") else "\n"
        values = [_bare(value).strip("[]- ") for value in field["value"].split(sign)]
        known = [value for value in values if value.casefold() not in _NOTHING and not _POINTS.search(value)]
        if known:
            yield matter.start("fields") + field.start(), all_of([named(one) or UNKNOWN for one in known]), True


def _in_lines(text: str, low: int, high: int, titles: Sequence[str]) -> Iterator[Said]:
    """The lines that name a licence: one that is open where it is said of this file, any other at its front too."""
    window = _FENCED.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text[low:high])
    at = 0
    for part in re.split(rf"({_PARTED.pattern})", window):
        for field in _LINE.finditer(part):
            says = named(_bare(field["value"]))
            if not says:
                continue
            head = _ENTRY.sub("", part[: field.start()])
            own = is_named_own(head + part[field.start() :], len(head), len(head) + len(field[0]), titles)
            is_open = licence_allows(says)
            if own and is_open and is_limited(part[field.end() :]):
                says = all_of([says, UNKNOWN])
            heads = low + at + field.start() < FRONT and not _ITEM.match(field[0])
            if own or heads and not is_open:
                yield low + at + field.start(), says, own
        at += len(part)


def _bare(value: str) -> str:
    return " ".join(_MARKUP.sub(r"\1", value).split()).rstrip(".;, ")


def named(value: str) -> str | None:
    """The licence that the value of a field names, FORBIDDEN or UNKNOWN; None for a pointer, and for what is none."""
    if len(value) > _LONGEST:
        return None
    if known := licence_names.known(value) or identify(value):
        return known
    if _CLOSED.search(value):
        return FORBIDDEN
    return UNKNOWN if _MIXED.search(value) and not _POINTS.search(value) else None
