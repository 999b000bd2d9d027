"""National identity and personal tax numbers: how each country writes them, and what checks them.

Forms and check digits: the pages that python-stdnum names for each number. National Insurance and
Rentenversicherung numbers are not in it: HMRC manual NIM39110 and VKVV section 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import NamedTuple

Check = str | Callable[[str], bool]  # a module of stdnum, or a function of ours
_NEVER = "(?!)"


class Identifier(NamedTuple):
    """`forms`: what counts anywhere, 9 a digit, A a capital. `words`: beside them its bare digits count."""

    check: Check
    forms: str = ""
    words: str = ""


def _insurance_gb(number: str) -> bool:
    compact = number.replace(" ", "")
    return bool(
        re.fullmatch(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]", compact)
    )


def _pension_de(number: str) -> bool:
    compact = number.replace(" ", "")
    if not re.fullmatch(r"\d\d(?:[0-7]\d|8[01])(?:0\d|1[0-2])\d\d[A-Z]\d{3}", compact):
        return False
    digits = f"{compact[:8]}{ord(compact[8]) - 64:02}{compact[9:11]}"
    products = (
        int(digit) * weight
        for digit, weight in zip(digits, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True)
    )
    return sum(product // 10 + product % 10 for product in products) % 10 == int(compact[11])


def _person_in(number: str) -> bool:
    """A PAN whose fourth letter says that it is a person's."""
    return number[3] == "P" and bool(import_module("stdnum.in_.pan").is_valid(number))


