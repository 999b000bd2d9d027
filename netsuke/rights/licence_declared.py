"""What files say of others: REUSE.toml, DEP-5, package metadata. What cannot be read gives no licence."""

from __future__ import annotations

import configparser
import email
import fnmatch
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import licence_names, licence_text

UNKNOWN = "NOASSERTION"  # SPDX's word for a licence of which nothing can be said


@dataclass(frozen=True)
class Rule:
    """Which paths, relative to the folder that the rule is for, have which licence ("" if it names none)."""

    pattern: re.Pattern[str]
    expression: str
    precedence: str = "closest"  # or "aggregate", "override"


@dataclass(frozen=True)
class Declared:
    """What a package says of itself: an expression, or the name of the file with the text, or neither."""

    expression: str = ""
    file: str = ""


# -- REUSE.toml (specification 3.3) --------------------------------------------------------------------------
_MOST_WILDCARDS = 3  # each may stand for a whole path: with more, a match can take hours


def reuse_rules(text: str) -> list[Rule]:
    """The rules of a REUSE.toml, the one that counts first: of several tables for a path, the last."""
    tables = _dict(_toml(text)).get("annotations")
    rules = [rule for table in _list(tables) for rule in _reuse_rule(_dict(table))]
    return rules[::-1]


def _reuse_rule(table: dict[str, Any]) -> Iterator[Rule]:
    said = [licence_names.expression(one) for one in _strings(table.get("SPDX-License-Identifier"))]
    precedence = table.get("precedence", "closest")
    if precedence not in ("closest", "aggregate", "override"):
        return
    for path in _strings(table.get("path")):
        if path.replace("**", "*").count("*") > _MOST_WILDCARDS:
            start = re.escape(path.partition("*")[0])
            yield Rule(re.compile(f"{start}(?s:.*)"), UNKNOWN, precedence)
        else:
            yield Rule(re.compile(_reuse_glob(path)), all_of(said), precedence)


def _reuse_glob(path: str) -> str:
    def one(match: re.Match[str]) -> str:
        escaped, deep, flat, plain = match.groups()
        if escaped is not None:
            return re.escape(escaped)
        return "(?s:.*)" if deep else "[^/]*" if flat else re.escape(plain)

    return re.sub(r"\\(.?)|(\*\*+/?)|(\*)|([^\\*]+)", one, path, flags=re.DOTALL)


# -- DEP-5 (copyright-format 1.0) ----------------------------------------------------------------------------
def dep5_rules(text: str) -> list[Rule]:
    """The rules of a debian/copyright, the one that counts first: the last stanza that matches.

    Where a stanza holds a text, the text decides: it may say more than the short name does.
    """
    stanzas = list(paragraphs(text))
    texts = {short(one): body(one) for one in stanzas if "files" not in one}
    return _dep5(stanzas, lambda one: _dep5_said(one, body(one) or texts.get(short(one), "")))


def reuse_dep5_rules(text: str) -> list[Rule]:
    """The rules of a .reuse/dep5, whose licences are SPDX expressions (REUSE 3.2, DEP5)."""
    return _dep5(list(paragraphs(text)), lambda one: licence_names.expression(short(one)))


def _dep5(stanzas: list[dict[str, str]], said: Callable[[dict[str, str]], str]) -> list[Rule]:
    if not stanzas or "format" not in stanzas[0]:
        return []
    rules = [
        Rule(re.compile(_dep5_glob(path)), said(one))
        for one in stanzas[1:]
        if "license" in one
        for path in one.get("files", "").split()
    ]
    return rules[::-1]


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The stanzas of a file such as debian/copyright: each field by its name in small letters."""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + ("" if line.strip() == "." else line[1:])
            elif ":" in line and not line.startswith("#"):
                name, _, value = line.partition(":")
                name = name.strip().casefold()
                fields[name] = value.strip()
        if fields:
            yield fields


def short(stanza: dict[str, str]) -> str:
    """The short name of the licence of a stanza."""
    return stanza.get("license", "").partition("\n")[0].strip()


def body(stanza: dict[str, str]) -> str:
    """The text of the licence of a stanza."""
    return stanza.get("license", "").partition("\n")[2].strip()


def _dep5_said(stanza: dict[str, str], text: str) -> str:
    said = licence_names.dep5(short(stanza))
    holders = "".join(f"Copyright {line}\n" for line in stanza.get("copyright", "").splitlines())
    if not text or (found := licence_text.identify(f"{holders}\n{text}")) == said:
        return said
    # A text that is not known, under a name that is, may be any variant of it.
    return found or (said if "LicenseRef-" in said else f"LicenseRef-{said.replace(' ', '-')}-variant")


def _dep5_glob(path: str) -> str:
    path = re.sub(r"\\(.)", r"[\1]", path.removeprefix("./").replace("[", "[[]"))
    return fnmatch.translate(path)


# -- package metadata ----------------------------------------------------------------------------------------
def metadata(name: str, text: str) -> Declared:
    """What a package's file of this name says; nothing for a file that is none, or cannot be read."""
    read = _READERS.get(name)
    return read(text) if read else Declared()


