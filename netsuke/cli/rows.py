"""Rows of the ledger: chosen, as tables of 80 columns, as files."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from ..errors import RecipeError, StoreError
from ..terminal import cell, clean, count, cut

if TYPE_CHECKING:
    from ..chain import Fault
    from ..consent.decide import Stand
    from ..consent.ledger import Ledger, Row, Standing

COLUMNS = (
    "number", "time", "document", "path", "source", "owner", "licence", "licence_how", "decision", "reason",
    "decided_by", "scope", "signals", "previous", "hash",
)  # fmt: skip


# -- choosing ----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Filter:
    """Which rows are wanted; None is any."""

    owner: str | None
    decision: str | None
    path: str | None
    licence: str | None
    signal: str | None
    since: datetime | None

    def takes(self, row: Row) -> bool:
        """Whether this row is wanted."""
        from ..consent.agreements import matches, same_name

        return (
            (self.owner is None or same_name(row.owner) == same_name(self.owner))
            and self.decision in (None, row.decision)
            and (self.path is None or matches(self.path, row.path))
            and (self.licence is None or _names(row.licence, self.licence))
            and (self.since is None or row.time >= self.since.isoformat())
            and (self.signal is None or self.signal.casefold() in _kinds(row))
        )


def chosen(ledger: Ledger, wanted: Filter, history: bool) -> list[Row]:
    """The rows in question: all, or the newest of each document after the standing decisions in force."""
    rows = ledger.rows() if history else [*ledger.standing().rows, *ledger.newest()]
    return [row for row in rows if wanted.takes(row)]


def document_hash(ledger: Ledger, prefix: str) -> str:
    """The one hash that begins so; a whole one need not be known."""
    prefix = prefix.lower()
    if not re.fullmatch(r"[0-9a-f]{8,64}", prefix):
        raise RecipeError(f"not a hash, or too short: {prefix!r}", hint="give at least 8 hexadecimal digits")
    found = ledger.documents(prefix)
    if len(found) > 1:
        names = ", ".join(name[: len(prefix) + 4] for name in found[:4])
        raise RecipeError(f"{len(found)} documents begin with {prefix}", hint=f"give more digits: {names} …")
    if not found and len(prefix) < 64:
        raise StoreError(f"no document begins with {prefix}", hint="netsuke consent --json has every hash")
    return found[0] if found else prefix


def rows_of(ledger: Ledger, target: str) -> list[Row]:
    """The rows of the one document that a hash, a path of the ledger or a file of the disk names."""
    if re.fullmatch(r"[0-9a-fA-F]{8,64}", target) and ledger.documents(target.lower()):
        return [row for row in ledger.rows(document=document_hash(ledger, target)) if not row.scope]
    paths = sorted({row.path for row in ledger.newest()})
    if target not in paths:
        paths = [path for path in paths if path.endswith(f"/{target}") or target.endswith(f"/{path}")]
        if len(paths) > 1:
            hint = clean(f"one of {', '.join(paths[:4])}")
            raise RecipeError(f"{len(paths)} documents are named {target}", hint=hint)
        if not paths:
            raise StoreError(f"no document {target!r}", hint="netsuke consent lists the paths")
        target = paths[0]
    return [row for row in ledger.rows(path=target) if not row.scope]


def _names(expression: str, licence: str) -> bool:
    """Whether an expression is this one, or names this licence."""
    wanted = " ".join(licence.split()).casefold()
    return wanted == expression.casefold() or wanted in re.findall(r"[\w.+:-]+", expression.casefold())


def _kinds(row: Row) -> set[str]:
    return {signal["kind"].casefold() for signal in signals_of(row)}


def signals_of(row: Row) -> list[dict[str, str]]:
    """The signals of a row. Raises StoreError if this program did not write them."""
    try:
        found = json.loads(row.signals or "[]")
        return [{name: str(one[name]) for name in ("kind", "value", "raw", "where")} for one in found]
    except (ValueError, TypeError, LookupError) as error:
        hint = "`netsuke consent verify` checks every row"
        raise StoreError(f"the signals of row {row.number} cannot be read", hint=hint) from error


def said_since(standing: Standing, row: Row) -> Stand:
    """What people decided about a document for whenever it is read."""
    return standing.of(row.owner, row.path, row.document)


# -- tables ------------------------------------------------------------------------------------------------
def listed(documents: Sequence[Row], stands: Sequence[Row], standing: Standing) -> str:
    """The standing decisions, then a line for each document, then how many."""
    if not documents and not stands:
        return "no row matches"
    parts = []
    if stands:
        cells = [["standing decisions", "since", "by"]]
        for row in stands:
            about = f"{row.decision:<3} {row.scope} {row.about}"
            cells.append([cut(about, 40), row.time[:10], _why(row)])
        parts.append(_fitted(cells))
    if documents:
        leaving = [row.decision == "in" and said_since(standing, row).decision == "out" for row in documents]
        cells = [["document", "owner", "licence (how)", "", "reason"]]
        for row, leaves in zip(documents, leaving, strict=True):
            cells.append(
                [
                    cut(row.path, 24, left=True),
                    cut(row.owner, 10),
                    cut(_licence(row), 18),
                    f"{row.decision}*" if leaves else row.decision,
                    row.reason,
                ]
            )
        parts += [_fitted(cells), _summary(documents, sum(leaving))]
    return "\n\n".join(parts)


def history(rows: Sequence[Row]) -> str:
    """A line for each row, oldest first."""
    if not rows:
        return "no row matches"
    cells = [["row", "day", "about", "", "reason"]]
    for row in rows:
        about = cut(f"{row.scope} {row.about}" if row.scope else row.path, 30, left=not row.scope)
        cells.append([str(row.number), row.time[:10], about, row.decision, _why(row)])
    return _fitted(cells)


def whole(rows: Sequence[Row], stand: Stand) -> str:
    """Everything about one document: what holds now, then each row with its signals as they were found."""
    last = rows[-1]
    parts = [f"{clean(last.path)}, of {clean(last.owner)}\n{last.decision}: {clean(last.reason)}"]
    if stand.decision:
        parts[0] += f"\nstanding decision, {stand.decision}: {clean(stand.reason)}"
    for row in rows:
        lines = [
            f"row {row.number}, {row.time}, source {row.source}, decided by {clean(row.decided_by)}",
            f"  {row.decision}: {clean(row.reason)}",
            f"  owner {clean(row.owner)}, licence {_licence(row)}",
            f"  document {clean(row.document) or 'was not read'}",
        ]
        for signal in signals_of(row):
            lines.append(clean(f"  {signal['kind']} says {signal['value']}, in {signal['where']}:"))
            lines += [f"    {clean(line)}" for line in signal["raw"].splitlines()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def fault_told(fault: Fault) -> str:
    """What is wrong with the ledger, in words."""
    number, path = fault.number, clean(fault.path)
    place = f": {path}" if path else ""
    return {
        "changed": f"row {number} was changed{place}",
        "missing": f"row {number} is missing" + (f", before {path}" if path else ""),
        "out of order": f"row {number} is out of order: it was written elsewhere in the chain{place}",
        "the end is missing": f"the end is missing, from row {number} on"
        + (f", after {path}" if path else ""),
        "added": f"row {number} was added after the end that the ledger knows{place}",
    }[fault.what]


def _licence(row: Row) -> str:
    return clean(f"{row.licence} ({row.licence_how})" if row.licence_how else row.licence)


def _why(row: Row) -> str:
    """Who decided and why, of a standing decision; the reason alone of another."""
    if not row.scope:
        return row.reason
    return f"{row.decided_by}: {row.reason}" if row.reason else row.decided_by


def _summary(documents: Sequence[Row], leaving: int) -> str:
    met = Counter(row.decision for row in documents)
    told = f"{count(len(documents), 'document')}: {met['in']:,} in, {met['out']:,} out"
    return f"{told}\n* goes out at the next make, by a standing decision: {leaving:,}" if leaving else told


def _fitted(cells: list[list[str]]) -> str:
    """Aligned columns, the last one cut where the line ends."""
    from ..front.show import WIDTH, grid

    used = sum(max(len(row[i]) for row in cells) + 2 for i in range(len(cells[0]) - 1))
    return grid([[*row[:-1], cut(row[-1], WIDTH - used)] for row in cells])


# -- files -------------------------------------------------------------------------------------------------
def record(row: Row) -> dict[str, Any]:
    """A row as JSON shows it."""
    return {**vars(row), "signals": signals_of(row)}


def write_csv(rows: Sequence[Row], file: IO[str]) -> None:
    """Write a table with a head; no cell of it is a formula."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(getattr(row, name)) for name in COLUMNS] for row in rows)


def write_jsonl(rows: Sequence[Row], file: IO[str]) -> None:
    """Write JSON Lines in ASCII, so that any file name survives."""
    for row in rows:
        file.write(json.dumps(record(row), sort_keys=True) + "\n")
