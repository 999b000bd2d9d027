"""From the recipe's sources to a folder of read files: consent first, then a `read` run for each file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..consent import agreements
from ..consent.decide import Stand
from ..consent.ledger import Ledger
from ..errors import RecipeError
from ..nouns import Recipe, Ref, Source
from ..readers.html import beside, html_text
from ..rights import licences, signals, sites
from ..rights.signals import Signal
from ..step import CHUNK, Executor, Job, Local
from ..store import Store, canonical, hash_file
from . import Params, ReadParams, read
from .find import all_names, find_files
from .forgotten import Forgotten, source_root
from .settle import says_no, settle

Row = dict[str, Any]
_CONSENT = {"rule": "consent", "detail": ""}  # the decision says why
_LINK = {"rule": "link", "detail": "it leads to no file of the source"}


def gather(recipe: Recipe, path: Path, store: Store, executor: Executor) -> Ref | None:
    """Ref of the folder that `curate` takes: index.json and one file for each text. None if a plan knows too little.

    Source paths are relative to the recipe's folder. A file belongs to the innermost source that holds it; one that
    somebody said no to is listed and never opened; of one that nobody allowed, only the head is looked at for a tag
    that does. Of one that is forgotten there is no row: what is gathered is what would be if it had never been there.
    A link is the file that it leads to: what is said of its own place can only take something away.
    Raises RecipeError for a source that is not there.
    """
    params: Params = recipe.params["curate"]
    ours = (path.name, path.with_suffix(".lock").name)
    standing = Ledger.of(store.root).standing()
    forgotten = Forgotten(recipe, path.parent, standing)
    places = [_Place.of(number, source, path.parent, forgotten) for number, source in enumerate(recipe.sources)]
    index: list[Row] = []
    waiting: list[tuple[Row, Path]] = []

    def said(row: Row) -> Stand | None:
        named = recipe.sources[row["source"]].named
        paths = (f"{recipe.name}/{named(row[key])}" for key in ("real", "path"))
        file, link = (standing.of(row["owner"], path, row["file"]) for path in paths)
        stand = link if link.decision == "out" else file
        return stand if stand.decision else None

    for place in places:
        for name, file, drop in place.found(ours, places):
            if _innermost(file, places) != place.number or file in forgotten:
                continue
            row = place.row(name, name if drop else place.real(name, file), file, _around(file, places))
            row["standing"] = said(row)
            index.append(row)
            if drop or says_no(row) or not _is_allowed(row, file, params.licences):
                row["drop"] = drop or _CONSENT
            else:
                waiting.append((row, file))
    if not _read(waiting, params, said, store, executor):
        return None
    members = {row["text"]: row.pop("output") for row, _ in waiting if "text" in row}
    members["index.json"] = store.add_bytes(canonical(index))
    return store.add_tree(members)


@dataclass(frozen=True)
class _Place:
    """A source where it lies, and what lies around its files."""

    number: int
    source: Source
    root: Path
    agreement: agreements.Agreement | None
    signals: Callable[[str], list[Signal]]
    licence: Callable[[str], licences.Licence | None]

    @classmethod
    def of(cls, number: int, source: Source, folder: Path, forgotten: Forgotten) -> _Place:
        root = source_root(source.path, folder)
        if not root.exists():
            raise RecipeError("no such file or folder", where=f"sources[{number}]: {root}")
        agreement = agreements.read(source.agreement, source.signers, folder) if source.agreement else None
        around = root if root.is_dir() else root.parent
        names = forgotten.without(around, list(all_names(around)))
        return cls(
            number, source, root, agreement, sites.around(around, names), licences.around(around, names)
        )

    def found(self, ours: Sequence[str], places: Sequence[_Place]) -> Iterator[tuple[str, Path, Row | None]]:
        """(path in the source, path, why it is no file to read) of its files, of links astray and of closed folders."""
        closed: list[OSError] = []
        astray: list[str] = []
        for name, file in find_files(self.root, ours, closed.append, astray.append):
            yield name, file, None if _innermost(file.resolve(), places) == _innermost(file, places) else _LINK
        yield from ((name, self.root / name, _LINK) for name in astray)
        for error in closed:
            detail = f"this folder cannot be opened: {error.strerror}"
            name = os.path.relpath(error.filename, self.root)
            yield name, Path(error.filename), {"rule": "unreadable", "detail": detail}

    def real(self, name: str, file: Path) -> str:
        """The path in the source of the file that a link leads to; of any other file, its own."""
        return file.resolve().relative_to(self.root).as_posix() if file.is_symlink() else name

    def row(self, name: str, real: str, file: Path, holding: Sequence[_Place]) -> Row:
        """What is known of a file before it is opened; `holding` are all the places that it lies in."""
        source, licence = self.source, self._licence(name, real)
        agreed = self.agreement
        if agreed and not all(agreed.covers(path, source.owner) for path in (name, real)):
            agreed = None
        return {
            "path": name,
            "real": real,
            "source": self.number,
            "owner": source.owner,
            "licence": source.licence,
            "consent": "out" if any(place.source.consent == "out" for place in holding) else source.consent,
            "profile": source.profile,
            "columns": source.columns,
            "private": source.private,
            "signals": [asdict(signal) for signal in self._signals(name, real, file, holding)],
            "found_licence": asdict(licence) if licence else None,
            "standing": None,
            "agreement": agreed.signed_by if agreed else None,
            "file": "",
        }

    def _signals(self, name: str, real: str, file: Path, holding: Sequence[_Place]) -> list[Signal]:
        told = self.signals(real)
        beside = self.signals(name) if name != real else []
        noes = [no for place in holding if place.number != self.number for no in place.noes(file)]
        return signals.few([*told, *(signal for signal in beside if signal.value != "yes"), *noes])

    def noes(self, file: Path) -> list[Signal]:
        """Each no that lies around a file here, and around what it leads to, though a source inside has the file."""
        names = [path.relative_to(self.root).as_posix() for path in dict.fromkeys((file, Path(os.path.realpath(file))))
                 if path != self.root and path.is_relative_to(self.root)]  # fmt: skip
        return [signal for name in names for signal in self.signals(name) if signal.value == "no"]

    def _licence(self, name: str, real: str) -> licences.Licence | None:
        found, beside = self.licence(real), self.licence(name)
        return licences.both(found, beside) if found and beside and found != beside else found


def _innermost(file: Path, places: Sequence[_Place]) -> int:
    """The number of the source with the longest path that holds a file; the first of equal ones."""
    return max(_around(file, places), key=lambda place: (len(place.root.parts), -place.number)).number


def _around(file: Path, places: Sequence[_Place]) -> list[_Place]:
    """The places that hold a file: any of them may say no."""
    return [place for place in places if file.is_relative_to(place.root)]


HEAD_BYTES = 16_384
PAGES = (".html", ".htm", ".xhtml")


def _is_allowed(row: Row, file: Path, widened: Sequence[str]) -> bool:
    """Whether a file may be read: by what lies around it and, if it is another's, by what its head says."""
    head = {} if row["owner"] == "me" else _head(file)
    allowed = settle(row, head, widened).allowed
    if not allowed and head:  # the row alone must say why
        row["signals"] += head["signals"]
        row["found_licence"] = head["licence"] or row["found_licence"]
    return allowed