def _pyproject(text: str) -> Declared:
    table = _dict(_toml(text))
    project = _dict(table.get("project"))
    said = project.get("license", _dict(_dict(table.get("tool")).get("poetry")).get("license"))
    if isinstance(said, dict):
        if isinstance(said.get("file"), str):
            return Declared(file=said["file"])
        said = said.get("text")
    return Declared(_said(said) or _classified(_strings(project.get("classifiers"))))


def _package_json(text: str) -> Declared:
    try:
        package = _dict(json.loads(text))
    except (ValueError, RecursionError):
        return Declared()
    said = package.get("license", package.get("licence"))
    names = [_said(_dict(one).get("type", one)) for one in _list(package.get("licenses"))]
    if isinstance(said, dict):
        said = said.get("type")
    found = _said(said) or any_of([name for name in names if name])
    if see := re.fullmatch(r"SEE LICEN[SC]E IN (.+)", found):
        return Declared(file=see[1])
    return Declared(found)


def _cargo(text: str) -> Declared:
    package = _dict(_dict(_toml(text)).get("package"))
    said = package.get("license")
    if isinstance(said, str):
        return Declared(_said(said.replace("/", " OR ")))  # how it was written before SPDX expressions
    return Declared(file=package["license-file"] if isinstance(package.get("license-file"), str) else "")


def _setup_cfg(text: str) -> Declared:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return Declared()
    classifiers = parser.get("metadata", "classifiers", fallback="").splitlines()
    return Declared(_said(parser.get("metadata", "license", fallback="")) or _classified(classifiers))


def _distribution(text: str) -> Declared:
    """The METADATA of an installed distribution (core metadata 2.4)."""
    fields = email.message_from_string(text)
    said = fields.get("License-Expression") or fields.get("License")
    return Declared(_said(said) or _classified(map(str, fields.get_all("Classifier", []))))


_READERS: dict[str, Callable[[str], Declared]] = {
    "pyproject.toml": _pyproject, "package.json": _package_json, "Cargo.toml": _cargo,
    "setup.cfg": _setup_cfg, "METADATA": _distribution,
}  # fmt: skip


def _said(value: Any) -> str:
    """An expression from a field, which may also hold a name or a whole text."""
    if not isinstance(value, str) or value.strip().casefold() in ("", "unknown", "none"):
        return ""
    if len(value) > 200:
        return licence_text.identify(value) or UNKNOWN
    return licence_names.expression(value)


def _classified(classifiers: Iterable[str]) -> str:
    """All the licences among trove classifiers."""
    said = [one.split("::") for one in classifiers]
    names = [parts[-1].strip() for parts in said if parts[0].strip() == "License" and len(parts) > 1]
    return all_of([licence_names.expression(name) for name in names if name != "OSI Approved"])


# -- values --------------------------------------------------------------------------------------------------
_MOST_DOTS = 2000  # in a line: tomllib's time goes with the square of the length of a dotted key


def all_of(expressions: list[str]) -> str:
    """One expression that says all of these."""
    return _joined("AND", expressions)


def any_of(expressions: list[str]) -> str:
    """One expression that leaves the choice among these."""
    return _joined("OR", expressions)


def _joined(word: str, expressions: list[str]) -> str:
    distinct = list(dict.fromkeys(expressions))
    if len(distinct) < 2:
        return "".join(distinct)
    return f" {word} ".join(f"({one})" if re.search(r"\s(?:AND|OR)\s", one) else one for one in distinct)


def _toml(text: str) -> Any:
    if any(line.count(".") > _MOST_DOTS for line in text.splitlines()):
        return None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
