"""Which licence a file has: what it says itself, what stands beside it, what the folders around it say."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path, PurePosixPath

from ..consent.decide import licence_allows
from . import licence_declared as declared
from . import licence_names
from .licence_fields import FORBIDDEN, fields, is_limited
from .licence_notices import NAMED, without_names
from .licence_subject import called, is_own
from .licence_text import identify

__all__ = ["TEXT_NAME", "Licence", "around", "both", "chosen", "identify", "in_text"]

MAX_BYTES = 1_000_000  # of a file that speaks of licences; a larger one is not read


@dataclass(frozen=True)
class Licence:
    """An SPDX expression, or what was said instead of one; how it was found, and where."""

    expression: str  # NOASSERTION: there is a text, and which licence it is cannot be said
    how: str  # "SPDX tag", "notice", "NAME.license", "REUSE.toml", …, "licence text", "package metadata"
    where: str  # a line of the file itself, or the path of another file


# -- in a file -----------------------------------------------------------------------------------------------
HEAD, TAIL = 4096, 2048  # characters in which a file speaks of itself; elsewhere it may speak of others
_IGNORED = re.compile(r"REUSE-IgnoreStart.*?(?:REUSE-IgnoreEnd|\Z)", re.DOTALL)
_TAG = re.compile(r"^[^\w\n]{0,12}(?:dnl |rem )?[ \t]*SPDX-License-Identifier:[ \t]*(\S[^\n]*)", re.M | re.I)
_SAYS = re.compile(
    r"(?i)\blicen[sc]ed\b|\bpermission\b|redistribut|\bfree software\b|subject to the terms|waived all"
)
_RESERVES = re.compile(r"(?i)copyright|©|\(c\)|all rights reserved")
_RESERVED = re.compile(r"(?i)\ball rights reserved\b")
_ELSEWHERE = re.compile(r"(?i)(?:https?:)?//")
_FORBIDS = re.compile(
    r"(?i)\bproprietary\b|\bconfidential\b|\bnon-?commercial\b|\bno part of this\b"
    r"|\b(?:may|must|shall) not be (?:copied|reproduced|distributed|redistributed)\b"
)


def in_text(text: str, title: str = "") -> Licence | None:
    """What a file says of itself, or None: its SPDX tags, all of them; else its notices and fields at start and end.

    `title` is the file's, where the text does not show it.
    Tags count if one is at the start (REUSE 3.3, comment headers): further down they may be examples.
    """
    text = _heard(text)
    return tagged(text) or _noticed(text, [title, *called(text[:HEAD])])


def tagged(text: str) -> Licence | None:
    """What the SPDX tags of a file say, all of them."""
    text = _heard(text)
    tags = list(_TAG.finditer(text)) if "spdx-license-identifier" in text.casefold() else []
    if tags and tags[0].start() < HEAD:
        said = [licence_names.expression(re.sub(r"[^\w.+)]+$", "", tag[1])[:200]) for tag in tags]
        return Licence(declared.all_of(said), "SPDX tag", _line(text, tags[0].start(1)))
    return None


def _heard(text: str) -> str:
    """The text without what REUSE says is to be ignored; as many lines as before."""
    if "REUSE-IgnoreStart" not in text:
        return text
    return _IGNORED.sub(lambda ignored: "\n" * ignored[0].count("\n"), text)


def in_page(own: Licence | None, beside: str, links: Sequence[str], title: str = "") -> Licence | None:
    """What a page says of itself: `own`, in its text; `beside` that, in menus and footer; by rel=license. All counts.

    A link to a licence that is not known leaves open which it is; one within its site leaves it to the folder.
    """
    foot = in_text(beside, title)
    if own and own.how == "notice" and not foot and _RESERVED.search(beside):
        foot = Licence(FORBIDDEN, "notice", "")
    said = [own] if own else []
    said += [Licence(foot.expression, foot.how, "menus or footer")] if foot else []
    for link in filter(_ELSEWHERE.match, links):
        said.append(Licence(licence_names.linked(link) or declared.UNKNOWN, "rel=license", link))
    distinct = list({one.expression: one for one in reversed(said)}.values())[::-1]
    return reduce(both, distinct) if distinct else None


def _noticed(text: str, titles: Sequence[str]) -> Licence | None:
    """All the licences of the notices and fields in the head and tail of a text; FORBIDDEN for one that forbids.

    Of a notice about something else an open licence counts for nothing; any other is not passed over, for it may be
    meant for all of this. FORBIDDEN too where something is licensed, and all rights are reserved elsewhere.
    """
    found, reserved = fields(text, _windows(text), titles), False
    for start, block, reserves in _blocks(text):
        notices = [(name, is_own(part, titles)) for name, part in _identified(block)] or _unsure(block, titles)
        if not notices and _FORBIDS.search(block) and _RESERVES.search(block):
            notices = [(FORBIDDEN, True)]
        found += [(start, name, own) for name, own in notices]
        reserved |= reserves and not any(own for _, own in notices)
    if not any(own for _, _, own in found):
        found = [(start, declared.all_of([name, declared.UNKNOWN]), False)
                 for start, name, _ in found if not licence_allows(name)]  # fmt: skip
    if not found:
        return None
    said = [name for _, name, _ in found] + [FORBIDDEN] * reserved
    return Licence(declared.all_of(said), "notice", _line(text, found[0][0]))


def _windows(text: str) -> tuple[tuple[int, int], ...]:
    return (0, min(HEAD, len(text))), (max(HEAD, len(text) - TAIL), len(text))


def _blocks(text: str) -> Iterator[tuple[int, str, bool]]:
    """(where it starts, a run of paragraphs that speak of licences, whether rights are reserved) of the head and tail.

    All rights, in the run or beside it: in the paragraph before or after, or further up in the same comment.
    """
    for low, high in _windows(text):
        run: list[str] = []
        reserves = commented = False
        start = position = low
        for paragraph in re.split(r"(\n[^\w\n]*\n)", text[low:high]):
            if _SAYS.search(paragraph) or _FORBIDS.search(paragraph):
                start = start if run else position
                run.append(paragraph)
                reserves |= bool(_RESERVED.search(paragraph))
            elif _RESERVED.search(paragraph):
                reserves = True
            elif not re.search(r"\w", paragraph):
                commented = bool(paragraph.strip())  # one comment goes on
            elif run or not commented:
                yield start, "\n\n".join(run), reserves
                run, reserves = [], False
            position += len(paragraph)
        yield start, "\n\n".join(run), reserves


def _identified(block: str) -> list[tuple[str, str]]:
    """(licence, what states it) of a run of paragraphs: of the whole, or of the paragraphs one by one."""
    if whole := identify(block):
        return [(whole, block)]
    return [(name, part) for part in re.split(r"\n[^\w\n]*\n", block) if (name := identify(part))]


def _unsure(block: str, titles: Sequence[str]) -> list[tuple[str, bool]]:
    """What a block says of this file that names a licence and says more than that, if it may not be open.

    One that is open and not limited leaves it to the folder, whose text such a sentence mostly points at.
    """
    if not any(pattern.search(block) for _, pattern in NAMED) or not is_own(block, titles):
        return []
    rest, named = without_names(block)
    closed = sorted(name for name in named if not licence_allows(name))
    if not closed and not is_limited(rest):
        return []
    return [(declared.all_of(closed or [*sorted(named), declared.UNKNOWN]), True)]


def _line(text: str, position: int) -> str:
    return f"line {text.count(chr(10), 0, position) + 1}"


def chosen(own: Licence | None, found: Licence | None) -> Licence | None:
    """Of what a file says of itself and what is said of it, what counts (REUSE 3.3, order of precedence)."""
    if own is None or found is None:
        return own or found
    if found.how in ("NAME.license", "REUSE.toml, override"):
        return found
    if found.how in ("REUSE.toml, aggregate", ".reuse/dep5"):
        return both(own, found)
    return own


def both(one: Licence, other: Licence) -> Licence:
    """What allows only what each of two allows."""
    expression = declared.all_of([one.expression, other.expression])
    return Licence(expression, f"{one.how} and {other.how}", f"{one.where}, {other.where}")


# -- around a file -------------------------------------------------------------------------------------------
# LICENSE, LICENCE.md, COPYING.LESSER, LICENSE-MIT, MIT-LICENSE.txt; not license.py, nor license_text.md.
TEXT_NAME = re.compile(
    r"(?:MIT-)?(?i:(?:un)?licen[cs]e|copying)(?:[-.][A-Z0-9][A-Z0-9.+_-]*|-[A-Za-z0-9+]+(?:\.\d+)*)?"
    r"(?i:\.(?:txt|md|rst|markdown))?"
)
_METADATA = ("pyproject.toml", "package.json", "Cargo.toml", "setup.cfg")


def around(root: Path, names: Sequence[str]) -> Callable[[str], Licence | None]:
    """What the files of a folder say of one another: relative path -> licence, or None.

    `names` are all relative paths below root. In this order: NAME.license; REUSE.toml, .reuse/dep5 and
    debian/copyright; what lists the file as its own (RECORD of a .dist-info); then folder by folder upwards,
    never above root, licence texts before package metadata. A text that is not known gives NOASSERTION.
    """
    return _Around(root, names).of


class _Around:
    """Reads each file that speaks of licences once, when it is first needed."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root = root.resolve()
        self._names = frozenset(names)
        self._beside = {name[: -len(".license")]: name for name in sorted(names) if name.lower().endswith(".license")}
        self._texts: dict[str, list[str]] = {}  # by folder
        for name in sorted(self._names):
            folder, _, last = name.rpartition("/")
            if TEXT_NAME.fullmatch(last) and PurePosixPath(folder).name != "LICENSES":
                self._texts.setdefault(folder, []).append(name)
        self._rules: dict[str, list[declared.Rule]] = {}  # by file
        self._folders: dict[str, Licence | None] = {}  # by folder
        self._recorded: dict[str, Licence] | None = None

    def of(self, name: str) -> Licence | None:
        """The licence that is said of a file."""
        if (file := self._beside.get(name)) and (beside := in_text(self._read(file))):
            return Licence(beside.expression, "NAME.license", file)
        folders = _upwards(name)
        return (
            self._reuse(name, folders)
            or self._dep5(name, folders)
            or self._listed(name)
            or self._folder(folders)
        )

    # -- rules by path
    def _reuse(self, name: str, folders: list[str]) -> Licence | None:
        closest: tuple[str, str] | None = None
        always: list[tuple[str, str]] = []
        for folder in reversed(folders):  # from the root: the first that overrides ends it
            file = f"{folder}/REUSE.toml" if folder else "REUSE.toml"
            rule = self._rule(file, _below(name, folder), declared.reuse_rules)
            if rule is None or not rule.expression:
                continue
            if rule.precedence == "override":
                return _all_said([*always, (rule.expression, file)], "REUSE.toml, override")
            if rule.precedence == "aggregate":
                always.append((rule.expression, file))
            else:
                closest = (rule.expression, file)
        said = [*always, closest] if closest else always
        return _all_said(said, "REUSE.toml, aggregate" if always else "REUSE.toml")

    def _dep5(self, name: str, folders: list[str]) -> Licence | None:
        for folder in folders:
            for kind, read in (
                (".reuse/dep5", declared.reuse_dep5_rules),
                ("debian/copyright", declared.dep5_rules),
            ):
                file = f"{folder}/{kind}" if folder else kind
                if rule := self._rule(file, _below(name, folder), read):
                    return Licence(rule.expression, kind, file)
        return None

    def _rule(self, file: str, path: str, read: Callable[[str], list[declared.Rule]]) -> declared.Rule | None:
        if file not in self._names:
            return None
        if file not in self._rules:
            self._rules[file] = read(self._read(file))
        return next((rule for rule in self._rules[file] if rule.pattern.fullmatch(path)), None)

    # -- installed distributions
    def _listed(self, name: str) -> Licence | None:
        if self._recorded is None:
            infos = sorted(file for file in self._names if file.endswith(".dist-info/METADATA"))
            self._recorded = {listed: said for file in infos for listed, said in self._record(file)}
        return self._recorded.get(name)

    def _record(self, file: str) -> Iterator[tuple[str, Licence]]:
        """(path, licence) of each file that a distribution lists as its own."""
        said = declared.metadata("METADATA", self._read(file)).expression
        info = file.removesuffix("/METADATA")
        site = PurePosixPath(info).parent
        for line in self._read(f"{info}/RECORD").splitlines() if said else ():
            yield str(site / line.rsplit(",", 2)[0].strip('"')), Licence(said, "package metadata", file)

    # -- folders
    def _folder(self, folders: list[str]) -> Licence | None:
        passed: list[str] = []
        found: Licence | None = None
        for folder in folders:
            if folder in self._folders:
                found = self._folders[folder]
                break
            passed.append(folder)
            if found := self._said_in(folder):
                break
        self._folders.update(dict.fromkeys(passed, found))
        return found

    def _said_in(self, folder: str) -> Licence | None:
        """What the texts in a folder are; what its metadata says, where it names just those."""
        package = self._package(folder)
        texts = self._texts.get(folder, [])
        if not texts:
            return package
        found = [self._identified(name) for name in texts]
        if package and _ids(package.expression) == {part for one in found for part in _ids(one)}:
            return package
        return Licence(declared.all_of(found), "licence text", ", ".join(texts))

    def _package(self, folder: str) -> Licence | None:
        for kind in _METADATA:
            file = f"{folder}/{kind}" if folder else kind
            if file not in self._names:
                continue
            said = declared.metadata(kind, self._read(file))
            named = str(PurePosixPath(folder, said.file)) if said.file else ""
            expression = self._identified(named) if named else said.expression
            if expression:
                return Licence(expression, "package metadata", file)
        return None

    def _identified(self, name: str) -> str:
        text = self._read(name)
        tag = in_text(text)
        if tag and tag.how == "SPDX tag":
            return tag.expression
        return identify(text) or declared.UNKNOWN

    def _read(self, name: str) -> str:
        """The text of a file below root; "" for one too large, that is no plain file or leads out of it."""
        try:
            path = (self._root / name).resolve()
            about = path.stat()
            if name not in self._names or not path.is_relative_to(self._root):
                return ""
            if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_BYTES:
                return ""
            return path.read_bytes().decode("utf-8", "replace").removeprefix("\ufeff")
        except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
            return ""


def _all_said(said: list[tuple[str, str]], how: str) -> Licence | None:
    if not said:
        return None
    return Licence(
        declared.all_of([one for one, _ in said]), how, ", ".join(dict.fromkeys(file for _, file in said))
    )


def _ids(expression: str) -> set[str]:
    return set(re.findall(r"[\w.+-]+", expression)) - {"AND", "OR", "WITH"}


def _upwards(name: str) -> list[str]:
    """The folders that hold a file, the nearest first; "" is the root."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:end]) for end in range(len(parts), -1, -1)]


def _below(name: str, folder: str) -> str:
    return name[len(folder) + 1 :] if folder else name