def _head(file: Path) -> Row:
    """The licence and the signals in the first bytes of a file; of a page the licence at its end, too."""
    is_page = file.suffix.lower() in PAGES
    try:
        with file.open("rb") as opened:
            head = opened.read(HEAD_BYTES).decode("latin-1")
            if is_page:
                opened.seek(max(HEAD_BYTES, file.stat().st_size - HEAD_BYTES))
            end = opened.read(HEAD_BYTES).decode("latin-1") if is_page else ""
    except OSError:
        return {}
    tag = _in_page(head, end) if is_page else licences.in_text(head)
    told = [asdict(signal) for signal in signals.in_html(head)] if "<" in head else []
    return {"licence": asdict(tag) if tag else None, "signals": told}


def _in_page(head: str, end: str) -> licences.Licence | None:
    """What a page says of its licence at its start, in its menus and at its end."""
    text, title = html_text(head)
    tag = licences.tagged(head) or licences.in_text(text, title)
    tag = licences.in_page(tag, *beside(head), title)
    return licences.in_page(tag, *beside(end), title)


def _read(
    waiting: Sequence[tuple[Row, Path]],
    params: Params,
    said: Callable[[Row], Stand | None],
    store: Store,
    executor: Executor,
) -> bool:
    """Give each row its file and "text", or why it is dropped; whether all is known (a plan may not)."""
    rows, jobs = [], []
    makes = isinstance(executor, Local)  # a plan copies nothing: it may be of a folder that nobody goes on with
    for start in range(0, len(waiting), CHUNK):
        with store.together() if makes else nullcontext():
            for row, file in waiting[start : start + CHUNK]:
                _take(row, file, params.max_mb, store.add_file if makes else hash_file)
                row["standing"] = said(row)  # of these very bytes, perhaps
                if says_no(row):
                    row["drop"] = _CONSENT
                if "drop" not in row:
                    rows.append(row)
                    asked = ReadParams(
                        file.suffix.lower(), params.max_mb, row["profile"], params.countries, row["columns"]
                    )
                    jobs.append(Job(f"read {row['path']}", asked, {"file": Ref(row["file"])}))
    known = True
    for row, made in zip(rows, executor.map(read, jobs), strict=True):
        known &= made.run is not None
        if made.value("says no") and not row["agreement"]:
            row["signals"] += json.loads(store.path(made["text.json"] or "").read_bytes())["signals"]
            row["drop"] = _CONSENT
        else:
            row["output"] = made["text.json"]
            row["text"] = f"{row['output']}.json"
    return known


def _take(row: Row, file: Path, max_mb: float, taken: Callable[[Path], Ref]) -> None:
    """Give a row the ref of its file's bytes; a drop if it is too large or cannot be read."""
    try:
        size = file.stat().st_size
        if size > max_mb * 1e6:
            row["drop"] = {"rule": "too large", "detail": f"{size / 1e6:.1f} MB; curate.max_mb is {max_mb:g}"}
        else:
            row["file"] = taken(file)
    except OSError as error:
        row["drop"] = {"rule": "unreadable", "detail": error.strerror or type(error).__name__}
