"""Looking at the data alone: what a model of a folder would learn from, and why the rest is left out."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..terminal import say
from . import AS_JSON, ON, executor, open_store, result


@click.command()
@click.argument("target")
@click.option("--drops", metavar="RULE", help='List what this rule left out ("all": every one), a line each.')
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Write the dataset and its Croissant card here."
)
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of the recipe, this once."
)
@ON
@AS_JSON
def curate(
    target: str, drops: str | None, folder: Path | None, settings: tuple[str, ...], on: str, as_json: bool
) -> None:
    """Read, clean and split TARGET's documents; makes no model. It says what was left out and why."""
    from .. import loop, recipe
    from ..curate.enough import NOTHING
    from ..front import show, targets
    from ..outcome import export, summary_of
    from ..texts.documents import read_rows

    store = open_store()
    wanted, path, fresh = targets.find_recipe(target, store)
    wanted = recipe.with_settings(wanted, targets.settings(settings), loop.SECTIONS)
    with store.lock("gc", exclusive=False), show.Watcher() as watcher:
        data = loop.documents(wanted, path, store, executor(on)(store, watcher))
        loop.record(wanted, store, data)
        summary = summary_of(store, data)
        place = store.path(data.ref or "")
        left_out = list(read_rows(place / "drops.jsonl"))
        if folder:
            export(wanted.name, data, store, folder)
            say(
                f"written to {folder}: train, valid, test, examples, documents, drops, summary, croissant.json"
            )
    if drops:
        found = [row for row in left_out if drops in ("all", row["rule"], row["rule"].partition(":")[0])]
        rules = ", ".join(sorted({row["rule"] for row in left_out}))
        none = f"nothing was left out by {drops}; what was, by: {rules}" if rules else "nothing was left out"
        result(found, as_json, lambda: show.drops(found) or "\n".join(show.wrapped([none])))
    else:
        result(
            summary | {"name": wanted.name, "dataset": data.ref},
            as_json,
            lambda: show.data(wanted.name, summary),
        )
    if not as_json and not summary["files"]:
        say(f"\nthere is no file to read: {NOTHING}")
    if not as_json and not drops and fresh and any(part["documents"] for part in summary["splits"].values()):
        say(f"\nnetsuke make {shlex.quote(target)} makes a model of it")
