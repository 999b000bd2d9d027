"""Bases: which are known, and the one download."""

from __future__ import annotations

import click

from ..terminal import say
from . import AS_JSON, open_store, result


@click.group(invoke_without_command=True)
@AS_JSON
@click.pass_context
def bases(context: click.Context, as_json: bool) -> None:
    """List the bases that are known: size, licence, and whether each is here."""
    if context.invoked_subcommand:
        return
    from .. import show
    from ..bases import KNOWN

    store = open_store()
    rows = [
        {
            "name": b.name,
            "title": b.title,
            "licence": b.licence,
            "bytes": b.bytes,
            "here": store.named("bases", b.name) is not None,
        }
        for b in KNOWN.values()
    ]
    result(rows, as_json, lambda: show.bases(rows))


@bases.command("fetch")
@click.argument("name")
@click.option("--accept-terms", is_flag=True, help="Accept the base's own terms of use, where it has any.")
@AS_JSON
def fetch_base(name: str, accept_terms: bool, as_json: bool) -> None:
    """Download a base. The only verb that uses the network."""
    from .. import show
    from ..bases import find
    from ..bases.fetch import fetch

    base, store = find(name), open_store()
    record = store.named("bases", name)
    if record and store.has(record["ref"]):
        ref = record["ref"]
        say(f"{name} is here already")
    else:
        with show.Bar(f"fetching {base.title} ({base.licence})") as bar:
            ref = fetch(base, store, bar, accept_terms)
    result({"name": name, "ref": ref, "bytes": base.bytes, "licence": base.licence}, as_json, f"{name} {ref}")
