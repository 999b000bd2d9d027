"""The names that people write for licences, as SPDX expressions: SPDX's own, Debian's, trove's, English."""

from __future__ import annotations

import re

from ..consent.decide import licensing

# Names that mean one licence for sure, without "the", "license" and marks. "BSD", "GPL", "MIT/X11" do not.
_MEANT = {
    "0bsd": "0BSD", "2 clause bsd": "BSD-2-Clause", "3 clause bsd": "BSD-3-Clause", "apache 2": "Apache-2.0",
    "apache 2 0": "Apache-2.0", "apache software 2 0": "Apache-2.0", "apache2": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl", "artistic 2": "Artistic-2.0", "artistic 2 0": "Artistic-2.0",
    "boost 1 0": "BSL-1.0", "boost software 1 0": "BSL-1.0", "bsd 0 clause": "0BSD",
    "bsd 1 clause": "BSD-1-Clause",
    "bsd 2 clause": "BSD-2-Clause", "bsd 3 clause": "BSD-3-Clause", "bsd 4 clause": "BSD-4-Clause",
    "bsd 2": "BSD-2-Clause", "bsd 3": "BSD-3-Clause", "bsl 1": "BSL-1.0", "cc zero waive 1 0 us": "CC0-1.0",
    "cc0": "CC0-1.0", "cc0 1 0": "CC0-1.0", "cc0 1 0 universal": "CC0-1.0",
    "cc0 1 0 universal public domain dedication": "CC0-1.0",
    "eclipse public 2 0": "EPL-2.0", "expat": "MIT", "isc": "ISC", "mit": "MIT",
    "mit no attribution": "MIT-0",
    "mozilla public 1 1": "MPL-1.1", "mozilla public 2 0": "MPL-2.0", "mpl 2": "MPL-2.0",
    "mpl 2 0": "MPL-2.0",
    "ms pl": "MS-PL", "new bsd": "BSD-3-Clause", "openldap 2 8": "OLDAP-2.8", "psf": "PSF-2.0",
    "python software foundation": "PSF-2.0", "revised bsd": "BSD-3-Clause", "sil 1 1": "OFL-1.1",
    "sil open font 1 1": "OFL-1.1", "simplified bsd": "BSD-2-Clause", "universal permissive": "UPL-1.0",
    "university of illinois ncsa open source": "NCSA", "unlicense": "Unlicense", "zero clause bsd": "0BSD",
    "zlib libpng": "Zlib",
}  # fmt: skip
_FAMILIES = {
    "gnu affero general public": "AGPL", "gnu free documentation": "GFDL", "gnu general public": "GPL",
    "gnu lesser general public": "LGPL", "gnu library general public": "LGPL",
}  # fmt: skip
_GNU = re.compile(
    rf"({'|'.join(_FAMILIES)}|[al]?gpl|gfdl)( niv)? ?v?(\d)(?: (\d))?(\+| (?:only|or later|later))?",
    re.IGNORECASE,
)
_CC = re.compile(
    r"(?:creative commons|cc)(?: (?:attribution|by))((?: (?:non ?commercial|nc|no ?deriv\w*|nd|share ?alike|sa))*)"
    r" (\d) (\d)(?: (?:international|unported|generic))?(?: public)?"
)
_CC_PARTS = {"NC": r"\bnc|commercial", "ND": r"\bnd|deriv", "SA": r"\bsa|share"}
_ADDRESS = re.compile(
    r"(?i)(?:https?:)?(?://)?(?:www\.)?(?:creativecommons\.org/licenses/(?P<by>by[a-z-]*)/(?P<version>\d\.\d)"
    r"(?:/(?P<country>[a-z]{2}|igo)(?=[/?#]|$))?"
    r"|(?P<zero>creativecommons\.org/publicdomain/zero/1\.0)"
    r"|(?P<apache>apache\.org/licenses/license-2\.0(?:\.txt|\.html)?)"
    r"|gnu\.org/licenses/(?:old-licenses/)?(?P<gnu>[al]?gpl-\d\.\d|fdl-1\.\d)(?:\.[a-z-]+)*"
    r"|(?:spdx\.org/licenses|opensource\.org/licenses?)/(?P<id>[\w.+-]+?)(?:\.html|\.json|\.txt)?)(?=[/?#]|$)"
)
_EXCEPTIONS = {
    "bison": "Bison-exception-2.2", "classpath": "Classpath-exception-2.0", "font": "Font-exception-2.0",
    "libtool": "Libtool-exception", "linux-syscall-note": "Linux-syscall-note", "llvm": "LLVM-exception",
    "texinfo": "Texinfo-exception",
}  # fmt: skip


