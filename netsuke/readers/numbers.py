"""Numbers in cells as a spreadsheet shows them: dates in ISO 8601, percents, decimals, thousands.

Format codes are those of ECMA-376 part 1, 18.8.30 and 18.8.31.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from xml.etree import ElementTree

from .package import attribute, named

Shown = Callable[[str, bool], str]  # (value, whether days count from 1904) -> text

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "yyyy-mm-dd", 15: "d-mmm-yy",
    16: "d-mmm", 17: "mmm-yy", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm",
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
}  # fmt: skip
_LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]")
_DIGITS = re.compile(r"^([^0#?]*)([#0,]*)(?:\.(0*)(#*))?(%?)([^0#?%]*)$")
# Digits with literals between them, as of a telephone or an account; signs and blanks need no mark as literals.
_PARTS = re.compile(r'"[^"]*"|\\.|[_*].|.')
_CONDITION = re.compile(r"\[(<=|>=|<|>|=)(-?\d+(?:\.\d+)?)\]")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq
}  # fmt: skip
_CURRENCY = re.compile(r"\[\$([^-\]]*)[^\]]*\]")
_LAST_DAY = 2_958_465  # 9999-12-31


def format_codes(styles: ElementTree.Element) -> list[str]:
    """The format code of each cell style, by its number; "General" where there is none."""
    own = {attribute(node, "numFmtId"): attribute(node, "formatCode") for node in named(styles, "numFmt")}
    cells = next(named(styles, "cellXfs"), None)
    numbers = [attribute(node, "numFmtId", "0") for node in cells] if cells is not None else []
    return [own.get(number) or _BUILT_IN.get(int(number), "General") for number in numbers]


@cache
def shown_as(code: str) -> Shown:
    """What shows a number in this format; formats that are not known show it as it is."""
    code, _, rest = code.partition(";")
    if rest and (found := _CONDITION.search(code)):
        holds, limit = _HOLDS[found[1]], float(found[2])
        one, other = shown_as(code.replace(found[0], "")), shown_as(rest)
        return lambda value, since_1904: (one if holds(float(value), limit) else other)(value, since_1904)
    plain = _BRACKETS.sub("", _ELAPSED.sub(r"\1", _LITERALS.sub("", code))).lower()
    if "general" in plain or "@" in plain or not plain.strip():
        return lambda value, since_1904: _general(value)
    if re.search("[ymdhs]", plain):
        days = bool(re.search("[yd]", plain)) or not re.search("[hs]", plain)
        elapsed = bool(_ELAPSED.search(code))
        return lambda value, since_1904: _date(
            value, since_1904, days, bool(re.search("[hs]", plain)), elapsed
        )
    if parts := _masked(_BRACKETS.sub("", code)):
        return lambda value, since_1904: _filled(parts, value)
    text = _LITERALS.sub(
        lambda m: m[0][1:-1] if m[0][0] == '"' else m[0][1:] if m[0][0] == "\\" else "", code
    )
    match = _DIGITS.match(_BRACKETS.sub("", _CURRENCY.sub(r"\1", text)))
    if not match or match[2].endswith(",") or not (match[2] or match[3] or match[4]):
        return lambda value, since_1904: _general(value)
    before, whole, decimals, optional, percent, after = (part or "" for part in match.groups())
    most = len(decimals) + len(optional)
    places = Decimal(1).scaleb(-most)
    form = ",f" if "," in whole else f"0{max(1, whole.count('0') + most + bool(most))}f"

    def number(value: str, since_1904: bool) -> str:
        amount = Decimal(value) * (100 if percent else 1)
        digits = f"{abs(amount).quantize(places, ROUND_HALF_UP):{form}}"
        for _ in optional:
            digits = digits.removesuffix("0")
        return f"{'-' if amount < 0 else ''}{before}{digits.removesuffix('.')}{percent}{after}".strip()

    return number


def _masked(code: str) -> list[tuple[str, bool]]:
    """(text, whether it is the place of a digit) of a format of digits with literals between them; of others none."""
    parts = []
    for part in _PARTS.findall(code):
        if part[0] in '"\\':
            parts.append((part.strip('"') if part[0] == '"' else part[1], False))
        elif part in "0#-+() ":
            parts.append((part, part in "0#"))
        elif part[0] not in "_*":
            return []
    places = [number for number, (_, is_digit) in enumerate(parts) if is_digit]
    return parts if places and places[-1] - places[0] >= len(places) else []


def _filled(parts: Sequence[tuple[str, bool]], value: str) -> str:
    """A number in such a format: its digits from the right, all that are left in the leftmost place."""
    amount = Decimal(value).quantize(Decimal(1), ROUND_HALF_UP)
    digits = str(abs(amount)) if amount else ""
    places = sum(is_digit for _, is_digit in parts)
    shown = ""
    for text, is_digit in reversed(parts):
        if is_digit:
            places -= 1
            here = digits[-1:] if places else digits
            digits = digits[:-1]
            text = here or text.replace("#", "")
        shown = text + shown
    return f"{'-' if amount < 0 else ''}{shown}".strip()


def _general(value: str) -> str:
    """A number without the noise in its last binary digit."""
    if not re.search(r"[.eE]", value):
        return value
    number = float(value)
    return f"{number:.15g}" if abs(number) < 1e15 else f"{number:.0f}"


def _date(value: str, since_1904: bool, days: bool, time: bool, elapsed: bool) -> str:
    """A day number as a date, a time, or both."""
    number = float(value)
    if not 0 <= number <= _LAST_DAY:
        return value
    seconds = round(number % 1 * 86_400)
    if elapsed or (time and not days and number >= 1):
        whole = int(number) * 86_400 + seconds
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    # Day 60 is 29 February 1900, which never was; the days before it count from 31 December 1899.
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30 if number >= 60 else 31)
    moment = start + timedelta(days=int(number), seconds=seconds)
    clock = moment.time().isoformat("seconds" if moment.second else "minutes") if time else ""
    return f"{moment.date().isoformat()} {clock}".rstrip() if days else clock
