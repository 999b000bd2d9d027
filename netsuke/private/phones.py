"""Phone numbers, judged by phonenumbers: international ones anywhere, national ones by form or a word beside.

A national number counts without such a word only as its country writes it: its area code set apart, with the
leading 0 or in brackets, or in the North American groups of 3-3-4 with brackets, hyphens or dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from .marks import Span

if TYPE_CHECKING:
    import phonenumbers

_WORDS = re.compile(
    r"(?<![^\W_])(?:(?:tele|mobile?|cell|smart|home|work|land|handy)?phones?"
    r"|(?:cell|phone|mobile|handy|telefon|mobil|tel|fax)[ _-]?(?:nummer|number|num|n[or])"
    r"|tels?|tél|tlf|t[ée]l[ée]phone|tel[ée]fon[eo]?s?|telefoon|mobile?s?|mobiel|mob|m[óo]vil|cell|cellulare?"
    r"|celular|handy|(?:tele)?fax|whatsapp|sms|hotline|durchwahl|portable|kom[oó]rk\w+|fone|fon"
    r"|тел|телефон|моб|फ़ोन|फोन|मोबाइल|هاتف|جوال|טלפון|נייד)(?![^\W_])|电话|手机|電話|携帯|☎|📞|✆"
)
# These stand beside many other numbers too: they count only right before one.
_WEAK_WORDS = re.compile(
    r"(?<![^\W_])(?:call|dial|contact|anrufen?|appele[rz]|joindre|llam\w+|chiam\w+|bel|bellen|zadzwo\w+"
    r"|ligar?|ligue)(?![^\W_])[^.;!?\n]{0,24}\n"
)
_OTHER = re.compile(r"(?<![^\W_])(?:is[bs]n|doi|arxiv|pmid|version|v|rfc|iso|ieee|posix)(?![^\W_])")
_NANP = re.compile(
    r"(?:1[-. ])?(?:\([2-9][0-9]{2}\)[ -]?[2-9][0-9]{2}[-. ][0-9]{4}"
    r"|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1[0-9]{4})"
)
_SET_APART = re.compile(
    r"\(?0?[0-9]{1,5}\)?(?: ?[/-] ?|\)[ -]?| |(?<=\)))[0-9]+(?:[ -]?[0-9]+)*|0[0-9](?:\.[0-9]{2}){4}"
)
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}[-/. ]?[01][0-9][-/. ]?[0-3][0-9]|[0-3]?[0-9][-/. ][01]?[0-9][-/. ](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2} ?[-/] ?(?:19|20)[0-9]{2}"
)
_EXTENSION = re.compile(r" ?(?:x|ext\.?|extension) ?[0-9]{1,6}(?!\w| ?[./()-]{0,2} ?[0-9])")
_WORD = re.compile("[^ ]+")
_MOST_WORDS, _ROW = 8, 40  # groups of a number that spaces part; with more, it is a row of a table
_PAIRS = 3  # spaces in a number of pairs, "01 42 68 53 00": behind another number, a row looks the same
_BEGINS = re.compile(r"[0+(]|[2-9][0-9]{2}[-.]|1[-. ]\(?[2-9][0-9]{2}[-.)]")
_ABROAD = re.compile("00[1-9][0-9]{0,2} ")
_LIST_MARK = re.compile(r"[1-9][0-9]?[.)] ")
_FEWEST_DIGITS = {"named": 7, "weakly": 10, "": 9, "other": 9}


def named(context: str) -> str:
    """What words near a number, in lower case, make of it: "named", "weakly" named, "other" or ""."""
    if _OTHER.search(context):
        return "other"
    return "named" if _WORDS.search(context) else "weakly" if _WEAK_WORDS.search(context) else ""


def is_other(run: str) -> bool:
    """Whether a run of digits, with its plus, is a date or a decimal number."""
    return bool(_DATE.fullmatch(run)) or _is_decimal(run)


def windows(text: str, start: int, end: int) -> Iterator[Span]:
    """The parts of a run that begin and end with one of its words: from each word on, the longest first."""
    words = _words(text, start, end)
    for number, (first, _) in enumerate(words):
        for _, last in reversed(words[number : number + _MOST_WORDS]):
            yield first, last


def _words(text: str, start: int, end: int) -> list[Span]:
    words = [found.span() for found in _WORD.finditer(text, start, end)]
    return words if len(words) <= _ROW else []


def in_run(text: str, start: int, end: int, beside: str, countries: tuple[str, ...]) -> Iterator[Span]:
    """The phones in a run of digits, with their extensions. `beside`: what `named` says of its context."""
    words, taken = _words(text, start, end), start
    for number, (first, _) in enumerate(words):
        if first < taken or not (beside or _may_begin(text, taken, first)):
            continue
        for _, last in reversed(words[number : number + _MOST_WORDS]):
            near = "" if beside == "weakly" and (first, last) != (start, end) else beside
            free = near == "named" or _stands_free(text, taken, first, last, end)
            if free and _is_phone(text[first:last], near, countries):
                extension = _EXTENSION.match(text, last)
                taken = extension.end() if extension else last
                yield first, taken
                break


def _may_begin(text: str, start: int, first: int) -> bool:
    """A cheap test before `_stands_free`, for all the parts that begin here."""
    if not _BEGINS.match(text, first):
        return False
    before = text[start:first].split()
    return text[first] not in "0(" or len(before) < 2 or not before[-1].isdigit()


def _stands_free(text: str, start: int, first: int, last: int, end: int) -> bool:
    """Whether a part of what is left of a run, from `start` to `end`, is no part of a row of numbers.

    Marks of a list, dates and what closes a bracket make no row: "1. 030 1234567". Nor does one number before it, as
    that of a house. What begins with neither 0 nor a bracket needs more form to be a phone (`_NANP`) than a row has.
    """
    if text[first] not in "0(" or first == start and _ABROAD.match(text, first):
        return True
    before, after = text[start:first].split(), text[last:end].split()
    if not any(word.isdigit() for word in (*before[-1:], *after[:1])):
        return True
    is_alike = bool(before) and before[0][0] == text[first] == "0"  # "01 02 03 000004"
    return len(before) == 1 and not after and not is_alike and text.count(" ", first, last) < _PAIRS


def _is_phone(written: str, beside: str, countries: tuple[str, ...]) -> bool:
    digits = _digits(written)
    if not _FEWEST_DIGITS[beside] <= len(digits) <= 17 or is_other(written) or _LIST_MARK.match(written):
        return False
    if _is_international(written):
        return bool(e164(written, countries))
    groups = re.findall("[0-9]+", written)
    if beside == "other":
        return False
    if beside == "named" or beside and len(groups) <= 4:
        return bool(_national(digits, countries))
    if _NANP.fullmatch(written):
        return bool(_national(digits, tuple(c for c in countries if _calling_code(c) == 1)))
    if len(groups) == 1 or len(groups[0]) == 1 or written[0] not in "0(" or not _SET_APART.fullmatch(written):
        return False
    return any(_first_group(digits, country) == groups[0] for country in countries)


def _is_decimal(written: str) -> bool:
    """Whether one point stands in it: a decimal number, unless it parts off a country or area code."""
    before, _, after = written.rpartition(".")
    return written.count(".") == 1 and after[:1].isdigit() and not (
        len(after) > 5 and re.fullmatch(r"\+[0-9]{1,3}|0[0-9]{2,4}", before)
    )


def _digits(written: str) -> str:
    return re.sub("[^0-9]", "", _EXTENSION.sub("", written))


def _is_international(written: str) -> bool:
    return "+" in written[:2] or written.startswith("00")


@lru_cache(maxsize=4096)
def e164(written: str, countries: tuple[str, ...]) -> str:
    """The number as +49301234567, a national one of the first of `countries` where it is valid; or ""."""
    import phonenumbers

    digits = _digits(written)
    if _is_international(written):
        bare = digits if "+" in written[:2] else digits[2:]
        number = _parsed("+" + bare, None) if _may_be_abroad(bare) else None
    else:
        number = _national(digits, countries)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if number else ""


@lru_cache(maxsize=4096)
def _national(digits: str, countries: tuple[str, ...]) -> phonenumbers.PhoneNumber | None:
    return next(filter(None, (_parsed(digits, c) for c in countries if _may_be_of(digits, c))), None)


def _parsed(digits: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


@lru_cache(maxsize=4096)
def _first_group(digits: str, country: str) -> str:
    """The area code of a national number, as its country sets it apart; "" if it is not this country's."""
    import phonenumbers

    number = _parsed(digits, country) if _may_be_of(digits, country) else None
    if not number:
        return ""
    national = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.findall("[0-9]+", national)[0]


def _may_be_of(digits: str, country: str) -> bool:
    """A cheap test before the real one: the length, and the pattern of all the country's numbers."""
    pattern, trunk = _plan(country)
    return bool(pattern.fullmatch(digits) or trunk and pattern.fullmatch(digits.removeprefix(trunk)))


def _may_be_abroad(digits: str) -> bool:
    """The same for a number that begins with its country's calling code, of one to three digits."""
    import phonenumbers

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    for size in (1, 2, 3):
        if digits[:size] and int(digits[:size]) in regions:
            return any(r == "001" or _may_be_of(digits[size:], r) for r in regions[int(digits[:size])])
    return False


@lru_cache(maxsize=256)
def _plan(country: str) -> tuple[re.Pattern[str], str]:
    import phonenumbers

    plan = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if plan is None or plan.general_desc is None:
        return re.compile("(?!)"), ""
    return re.compile(plan.general_desc.national_number_pattern or "(?!)"), plan.national_prefix or ""


def regions() -> set[str]:
    """The ISO 3166-1 codes of all countries whose numbers can be judged."""
    import phonenumbers

    return phonenumbers.SUPPORTED_REGIONS


def _calling_code(country: str) -> int:
    import phonenumbers

    return phonenumbers.country_code_for_region(country)