# The modules of these four compare a date with today's; their check digits do not.
def _person_be(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return len(digits) == 11 and int(digits[9:]) in (
        97 - int(digits[:9]) % 97,
        97 - int("2" + digits[:9]) % 97,
    )


def _person_no(number: str) -> bool:
    digits, module = number.replace(" ", ""), import_module("stdnum.no.fodselsnummer")
    if not re.fullmatch(r"[0-7]\d[0-5]\d{8}", digits):
        return False
    return bool(digits[9:] == module.calc_check_digit1(digits) + module.calc_check_digit2(digits))


def _person_se(number: str) -> bool:
    digits = re.sub(r"\D", "", number)[-10:]
    in_calendar = re.fullmatch(r"\d\d(?:0[1-9]|1[0-2])(?:[06][1-9]|[1278]\d|[39][01])\d{4}", digits)
    return bool(in_calendar) and bool(import_module("stdnum.luhn").is_valid(digits))


def _person_za(number: str) -> bool:
    in_calendar = re.fullmatch(r"\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}[01]\d\d", number)
    return bool(in_calendar) and bool(import_module("stdnum.luhn").is_valid(number))


IDENTIFIERS: dict[str, tuple[Identifier, ...]] = {
    "AR": (Identifier("ar.cuit", "99-99999999-9", "cui[tl]"),),
    "AT": (Identifier("at.vnr", "", "sv-?nr|svnr|versicherungsnummer"),),
    "AU": (Identifier("au.tfn", "", "tfn|tax file"),),
    "BE": (Identifier(_person_be, "99.99.99-999.99", "rijksregister|national|nn|niss|insz"),),
    "BG": (Identifier("bg.egn", "", "егн|egn"),),
    "BR": (Identifier("br.cpf", "999.999.999-99", "cpf"),),
    "CA": (Identifier("ca.sin", "", "sin|social[ _]insurance|nas"),),
    "CH": (Identifier("ch.ssn", "999.9999.9999.99", "ahv|avs|sozialvers"),),
    "CL": (Identifier("cl.rut", "99.999.999-9|99.999.999-A", "rut|run"),),
    "CN": (Identifier("cn.ric", "999999999999999999|99999999999999999A", ""),),
    "CZ": (Identifier("cz.rc", "999999/9999", "rodné|rč"),),
    "DE": (
        Identifier("de.idnr", "99 999 999 999", "steuer[ _-]?id|idnr|identifikationsnummer"),
        Identifier(_pension_de, "99 999999 A 999|99999999A999", ""),
    ),
    "EC": (Identifier("ec.ci", "", "cédula|cedula"),),
    "EE": (Identifier("ee.ik", "", "isikukood"),),
    "ES": (
        Identifier("es.dni", "99999999A|99999999-A|99.999.999-A", ""),
        Identifier("es.nie", "A9999999A|A-9999999-A", ""),
    ),
    "FI": (Identifier("fi.hetu", "999999-999A|999999-9999|999999A999A|999999A9999", ""),),
    "FR": (
        Identifier(
            "fr.nir", "9 99 99 99 999 999 99|999999999999999|9 99 99 9A 999 999 99|999999A99999999", ""
        ),
        Identifier("fr.nif", "", "fiscale?|spi"),
    ),
    "GB": (
        Identifier(_insurance_gb, "AA 99 99 99 A|AA999999A|AA 999999 A", ""),
        Identifier("gb.nhs", "", "nhs"),
        Identifier("gb.utr", "", "utr|taxpayer reference"),
    ),
    "GR": (Identifier("gr.amka", "", "αμκα|amka"),),
    "HR": (Identifier("hr.oib", "", "oib"),),
    "ID": (Identifier("id.nik", "", "nik|ktp"),),
    "IE": (Identifier("ie.pps", "9999999A|9999999AA", ""),),
    "IL": (Identifier("il.idnr", "", "תעודת זהות|ת\\.ז|teudat|id"),),
    "IN": (
        Identifier("in_.aadhaar", "9999 9999 9999", "aadha?ar|uidai|आधार"),
        Identifier(_person_in, "AAAAA9999A", ""),
    ),
    "IS": (Identifier("is_.kennitala", "999999-9999", "kennitala|kt"),),
    "IT": (Identifier("it.codicefiscale", "AAAAAA99A99A999A", ""),),
    "JP": (Identifier("jp.in_", "", "マイナンバー|個人番号|my number"),),
    "KR": (Identifier("kr.rrn", "999999-9999999", "주민등록"),),
    "LT": (Identifier("lt.asmens", "", "asmens"),),
    "LV": (Identifier("lv.pvn", "999999-99999", "personas kods"),),
    "MX": (Identifier("mx.curp", "AAAA999999AAAAAA99|AAAA999999AAAAAAA9", ""),),
    "MY": (Identifier("my.nric", "999999-99-9999", "nric|mykad"),),
    "NL": (Identifier("nl.bsn", "9999.99.999", "bsn|burgerservice|sofi"),),
    "NO": (Identifier(_person_no, "999999 99999", "fødselsnummer|personnummer|fnr"),),
    "NZ": (Identifier("nz.ird", "", "ird"),),
    "PK": (Identifier("pk.cnic", "99999-9999999-9", "cnic"),),
    "PL": (Identifier("pl.pesel", "", "pesel"),),
    "PT": (Identifier("pt.nif", "", "nif|contribuinte"), Identifier("pt.cc", "99999999 9 AA9", "")),
    "RO": (Identifier("ro.cnp", "", "cnp|cod numeric"),),
    "RS": (Identifier("si.emso", "", "jmbg|јмбг"),),
    "RU": (Identifier("ru.inn", "", "инн|inn"),),
    "SE": (Identifier(_person_se, "999999-9999|99999999-9999", "personnummer|pnr"),),
    "SI": (Identifier("si.emso", "", "emšo|emso"),),
    "SK": (Identifier("sk.rc", "999999/9999", "rodné|rč"),),
    "TH": (Identifier("th.pin", "9-9999-99999-99-9", "บัตรประชาชน"),),
    "TR": (Identifier("tr.tckimlik", "", "kimlik|t\\.?c\\.?"),),
    "UA": (Identifier("ua.rntrc", "", "рнокпп|іпн"),),
    "US": (
        Identifier("us.ssn", "999-99-9999", "ssn|social[ _]security"),
        Identifier("us.itin", "999-99-9999", "itin"),
    ),
    "ZA": (Identifier(_person_za, "", "id|identity"),),
}

_FORM = {ord("9"): "[0-9]", ord("A"): "[A-Z]", ord("."): r"\."}


class Forms:
    """The identifiers of some countries as patterns: in their written form, and as digits beside a word."""

    def __init__(self, countries: Sequence[str]) -> None:
        known = [row for country in countries for row in IDENTIFIERS.get(country, ())]
        self._checks: dict[str, list[Check]] = {}
        for row in known:
            for form in filter(None, row.forms.split("|")):
                self._checks.setdefault(form, []).append(row.check)
        forms = sorted(self._checks, key=len, reverse=True)
        after = {first: "|".join(f[1:].translate(_FORM) for f in forms if f[0] == first) for first in "9A"}
        union = f"(?<=[0-9])(?:{after['9'] or _NEVER})|(?<=[A-Z])(?:{after['A'] or _NEVER})"
        # The first sign stands before its conditions, and a third kind of it makes the class a bitmap: both
        # make the search skip other signs faster.
        self.written = re.compile(
            rf"[0-9A-Z~](?=[0-9A-Z .-])(?<!\w[0-9A-Z])(?<![0-9][-./][0-9])(?:{union})(?!\w)(?![-./][0-9])"
        )
        self._named = [(_words(row.words), row.check) for row in known if row.words]
        self.words = _words("|".join(row.words for row in known if row.words) or _NEVER)

    def is_written(self, number: str) -> bool:
        """Whether a number in a written form is one: its check digits."""
        shape = re.sub("[A-Z]", "A", re.sub("[0-9]", "9", number))
        return any(is_valid(check, number) for check in self._checks.get(shape, ()))

    def beside(self, number: str, context: str) -> bool:
        """Whether digits, in any grouping, are one whose name stands in `context` (lower case)."""
        bare = re.sub("[^0-9]", "", number)
        return len(bare) >= 8 and any(
            words.search(context) and is_valid(check, bare) for words, check in self._named
        )


def is_valid(check: Check, number: str) -> bool:
    """Whether the check digits, and the parts that have a meaning, are right."""
    if callable(check):
        return check(number)
    return bool(import_module(f"stdnum.{check}").is_valid(number))


def _words(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{words})(?![^\W_])")


@lru_cache(maxsize=16)
def forms(countries: tuple[str, ...]) -> Forms:
    """The patterns of these countries (ISO 3166-1 alpha-2), made once."""
    return Forms(countries)
