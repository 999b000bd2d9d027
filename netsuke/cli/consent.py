"""The ledger at the command line: what was decided about whose documents, and a person's own word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import click

from ..disk import require_new_file
from ..errors import RecipeError, StoreError
from ..terminal import count, printable, say
from . import AS_JSON, open_store, result, rows

if TYPE_CHECKING:
    from ..consent.decide import Stand
    from ..consent.ledger import Ledger, Scope

Verb = TypeVar("Verb", bound=Callable[..., Any])


# -- options that verbs share ------------------------------------------------------------------------------
def filters(verb: Verb) -> Verb:
    """The options that choose rows; a rows.Filter takes them."""
    for option in (
        click.option("--history", is_flag=True, help="Every row, not only the newest of each document."),
        click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), metavar="DATE",
                     help="Decided on this day or later (UTC)."),
        click.option("--signal", metavar="KIND", help="With a signal of this kind."),
        click.option("--licence", metavar="NAME", help="Under this licence, or an expression that names it."),
        click.option("--path", metavar="GLOB", help="At these paths: 'notes/letters/**'."),
        click.option("--decision", type=click.Choice(["in", "out", "forgotten"])),
        click.option("--owner", metavar="NAME"),
    ):  # fmt: skip
        verb = option(verb)
    return verb


def about(verb: Verb) -> Verb:
    """The options that say what a standing decision is about, why and by whom."""
    for option in (
        click.option("--by", metavar="WHO", help="Who decides [default: the name you are logged in with]."),
        click.option("--reason", default="", metavar="TEXT", help="Why, in a sentence; it is kept."),
        click.option("--path", metavar="GLOB", help="What lies there, the model's name first: 'notes/letters'."),
        click.option("--document", metavar="HASH", help="A file by its sha256, wherever it lies; 8 digits will do."),
        click.option("--owner", metavar="NAME", help="All that is this owner's."),
    ):  # fmt: skip
        verb = option(verb)
    return verb


# -- verbs -------------------------------------------------------------------------------------------------
@click.group(invoke_without_command=True)
@filters
@AS_JSON
@click.pass_context
def consent(context: click.Context, /, history: bool, as_json: bool, **wanted: Any) -> None:
    """List what was decided about each document, and why; or decide.

    \b
    netsuke consent --owner "Ann Smith"
    netsuke consent out --owner "Ann Smith" --reason "she asked us to"
    """
    if context.invoked_subcommand:
        if history or as_json or any(wanted.values()):
            raise click.UsageError("options come after the verb: netsuke consent export --owner NAME …")
        return
    ledger = _ledger()
    found = rows.chosen(ledger, rows.Filter(**wanted), history)
    if history:
        result([rows.record(row) for row in found], as_json, lambda: rows.history(found))
        return
    standing = ledger.standing()
    documents = [row for row in found if not row.scope]
    stands = [row for row in found if row.scope]
    value = {
        "standing": [rows.record(row) for row in stands],
        "documents": [
            {**rows.record(row), "standing": _told(rows.said_since(standing, row))} for row in documents
        ],
    }
    result(value, as_json, lambda: rows.listed(documents, stands, standing))


@consent.command("out")
@about
@AS_JSON
def say_out(as_json: bool, by: str | None, reason: str, **given: str | None) -> None:
    """Keep an owner, a document or a path out; any out wins."""
    _decide("out", reason, by, given, as_json)


@consent.command("in")
@about
@AS_JSON
def say_in(as_json: bool, by: str | None, reason: str, **given: str | None) -> None:
    """Vouch for a yes of its owner; it never beats a no.

    The no of a signal, of the recipe or of another decision wins.
    """
    _decide("in", reason, by, given, as_json)


@consent.command("clear")
@about
@AS_JSON
def clear(as_json: bool, by: str | None, reason: str, **given: str | None) -> None:
    """Take back an `out` or `in`; lift what is `forgotten`.

    Named as when it was said. The ledger keeps both rows: nothing is deleted. What `netsuke forget` deleted does not
    come back by this, but its file, where it still lies in a source, is read again at the next make.
    """
    _decide("cleared", reason, by, given, as_json)


@consent.command("show")
@click.argument("document")
@AS_JSON
def show_document(document: str, as_json: bool) -> None:
    """Show all about one DOCUMENT: each row, each signal as found.

    DOCUMENT is a path of the list, the end of one, or a hash, of which 8 digits are enough.
    """
    ledger = _ledger()
    found = rows.rows_of(ledger, document)
    stand = rows.said_since(ledger.standing(), found[-1])
    value = {"rows": [rows.record(row) for row in found], "standing": _told(stand)}
    result(value, as_json, lambda: rows.whole(found, stand))


@consent.command("export")
@click.option("--csv", "as_csv", metavar="FILE", help="A table for a spreadsheet; - is standard output.")
@click.option("--jsonl", "as_jsonl", metavar="FILE", help="JSON Lines, each value exactly as it is kept.")
@click.option("--force", is_flag=True, help="Write over a FILE that is there.")
@filters
@AS_JSON
def export(
    as_csv: str | None, as_jsonl: str | None, force: bool, history: bool, as_json: bool, **wanted: Any
) -> None:
    """Write the rows that the same options list to a file.

    In CSV a cell that begins with = + - or @ gets a ' before it, so that no spreadsheet takes it for a formula.
    """
    names = [name for name in (as_csv, as_jsonl) if name]
    if not names:
        raise click.UsageError("give --csv FILE or --jsonl FILE")
    if "-" in names and (as_json or len(names) > 1):
        raise click.UsageError("standard output can take one thing only")
    if len({Path(name).resolve() for name in names}) < len(names):
        raise click.UsageError("--csv and --jsonl need a FILE each")
    for place in {*names} - {"-"}:
        require_new_file(Path(place), force)
    found = rows.chosen(_ledger(), rows.Filter(**wanted), history)
    for name, write in ((as_csv, rows.write_csv), (as_jsonl, rows.write_jsonl)):
        if name:
            with click.open_file(name, "w", encoding="utf-8") as file:
                write(found, file)
    if "-" not in names:
        told = f"{count(len(found), 'row')}: {', '.join(names)}"
        result({"rows": len(found), "files": names}, as_json, told)


@consent.command("verify")
@AS_JSON
def verify_ledger(as_json: bool) -> None:
    """Check the chain; name the first row that is wrong (exit 6).

    A row that was changed, deleted, moved or added breaks it; so does an end that is missing.
    """
    ledger = _ledger()
    fault, head = ledger.verify(), ledger.head()
    told = rows.fault_told(fault) if fault else f"whole, up to {head}"
    value = {"whole": not fault, "head": head, "fault": vars(fault) if fault else None}
    result(value, as_json, told)
    if fault:
        hint = f"what stands before row {fault.number} is as it was written; restore a copy of the file"
        raise StoreError(told, where=str(ledger.path), hint=hint)


@consent.command("agreement")
@click.argument("owner")
@click.option("--out", "file", required=True, metavar="FILE", help="Where to write it.")
@click.option("--by", default="", metavar="WHO", help="Who signs for the owner.")
@click.option("--path", "paths", multiple=True, metavar="GLOB", help="Paths below the source [default: all].")
@click.option("--statement", help="What is agreed, in words [default: training, use, passing on].")
@AS_JSON
def write_agreement(
    owner: str, file: str, by: str, paths: tuple[str, ...], statement: str | None, as_json: bool
) -> None:
    """Write the agreement that OWNER signs; say how."""
    from ..consent import agreements

    for text in (owner, by or owner, *paths):
        if not agreements.is_line(text):
            raise RecipeError(f"{text!r} cannot stand in an agreement", hint="it needs letters, on one line")
    today = datetime.now().date().isoformat()
    words = printable(statement or agreements.STATEMENT)
    draft = agreements.draft(owner, by, today, paths or ["**"], words)
    try:
        with Path(file).open("x", encoding="utf-8") as out:
            out.write(draft)
    except FileExistsError:
        raise RecipeError("it is there already", where=file, hint="give another --out") from None
    line = agreements.sign_line(file)
    result({"file": file, "sign": line}, as_json, f"wrote {file}; its owner reads it and signs it:\n  {line}")
    say(f'then, in the recipe: agreement = "{file}" and signers = "the public key, or a file with it"')


# -- deciding ----------------------------------------------------------------------------------------------
def _decide(
    decision: Literal["in", "out", "cleared"],
    reason: str,
    by: str | None,
    given: Mapping[str, str | None],
    as_json: bool,
) -> None:
    """Record a standing decision, and say which of the known documents it is about."""
    scopes = [(cast("Scope", scope), target) for scope, target in given.items() if target is not None]
    if len(scopes) != 1 or not scopes[0][1].strip():
        raise click.UsageError("give one of --owner, --document and --path")
    scope, target = scopes[0]
    ledger = _ledger(new=decision != "cleared")
    before = ledger.standing()
    if scope == "document":
        target = rows.document_hash(ledger, target)
    stood = before.find(scope, target)
    if decision == "cleared" and not stood:
        stands = ", ".join(f"{row.scope} {row.about}" for row in before.rows)
        hint = f"what stands: {stands}" if stands else "netsuke consent lists what was decided"
        raise StoreError(f"nothing was decided about the {scope} {target!r} itself", hint=hint)
    known = ledger.newest()
    if scope == "path" and decision != "cleared":
        _require_model(target, {old.path for old in known})
    row = ledger.decide_standing(scope, target, decision, reason, by or person())
    met = Counter(old.decision for old in known if row.is_about(old.owner, old.path, old.document))
    told = f"{decision}: {scope} {target}; {count(met.total(), 'document')} known, {met['in']:,} in"
    result({**rows.record(row), "documents": met.total(), "in": met["in"]}, as_json, told)
    if stood and stood.decision == "forgotten":
        say("it is forgotten no more: where its file still lies in a source, the next make reads it again")
    elif not met:
        near = _near(target, {old.owner for old in known}) if scope == "owner" else ""
        if scope == "path" and set("[]*?") & set(target):
            near = " ([ ] * ? are patterns, and it is no path as it is listed)"
        say(f"no such document was read yet{near}; it counts when one comes")
    elif decision == "out" and met["in"]:
        say("the next make leaves them out; models that were made before still hold them")


def _require_model(target: str, known: set[str]) -> None:
    """Raise RecipeError for a path on the disk, or a known one's without the model's name: it would never count."""
    from ..consent.agreements import matches

    first, _, below = target.partition("/")
    names = {path.partition("/")[0] for path in known}
    if first in names or below and set("[]*?") & set(first) or any(matches(target, path) for path in known):
        return
    below_each = ((f"{folder}/{target}", path) for path in known for folder in list(PurePosixPath(path).parents)[:-1])
    forms = sorted({form for form, path in below_each if matches(form, path)})
    if forms or first in ("", "~", ".", ".."):
        meant = " or ".join(map(repr, forms[:3])) or "it as netsuke consent lists it: 'notes/letters'"
        raise RecipeError(f"{target!r} does not begin with the model's name", hint=f"write {meant}")


def _near(name: str, owners: set[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, owners, 1, 0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def person() -> str:
    """The system's name for the person."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise RecipeError("the system does not say who you are", hint="give a name with --by") from None


def _ledger(*, new: bool = False) -> Ledger:
    from ..consent.ledger import Ledger

    return Ledger.of(open_store().root, must_exist=not new)


def _told(stand: Stand) -> dict[str, Any] | None:
    return stand._asdict() if stand.decision else None
