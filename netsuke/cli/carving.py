"""Carving alone: a smaller file without training, or a look at what each size would cost."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import click

from ..terminal import say
from . import AS_JSON, open_store, result


@click.command()
@click.argument("target")
@click.option(
    "--mb", type=click.FloatRange(0), help="Size of the file in megabytes [default: the recipe's, else at the knee]."
)
@click.option("--frontier", is_flag=True, help="Measure and draw what each size costs, beside stock presets.")
@click.option(
    "--to", "place", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the GGUF, or the picture, here.",
)
@click.option("--force", is_flag=True, help="Write over a FILE that is there.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of the recipe."
)
@AS_JSON
def carve(
    target: str,
    mb: float | None,
    frontier: bool,
    place: Path | None,
    force: bool,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Carve the base for TARGET's documents without training it. Or see what each size would cost (--frontier).

    What the options say holds this once: the recipe stays as it is.
    """
    from .. import loop, recipe
    from ..disk import expanded
    from ..export.place import laid, require_free
    from ..front import show, targets
    from ..step import Local
    from ..tune.pace import Pace

    store = open_store()
    wanted, path, _ = targets.find_recipe(target, store)
    if mb is not None:
        wanted = dataclasses.replace(wanted, mb=mb)
    recipe.check_top(wanted, "the command line")
    wanted = recipe.with_settings(wanted, targets.settings(settings), loop.SECTIONS)
    if place:
        require_free(Path(expanded(place)).absolute(), store.root, 0, force)
    with store.lock("gc", exclusive=False), show.Watcher() as watcher:
        local = Local(store, watcher)
        pace = Pace(path.with_suffix(".lock"), store, say)
        if frontier:
            made = loop.frontier(wanted, path, store, local, pace)
            file = made["frontier.svg"]
        else:
            carved, made = loop.untuned(wanted, path, store, local, pace)
            file = made["model.gguf"]
        if place:
            with laid(place, home=store.root, needed_bytes=0, force=force) as out:
                shutil.copyfile(store.path(file or ""), out)
    if frontier:
        rows = json.loads(store.path(made["frontier.json"] or "").read_text(encoding="utf-8"))
        result(rows, as_json, lambda: show.frontier(rows))
    else:
        choice = json.loads(store.path(carved["choice.json"] or "").read_text(encoding="utf-8"))
        result(choice, as_json, lambda: show.carved(choice, int(made.value("size"))))
    if place:
        say(f"written to {place}")
    elif frontier:
        say("--to FILE.svg writes the picture; `netsuke make --mb N` makes a model of that size")
