"""May a file be used? Its owner's word first, then signals, then its licence; each answer says why, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

from ..nouns import Source

# The Open Definition's conformant licences and the Blue Oak Council's list, version 15: the rule of the Common Pile
# (arXiv 2506.05209). No NC, no ND; no GNU licence, whose terms for a model are not settled: its owner can say yes.
_OPEN_DEFINITION = """
CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-2.5-AU CC-BY-3.0 CC-BY-3.0-AT CC-BY-3.0-AU CC-BY-3.0-DE CC-BY-3.0-IGO
CC-BY-3.0-NL CC-BY-3.0-US CC-BY-4.0 CC-BY-SA-1.0 CC-BY-SA-2.0 CC-BY-SA-2.0-UK CC-BY-SA-2.5 CC-BY-SA-3.0
CC-BY-SA-3.0-AT CC-BY-SA-3.0-DE CC-BY-SA-3.0-IGO CC-BY-SA-4.0 CC0-1.0 DL-DE-BY-2.0 DL-DE-ZERO-2.0 LAL-1.2
LAL-1.3 MirOS ODbL-1.0 ODC-By-1.0 OGL-Canada-2.0 OGL-UK-2.0 OGL-UK-3.0 PDDL-1.0
"""
_BLUE_OAK = """
0BSD AAL Adobe-2006 ADSL AFL-1.1 AFL-1.2 AFL-2.0 AFL-2.1 AFL-3.0 Afmparse AMDPLPA AML AMPAS ANTLR-PD
ANTLR-PD-fallback Apache-1.0 Apache-1.1 Apache-2.0 APAFML Artistic-1.0 Artistic-1.0-cl8 Artistic-1.0-Perl
Artistic-2.0 Bahyph Barr bcrypt-Solar-Designer Beerware blessing BlueOak-1.0.0 Borceux BSD-1-Clause
BSD-2-Clause BSD-2-Clause-Darwin BSD-2-Clause-FreeBSD BSD-2-Clause-NetBSD BSD-2-Clause-Patent
BSD-2-Clause-Views BSD-3-Clause BSD-3-Clause-Attribution BSD-3-Clause-Clear BSD-3-Clause-HP
BSD-3-Clause-LBNL BSD-3-Clause-Modification BSD-3-Clause-No-Nuclear-License-2014
BSD-3-Clause-No-Nuclear-Warranty BSD-3-Clause-Open-MPI BSD-3-Clause-Sun BSD-4-Clause
BSD-4-Clause-Shortened BSD-4-Clause-UC BSD-Source-Code BSL-1.0 bzip2-1.0.5 bzip2-1.0.6 CECILL-B CFITSIO
check-cvs ClArtistic Clips CNRI-Jython CNRI-Python CNRI-Python-GPL-Compatible Condor-1.1 Crossword
CrystalStacker Cube curl diffmark DOC DSDP ECL-1.0 ECL-2.0 EFL-1.0 EFL-2.0 eGenix Entessa Fair FSFAP FSFUL
FSFULLR FTL fwlw Giftware GLWTPL hdparm HPND HPND-export-US HPND-Fenneberg-Livingston HPND-sell-regexpr
HTMLTIDY IBM-pibs ICU IJG IJG-short ImageMagick Info-ZIP Intel Intel-ACPI ISC Jam JasPer-2.0 Kazlib
Leptonica Libpng libpng-2.0 libtiff Linux-OpenIB LPL-1.0 LPL-1.02 LPPL-1.3c LZMA-SDK-9.22 McPhee-slideshow
MIT MIT-0 MIT-advertising MIT-CMU MIT-enna MIT-feh MIT-Modern-Variant MIT-open-group MIT-testregex MIT-Wu
MITNFA mpich2 MS-PL MTLL MulanPSL-1.0 MulanPSL-2.0 Multics Mup NAIST-2003 NASA-1.3 Naumen NBPL-1.0 NCSA
Net-SNMP NetCDF Newsletr NICTA-1.0 NIST-Software NLPL NRL NTP NTP-0 OFFIS OGTSL OLDAP-1.1 OLDAP-1.2
OLDAP-1.3 OLDAP-1.4 OLDAP-2.0 OLDAP-2.0.1 OLDAP-2.1 OLDAP-2.2 OLDAP-2.2.1 OLDAP-2.2.2 OLDAP-2.3 OLDAP-2.4
OLDAP-2.5 OLDAP-2.6 OLDAP-2.7 OLDAP-2.8 OML OpenSSL PHP-3.0 PHP-3.01 Plexus PostgreSQL PSF-2.0 psutils
Python-2.0 python-ldap Qhull Rdisc RSA-MD Ruby Saxpath SGI-B-2.0 SHL-0.5 SMLNJ snprintf Spencer-86
Spencer-94 Spencer-99 SSH-short SunPro SWL Symlinks TCL TCP-wrappers TU-Berlin-1.0 TU-Berlin-2.0 UCAR
Unicode-DFS-2015 Unicode-DFS-2016 UnixCrypt Unlicense UPL-1.0 Vim VSL-1.0 W3C W3C-19980720 W3C-20150513
Wsuipa WTFPL X11 Xerox Xfig XFree86-1.1 xinetd xlock Xnet xpp XSkat Zed Zend-2.0 Zlib zlib-acknowledgement
ZPL-1.1 ZPL-2.0 ZPL-2.1
"""
ALLOWED_LICENCES = frozenset((_OPEN_DEFINITION + _BLUE_OAK).split())

_ALLOWED = frozenset(name.casefold() for name in ALLOWED_LICENCES)
_UNKNOWN = {"", "unknown", "noassertion", "none"}
_REFERENCE = re.compile(r"(?:DocumentRef-[\w.-]+:)?LicenseRef-[\w.-]+", re.IGNORECASE)
_OURS = "LicenseRef-netsuke-"  # before such names, since the library takes some of them for MIT
_LONGEST = 160  # characters of a licence or a signal in a reason


class Stand(NamedTuple):
    """What people decided about a file before it was read: `decision` is None where nobody did."""

    decision: Literal["in", "out"] | None = None
    reason: str = ""
    by: str = ""


NOBODY = Stand()


class Decision(NamedTuple):
    """Whether a file may be used, why (one sentence), who decided, and by which licence."""

    allowed: bool
    reason: str
    by: str  # "rules", "recipe", a person, or who signed
    licence: str = ""  # the one that counts, see which_licence()
    rank: int = 0  # how good the right is: 0, one's own work, is the best; for the choice among copies


OWN, SIGNED, OPEN, SAID, SIGNALLED, WIDENED, NONE = range(7)  # ranks


def decide(
    source: Source,
    *,
    licence: str | None = None,
    signals: Sequence[Mapping[str, str]] = (),
    standing: Stand = NOBODY,
    agreement: str | None = None,
    widened: Collection[str] = (),
) -> Decision:
    """The decision about a file of a source. Any "out" wins, then any yes; what nobody allowed is out.

    `licence` and `signals` ({"kind", "value", "where"}, …) are what was found in or beside the file, `agreement` is who
    signed one that covers the file, `widened` are the licences that the recipe allows besides.
    """
    counts = which_licence(source.licence, licence, widened)
    no, yes = _first(signals, "no"), _first(signals, "yes")

    def settled(allowed: bool, reason: str, by: str = "rules", rank: int = NONE) -> Decision:
        return Decision(allowed, reason, by, counts, rank)

    if standing.decision == "out":
        return settled(False, standing.reason, standing.by)
    if source.consent == "out":
        return settled(False, "Its owner said no.", "recipe")
    if source.consent not in ("in", "unknown"):
        return settled(False, f"The consent {source.consent!r} is neither in nor out.", "recipe")
    if agreement:
        despite = f", though a signal says no: {no}" if no else ""
        return settled(True, f"Its owner signed an agreement, {agreement}{despite}.", agreement, SIGNED)
    if no:
        return settled(False, f"A signal says no: {no}.")
    if source.owner == "me":
        return settled(True, "It is your own work.", rank=OWN)
    if standing.decision == "in":
        return settled(True, standing.reason, standing.by, SAID)
    if source.consent == "in":
        return settled(True, "Its owner said yes.", "recipe", SAID)
    if yes:
        return settled(True, f"A signal says yes: {yes}.", rank=SIGNALLED)
    return settled(*_by_licence(counts, source.licence, widened))


def _first(signals: Sequence[Mapping[str, str]], value: str) -> str:
    """The kind and the place of the first signal of a value, or ""."""
    found = next((signal for signal in signals if signal["value"] == value), None)
    return (
        _short(f"{found['kind']} in {found['where']}" if found.get("where") else found["kind"])
        if found
        else ""
    )


# -- licences --------------------------------------------------------------------------------------------
def which_licence(stated: str, found: str | None, widened: Collection[str] = ()) -> str:
    """The licence that counts: the recipe's, unless it states none or what the file says is stricter."""
    stated, found = " ".join(stated.split()), " ".join((found or "").split())
    if found.casefold() in _UNKNOWN:
        return stated
    if stated.casefold() in _UNKNOWN or _freedom(found, widened) < _freedom(stated, widened):
        return found
    return stated


