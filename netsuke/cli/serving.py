"""Serving models as an API: the server, the keys to it, what they used, and the audit log."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import StoreError
from ..terminal import escaped, say
from . import AS_JSON, open_store, result, tell_pending

if TYPE_CHECKING:
    from ..serve import Address, Several, Shelf
    from ..store import Store

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class Day(click.DateTime):
    """A day, and no code of its form where it is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no day: write YYYY-MM-DD, as 2026-11-25", param, ctx)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--port", default=8177, type=click.IntRange(1, 65535), show_default=True)
@click.option(
    "--context", default=2048, type=click.IntRange(256, 131072), show_default=True, help="Tokens of context."
)
@click.option("--slots", default=1, type=click.IntRange(1, 64), show_default=True, help="Requests side by side.")
@click.option("--memory-mb", type=click.IntRange(1), help="For all models together [default: half of the machine's].")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--hostname", "hostnames", multiple=True, help="A name that others ask by, beside HOST; a port too.")
@click.option("--cert", type=FILE, help="A TLS certificate, PEM.")
@click.option("--key-file", type=FILE, help="Its private key, PEM.")
@click.option("--without-tls", is_flag=True, help="Open to the network although keys and prompts can be read.")
def serve(
    names: tuple[str, ...], port: int, context: int, slots: int, memory_mb: int | None, host: str,
    hostnames: tuple[str, ...], cert: Path | None, key_file: Path | None, without_tls: bool,
) -> None:  # fmt: skip
    """Serve models as an API on 127.0.0.1; Ctrl-C stops everything. NAMEs, or all that are here.

    The first is started at once, others when they are asked for. The APIs of OpenAI, Anthropic and Ollama are answered.
    NAME may also be a folder of `netsuke pack --to html --serve-dir`: then a page in the browser.
    """
    from .. import serve as front
    from ..front import tending

    store = open_store()
    tell_pending(store)
    if len(names) == 1 and not _is_named(names[0], store) and front.is_page(Path(names[0])):
        _refuse_dials("names", "port")
        front.serve_page(Path(names[0]), port=port, on_ready=lambda address: say(f"{address}\nCtrl-C stops it"))
        return
    memory = memory_mb * 1_000_000 if memory_mb else None
    shelf = front.Shelf(_models(names, store), memory_bytes=memory, context_tokens=context, slots=slots)
    address = front.Address(host, port, hostnames, cert, key_file, without_tls)
    key = front.default_key(store.root)
    with tending.tending(store, say):
        front.serve(shelf, address, home=store.root, key=key, on_ready=lambda: _ready(shelf, address, key))


