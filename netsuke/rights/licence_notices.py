"""Notices: sentences that name a licence, say where its text is, or only repeat what every licence says.

Each is taken out of a text together with the words around it, as long as those are of a set that can restrict
nothing: what is left over is for the caller to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator


# -- names ---------------------------------------------------------------------------------------------------
def _phrase(words: str) -> re.Pattern[str]:
    """Words with anything but words between them, in any case; " ?": or nothing; "#": any word, a group."""
    for mark, pattern in ((" ?", r"[\W_]*"), (" ", r"[\W_]+"), ("#", r"(\b[\w-]{1,40}+)")):
        words = words.replace(mark, pattern)
    return re.compile(words, re.IGNORECASE)


_VERSION = (
    r"(?: as published by the free software foundation)?(?: dated \w+ [12]\d{3})?(?: in| either)?"
    r"(?: version| v)?[\W_]*v?(?P<version>[1-4](?:\.[0-9])?)(?: of the licen[sc]e)?(?: dated \w+ [12]\d{3})?"
    r"(?: as published by the free software foundation)?"
    r"(?P<later>\+| (?:or )?(?:at your (?:option|choice|opinion) )?(?:or )?any (?:later|newer)"
    r"(?: version)?(?: published by the free software foundation)?| or (?:later|newer|above|greater)"
    r"(?: versions?)?)?(?: only)?"
)
_GNU = (
    r"(?:gnu )?(?:(?:(?P<kind>lesser|library|affero) )?general public licen[sc]e"
    r"|(?P<short>[al]?gpl)(?: licen[sc]e)?)"
)
_NAMES = {
    "gnu": _GNU + r"(?: \(?[al]?gpl)?" + _VERSION,
    "gnu of": r"version (?P<version>[1-3](?:\.[0-9])?)(?P<later> or (?:any )?later)?(?: of)? the " + _GNU
    + r"(?P<later2> as published by the free software foundation or at your option any later version)?",
    "gfdl": r"gnu free documentation licen[sc]e" + _VERSION
    + r"(?P<free> with no invariant sections no front cover texts(?: and)? no back cover texts)?",
    "cc": r"(?:creative commons|cc)(?: public)?(?: licen[sc]e)? (?:attribution|by)"
    r"(?P<nc> non ?commercial| nc)?(?P<sa> share ?alike| sa)?"
    r"(?P<nd> no ?deriv(?:ative|s|atives)?(?: works?)?| nd)?(?: licen[sc]e)?"
    r"(?: version)? v?(?P<version>[1-4]\.\d)(?: international| unported| generic)?(?: public)?"
    r"(?: licen[sc]e)?",
    "CC0-1.0": r"(?:creative commons )?cc0(?: public domain dedication)?(?: version)? 1\.0(?: universal)?"
    r"(?: public domain dedication)?(?: licen[sc]e)?(?: waiver)?",
    "Apache-2.0": r"apache(?: software)?(?: licen[sc]e)?(?: version)?[\W_]+v?2(?:\.0)?(?: licen[sc]e)?",
    "MPL": r"(?:mozilla public licen[sc]e|mpl)(?: version)?[\W_]+v?(?P<version>[12]\.[01])",
    "AFL": r"academic free licen[sc]e(?: version)?[\W_]+v?(?P<version>[123]\.[0-2])",
    "MIT": r"(?:mit|expat) licen[sc]e",
    "BSD-3-Clause": r"(?:(?:new|modified|revised|3 clause|three clause) bsd|bsd 3 clause) licen[sc]e",
    "BSD-2-Clause": r"(?:(?:simplified|2 clause|two clause) bsd|bsd 2 clause) licen[sc]e",
    "ISC": r"isc licen[sc]e",
    "BSL-1.0": r"boost software licen[sc]e(?: version)? 1\.0",
    "Artistic-2.0": r"artistic licen[sc]e(?: version)? 2(?:\.0)?",
    "Artistic-1.0-Perl": r"artistic licen[sc]e which comes with perl",
}  # fmt: skip
_UNDER = (
    r"(?:under|to|with|by|at your option)(?: either)?"
    r"(?: the (?:same )?terms(?: and conditions)? of)?(?: (?:the|a|an))? "
)
NAMED = [(kind, _phrase(_UNDER + name + r"(?!\w)")) for kind, name in _NAMES.items()]
_GNU_IDS = {"lesser": "LGPL", "library": "LGPL", "affero": "AGPL", "lgpl": "LGPL", "agpl": "AGPL"}


def _id_of(kind: str, match: re.Match[str]) -> str:
    """The SPDX id that a name stands for."""
    said = {name: (value or "").strip().casefold() for name, value in match.groupdict().items()}
    version = said.get("version", "")
    later = "or-later" if said.get("later") or said.get("later2") else "only"
    if kind.startswith("gnu"):
        family = _GNU_IDS.get(said["kind"] or said["short"], "GPL")
        return f"{family}-{version if '.' in version else version + '.0'}-{later}"
    if kind == "gfdl":
        return f"GFDL-{version}{'-no-invariants' if said['free'] else ''}-{later}"
    if kind == "cc":
        parts = [part for part in ("nc", "nd", "sa") if said[part]]
        return "-".join(["CC-BY", *map(str.upper, parts), version])
    return f"{kind}-{version}" if version else kind


# -- sentences -----------------------------------------------------------------------------------------------
# What such notices say besides; it grants and restricts nothing.
_GPL = "the(?: gnu)?(?: lesser| library| affero)?(?: general public)? licen[sc]e"
_ADDRESSED = r"(?:51|59|675) [\w\s,.:-]{10,60}?\b\d{5}\b(?:-\d{4}\b)?(?:[\W_]*usa\b)?"
_ASIDE = [
    _phrase(" ".join(words.split()))
    for words in rf"""