def licence_allows(expression: str, widened: Collection[str] = ()) -> bool:
    """Whether an SPDX expression allows use: OR needs one side, AND needs both; nonsense does not.

    `widened` adds licences by their whole names: CC-BY-NC-4.0 adds that one, CC-BY-NC none.
    """
    renamed = _REFERENCE.sub(lambda name: _OURS + name[0].replace(":", "-"), expression)
    try:
        found = licensing().parse(renamed, strict=True)
    except Exception:  # nonsense breaks the parser in many ways, "()" with an IndexError
        return False
    if found is None or any(" " in key for key in licensing().license_keys(found)):
        return False
    return _holds(found, _ALLOWED.union(name.casefold() for name in widened))


@cache
def licensing() -> Any:
    """SPDX's licences, and the expressions made of them."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _holds(node: Any, allowed: Collection[str]) -> bool:
    """An exception (WITH) and "or later" (+) only ever allow more."""
    if node.isliteral:
        key = getattr(node, "license_symbol", node).key
        return key.removeprefix(_OURS).removesuffix("+").casefold() in allowed
    return (any if node.operator.strip() == "OR" else all)(_holds(one, allowed) for one in node.args)


def _by_licence(licence: str, stated: str, widened: Collection[str]) -> tuple[bool, str, str, int]:
    """(allowed, reason, by, rank) by the licence that counts."""
    if licence.casefold() in _UNKNOWN:
        return False, "Its licence is not known, and its owner has not said yes.", "rules", NONE
    told = f"Its licence, {_short(licence)},"
    stated = " ".join(stated.split())
    if licence != stated and stated.casefold() not in _UNKNOWN:
        told = f"Its own licence, {_short(licence)}, stricter than the recipe's, {_short(stated)},"
    if licence_allows(licence):
        return True, f"{told} is open.", "rules", OPEN
    told = f"{told} is not on the list of open ones,"
    if licence_allows(licence, widened):
        return True, f"{told} but the recipe allows it.", "recipe", WIDENED
    return False, f"{told} and its owner has not said yes.", "rules", NONE


def _freedom(licence: str, widened: Collection[str]) -> int:
    """2: open, 1: the recipe allows it, 0: neither."""
    return licence_allows(licence) + licence_allows(licence, widened)


def _short(text: str) -> str:
    """A text on one line, cut where it gets long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
