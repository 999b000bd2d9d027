"""Values that a text itself calls a password, a secret, a token or a key, in code, settings and prose.

detect-secrets' KeywordDetector knows quoted values alone and takes any of them; here each value is judged,
with that library's entropies and its filters for what only stands in for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from .marks import MARK, Span, places
from .tables import cells, cells_at, line_at, row_at, sign_of

_NAMES = "pass pwd pw mdp secret token key credential kennwort wachtwoord contrase senha".split()
_FOREIGN_NAMES = "hasł Hasł HASŁ парол Парол ПАРОЛ 密码 密碼 パスワード".split()
_PASSWORD = re.compile(
    r"pass(?:[0-9]*$|word|wd|wort|phrase|code|e$)|pwd|\b(?:pw|mdp)$|kennwort|wachtwoord|contrase|senha|hasł|парол|密码|密碼"
    r"|パスワード"
)
# Before "key": only these make it a secret one.
_SECRET_KEY = re.compile(
    r"(?:api|access|secret|private|priv|auth|account|encryption|encrypt|signing|sign|master|licen[cs]e"
    r"|service|client|app|application|consumer|storage|shared|session|deploy|webhook|admin|db|database|hmac"
    r"|jwt|cipher|aes|ssh)[ _.-]?$"
)
# At the end of a name: it is the name of something else.
_OTHER_THING = re.compile(
    r"(?:ids?|names?|types?|files?|paths?|dir|url|uri|len|length|size|fields?|labels?|hint|policy|prompt"
    r"|reset|refs?|arn|version|count|format|regexp?|pattern|class|prefix|suffix|headers?|expir\w*|ttl|env|var"
    r"|index|mode|alg\w*|store|ring|board|kind|list|map|func\w*|method|error|msg|message|required|title|text"
    r"|description|info|help)$"
)
# From the name on: the rest of it, a sign or a verb, and the quote before the value. Markdown's marks may stand about
# the name, its sign too, and the value on the line below.
_ASSIGNED = re.compile(
    r"(?P<rest>[\w.-]{0,40})[\"'`)\]*]{0,4}"
    r"(?:[ \t]{0,8}(?P<sign>:=|=>|->|={1,3}|!==?|::?|>|,|\()(?:[*_]{1,3}(?=\s))?[ \t]{0,8}(?P<below>\r?\n[ \t]{0,8})?"
    r"| (?:is|was|ist|lautet|est|es|é) )"
    r"(?:(?P<bold>[*_]{1,3})(?=[\"'`]|\S{4,128}(?P=bold)(?:\s|$)))?(?:[@a-z]{0,2}(?P<quote>[\"'`]))?"
)
_BARE = re.compile(r"(?P<mark>[*`]{0,3})(?P<value>.*?)(?P=mark)", re.DOTALL)  # a cell without Markdown's marks
_LINE_END = re.compile(r"[\"'`*_,;]{0,5}[ \t\r]*(?:\n|\Z)")
_VALUE = {
    '"': re.compile(rf'([^"\n{MARK}]{{4,256}})"'),
    "'": re.compile(rf"([^'\n{MARK}]{{4,256}})'"),
    "`": re.compile(rf"([^`\n{MARK}]{{4,256}})`"),
    None: re.compile(rf"([^\s\"'`<>{MARK}]{{4,128}}+)(?=[\s\"'`{MARK}]|</|$)"),
}
# From a name on: the end of the cell that it heads, if it heads one. What else its line may hold.
_HEAD_END = re.compile(r"[\w .-]{0,24}[*`\":]{0,4}[ \r]*(?:[\t|;,\n]|\Z)")
_HEAD = re.compile(r"[\w :./?*`-]{1,40}(?:\([\w .]{1,20}\))?")
# Heads of a table of logins, as password managers and people write it: there every cell is a password.
_PASSWORDS = re.compile(
    r"(?:login[ _])?(?:pass(?:word|wd|wort|phrase|code)?s?|pwd|pw|mdp|passwörter|(?:mot de )?passe|kennwort|wachtwoord"
    r"|contrase[ñn]a|senha|hasło|пароль|密码|密碼|パスワード)"
)
_LOGINS = re.compile(
    r"(?:login[ _])?(?:user(?:[ _-]?name)?|login(?:[ _-]?name)?|ur[li]|web[ _-]?site|site|e-?mail"
    r"|(?:be)?nutzer(?:name)?|anmeldename|webseite|utilisateur|identifiant|usuario|usuário|utente"
    r"|gebruiker(?:snaam)?|логин|用户名|ユーザー名)"
)
# What such a cell may hold instead: a line of dashes or dots, a template, an answer.
_NO_PASSWORD = re.compile(
    r"[$%]?[{(<\[].*[})>\]]|\$[A-Za-z_]+|%\w+%|n/?a|yes|no|ja|nein|oui|non|same|optional|required|unknown|forgotten"
)
# Words that stand in for a secret: a value of nothing else is nobody's.
_STAND_INS = frozenset(
    """a an the my your our user username userpass login pass password passwd passphrase passw pwd pw
    mypassword mypass mysecret mytoken myuser secret secrets token tokens key keys api apikey app
    access client auth authorization bearer example examples sample test tests testing tester dummy
    fake mock demo placeholder change changeme changeit changethis me here insert enter put replace
    with redacted hidden removed none null nil undefined empty true false default todo tbd foo bar baz
    foobar qux abc abcd admin administrator root guest private public string str value some any new old
    id random long super top very not for use is to of in and or this that shared service account name
    field type file hash basic digest session csrf xsrf oauth jwt postgres mysql redis mongo""".split()
)
_WORD_OR_SIGN = re.compile(r"[^\W\d_]+|[^\s_-]")
_LETTER, _DIGIT, _SPACE = re.compile(r"[^\W\d_]"), re.compile("[0-9]"), re.compile(r"\s")
_STRONG_SIGN = re.compile(r"[!@#$%^&*+=?~|\\]")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_A-Za-z]+")
# What begins or is code: a call, an index; a variable, a template; a file, an option, a host.
_CODE = re.compile(
    r"(?:[A-Za-z_$.]{4,}|[a-z_.][a-z0-9_.]{3,})[(\[]|[A-Za-z_$][\w.$]*[(\[].*[)\]];?$"
    r"|\$[A-Za-z_]+$|%\w+%$|[$%]?[{(<\[].*[})>\]]$"
    r"|[.~]{0,2}/|-{1,2}[a-z]|[\w.+-]+\.[a-z]{2,4}$|[\w.-]+:[0-9]{2,5}$"
)
# And anywhere in it: a template, a URL, an escape, the next field, a member.
_CODE_WITHIN = re.compile(
    r"\$\{|\{\{|%\(\w+\)|://|\\[abfnrtuvxU0]|,\w+[:=]|[A-Za-z_]\w{0,40}+\.[A-Za-z_]\w{0,40}+[)\]}]"
)
_FOLDER, _FILE = re.compile(r"[\w.+-]*[a-z]{3}"), re.compile(r"[\w.+-]+")
_ALGORITHM = re.compile(
    r"(?:sha|md|aes|rsa|utf|base|v|oauth|pbkdf|hs|rs|es|ps|ed|ripemd|blake|scrypt|argon|x|http)[-_]?"
    r"[0-9]\w{0,12}$",
    re.IGNORECASE,
)
_WORDY = re.compile(r"(?<![^\W_])[A-Za-z]{2,}(?![^\W_])|[a-z]{6,}|[A-Z]{6,}|[A-Z][a-z]{4,}")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_DIGITS = re.compile("[0-9]{6,}")
_HEX = re.compile("(?:0x)?[0-9A-Fa-f]+")
# Bits a character, above which signs look random: the first is detect-secrets' own limit, the second lower
# than its 4.5 for Base64, which no text of 20 signs reaches.
_HEX_BITS, _BASE64_BITS = 3.0, 3.4


def called(text: str) -> Iterator[Span]:
    """What is assigned to a name that says that it is secret, or stands in a column under such a name."""
    heads: list[int] = []
    for name, ats in _named(text):
        for at in ats:
            yield from _assigned(text, name, at)
            if _HEAD_END.match(text, at):
                heads.append(at)
                yield from _beside(text, at)
    yield from _in_columns(text, sorted(heads))


def _named(text: str) -> Iterator[tuple[str, Iterator[int]]]:
    """The words that begin a secret's name, and where each stands."""
    lower = text.encode("ascii", "replace").lower()  # as many signs, and searched much faster
    for name in _NAMES:
        yield name, places(lower, name.encode())
    for name in () if text.isascii() else _FOREIGN_NAMES:
        yield name, places(text, name)


