"""Bases: which are known, and the one download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..terminal import say
from . import AS_JSON, open_store, result

if TYPE_CHECKING:
    from ..store import Store


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def bases(context: click.Context, as_json: bool) -> None:
    """List the known bases: size, licence, and whether each is here."""
    if context.invoked_subcommand:
        return
    from ..bases import KNOWN
    from ..front import show

    store = open_store()
    rows = [
        {
            "name": b.name,
            "title": b.title,
            "licence": b.licence,
            "bytes": b.bytes,
            "here": _is_here(b.name, store),
        }
        for b in KNOWN.values()
    ]
    for name in sorted({*store.names("bases")} - {*KNOWN}):
        record = store.named("bases", name) or {}
        here = _is_here(name, store)
        size = store.size(record["ref"]) if here else 0
        rows.append({"name": name, "title": record["name"], "licence": record["licence"], "bytes": size, "here": here})
    result(rows, as_json, lambda: show.bases(rows))


def _is_here(name: str, store: Store) -> bool:
    """Whether a base has a name here, and what that points at is in the store."""
    record = store.named("bases", name)
    return record is not None and store.has(record["ref"])


@bases.command("fetch")
@click.argument("name")
@click.option("--accept-terms", is_flag=True, help="Accept the base's own terms of use, where it has any.")
@AS_JSON
def fetch_base(name: str, accept_terms: bool, as_json: bool) -> None:
    """Download a base. The only verb that uses the network."""
    from ..bases import find
    from ..bases.fetch import fetch
    from ..front import show

    base, store = find(name), open_store()
    record = store.named("bases", name)
    if record and _is_here(name, store):
        ref = record["ref"]
        say(f"{name} is here already")
    else:
        with show.Bar(f"fetching {base.title} ({base.licence})") as bar:
            ref = fetch(base, store, bar, accept_terms)
    result({"name": name, "ref": ref, "bytes": base.bytes, "licence": base.licence}, as_json, f"{name} {ref}")


@bases.command("add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it [default: the file's name].")
@click.option("--licence", default="unknown", show_default=True, help="Its licence, as an SPDX expression.")
@click.option("--accept-template", is_flag=True, help="Take its chat template although it is not a known one.")
@AS_JSON
def add_base(file: Path, name: str | None, licence: str, accept_template: bool, as_json: bool) -> None:
    """Take a GGUF FILE of yours as a base. It is read strictly first, and its chat template is looked at."""
    from ..bases import outside
    from ..front import targets

    called, place = name or targets.model_name(file.stem), targets.typed(str(file))
    ref = outside.add(place, called, licence, open_store(), accept_template)
    result({"name": called, "ref": ref, "licence": licence}, as_json, f"{called} {ref}")
