"""May a file be used? What the recipe, the ledger, the owner's agreement, licences and signals say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..consent.decide import Decision, Stand, decide
from ..nouns import Source
from ..rights.licences import Licence, chosen
from ..rights.signals import Signal, combine


def settle(row: Mapping[str, Any], read: Mapping[str, Any], widened: Sequence[str]) -> Decision:
    """The decision on a row of the index; `read` is what its file itself says (text.json), {} if it is not read."""
    found = _found(row, read)
    return decide(
        Source(row["path"], row["owner"], row["licence"], row["consent"]),
        licence=found.expression if found else None,
        signals=[*row["signals"], *read.get("signals", ())],
        standing=Stand(*row["standing"] or ()),
        agreement=row["agreement"],
        widened=widened,
    )


def says_no(row: Mapping[str, Any]) -> bool:
    """Whether somebody said no before the file is opened: then it never is."""
    told = combine([Signal(**signal) for signal in row["signals"]])
    standing = row["standing"] and row["standing"][0] == "out"
    return bool(row["consent"] == "out" or standing or (told == "no" and not row["agreement"]))


def licence_how(row: Mapping[str, Any], read: Mapping[str, Any], decision: Decision) -> str:
    """How the licence that counts was found."""
    found = _found(row, read)
    if found and decision.licence == found.expression:
        return f"{found.how} ({found.where})" if found.where else found.how
    return "" if decision.licence == "unknown" else "stated in the recipe"


def _found(row: Mapping[str, Any], read: Mapping[str, Any]) -> Licence | None:
    """The licence that was found in the file or beside it."""
    told = (read.get("licence"), row["found_licence"])
    return chosen(*(Licence(**licence) if licence else None for licence in told))
