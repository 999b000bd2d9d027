"""Numbers that are a person's: cards, bank accounts, phones, national ids; found by form, then checked.

A cheap pattern finds runs of digits; stdnum and phonenumbers judge these alone. Bare digits count beside a
word that names them: near them on the line, on the line above, or at the head of their column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import national, phones
from .marks import MARK, Find
from .tables import Tables

# A run of seven digits or more: groups that single signs or spaces join.
_RUN = re.compile(r"[0-9](?:(?: ?[./()-]{1,2} ?| )?[0-9]){6,}+")
_FEWEST_SIGNS = 7
# Before a run: a part of a word, a decimal number, a path. After it: of a word.
_BEFORE_OTHER = re.compile(r"(?:\w|[0-9]\.|[^\W_][-/+])\Z")
_AFTER_OTHER = re.compile(r"_|-[^\W_]|(?!x|ext)[^\W_]")
# Of a time or behind a "#": that takes only the run's first word, or its last.
_TIME_BEFORE, _TIME_AFTER = re.compile(r"(?:#|[0-9]:)\Z"), re.compile(":[0-9]")

# Issuers and lengths: ISO/IEC 7812, as the card schemes publish them.
_ISSUERS = {
    "4": "16 18 19",  # Visa
    "5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720": "16",  # Mastercard
    "3[47]": "15",  # American Express
    "6011|64[4-9]|65": "16 17 18 19",  # Discover
    "30[0-59]|3[689]": "14 16",  # Diners Club
    "35(?:2[89]|[3-8])": "16",  # JCB
    "62": "16 17 18 19",  # UnionPay
    "220[0-4]": "16",  # Mir
    "60|508[5-9]": "16",  # RuPay, Elo
}
_ISSUERS_BESIDE_WORD = {"4": "13", "50|5[6-8]|6": "12 13 14 15 16 17 18 19"}  # Visa before 2000, Maestro


def _issued(issuers: dict[str, str]) -> re.Pattern[str]:
    numbers = (rf"(?={prefix})\d{{{size}}}" for prefix, sizes in issuers.items() for size in sizes.split())
    return re.compile("|".join(numbers))


_CARD, _CARD_BESIDE_WORD = _issued(_ISSUERS), _issued(_ISSUERS_BESIDE_WORD)
_CARD_WORDS = re.compile(
    r"(?<![^\W_])(?:(?:credit|debit|kredit|bank)?(?:cards?|karten?)(?:nummer)?|carte|tarjeta|carta|kaart"
    r"|kart[ayę]|cart[ãa]o|visa|maestro|mastercard)(?![^\W_])"
)
_CARD_SOLID = re.compile(
    r"(?<![0-9A-Za-z_/])(?<![0-9]\.)(?<![0-9A-Za-z]-)[0-9]{12,19}(?![0-9A-Za-z_])(?!\.[0-9])(?!-[0-9A-Za-z])"
)
_CARD_GROUPS = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9A-Za-z][.-])(?<![0-9] )(?<![0-9A-F]{3} )"
    r"[0-9]{4}([ -])(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|[0-9]{6}\1[0-9]{4,5})"
    r"(?![0-9A-Za-z_])(?![.-][0-9A-Za-z])(?! [0-9A-F]{4}(?![0-9A-Za-z]))"
)

# An account begins with its country and two check digits; single spaces or hyphens join its groups.
_ACCOUNT = re.compile(
    r"[0-9](?<=[A-Za-z][A-Za-z][0-9])(?<![0-9A-Za-z_][A-Za-z][A-Za-z][0-9])"
    r"[0-9](?:[ -]?[0-9A-Za-z]){11,30}+"
)
_ROW_BEFORE = re.compile(r"(?:[0-9]|[0-9A-F]{3}) \Z")  # the end of another number, or of one in base 16
_ROW_AFTER = re.compile(r" (?:[0-9]|[0-9A-F]{4}(?![0-9A-Za-z]))")
_CONTEXT = 48  # characters before a number in which its name may stand
_IN_BRACKETS = re.compile(rf" ?[(\[]([^\n{MARK}()\[\]]{{2,16}})[)\]]")  # and after it
_PART_OF_WORD = re.compile(r"^\w+")
_LIST = re.compile(r"[ \t]*(?:[,;/|&]|and|und|et|y|e|i|or|oder|ou|o)?[ \t]*")


def accounts(text: str) -> Iterator[Find]:
    """IBANs, with or without spaces."""
    for found in _ACCOUNT.finditer(text):
        start, end = found.start() - 2, found.end()
        while end > start:  # it ends after a group: the longest that is one
            if not text[end : end + 1].isalnum() and is_account(text[start:end]):
                yield start, end, "IBAN"
                break
            end = max(text.rfind(" ", start, end), text.rfind("-", start, end))


def is_account(written: str) -> bool:
    """Whether it has the length and form of its country's IBANs and their check digits (ISO 13616)."""
    compact = re.sub("[ -]", "", written).upper()
    if not 15 <= len(compact) <= 34:
        return False
    if int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 != 1:
        return False
    import stdnum.iban

    return bool(stdnum.iban.is_valid(compact, check_country=False))


