"""Talking to the person at the terminal: stderr, colour where it is wanted, text that any terminal or table takes."""

from __future__ import annotations

import os
import re
import sys


def say(text: str) -> None:
    """Write a line to stderr; stdout is for data."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Text that can be written: bytes of a file name that are not UTF-8 are shown as �."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # OWASP, CSV injection


def cell(value: object) -> object:
    """A value as a CSV has it: a text that no spreadsheet takes for a formula; anything else as it is."""
    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(_FORMULA) else value)


def not_text(text: str) -> str:
    """Which byte of a text that came in is not UTF-8; "" where all are. Python keeps such bytes as halves of a pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"byte {ord(text[error.start]) % 256:#x} after {error.start} letters is not UTF-8"
    return ""


def count(number: int, noun: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def measured(value: float, unit: str) -> str:
    """A measure in figures: bytes as MB with one digit behind the point, anything else with four."""
    return f"{value * 1e-6:.1f}" if unit == "bytes" else f"{value:.4f}"


def clean(text: str) -> str:
    """A text that changes nothing at a terminal but its own place: no control characters, no lone surrogates."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", "\ufffd", text)


def cut(text: str, width: int, *, left: bool = False) -> str:
    """A clean text of at most so many characters; of a path the end says more (`left`)."""
    text, rest = clean(text), max(width - 1, 0)
    if len(text) <= width:
        return text
    return f"…{text[len(text) - rest :]}" if left else f"{text[:rest]}…"


_CODES = {"red": "31", "green": "32", "cyan": "36"}


def paint(text: str, colour: str) -> str:
    """Bold and coloured if stderr is a terminal and NO_COLOR is not set."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[1;{_CODES[colour]}m{text}\x1b[0m"


def escaped(text: str) -> str:
    """Without what would move, turn or colour what stands around it: strangers choose which route they ask for."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
