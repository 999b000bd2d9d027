"""Codes of countries and languages as a recipe gives them: in any case, and known to what looks for them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from ..errors import RecipeError
from ..private import phones
from . import language

COUNTRIES = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "BR", "IN")
# What is written for another code, and no spelling would lead to it.
_COUNTRIES_MEANT = {"UK": "GB", "EN": "GB"}
_LANGUAGES_MEANT = {
    "cn": "zh", "cz": "cs", "dk": "da", "ger": "de", "gr": "el", "iw": "he", "jp": "ja", "kr": "ko", "nb": "no",
    "ua": "uk", **language.TWO_LETTERS,
}  # fmt: skip


def countries(given: tuple[str, ...]) -> tuple[str, ...]:
    """The codes in capitals. Raises RecipeError for one that is no region of phonenumbers."""
    if given == COUNTRIES:  # as most recipes have it: nothing to load
        return given
    known = phones.regions()
    return tuple(_known(code.upper(), "country", "ISO 3166", known, _COUNTRIES_MEANT) for code in given)


def languages(given: tuple[str, ...]) -> tuple[str, ...]:
    """The codes in small letters. Raises RecipeError for one that no text is ever said to be in."""
    return tuple(_known(code.lower(), "language", "ISO 639", language.CODES, _LANGUAGES_MEANT) for code in given)


def _known(code: str, kind: str, standard: str, known: Collection[str], meant: Mapping[str, str]) -> str:
    if code in known:
        return code
    near = [meant[code]] if code in meant else difflib.get_close_matches(code, sorted(known), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"codes of {standard}"
    raise RecipeError(f"no known {kind} has the code {code!r}", where="[curate]", hint=hint)
