"""Of what a notice speaks: one about a photo, or about other software, says nothing of the file that it stands in.

A notice that names a licence is the file's own where its subject is "this file", "this work" and the like, the file's
heading or what it says to be part of, or nothing ("Licensed under …"). Whole texts of licences are not asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .licence_notices import GRANTING, NAMED, STOP
from .licence_text import is_copyright

# What stands in or beside a text and is not the text; of code, "source code form" is MPL's word for any file.
_OTHERS = re.compile(
    r"(?i)\b(?:photo(?:s|graph|graphs|graphy)?|images?|pictures?|fig(?:ures?|caption)?|illustrations?|drawings?|diagrams?"
    r"|artworks?|covers?|fonts?|typefaces?|icons?|logos?|maps?|videos?|music|songs?|sounds?|screenshots?|snippets?"
    r"|themes?|templates?|powered|built|code(?!\W+(?:form|files?)\b))\b"
)
_THINGS = frozenset(
    """article book course data dataset document documentation essay file files form guide library manual material
    module notebook package packaging page post program project repository script site software source story text
    tutorial web website work works""".split()
)
_CONTENTS = frozenset("content contents text texts".split())  # of what else than of this file?
_PLAIN = (GRANTING - {"debian"}) | _THINGS | _CONTENTS | {"public", "rights", "reserved", "s"}
_POINTING = frozenset(("this", "these"))
_VAGUE = frozenset("are has have is it its them they".split())
_IN = frozenset("at in on within".split())
_GRANTS = re.compile(r"(?i)(?=\b(?:licen[sc]ed|released|distributed|published|available)\b)")
_UNDER = re.compile(rf"{_GRANTS.pattern}\w+ under\b")
_MARKUP = re.compile(r"<[^>]*>|https?://\S+|\bwww\.\S+")
_WORD = re.compile(r"[^\W_]+")
_NEW_LINE = re.compile(r"\n\W*(?=(?:Licen[sc]ed|Released|Distributed|Published|Available|Permission)\b)")
_HEADING = re.compile(r"(?i)<title[^>]*>([^<]*)|^#[ \t]+([^\n]*)|^([^\n]+)\n={3,}[ \t]*$", re.M)
_PART_OF = re.compile(r"(?i)\bthis (?:file|module|program) is part of (?:the )?([^\n]+?)(?:[.,;:]\s|\s*\n|\s*\Z)")


def called(head: str) -> list[str]:
    """What the start of a file calls it: its heading, and what it says to be part of."""
    found = [match for match in (_HEADING.search(head), _PART_OF.search(head)) if match]
    return [match[match.lastindex or 0].strip() for match in found]


def is_own(notice: str, titles: Sequence[str]) -> bool:
    """Whether a notice that states a licence speaks of the file itself; `titles` are the file's."""
    names = [match.span() for _, pattern in NAMED for match in pattern.finditer(notice)]
    names = names or [match.span() for match in _UNDER.finditer(notice)]
    return not names or any(is_named_own(notice, start, end, titles) for start, end in names)


def is_named_own(notice: str, start: int, end: int, titles: Sequence[str]) -> bool:
    """Whether the name of a licence at this place is said of the file itself."""
    before = re.split(r"\n[^\w\n]*\n", notice[:start])[-1]
    after = re.split(r"\n[^\w\n]*\n", notice[end:])[0]
    if _OTHERS.search(before) or _OTHERS.search(after):
        return False
    lead = _after_copyright(_MARKUP.sub(" ", before))
    for title in filter(None, titles):
        lead = re.sub(rf"(?i)(?<!\w)(?:the )?{re.escape(title)}(?=\s+(?:is|are|was|has)\b)", "this work", lead)
    sentence = _NEW_LINE.split(STOP.split(lead)[-1])[-1]
    words = _words(sentence)
    return _speaks_of_this(words if _THINGS.union(_CONTENTS) & set(words) else _words(lead))


def _after_copyright(lead: str) -> str:
    """What follows the last line of copyright, or stands in that line after the holder's name."""
    lines = lead.splitlines()
    for number in range(len(lines) - 1, -1, -1):
        holder, *rest = _GRANTS.split(lines[number])
        if is_copyright(holder):
            return "\n".join([" ".join(rest), *lines[number + 1 :]])
    return lead


def _speaks_of_this(words: list[str]) -> bool:
    """Whether these words, which come before the name of a licence, are about this file, or about nothing at all."""
    if not _PLAIN.issuperset(word for word in words if not word.isdigit()):
        return False
    things = [place for place, word in enumerate(words) if word in _THINGS | _CONTENTS]
    if not things:
        return not _VAGUE.intersection(words)
    first = things[0]
    if words[first] not in _CONTENTS and _IN.intersection(words[:first]) or words[first + 1 : first + 2] == ["s"]:
        return False
    return all(words[place] in _CONTENTS or _POINTING.intersection(words[:place]) for place in things)


def _words(text: str) -> list[str]:
    return [word.casefold().replace("licence", "license") for word in _WORD.findall(text)]