def _refuse_dials(*taken: str) -> None:
    """Raise UsageError for an option that was given and is none of these: a page has no use for it."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.name or ""
        if name not in taken and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[0]} is for models; a page is served on 127.0.0.1 with --port alone")


def _ready(shelf: Shelf, address: Address, key: str) -> None:
    say(f"{', '.join(shelf.models.names())} at {address.url}/v1")
    say(f"key: {key}")
    say("Ctrl-C stops it")


def _is_named(name: str, store: Store) -> bool:
    return name in store.names("packs")


def _models(names: tuple[str, ...], store: Store) -> Several:
    """Where the models of these names lie, in their order; packs in folders are checked now, named ones at their start.

    Raises StoreError where two would be called the same.
    """
    from .. import serve as front

    if not names and not store.names("packs"):
        raise StoreError("there is no model to serve", hint="make one: netsuke make ~/notes")
    found: dict[str, tuple[str, Any]] = {}  # by what a model is called: what was given, and where it lies
    for name in dict.fromkeys(names):
        is_named = _is_named(name, store)
        title = name if is_named else Path(name).resolve().name
        if title in found:
            hint = "serve one of them, or give one folder another name"
            raise StoreError(f"{found[title][0]} and {name} would both be called {title!r}", hint=hint)
        place = front.Shipped(store, [name]) if is_named else front.Folders({title: _pack_folder(name, store)})
        found[title] = name, place
    return front.Several([place for _, place in found.values()] or [front.Shipped(store)])


def _pack_folder(name: str, store: Store) -> Path:
    from ..front import targets  # takes its time, and a named model needs none of it

    return targets.pack_folder(name, store)


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def keys(context: click.Context, as_json: bool) -> None:
    """Print the public key that packs are signed with. Keys for the server: add, list, remove.

    The signing key is made at the first make.
    """
    if context.invoked_subcommand:
        return
    from .. import signing

    own = signing.own_keys(open_store().root)
    value = {"public": str(own.public), "fingerprint": own.fingerprint, "pem": own.public.read_text(encoding="utf-8")}
    result(value, as_json, f"{value['pem']}\nfingerprint {own.fingerprint}\n{own.public}: give this file to others")


@keys.command("add")
@click.option("--name", required=True, help="Whose it is: small letters, digits, dots, hyphens.")
@click.option("--rpm", type=click.IntRange(1, 100_000), help="Requests in any minute [default: no limit].")
@click.option("--tokens-per-day", type=click.IntRange(1, 10**12), help="By UTC days [default: no limit].")
@click.option("--models", help="Which ones, with commas between [default: all].")
@AS_JSON
def add_key(name: str, rpm: int | None, tokens_per_day: int | None, models: str | None, as_json: bool) -> None:
    """Make a key for others to use the server; it is shown this once."""
    from ..serve import keys as book

    store = open_store()
    wanted = [one.strip() for one in (models or "").split(",") if one.strip()]
    if models is not None and not wanted:
        raise click.BadParameter("it names no model; leave it out for all of them", param_hint="--models")
    for model in wanted:
        if model not in store.names("packs"):
            say(f"note: there is no model {model!r} here yet")
    made = book.add(store.root, name, rpm=rpm, tokens_per_day=tokens_per_day, models=wanted)
    result({"name": name, "key": made}, as_json, made)
    if not as_json:
        say(f"the key of {name}: only its hash is kept, so keep it now")


@keys.command("list")
@AS_JSON
def list_keys(as_json: bool) -> None:
    """List the keys that others have."""
    from ..front import show
    from ..serve import keys as book

    rows = [key.row for key in book.named(open_store().root)]
    result({"keys": rows}, as_json,
           lambda: show.grid([_KEYS, *map(_key_cells, rows)], (1, 2, 4)) if rows else _NO_KEYS)  # fmt: skip


_NO_KEYS = "nobody else has a key: netsuke keys add --name NAME makes one"
_KEYS = ("name", "requests/min", "tokens a day", "models", "made")


def _key_cells(row: dict[str, Any]) -> list[str]:
    limits = ["-" if row[name] is None else f"{row[name]:,}" for name in ("rpm", "tokens_per_day")]
    return [row["name"], *limits, "all" if row["models"] is None else ", ".join(row["models"]), row["made"][:10]]


@keys.command("remove")
@click.argument("name")
def remove_key(name: str) -> None:
    """Take a key away, at once; what it used stays on record."""
    from ..serve import keys as book

    book.remove(open_store().root, name)
    say(f"removed {name}")


@click.command()
@click.option("--key", help="Of this key alone.")
@click.option("--since", type=Day(["%Y-%m-%d"]), metavar="DAY", help="From this day on, as 2026-11-25.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the table as CSV.")
@AS_JSON
def usage(key: str | None, since: datetime | None, as_csv: bool, as_json: bool) -> None:
    """Print what each key used of each model on each day (UTC)."""
    from ..front import show
    from ..serve import keys as others
    from ..serve import usage as book

    root = open_store().root
    rows = book.rows(root, key, since.date().isoformat() if since else "")
    if key and not rows and not book.rows(root, key):  # what a key used that was removed stays on record
        others.require(root, key)
    if as_csv and not as_json:
        click.echo(book.as_csv(rows), nl=False)
        return
    cells = [[f"{value:,}" if isinstance(value, int) else value for value in row.values()] for row in rows]
    nothing = "nothing was asked by this key, or since that day" if key or since else _NOT_ASKED
    result({"usage": rows}, as_json, lambda: show.grid([_USED, *cells], (0, *range(3, 8))) if rows else nothing)


_NOT_ASKED = "nothing was asked yet: netsuke serve answers, and counts"
_USED = ("day", "key", "model", "requests", "prompt", "written", "not sure", "failed")


@click.group(invoke_without_command=True)
@click.option("--last", default=20, type=click.IntRange(1, 10**9), show_default=True, help="How many rows.")
@AS_JSON
@click.pass_context
def audit(context: click.Context, last: int, as_json: bool) -> None:
    """Print the audit log of the server. Who asked which route of which model; verify: is it whole?"""
    if context.invoked_subcommand:
        return
    from ..front import show
    from ..serve import audit as book

    root = open_store().root
    rows = [vars(row) for row in book.rows(root, last)]
    titles = ("row", "time (UTC)", "who", "route", "model", "code", "tokens")
    result({"rows": rows, "head": book.head(root)[1]}, as_json,
           lambda: show.grid([titles, *map(_audit_cells, rows)], (0, 1, 5, 6)) if rows else _NOT_ASKED)  # fmt: skip


def _audit_cells(row: dict[str, Any]) -> list[str]:
    moment = f"{datetime.fromisoformat(row['time']):%Y-%m-%d %H:%M:%S}"
    texts = [escaped(text) for text in (row["who"], f"{row['method']} {row['route']}", row["model"])]
    tokens = row["prompt_tokens"] + row["completion_tokens"]
    return [str(row["number"]), moment, *texts, str(row["status"]), f"{tokens:,}" if tokens else ""]


@audit.command("verify")
@AS_JSON
def verify_audit(as_json: bool) -> None:
    """Check the chain of the audit log. It names the first bad row and exits 6."""
    from ..serve import audit as book

    root = open_store().root
    fault = book.verify(root)
    count, head = book.head(root)
    if fault:
        where = f"row {fault.number}" + (f" ({fault.path})" if fault.path else "")
        raise StoreError(f"the audit log was tampered with: {fault.what}", where=where, hint="compare it with a copy")
    result({"rows": count, "head": head}, as_json, f"{count} rows, whole; head\n{head}")
