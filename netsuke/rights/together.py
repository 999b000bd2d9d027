"""Licences whose terms exclude each other: their works cannot become one work that keeps to both.

Whether a model is such a work is not settled anywhere. The table is on the cautious side: what the stewards of these
licences say of joining works (gnu.org/licenses/license-list, creativecommons.org/compatiblelicenses).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

_COPYLEFT = ("gpl-*", "agpl-*")
TABLE = (  # (one, another, why), as globs of SPDX ids
    (("cc-by*-nd-*",), ("*",), "nothing that is made from it may be handed on"),
    (("cc-by-nc*",), (*_COPYLEFT, "cc-by-sa-*", "gfdl-*", "odbl-*"),
     "the one forbids commerce, and the other forbids to forbid it"),
    (("gpl-2.0-only",), ("gpl-3.0-*", "agpl-3.0-*", "lgpl-3.0-*", "apache-2.0"),
     "the one is for version 2 alone, and the other adds terms to it"),
    (("cc-by-sa-[123].*",), _COPYLEFT, "each wants the whole under its own terms"),
    (("cc-by-sa-4.0",), ("gpl-2.0-only", "gpl-1.0-*"), "each wants the whole under its own terms"),
    (("cc-by-sa-*",), ("gfdl-*", "odbl-*"), "each wants the whole under its own terms"),
    (("gfdl-*", "odbl-*"), _COPYLEFT, "each wants the whole under its own terms"),
    (("epl-1.0", "cddl-*", "mpl-1.*", "bsd-4-clause*", "openssl"), _COPYLEFT,
     "the one adds terms that the other does not allow"),
)  # fmt: skip
_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_NOT_SAID = {"unknown", "noassertion", "none"}


def excluded(one: Iterable[str], other: Iterable[str]) -> tuple[str, str, str] | None:
    """The first two licence expressions of these that exclude each other, and why; None where all go together.

    Of "A OR B" the better one counts. One's own work and names that SPDX does not know exclude nothing.
    """
    for first in sorted(set(one)):
        for second in sorted(set(other)):
            reasons = [_why(a, b) for a in _choices(first) for b in _choices(second)]
            if reasons and all(reasons):
                return first, second, reasons[0] or ""
    return None


def _choices(expression: str) -> list[set[str]]:
    """The sets of names that satisfy an expression, roughly: each part between ORs."""
    parts = re.split(r"\s+OR\s+", expression.replace("(", " ").replace(")", " "))
    named = [{name.casefold() for name in _NAMES.findall(part)} for part in parts]
    return [names - {"and", "with"} - _NOT_SAID for names in named]


def _why(one: set[str], other: set[str]) -> str:
    for first in one:
        for second in other:
            for left, right, why in TABLE:
                for a, b in ((first, second), (second, first)):
                    if a != b and _any(a, left) and _any(b, right):
                        return why
    return ""


def _any(name: str, globs: Iterable[str]) -> bool:
    return not name.startswith("licenseref-") and any(fnmatchcase(name, glob) for glob in globs)