def _beside(text: str, at: int) -> Iterator[Span]:
    """The cell behind one that is a secret's name, in a table that has its names at the left."""
    line = line_at(text, at)
    sign = sign_of(text[slice(*line)]) if line else ""
    if not line or sign not in ("|", "\t"):
        return
    row = [cell for cell in cells_at(text, line, sign) if cell[0] < cell[1]]
    for (first, last), value in pairwise(row):
        head = text[first:last].strip("*_`: ").lower()
        if first <= at < last and _HEAD.fullmatch(head):
            yield from _if_secret(text, value, _judge(head))


def _in_columns(text: str, heads: Sequence[int]) -> Iterator[Span]:
    """The cells of tables under a head that says that they are secret, as in a browser's passwords.csv."""
    done = 0
    for at in heads:
        if at < done or not (line := line_at(text, at)):
            continue
        done = line[1]
        if judges := _judges(text[slice(*line)]):
            for start, end in _rows(text, line):
                done = end
                yield from _secret_cells(text, start, end, judges)


def _secret_cells(text: str, start: int, end: int, judges: Sequence[Callable[[str], bool]]) -> Iterator[Span]:
    found = cells_at(text, (start, end), sign_of(text[start:end]))
    for cell, is_secret in zip(found, judges, strict=False) if len(found) == len(judges) else ():
        yield from _if_secret(text, cell, is_secret)


