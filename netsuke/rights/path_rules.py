"""Path patterns of the Robots Exclusion Protocol, each with what it says of the paths that it matches.

RFC 9309 sections 2.2.2 (how octets compare, the longest match) and 2.2.3 (* and $), also for TDMRep and RSL.
A path's rules are looked up, not tried one by one: plain patterns by what the path begins with, the others by
their longest piece between stars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_letters, digits
from urllib.parse import quote

from .signals import Signal, Value

_PLAIN = re.compile(r"/[A-Za-z0-9_.~/-]*+")
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]{2})")
_ORIGIN = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_UNRESERVED = frozenset(ascii_letters + digits + "-._~")


class PathRules:
    """Patterns, each with the first signal of each value that was added for it."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[int, dict[Value, Signal]]] = {}
        self._lengths: set[int] = set()
        self._special: dict[str, list[tuple[str, list[str]]]] = {}  # by the longest piece
        self._piece_lengths: set[int] = set()

    def add(self, pattern: str, signal: Signal) -> None:
        """One more rule. An address counts by its path; a first slash that is missing is put there."""
        pattern = encoded(_ORIGIN.sub("", pattern) or "/", pattern=True)
        if pattern in self._said:
            self._said[pattern][1].setdefault(signal.value, signal)
            return
        self._said[pattern] = (len(self._said), {signal.value: signal})
        if "*" in pattern or pattern.endswith("$"):
            pieces = re.split(r"\*+", pattern.removesuffix("$"))
            longest = max(pieces, key=len)
            self._special.setdefault(longest, []).append((pattern, pieces))
            self._piece_lengths.add(len(longest))
        else:
            self._lengths.add(len(pattern))

    def longest(self, path: str) -> list[Signal]:
        """The signals of the patterns with the most octets that match an encoded path, in the order of the file."""
        found = sorted(self._matching(path), key=lambda match: self._said[match][0])
        most = max(map(len, found), default=0)
        return [signal for match in found if len(match) == most for signal in self._said[match][1].values()]

    def first(self, path: str) -> list[Signal]:
        """The signal of the pattern that was added first of those that match an encoded path, or none."""
        found = min((self._said[match] for match in self._matching(path)), default=None, key=lambda s: s[0])
        return list(found[1].values())[:1] if found else []

    def _matching(self, path: str) -> Iterator[str]:
        for length in self._lengths:
            if length <= len(path) and path[:length] in self._said:
                yield path[:length]
        for length in self._piece_lengths:
            for piece in {path[at : at + length] for at in range(len(path) - length + 1)}:
                for pattern, pieces in self._special.get(piece, ()):
                    if _matches(pieces, pattern.endswith("$"), path):
                        yield pattern


def _matches(pieces: list[str], to_the_end: bool, path: str) -> bool:
    """Whether a path begins with the first of the pieces between stars, and the others follow in order."""
    at = len(pieces[0])
    if not path.startswith(pieces[0]) or len(pieces) == 1:
        return path == pieces[0]
    for piece in pieces[1:-1]:
        if (found := path.find(piece, at)) < 0:
            return False
        at = found + len(piece)
    if to_the_end:
        return len(path) - at >= len(pieces[-1]) and path.endswith(pieces[-1])
    return path.find(pieces[-1], at) >= 0


def encoded(text: str, *, pattern: bool = False) -> str:
    """A path in the one spelling that is compared: unreserved characters plain, all others percent-encoded.

    In a pattern * and a last $ keep their meaning; in a path they are characters as others.
    """
    if pattern and not text.startswith(("/", "*")):
        text = f"/{text}"
    if _PLAIN.fullmatch(text):
        return text
    end = "$" if pattern and text.endswith("$") else ""
    star = "*" if pattern else ""
    before, question, query = text.removesuffix(end).partition("?")
    return f"{_quoted(before, f'/{star}')}{question}{_quoted(query, f'=&{star}')}{end}"


def _quoted(text: str, safe: str) -> str:
    """Each second part of the split is an escape."""
    parts = _ESCAPE.split(text)
    parts[::2] = (_octets(part, safe) for part in parts[::2])
    parts[1::2] = (_unescaped(part) for part in parts[1::2])
    return "".join(parts)


def _octets(text: str, safe: str) -> str:
    try:
        return quote(text, safe, "utf-8", "surrogateescape")  # file names that are not UTF-8
    except UnicodeEncodeError:
        return quote(text, safe, "utf-8", "replace")


def _unescaped(escape: str) -> str:
    character = chr(int(escape[1:], 16))
    return character if character in _UNRESERVED else escape.upper()