def written_ids(text: str, countries: tuple[str, ...]) -> Iterator[Find]:
    """National ids in a form that their country writes them in, with right check digits."""
    forms = national.forms(countries)
    for found in forms.written.finditer(text):
        start, end = found.span()
        row = _ROW_BEFORE.search(text, max(0, start - 4), start) or _ROW_AFTER.match(text, end)
        if not (row and " " in found[0]) and not is_card(found[0]) and forms.is_written(found[0]):
            yield start, end, "ID"


def runs(text: str, countries: tuple[str, ...]) -> Iterator[Find]:
    """Cards, national ids beside their name, and phone numbers, in runs of digits."""
    around, tables, forms = Around(text), Tables(text), national.forms(countries)
    phone_end = -1
    for run in _RUN.finditer(text):
        start, end = run.span()
        cards = list(_cards(text, start, end, around))
        yield from cards
        if cards or _BEFORE_OTHER.search(text, max(0, start - 2), start) or _AFTER_OTHER.match(text, end):
            continue
        start, end = _without_times(text, start, end)
        start = _with_signs(text, start, end)
        if end - start < _FEWEST_SIGNS or phones.is_other(text[start:end]):
            continue
        context = f"{around.near(start, end)}\n{tables.head(start)}"
        if forms.words.search(context):
            parts = phones.windows(text, start, end)
            if named := next((part for part in parts if forms.beside(text[slice(*part)], context)), None):
                yield *named, "ID"
                continue
        in_list = 0 <= phone_end > start - 12 and _LIST.fullmatch(text, phone_end, start)
        beside = "named" if in_list else phones.named(context)
        for first, last in phones.in_run(text, start, end, beside, countries):
            yield first, last, "PHONE"
            phone_end = last


def _cards(text: str, start: int, end: int, around: Around) -> Iterator[Find]:
    if end - start < 12:
        return
    for pattern in (_CARD_GROUPS, _CARD_SOLID):
        for found in pattern.finditer(text, start, min(len(text), end + 5)):
            digits = re.sub("[ -]", "", found[0])
            beside = _CARD_BESIDE_WORD.fullmatch(digits) and _CARD_WORDS.search(around.near(*found.span()))
            if is_card(digits, bool(beside)):
                yield *found.span(), "CARD"


def is_card(digits: str, beside_word: bool = False) -> bool:
    """Whether digits have a card's issuer, length and check digit; old kinds only beside a word for it."""
    import stdnum.luhn

    return bool((beside_word or _CARD.fullmatch(digits)) and stdnum.luhn.is_valid(digits))


def _without_times(text: str, start: int, end: int) -> tuple[int, int]:
    """Where the run begins and ends without a word of a time at its ends: "10:15 030 1234567"."""
    if _TIME_BEFORE.search(text, max(0, start - 2), start):
        start = text.find(" ", start, end) + 1 or end
    if _TIME_AFTER.match(text, end):
        end = max(start, text.rfind(" ", start, end))
    return start, end


def _with_signs(text: str, start: int, end: int) -> int:
    """Where the run begins with its plus, and with a bracket that it closes: "+(49) 30", "(+49) 30"."""
    before = text[max(0, start - 2) : start]
    closed = ")" in text[start:end]
    for signs in ("+(", "(+", "+", "("):
        if before.endswith(signs) and ("(" not in signs or closed):
            return start - len(signs)
    return start


class Around:
    """The words about a number in a text, in lower case."""

    def __init__(self, text: str) -> None:
        self._text = text

    def near(self, start: int, end: int) -> str:
        """What stands near on its line, and on the line above if only signs stand before it on its own."""
        text = self._text
        first, before = self._before(start)
        if first and text[first - 1].isalnum():
            before = _PART_OF_WORD.sub("", before)
        line = before.rfind("\n") + 1
        if line and not any(map(str.isalpha, before[line:])):
            line = before.rfind("\n", 0, line - 1) + 1
        after = _IN_BRACKETS.match(text, end)
        return f"{before[line:]}\n{after[1] if after else ''}".lower()

    def _before(self, start: int) -> tuple[int, str]:
        """(where it begins, the text up to `start`); what was already found takes no room in it."""
        text, first, before = self._text, start, ""
        while first and len(before) < _CONTEXT:
            least = max(0, first - _CONTEXT + len(before))
            mark = text.rfind(MARK, least, first)
            before = text[max(mark, least) : first] + before
            first = max(mark, least)
            while mark >= 0 and first and text[first - 1] == MARK:
                first -= 1
        return first, before