(?:(?:this|the) )?#(?: #)? (?:is|are) (?:being )?distributed in the hope that (?:it|they)
(?:will|may) be useful but without any warranty(?: to the extent permitted by law)?(?: without even the
implied warranty of merchantability or fitness for a particular purpose)?

see {_GPL} for (?:more|further) details

(?:you should have received|if you did not receive) a copy of (?:{_GPL}|the cc0 (?:public domain
dedication|legalcode)) (?:along )?with (?:this|the|your)?[\W_]*#(?:
(?!if\b|see\b|please\b)#)?(?: (?:see|in) the file copying(?:\.\w+)?)?(?: if not| please)?(?: see|
write to the free software foundation(?: inc)?(?: {_ADDRESSED})?)?

to the extent possible under law the author(?: ?s)? (?:have|has) (?:dedicated|waived) all copyright and
related (?:and|or) neighboring rights to this #(?: to the public domain worldwide)?

this software is distributed without any warranty

everyone is permitted to copy and distribute verbatim copies of this licen[sc]e document but changing it
is not allowed

creative commons is not a party to its public licen[sc]es notwithstanding creative commons may elect to
apply one of its public licen[sc]es to material it publishes and in those instances will be considered the
licensor(?: the text of the creative commons public licen[sc]es is dedicated to the public domain under
the cc0 public domain dedication)? except for the limited purpose of indicating that material is shared
under a creative commons public licen[sc]e or as otherwise permitted by the creative commons policies
published at creativecommons org policies creative commons does not authorize the use of the trademark
creative commons or any other trademark or logo of creative commons without its prior written consent
including without limitation in connection with any unauthorized modifications to any of its public
licen[sc]es or any other arrangements understandings or agreements concerning use of licensed material for
the avoidance of doubt this paragraph does not form part of the public licen[sc]es creative commons may be
contacted at creativecommons org

a copy of the licen[sc]e is included in the section entitled gnu free documentation licen[sc]e