def parsed(said: str) -> str | None:
    """An SPDX expression in SPDX's spelling, LicenseRef- ids kept; None if it is no expression."""
    from license_expression import ExpressionError

    references = re.findall(r"\b(?:DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+", said, re.IGNORECASE)
    stood_in = said
    for reference in references:  # to the library some of them mean MIT; any that does not keeps the place
        stood_in = stood_in.replace(reference, "LicenseRef-scancode-unknown", 1)
    try:
        found = licensing().parse(stood_in, validate=True, strict=True)
    except (ExpressionError, RecursionError):
        return None
    pieces = ("" if found is None else str(found)).split("LicenseRef-scancode-unknown")
    return "".join(a + b for a, b in zip(pieces, [*references, ""], strict=False)) or None


def expression(said: str) -> str:
    """The SPDX expression that is meant, or what is said, as it stands, where that means nothing for sure."""
    return known(said) or " ".join(said.split())


def known(said: str) -> str | None:
    """The SPDX expression that is meant for sure, by its id, a name or an address."""
    said = " ".join(said.split())
    return parsed(said) or _meant(said) or linked(said)


def linked(address: str) -> str | None:
    """The SPDX id of the licence that an address of its publisher, of SPDX or of the OSI leads to."""
    found = _ADDRESS.match(address.strip())
    if not found:
        return None
    if found["by"]:
        country = f"-{found['country'].upper()}" if found["country"] else ""
        name = f"CC-{found['by'].upper()}-{found['version']}{country}"
        return parsed(name) or name
    if found["gnu"]:
        return _meant(found["gnu"].replace("fdl", "gfdl").replace("-", " "))
    return "CC0-1.0" if found["zero"] else "Apache-2.0" if found["apache"] else parsed(found["id"])


def _meant(said: str) -> str | None:
    plain = re.sub(r"\([^()]*\)", " ", said.casefold())
    words = [w for w in re.findall(r"[\w+]+", plain) if w not in ("the", "license", "licence", "version")]
    key = " ".join(words)
    if gnu := _GNU.fullmatch(key):
        family, niv, major, minor, later = gnu.groups()
        family = _FAMILIES.get(family, family.upper())
        free = "-no-invariants" if niv else ""
        return (
            f"{family}-{major}.{minor or 0}{free}-{'or-later' if later and 'only' not in later else 'only'}"
        )
    if cc := _CC.fullmatch(key):
        parts = [id_part for id_part, sign in _CC_PARTS.items() if re.search(sign, cc[1])]
        return "-".join(["CC-BY", *parts, f"{cc[2]}.{cc[3]}"])
    return _MEANT.get(key)


def dep5(short: str) -> str:
    """Debian's short names (copyright-format 1.0, 7.1) as an SPDX expression; LicenseRef- where it has no id.

    "and" binds closer than "or", and a comma less than both.
    """
    parts: list[tuple[str, str]] = []
    for part in re.split(r",\s*(?=and\b|or\b)", " ".join(short.split())):
        joined = re.match(r"(and|or)\s+(?=\S)", part, re.IGNORECASE) if parts else None
        names = re.split(
            r"\s+(and/or|and|or)\s+", part[joined.end() :] if joined else part, flags=re.IGNORECASE
        )
        text = " ".join(
            _dep5_name(n) if i % 2 == 0 else n.upper().split("/")[-1] for i, n in enumerate(names)
        )
        parts.append((joined[1].upper() if joined else "", text))
    if len(parts) == 1:
        return parts[0][1]
    return " ".join(f"{word} ({text})".strip() for word, text in parts)


def _dep5_name(name: str) -> str:
    base, _, exception = re.sub(r"\s+exception$", "", name, flags=re.IGNORECASE).partition(" with ")
    known = parsed(base) or _meant(base.replace("~", " "))
    if exception and known:
        version = "3.0" if "-3" in known else "2.0"
        named = _EXCEPTIONS.get(exception.casefold(), f"{exception.capitalize()}-exception-{version}")
        known = parsed(f"{known} WITH {named}")
    return known or f"LicenseRef-{re.sub(r'[^A-Za-z0-9.-]+', '-', name).strip('-') or 'unnamed'}"
