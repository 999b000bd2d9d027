"""Bytes to text: by byte-order mark, as UTF-8, as declared, else as Western European."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterable

from .pages import Refused

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_CODING = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_ENCODINGS = re.compile(
    r"(us-)?ascii|utf-?8|(iso[-_]?)?8859[-_]\d+|latin[-_]?\d|cp\d+|windows-\d+|koi8-[rut]"
    r"|gb2312|gbk|gb18030|big5|shift[_-]?jis|euc[-_](jp|kr)|mac[-_]?roman",
    re.IGNORECASE,
)

_DAMAGED = "utf-8, damaged"
# What these declare is Windows-1252, as in every browser (WHATWG Encoding Standard, 4.2): few who say Latin-1
# mean its control characters, many wrote quotes, dashes and the euro.
_WESTERN = ("ascii", "iso8859-1", "cp1252")
_QUOTES = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in b"\x81\x8d\x8f\x90\x9d"
}


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """(text, encoding) of a file.

    Raises Refused for binary data, and for an encoding that cannot be told.
    """
    if mark := next((encoding for bom, encoding in _BOMS if data.startswith(bom)), None):
        return _marked(data, mark)
    if b"\0" in data:
        raise Refused("binary", "it has NUL bytes")
    if len(data) - len(data.translate(None, _CONTROLS)) > 0.005 * len(data):
        raise Refused("binary", "it has control characters all over")
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    if declared is None and (match := _CODING.search(data[:200])):
        declared = match[1].decode()
    if declared and _ENCODINGS.fullmatch(declared):
        with contextlib.suppress(LookupError, UnicodeDecodeError):
            return decode_as(data, declared), declared.lower()
    return _guessed(data)


def decode_as(data: bytes, encoding: str) -> str:
    """The text in a declared encoding. Raises LookupError if there is none such, and ValueError if it is not in it."""
    return western(data) if codecs.lookup(encoding).name in _WESTERN else data.decode(encoding)


def western(data: bytes) -> str:
    """The text in Windows-1252, its five open bytes as in Latin-1."""
    return data.decode("latin-1").translate(_QUOTES)


def _marked(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        detail = f"marked as {encoding}, but {error.reason} at byte {error.start}"
        raise Refused("unreadable", detail) from None
    if "\0" in text:
        raise Refused("binary", "it has NUL characters")
    return text, encoding.removesuffix("-sig")


def _guessed(data: bytes) -> tuple[str, str]:
    """Each line as damaged UTF-8 if most of it is whole, else as Windows-1252 if it reads like text."""
    lines = [_line(line) for line in data.split(b"\n")]
    encodings = {encoding for text, encoding in lines if not text.isascii()}
    if "cp1252" in encodings:
        _require_language(text for text, encoding in lines if encoding == "cp1252")
    if _DAMAGED in encodings:
        encodings.discard("utf-8")
    return "\n".join(text for text, _ in lines), " and ".join(sorted(encodings))


def _line(data: bytes) -> tuple[str, str]:
    with contextlib.suppress(UnicodeDecodeError):
        return data.decode("utf-8"), "utf-8"
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if bad * 10 <= sum(not c.isascii() for c in text) - bad:
        return text, _DAMAGED
    return western(data), "cp1252"


def _require_language(lines: Iterable[str]) -> None:
    text = "".join("".join(lines).split())
    if sum(not c.isascii() for c in text) > 0.3 * len(text):
        raise Refused("unreadable", "neither UTF-8 nor a Western European encoding: save it as UTF-8")
    if sum(c.isprintable() for c in text) < 0.995 * len(text):
        raise Refused("binary", "it has bytes that are no characters")
