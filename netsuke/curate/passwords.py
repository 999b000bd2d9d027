"""Values that a text itself calls a password, a secret, a token or a key, in code, settings and prose.

detect-secrets' KeywordDetector knows quoted values alone and takes any of them; here each value is judged, with
that library's entropies and its filters for what only stands in for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, AnyStr

Span = tuple[int, int]

_NAMES = "pass pwd secret token key credential kennwort wachtwoord contrase senha".split()
_FOREIGN_NAMES = "hasł Hasł HASŁ парол Парол ПАРОЛ 密码 密碼 パスワード".split()
_PASSWORD = re.compile(
    r"pass(?:\b|word|wd|wort|phrase|code|e\b)|pwd|kennwort|wachtwoord|contrase|senha|hasł|парол|密码|密碼|パスワード"
)
# Before "key": only these make it a secret one.
_SECRET_KEY = re.compile(
    r"(?:api|access|secret|private|priv|auth|account|encryption|encrypt|signing|sign|master|licen[cs]e|service|client"
    r"|app|application|consumer|storage|shared|session|deploy|webhook|admin|db|database|hmac|jwt|cipher|aes|ssh)[ _.-]?$"
)
# At the end of a name: it is the name of something else.
_OTHER_THING = re.compile(
    r"(?:ids?|names?|types?|files?|paths?|dir|url|uri|len|length|size|fields?|labels?|hint|policy|prompt|reset|refs?|arn"
    r"|version|count|format|regexp?|pattern|class|prefix|suffix|headers?|expir\w*|ttl|env|var|index|mode|alg\w*|store"
    r"|ring|board|kind|list|map|func\w*|method|error|msg|message|required|title|text|description|info|help)$"
)
_ASSIGNED = re.compile(
    r"(?P<rest>[\w.-]{0,40})[\"'`)\]]{0,3}"
    r"(?:[ \t]{0,8}(?P<sign>:=|=>|->|={1,3}|!==?|::?|>|,|\()[ \t]{0,8}| (?:is|was|ist|lautet|est|es|é) )"
    r"(?:[@a-z]{0,2}(?P<quote>[\"'`]))?"
)
_VALUE = {
    '"': re.compile('([^"\\n\\x01]{4,256})"'),
    "'": re.compile("([^'\\n\\x01]{4,256})'"),
    "`": re.compile("([^`\\n\\x01]{4,256})`"),
    None: re.compile("([^\\s\"'`<>\\x01]{4,128}+)(?=[\\s\"'`<>\\x01]|$)"),
}
# Words of values that stand in for a secret: a value of nothing else is nobody's.
_STAND_INS = frozenset(
    """a an the my your our user username userpass login pass password passwd passphrase passw pwd pw secret secrets token tokens
    key keys api apikey app access client auth authorization bearer example examples sample test tests testing tester dummy fake
    mock demo placeholder change changeme changeit changethis me here insert enter put replace with redacted hidden removed none
    null nil undefined empty true false default todo tbd foo bar baz foobar qux abc abcd admin administrator root guest private
    public string str value some any new old id random long super top very not for use is to of in and or this that shared
    service account name field type file hash basic digest session csrf xsrf oauth jwt hunter postgres mysql redis mongo""".split()
)
_LETTERS = re.compile(r"[^\W\d_]+")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
_STRONG_SIGN = re.compile(r"[!@#$%^&*+=?~|\\]")
_CODE = re.compile(
    r"[A-Za-z_$.]{3,}[(\[]|[A-Za-z_$][\w.$]*[(\[](?:[\w., ]*|.*[)\]];?)$"  # a call, an index
    r"|\$[A-Za-z_]+$|%\w+%$|[$%]?[{(<\[].*[})>\]]$|.*(?:\$\{|\{\{|%\(\w+\)|://)"  # a variable, a template
    r"|[.~]{0,2}/|-{1,2}[a-z]|[\w.+-]+\.[a-z]{2,4}$|[\w.-]+:[0-9]{2,5}$|.*\\[abfnrtuvxU0]"  # a file, an option, a host
)
_PATH = re.compile(r"(?:[\w.+-]*[a-z]{3}[\w.+-]*/)+[\w.+-]+$")
_ALGORITHM = re.compile(
    r"(?:sha|md|aes|rsa|utf|base|v|oauth|pbkdf|hs|rs|es|ps|ed|ripemd|blake|scrypt|argon|x|http)[-_]?[0-9]\w{0,12}$", re.I
)
_WORDY = re.compile("[a-z]{5,}|[A-Z]{5,}|[A-Z][a-z]{3,}")
_HEX = re.compile("(?:0x)?[0-9A-Fa-f]+")


def assigned(text: str) -> Iterator[Span]:
    """What is assigned to a name that says that it is secret."""
    lower = text.encode("ascii", "replace").lower()  # as many signs, and searched much faster
    for name in _NAMES:
        yield from _beside(text, name, _places(lower, name.encode()))
    for name in () if text.isascii() else _FOREIGN_NAMES:
        yield from _beside(text, name, _places(text, name))


def _places(text: AnyStr, word: AnyStr) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def _beside(text: str, name: str, places: Iterable[int]) -> Iterator[Span]:
    for at in places:
        if found := _ASSIGNED.match(text, at):
            yield from _value(text, name, at, found)


def _value(text: str, name: str, at: int, found: re.Match[str]) -> Iterator[Span]:
    label = text[at : found.end("rest")].lower()
    if _OTHER_THING.search(label) or name == "key" and not _SECRET_KEY.search(text[max(0, at - 14) : at].lower()):
        return
    sign, quote = found["sign"], found["quote"]
    if sign in (",", "(") and not quote or sign == "," and text[found.end("rest")] not in "\"'":
        return
    is_of_password = _PASSWORD.match(label)
    if name == "pass" and not is_of_password:
        return
    if label == "pass" and (text[at - 1 : at].isalpha() or sign == ":" and text[at].isupper()):
        return  # a bypass, a test that passes
    value = _VALUE[quote].match(text, found.end())
    if not value:
        return
    written = value[1] if quote else value[1].rstrip(".,;:)]}")
    if sign == ">" and not text.startswith("</", value.end()):
        return
    loose = not quote and sign in ("=", ":=") and found[0].endswith(" ")
    judge = is_password if is_of_password else is_key
    if judge(written, quoted=bool(quote), loose=loose):
        yield value.start(1), value.start(1) + len(written)


def is_password(value: str, quoted: bool, loose: bool) -> bool:
    """Whether a value is a password, not a word, an expression or a stand-in for one."""
    if len(value) < 6 or not _LETTERS.search(value) or _is_other(value) or _PATH.match(value):
        return False
    if not (re.search("[0-9]", value) or _STRONG_SIGN.search(value)):
        return False
    return not loose or not value.isidentifier() or len(value) >= 8 and value.lower() != value != value.upper()


def is_key(value: str, quoted: bool, loose: bool) -> bool:
    """Whether a value is a random key or token: long, of letters and digits, with a high entropy."""
    if len(value) < 16 or not re.search("[0-9]", value) or not _LETTERS.search(value) or _is_other(value):
        return False
    if _HEX.fullmatch(value):
        return _entropies()[0].calculate_shannon_entropy(value) > 3.0
    if sum(map(len, _WORDY.findall(value))) * 2 > len(value):
        return False
    return _entropies()[1].calculate_shannon_entropy(value) > 3.4


def _is_other(value: str) -> bool:
    return bool(re.search(r"\s", value) or _CODE.match(value) or _ALGORITHM.match(value) or is_stand_in(value))


def is_stand_in(value: str) -> bool:
    """Whether a value only stands where a secret goes: "changeme", "<password>", "xxxxxxxx", "12345678"."""
    from detect_secrets.filters import heuristic

    if len(set(value)) <= 2 or heuristic.is_sequential_string(value) or heuristic.is_templated_secret(value):
        return True
    parts = [part.lower() for part in _PARTS.findall(value)]
    return bool(parts) and all(part in _STAND_INS for part in parts) or "\x01" in value or _CODE.match(value) is not None


@lru_cache(maxsize=1)
def _entropies() -> tuple[Any, Any]:
    """detect-secrets' measures of hexadecimal digits and of Base64."""
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString

    return HexHighEntropyString(), Base64HighEntropyString()
