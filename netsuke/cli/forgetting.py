"""Forgetting: what rests on a document, a path, an owner or a source; and taking it back from every pack."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..disk import require_folder_of
from ..errors import ConsentError, RecipeError, StoreError
from ..forget import pending
from ..terminal import clean, count, printable, say
from . import AS_JSON, open_store, result, rows
from .consent import person

if TYPE_CHECKING:
    from ..consent.ledger import Row
    from ..forget.journal import Journal
    from ..forget.rests import Rests
    from ..store import Store

MOST = 12  # documents that are listed


@click.command()
@click.option("--document", metavar="HASH", help="A file by its sha256, wherever it lies; 8 digits will do.")
@click.option("--path", metavar="GLOB", help="What lies there, the model's name first: 'notes/letters'.")
@click.option("--owner", metavar="NAME", help="All that is this owner's.")
@click.option("--source", metavar="NAME:N", help="A source of a model's recipe, by its number from 0.")
@click.option("--reason", default="", metavar="TEXT", help="Why, in a sentence; the signed receipt shows it to others.")
@click.option("--by", metavar="WHO", help="Who decides [default: the name you are logged in with].")
@click.option("--dry-run", is_flag=True, help="Only show what rests on it; alone, what is pending.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--prove", metavar="[RECEIPT]", is_flag=False, flag_value="-",
              help="Make each pack in a fresh home that never saw it, and compare; of a RECEIPT, later.")
@click.option("--receipts", is_flag=True, help="List what was forgotten.")
@click.option("--revocations", metavar="FILE", type=click.Path(path_type=Path),
              help="Write the withdrawn packs of all receipts as one signed file.")
@AS_JSON
def forget(
    reason: str, by: str | None, dry_run: bool, yes: bool, prove: str | None, receipts: bool, revocations: Path | None,
    as_json: bool, **asked: str | None,
) -> None:  # fmt: skip
    """Forget documents: in every pack, and all that was made of them. On the disk too.

    Packs that hold them are made again without them; the others stay as they are. Your own files are not touched, and
    are skipped from now on. Without options: finish what is pending.

    \b
    netsuke forget --owner "Ann Smith" --reason "she asked us to" --prove
    """
    given = {kind: value for kind, value in asked.items() if value is not None}
    if len(given) > 1:
        raise click.UsageError("give one of --document, --path, --owner and --source")
    if (receipts or revocations) and (given or prove or receipts and revocations):
        raise click.UsageError("--receipts and --revocations are about all that was forgotten: give one, and alone")
    if given and prove not in (None, "-"):
        raise click.UsageError("--prove RECEIPT is about what was forgotten before: here give --prove without one")
    if dry_run and (revocations or prove not in (None, "-")):
        raise click.UsageError("--dry-run writes nothing: give it without --revocations and a RECEIPT to prove")
    store = open_store()
    if given:
        return _forget(*next(iter(given.items())), (reason, by, dry_run, yes, bool(prove)), store, as_json)
    if receipts:
        return _list(store, as_json)
    if dry_run:
        return _waiting(store, as_json)
    if (revocations or prove not in (None, "-")) and pending(store.root):
        run_pending(store)
    if revocations:
        return _revoke(store, revocations, as_json)
    if prove and prove != "-":
        from ..forget import receipt

        return _ended([_with_proof(receipt.find(store, prove), store)], store, as_json)
    _finish(store, bool(prove), as_json)


def _forget(
    kind: str, value: str, settings: tuple[str, str | None, bool, bool, bool], store: Store, as_json: bool
) -> None:
    from ..forget import journal as journals
    from ..forget.rests import rests
    from ..forget.scope import wanted

    reason, by, dry_run, yes, prove = settings
    if kind == "document":
        value = _document(store, value)
    if pending(store.root) and not dry_run:
        run_pending(store)
    found = rests(wanted(kind, value, store), store)
    if old := _already(found, store):
        return _done_before(old, prove and not dry_run, store, as_json)
    if dry_run:
        return result(found.as_json() | {"dry_run": True}, as_json, lambda: told(found))
    if not as_json:
        say(told(found))
    if not yes:
        if not sys.stdin.isatty():
            raise RecipeError("forgetting cannot be taken back, and nobody can be asked here", hint="add --yes")
        click.confirm("Forget all of this? It cannot be taken back", abort=True, err=True)
    journal = journals.begun(kind, found.wanted.targets, printable(reason), by or person(), prove)
    _run(journal, store, as_json)


def _document(store: Store, prefix: str) -> str:
    from ..consent.ledger import Ledger

    return rows.document_hash(Ledger.of(store.root), prefix) if Ledger.is_in(store.root) else prefix


def _already(found: Rests, store: Store) -> list[Row]:
    """The rows by which all of it is forgotten already, if nothing that rests on it is here; else none."""
    from ..consent.ledger import Ledger

    standing = Ledger.of(store.root).standing().forgotten
    known = [standing.find(target.scope, target.value) for target in found.wanted.targets]
    if found.packs or found.earlier or found.copies or not all(known):
        return []
    return [row for row in known if row]


def _done_before(rows: list[Row], prove: bool, store: Store, as_json: bool) -> None:
    """Say since when; prove it where that is asked. Raises where a file in which it was found is still there."""
    from ..forget import receipt

    numbers, newest = {row.number for row in rows}, max(rows, key=lambda row: row.number)
    known = [one for one in receipt.every(store) if numbers & {row["number"] for row in one["ledger"]["rows"]}]
    if prove:
        made = [one["id"] for one in known if any("after" in pack for pack in one["packs"])]
        if not made:
            hint = "netsuke forget --receipts"
            raise StoreError("no pack was made again for it: there is none to compare", hint=hint)
        return _ended([_with_proof(receipt.find(store, made[-1]), store)], store, as_json)
    left = _left(known, store)
    value = {"done": newest.time, "row": newest.number, "found": left}
    now = "a file in which it was found is still there" if left else "nothing here rests on it"
    result(value, as_json, f"forgotten since {newest.time[:10]} (row {newest.number} of the ledger); {now}")
    _raise_left(left)


# -- running ---------------------------------------------------------------------------------------------
def _run(journal: Journal, store: Store, as_json: bool) -> None:
    from ..forget import run
    from ..front import show

    with show.Watcher() as watcher:
        content = run.forget(journal, store, watcher)
    _ended([_with_proof(content, store)] if journal.prove else [content], store, as_json)


def _finish(store: Store, prove: bool, as_json: bool) -> None:
    if not (done := _finished(store, prove)):
        return result([], as_json, "nothing is pending")
    _ended(done, store, as_json)


def _waiting(store: Store, as_json: bool) -> None:
    """What is pending, and nothing is done about it."""
    from ..forget import journal as journals

    found = [journals.read(store.root, made) for made in pending(store.root)]
    told = [
        clean(f"{one.id}: {', '.join(f'{target.scope} {target.value}' for target in one.targets)}; "
                   f"asked by {one.by} on {one.when[:10]}, packs: {', '.join(one.names) or 'none yet'}")
        for one in found
    ]  # fmt: skip
    value = [{"id": one.id, "targets": [asdict(target) for target in one.targets], "asked": one.when, "by": one.by,
              "packs": one.names} for one in found]  # fmt: skip
    result(value, as_json, "\n".join([*told, "netsuke forget finishes it"]) if told else "nothing is pending")


def run_pending(store: Store) -> None:
    """Finish what is pending before anything else is begun; its receipts are told on stderr."""
    say("\n\n".join(map(receipt_told, _finished(store))))


def _finished(store: Store, prove: bool = False) -> list[dict[str, Any]]:
    """What the receipts say of what was pending, each proved if that was asked for then, or is now."""
    from ..forget import journal as journals
    from ..forget import run
    from ..front import show

    wanted = {made for made in pending(store.root) if prove or journals.read(store.root, made).prove}
    with show.Watcher() as watcher:
        done = run.finish(store, watcher)
    return [_with_proof(one, store) if one["id"] in wanted else one for one in done]


def _with_proof(content: dict[str, Any], store: Store) -> dict[str, Any]:
    from ..forget.prove import prove
    from ..front import show

    if not any("after" in pack for pack in content["packs"]):
        say("no pack was made again: there is nothing to prove by bytes")
        return content
    with show.Watcher() as watcher:
        return prove(content, store, watcher)


def _left(contents: list[dict[str, Any]], store: Store) -> list[str]:
    """The files in which something was found, by these receipts, and that are still there."""
    found = dict.fromkeys(place for content in contents for place in content["searched"]["found"])
    return [place for place in found if (store.root / place).exists()]


def _raise_left(left: list[str]) -> None:
    if left:
        hint = "look at these files and delete them, then ask for the same again"
        raise StoreError(f"something of it still stands in {', '.join(left[:3])}", hint=hint)


def _ended(contents: list[dict[str, Any]], store: Store, as_json: bool) -> None:
    """Say what came of it. Raises where something was left, or a proof does not hold."""
    result(contents, as_json, lambda: "\n\n".join(map(receipt_told, contents)))
    _raise_left(_left(contents, store))
    if wrong := [row for content in contents for row in content["proof"] if not row["equal"]]:
        hint = "make it again with the same lock; the receipt names the files"
        what = f"the proof fails: {wrong[0]['name']} differs in {', '.join(wrong[0]['differs'])}"
        raise ConsentError(what, hint=hint)


def _list(store: Store, as_json: bool) -> None:
    from ..forget import receipt

    found = list(receipt.every(store))
    result(found, as_json, lambda: "\n\n".join(map(receipt_told, found)) or "nothing was forgotten")


def _revoke(store: Store, place: Path, as_json: bool) -> None:
    from ..forget import receipt

    require_folder_of(place)
    data = receipt.revocations(store)
    try:
        with place.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise StoreError("this is there already", where=str(place), hint="name another place") from None
    said = f"wrote {place}: netsuke verify PACK --revoked {shlex.quote(str(place))} --key PUB"
    result({"file": str(place)}, as_json, said)


# -- in words --------------------------------------------------------------------------------------------
def told(found: Rests) -> str:
    """What rests on it, for a person."""
    from ..front import show

    places = sum(len(document.places) for document in found.documents)
    where = f" in {count(places, 'place')}" if places > len(found.documents) else ""
    lines = [f"{count(len(found.documents), 'document')}{where} to forget:"]
    for document in found.documents[:MOST]:
        packs = count(len(document.packs), "pack")
        for path, owner in document.places[:3]:
            lines.append(clean(f"  {document.hash[:12]}  {path}, of {owner}; in {packs}"))
        lines += [clean(f"    a copy stays: {place}, of {whose}") for place, whose in document.staying[:3]]
    if len(found.documents) > MOST:
        lines.append(f"  … and {len(found.documents) - MOST:,} more (--json lists all)")
    if found.unread:
        lines.append(f"  and {count(found.unread, 'file')} listed and never read")
    for pack in found.packs:
        if not (pack.left or pack.combined):
            lines.append(f"{pack.name} is withdrawn: nothing is left to make it of")
            continue
        where = ", ".join(f"{count} {split}" for split, count in sorted(pack.splits.items()))
        lines += [f"{pack.name} is made again ({where or 'by what it was made of'}), "
                  f"in {show.duration(pack.seconds)} or less"]  # fmt: skip
        lines += [f"  rests on it: {', '.join(pack.parts)}"] if pack.parts else []
        lines += [f"  the last of {part}: another is held out in its place, if enough are left, and it is tuned anew"
                  for part in pack.emptied]  # fmt: skip
        if pack.returning:
            copies = ", ".join(pack.returning[:3]) + (" …" if len(pack.returning) > 3 else "")
            lines.append(clean(f"  comes back, since the forgotten one stood for it: {copies}"))
    lines += [f"{count(len(found.earlier), 'earlier pack')} deleted"] if found.earlier else []
    lines += [f"the base {name} is withdrawn: it was made of this" for name in found.bases]
    lines += [f"{count(len(found.copies), 'file')} in the home deleted: dropped in the studio, or corrections"] \
        if found.copies else []  # fmt: skip
    lines.append("your own files stay where they are and are skipped from now on;")
    lines.append("what was exported or handed out is not known here: the receipt names it by digest")
    return "\n".join(show.wrapped(lines))


def receipt_told(content: dict[str, Any]) -> str:
    """A receipt, for a person."""
    from ..front import show

    about = f" ({'; '.join(content['about'])})" if content.get("about") else ""
    lines = [clean(f"{content['id']}: {count(len(content['documents']), 'document')} forgotten{about}")]
    if content["reason"]:
        lines.append(clean(f"  {content['by']}: {content['reason']}"))
    for pack in content["packs"]:
        why = content.get("why", {}).get(pack["name"]) or pack.get("withdrawn")
        became = f"is {pack['after'][:12]} now" if "after" in pack else f"withdrawn: {why}"
        lines.append(clean(f"  {pack['name']}: {pack['before'][:12]} {became}"))
    gone, searched = content["deleted"], content["searched"]
    took = show.duration(content["seconds"])
    lines.append(f"  {gone['files']:,} files deleted, {gone['bytes'] / 1e6:,.1f} MB; {took}")
    where = f"found in {', '.join(searched['found'])}" if searched["found"] else "nothing found"
    lines.append(f"  searched for {searched['pieces']} pieces of text and {searched['hashes']} hashes: {where}")
    for row in content["proof"]:
        holds = "the same bytes as" if row["equal"] else f"differs in {', '.join(row['differs'])} from"
        lines.append(f"  proof: {row['name']} {row['here'][:12]} is {holds} a build that never saw it")
    return "\n".join(show.wrapped(lines))
