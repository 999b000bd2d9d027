"""Looking at the data alone: what a model of a folder would learn from, and why the rest is left out."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..disk import expanded
from ..errors import StoreError
from ..terminal import say
from . import AS_JSON, ON, executor, open_store, result

DATASET = ("croissant.json", "summary.json")  # which tell one that was written before from a person's own files


@click.command()
@click.argument("target")
@click.option("--drops", metavar="RULE", help='List what this rule left out ("all": every one), a line each.')
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="Write the dataset and its Croissant card here: a folder that is new, empty or of an earlier dataset.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write into a folder with other files, over what is called the same there.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of the recipe, this once."
)
@ON
@AS_JSON
def curate(
    target: str, drops: str | None, folder: Path | None, force: bool, settings: tuple[str, ...], on: str, as_json: bool
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
    if folder:
        folder = expanded(folder)
        require_place(folder, force)
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


def require_place(folder: Path, force: bool) -> None:
    """Raise StoreError where a folder holds something else than a dataset of before, unless `force`."""
    if force or not folder.exists() or not any(folder.iterdir()):
        return
    if not all((folder / name).is_file() for name in DATASET):
        hint = "name a new one, or --force writes over what is called the same there"
        raise StoreError("this folder is not empty, and no dataset of before", where=str(folder), hint=hint)