def _if_secret(text: str, cell: Span, is_secret: Callable[[str], bool]) -> Iterator[Span]:
    bare = _BARE.fullmatch(text, *cell)
    if bare and MARK not in bare["value"] and is_secret(bare["value"]):
        yield bare.span("value")


def _rows(text: str, head: Span) -> Iterator[Span]:
    """The rows below a table's head that have its sign."""
    sign, row = sign_of(text[slice(*head)]), head
    while row[1] < len(text) and (below := line_at(text, row[1] + 1)):
        row = row_at(text, below, sign)
        if sign not in text[slice(*row)]:
            break
        yield row


def _judges(line: str) -> list[Callable[[str], bool]]:
    """What tells the secrets of each column, if a line is a table's head and names a column of them; or []."""
    sign = sign_of(line)
    heads = [line[start:end].lower() for start, end in cells(line, sign)] if sign else []
    inner = [head for head in heads if head] if sign == "|" else heads
    if not all(map(_HEAD.fullmatch, inner)):
        return []
    names = [head.strip("*`") for head in heads]
    of_logins = ", " not in line and any(map(_LOGINS.fullmatch, names))  # with spaces it may be prose
    judges = [_is_given if of_logins and _PASSWORDS.fullmatch(name) else _judge(name) for name in names]
    return judges if set(judges) != {_never} else []


def _judge(head: str) -> Callable[[str], bool]:
    if head.count(" ") > 1 or _OTHER_THING.search(head):
        return _never
    if _is_word_for_password(head):
        return _is_password_or_digits
    if _PASSWORD.search(head):
        return is_password
    is_keys = head.endswith(("secret", "token")) or head.endswith("key") and _SECRET_KEY.search(head[:-3])
    return is_key if is_keys else _never


def _is_word_for_password(label: str) -> bool:
    """Whether a name says password and nothing else; "pass", "passwords" and "password_age" may say how many."""
    return not label.endswith("s") and bool(_PASSWORDS.fullmatch(label.strip("_").rstrip("0123456789")))


def _is_given(value: str) -> bool:
    """Whether a cell of a table of logins is a password, be it a word or a sentence: all but what stands in for one."""
    plain = value.strip("*`").lower()
    if len(set(plain) - {" "}) <= 2 or _NO_PASSWORD.fullmatch(plain):
        return False
    return not _STAND_INS.issuperset(_WORD_OR_SIGN.findall(plain))


def _never(value: str) -> bool:
    return False


def _assigned(text: str, name: str, at: int) -> Iterator[Span]:
    found = _ASSIGNED.match(text, at)
    if found and _is_name(text, name, at, found):
        yield from _value(text, at, found)


