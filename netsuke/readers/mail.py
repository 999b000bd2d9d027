"""Mail: one message, or a mailbox of them, with what is attached named but not opened."""

from __future__ import annotations

import binascii
import contextlib
import email
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from typing import Any, BinaryIO

from .blocks import one_line
from .decode import decode, decode_as, western
from .html import html_text
from .pages import Found, Refused, paged

_SHOWN = ("Subject", "From", "To", "Cc", "Date")
_BODIES = ("text/plain", "text/html", "multipart/mixed", "multipart/alternative")  # many parts in one: broken
_ENRICHED = re.compile(r"<param>[^<]{0,200}</param>|</?[\w-]{1,60}>|<(<)")  # RFC 1896; "<<" is a "<"
# "From " also begins sentences; a mailbox's line ends in a time and a year (RFC 4155, appendix A).
_FROM = re.compile(rb"From .*\d\d:\d\d.* \d{4}\b")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_LINE_BYTES = 1 << 20  # a line that never ends is read in pieces


def read_eml(file: BinaryIO, suffix: str) -> Found:
    """One message: its main headers, then its text. Raises Refused if it has no headers."""
    message = email.message_from_bytes(file.read())
    if not message.keys():
        raise Refused("unreadable", "it has no mail headers")
    return paged([("", _text_of(message))], _header(message, "Subject"))


def read_mbox(file: BinaryIO, suffix: str) -> Found:
    """A mailbox in mboxrd or mboxo, a message a page; only one message is held as bytes."""

    def parts() -> Iterator[tuple[str, str]]:
        for number, data in enumerate(_messages(file), 1):
            try:
                text = _text_of(email.message_from_bytes(data))
            except (RecursionError, ValueError, LookupError):
                text = "[this message cannot be read]"
            yield f"message {number}", text

    return paged(parts())


def _messages(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of each message. Raises Refused if it does not begin with one."""
    first = file.readline(_LINE_BYTES)
    if not first.startswith(b"From "):
        raise Refused("unreadable", "it does not begin with a message of a mailbox")
    begins = (_FROM if _FROM.match(first) else re.compile(b"From ")).match
    lines: list[bytes] = []
    gap = new = True  # the line before was empty; it was read to its end
    while line := file.readline(_LINE_BYTES):
        if new and gap and begins(line):
            yield _unquoted(lines)
            lines = []
        else:
            lines.append(line)
        gap, new = new and not line.strip(), line.endswith(b"\n")
    yield _unquoted(lines)


def _unquoted(lines: list[bytes]) -> bytes:
    return _QUOTED_FROM.sub(rb"\1", b"".join(lines))


def _text_of(message: Message) -> str:
    heads = ((name, _header(message, name)) for name in _SHOWN)
    head = "\n".join(f"{name}: {value}" for name, value in heads if value)
    bodies = _BODIES if any(map(_is_body, _leaves(message))) else ("text/", *_BODIES)
    return f"{head}\n\n" + "\n\n".join(filter(None, (text.strip("\r\n") for text in _texts(message, bodies))))


def _leaves(part: Message) -> Iterator[Message]:
    """The parts of a message that have no parts, without those of messages in it."""
    payload: Any = part.get_payload()
    if not isinstance(payload, list):
        yield part
    elif part.get_content_type() != "message/rfc822":
        for inner in payload:
            yield from _leaves(inner)


def _is_body(part: Message) -> bool:
    """Whether it is a body as most mails have one: plain or HTML, not attached, not empty."""
    if part.get_content_type() not in _BODIES or part.get_content_disposition() == "attachment":
        return False
    data = part.get_payload(decode=True)
    return isinstance(data, bytes) and bool(data.strip())


def _header(message: Message, name: str) -> str:
    """A header's value, decoded, on one line."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    return _words(_decoded(raw.encode("ascii", "surrogateescape"), None))


def _words(text: str) -> str:
    """Text with its encoded words (RFC 2047) decoded; what cannot be decoded stays as it is."""
    with contextlib.suppress(HeaderParseError, binascii.Error, ValueError):
        text = "".join(
            piece if isinstance(piece, str) else _decoded(piece, charset or "raw-unicode-escape")
            for piece, charset in decode_header(text)
        )
    return one_line(text)


def _texts(part: Message, bodies: tuple[str, ...]) -> Iterator[str]:
    """The texts of a message in order: of alternatives the plain one, if it has words.

    `bodies`: how the types of what is shown begin; other parts are named, if they have a name.
    """
    payload: Any = part.get_payload()
    if isinstance(payload, list):
        if part.get_content_type() == "multipart/alternative":
            yield _best(payload, bodies)
        elif part.get_content_type() == "message/rfc822":
            yield from map(_text_of, payload)
        else:
            for inner in payload:
                yield from _texts(inner, bodies)
        return
    name, kind = _words(part.get_filename() or ""), part.get_content_type()
    attached = part.get_content_disposition() == "attachment"
    if attached or not kind.startswith(bodies) or name and kind not in _BODIES:
        if name or attached:
            yield f"[attached: {name or kind}]"
        return
    data = part.get_payload(decode=True)
    text = _decoded(data if isinstance(data, bytes) else b"", part.get_content_charset())
    if kind in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub(r"\1", text)
    yield html_text(text)[0] if kind == "text/html" else text


def _best(parts: list[Message], bodies: tuple[str, ...]) -> str:
    texts = [(part.get_content_type(), "\n\n".join(_texts(part, bodies))) for part in parts]
    texts.sort(key=lambda pair: pair[0] != "text/plain")
    return next((text for _, text in texts if text.strip()), "")


def _decoded(data: bytes, charset: str | None) -> str:
    """Text in the declared charset, else by guessing: a mail is never refused for its charset."""
    if charset and charset.lower() not in ("unknown-8bit", "us-ascii"):
        with contextlib.suppress(LookupError, ValueError):
            return decode_as(data, charset)
    with contextlib.suppress(Refused):
        return decode(data)[0]
    return western(data)
