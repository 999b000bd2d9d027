"""May a file be used? Its owner's word first, then signals, then its licence; each answer says why, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from .nouns import Source

# Open Definition 2.1 and permissive (Blue Oak) licences, the rule of the Common Pile (arXiv 2506.05209).
# No NC, no ND; no GPL, whose terms for a model are not settled: its owner can say yes.
ALLOWED_LICENCES = frozenset(
    """
0BSD AFL-3.0 Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0
CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-PDDC CC0-1.0 CDLA-Permissive-1.0
CDLA-Permissive-2.0 DL-DE-BY-2.0 DL-DE-ZERO-2.0 ECL-2.0 etalab-2.0 FSFAP HPND ISC LAL-1.3 MirOS MIT MIT-0
MPL-2.0 MS-PL MulanPSL-2.0 NCSA ODbL-1.0 ODC-By-1.0 OFL-1.1 OGL-UK-2.0 OGL-UK-3.0 PDDL-1.0 PostgreSQL
PSF-2.0 Python-2.0 Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 W3C WTFPL X11 Zlib ZPL-2.1
""".split()
)

_ALLOWED = frozenset(name.casefold() for name in ALLOWED_LICENCES)
_UNKNOWN = {"", "unknown", "noassertion", "none"}
_TOKEN = re.compile(r"\s*(\(|\)|[\w.+:-]+)")
_LONGEST = 160  # characters of a licence or a signal in a reason


class Stand(NamedTuple):
    """What people decided about a file before it was read: `decision` is None where nobody did."""

    decision: Literal["in", "out"] | None
    reason: str
    by: str


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
    standing: Sequence[str | None] | None = None,
    agreement: str | None = None,
    widened: Collection[str] = (),
) -> Decision:
    """The decision about a file of a source. Any "out" wins, then any yes; what nobody allowed is out.

    `licence` and `signals` ({"kind", "value", "where"}, …) are what was found in or beside the file, `standing` is a
    Stand, `agreement` who signed one that covers the file, `widened` the licences that the recipe allows besides.
    """
    counts = which_licence(source.licence, licence, widened)
    stands, said, person = standing or (None, "", "")
    no, yes = _first(signals, "no"), _first(signals, "yes")

    def settled(allowed: bool, reason: str, by: str = "rules", rank: int = NONE) -> Decision:
        return Decision(allowed, reason, by, counts, rank)

    if stands == "out":
        return settled(False, said or "", person or "")
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
    if stands == "in":
        return settled(True, said or "", person or "", SAID)
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
    found = _TOKEN.findall(expression)
    if "".join(found) != "".join(expression.split()):
        return False
    tokens = [*found, ""]
    allowed = _ALLOWED.union(name.casefold() for name in widened) if widened else _ALLOWED
    try:
        return _either(tokens, allowed) and tokens == [""]
    except (ValueError, RecursionError):
        return False


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


def _either(tokens: list[str], names: Collection[str]) -> bool:
    allowed = _both(tokens, names)
    while tokens[0].upper() == "OR":
        tokens.pop(0)
        allowed = _both(tokens, names) or allowed
    return allowed


def _both(tokens: list[str], names: Collection[str]) -> bool:
    allowed = _one(tokens, names)
    while tokens[0].upper() == "AND":
        tokens.pop(0)
        allowed = _one(tokens, names) and allowed
    return allowed


def _one(tokens: list[str], names: Collection[str]) -> bool:
    """A licence, "or later" (+) and an exception (WITH) aside: both only ever allow more; or a group."""
    token = tokens.pop(0)
    if token == "(":
        allowed = _either(tokens, names)
        if tokens.pop(0) != ")":
            raise ValueError("an open parenthesis")
        return allowed
    _require_name(token)
    if tokens[0].upper() == "WITH":
        tokens.pop(0)
        _require_name(tokens.pop(0))
    return token.removesuffix("+").casefold() in names


def _require_name(token: str) -> None:
    if token in ("", "(", ")") or token.upper() in ("AND", "OR", "WITH"):
        raise ValueError(f"not a licence: {token!r}")