def _is_name(text: str, name: str, at: int, found: re.Match[str]) -> bool:
    """Whether what is assigned to is a secret's name, and the sign is one of assignment."""
    label, sign, quote = _label(text, at, found), found["sign"], found["quote"]
    if _OTHER_THING.search(label) or sign in (",", "(") and not quote:
        return False
    if found["below"] and not (sign == ":" and (label == name or _is_word_for_password(label))):
        return False
    if sign == "," and text[found.end("rest")] not in "\"'":
        return False
    if name in ("pw", "mdp"):
        return label == name and not text[at - 1 : at].isalnum()
    if name == "key":
        return bool(_SECRET_KEY.search(text[max(0, at - 14) : at].lower()))
    if label == "pass":  # but no bypass, and no line of a test that passes
        return not text[at - 1 : at].isalpha() and not (sign == ":" and text[at].isupper())
    return name != "pass" or bool(_PASSWORD.match(label))


def _label(text: str, at: int, found: re.Match[str]) -> str:
    return text[at : found.end("rest")].lower().rstrip("_")


def _value(text: str, at: int, found: re.Match[str]) -> Iterator[Span]:
    value = _VALUE[found["quote"]].match(text, found.end())
    if not value or found["sign"] == ">" and not text.startswith("</", value.end()):
        return
    if found["below"] and not _LINE_END.match(text, value.end()):  # the next line says something else
        return
    written = value[1] if found["quote"] else value[1].removesuffix(found["bold"] or "").rstrip(".,;:)]}")
    is_code = not found["quote"] and found["sign"] in ("=", ":=") and found[0].endswith(" ")
    label = _label(text, at, found)
    if _is_word_for_password(label) and _DIGIT.match(written):
        is_secret = _is_password_or_digits(written)
    elif _PASSWORD.match(label):
        is_secret = is_password(written) and not (is_code and _is_variable(written))
    else:
        is_secret = (
            is_key(written) or label.startswith("secret") and len(written) >= 8 and _is_strong(written)
        )
    if is_secret:
        yield value.start(1), value.start(1) + len(written)


def is_password(value: str) -> bool:
    """Whether a value is a password, not a word, a path, an expression or a stand-in for one."""
    if len(value) < 6 or not _LETTER.search(value) or _is_other(value) or _is_path(value):
        return False
    return bool(_DIGIT.search(value) or _STRONG_SIGN.search(value))


def _is_password_or_digits(value: str) -> bool:
    """The same where the name is a word for password and nothing else: then digits alone may be one."""
    if not _DIGITS.fullmatch(value):
        return is_password(value)
    return not (is_stand_in(value) or is_stand_in(value[::-1]))


def _is_strong(value: str) -> bool:
    return bool(_DIGIT.search(value) and _STRONG_SIGN.search(value)) and is_password(value)


def _is_variable(value: str) -> bool:
    """Whether it may be the name of a variable: all but long ones of mixed case."""
    return value.isidentifier() and (len(value) < 8 or value in (value.lower(), value.upper()))


def is_key(value: str) -> bool:
    """Whether a value is a random key or token: 16 signs or more, letters and digits, of a high entropy."""
    if len(value) < 16 or not _DIGIT.search(value) or not _LETTER.search(value) or _is_other(value):
        return False
    in_hex, in_base64 = _entropies()
    if _HEX.fullmatch(value):
        return in_hex.calculate_shannon_entropy(value) > _HEX_BITS
    wordy, letters = sum(map(len, _WORDY.findall(value))), len(_LETTER.findall(value))
    if wordy * 2 > letters or _DOTTED.fullmatch(value):
        return False
    return in_base64.calculate_shannon_entropy(value) > _BASE64_BITS


def _is_other(value: str) -> bool:
    return bool(_SPACE.search(value) or _ALGORITHM.match(value)) or is_stand_in(value)


def _is_path(value: str) -> bool:
    *folders, file = value.split("/")
    return bool(folders and _FILE.fullmatch(file)) and all(map(_FOLDER.match, folders))


def is_stand_in(value: str) -> bool:
    """Whether a value only stands where a secret goes: "changeme", "<password>", "xxxxxxxx", "12345678"."""
    from detect_secrets.filters import heuristic

    if len(set(value)) <= 2 or _CODE.match(value) or _CODE_WITHIN.search(value):
        return True
    if heuristic.is_sequential_string(value) or heuristic.is_templated_secret(value):
        return True
    parts = [part.lower() for part in _PARTS.findall(value)]
    return bool(parts) and _STAND_INS.issuperset(parts)


@lru_cache(maxsize=1)
def _entropies() -> tuple[Any, Any]:
    """detect-secrets' measures of hexadecimal digits and of Base64."""
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString

    return HexHighEntropyString(), Base64HighEntropyString()