(?:this|these|the) (?:# )?(?:is|are) free (?:software|documentation)

see accompanying file license_1_0(?:\.txt)?(?: or copy at)?

spdx licen[sc]e (?:expression|identifier)(?= )
""".split("\n\n")
]
# Words that may stand around a name and make a sentence of it.
GRANTING = frozenset(
    """a all also an and anyone are as available be by can code conditions copied copies copy copyrighted
    covered data dataset debian distribute distributed distribution document documentation either file
    files following for free granted have hereby image images in is it its library license licensed made
    manual material may module modified modify notice of or package packaging page permission photo
    program project provided published purpose redistribute redistributed release released repository
    same script see shared site so software source subject terms text that the them these this to under
    use used version website wishing with work works you your""".split()
)
# Words of a sentence that says where Debian keeps a text.
_COMMON = re.compile(r"/?usr/share/common-licenses/([\w+-]+(?:\.\d+)*)")
_POINTING = GRANTING | frozenset(
    """apache artistic at based bsd cc0 common commons complete contained creative dedication directory domain
    find found foundation from full general gfdl gnu gpl hurd kfreebsd later latest lesser lgpl licenses
    linux local located machines more mozilla mpl newest on other public refer reproduced s statement
    system systems texts universal v v1 v2 v3 verbatim versions which zero""".split()
)
_WORD = re.compile(r"[^\W_]+")
STOP = re.compile(r"[.;:!?]\s|\n\s*\n")


# MIT's text with this clause has an id of its own.
_RIDER = _phrase(
    r"except as contained in this notice the name(?: ?s)? of (?P<names>(?:[\w.&()-]+ ){1,12}?)shall not be"
    r" used in advertising or otherwise to promote the sale use or other deal ?ings in this software without"
    r" (?:specific )?prior written (?:authori[sz]ation|permission)(?: (?:of|from)(?: the)?)?"
)


def with_rider(found: set[str], text: str) -> tuple[set[str], str]:
    """(ids, the rest): X11 instead of MIT where the clause on the use of names follows; the names stay."""
    rest, times = _RIDER.subn(lambda clause: clause["names"], text)
    return ({"X11"}, rest) if times == 1 and found == {"MIT"} else (found, text)


def without_pointers(text: str) -> tuple[str, set[str]]:
    """(the rest, names): without the sentences that say only where Debian keeps the text of a licence."""
    pointed: set[str] = set()
    for match in _from_the_end(_COMMON, text):
        text = _cut(text, match, _POINTING)
        pointed.add(match[1])
    return text, pointed


def without_asides(text: str) -> str:
    """The text without the sentences that grant and restrict nothing; what may be any word in them stays."""
    for pattern in _ASIDE:
        text = pattern.sub(lambda aside: "\n\n" + " ".join(filter(None, aside.groups())) + "\n\n", text)
    return text


def without_names(text: str) -> tuple[str, set[str]]:
    """(the rest, SPDX ids): without the sentences that say only under which licence something is."""
    named: set[str] = set()
    for kind, pattern in NAMED:
        for match in _from_the_end(pattern, text):
            text = _cut(text, match, GRANTING)
            named.add(_id_of(kind, match))
    return text, named


def _from_the_end(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return reversed(list(pattern.finditer(text)))


def _cut(text: str, match: re.Match[str], words: frozenset[str]) -> str:
    """The text without what matched and the words of its sentence on either side that are of this set."""
    start, end = match.span()
    for word in reversed(list(_WORD.finditer(text, max(0, start - 500), start))):
        if not _is_of(word[0], words) or STOP.search(text, word.end(), start):
            break
        start = word.start()
    for word in _WORD.finditer(text, end, end + 200):
        if not _is_of(word[0], words) or STOP.search(text, end, word.start()):
            break
        end = word.end()
    return f"{text[:start]}\n\n{text[end:]}"


def _is_of(word: str, words: frozenset[str]) -> bool:
    folded = word.casefold().replace("licence", "license")
    return folded in words or folded.isdigit()
