"""Making a model, and what making one would do."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import RecipeError
from ..terminal import say
from . import AS_JSON, ON, executor, open_store, result, tell_pending
from .combining import again

if TYPE_CHECKING:
    from ..front.foretold import Foretold
    from ..nouns import Recipe
    from ..outcome import Outcome
    from ..store import Store


@click.command()
@click.argument("target")
@click.option(
    "--mb",
    type=click.FloatRange(0),
    help="Size of the model in megabytes [default: the recipe's, else at the knee, where smaller gets dear].",
)
@click.option("--minutes", type=click.FloatRange(0.05), help="Minutes of training [default: the recipe's, else 10].")
@click.option(
    "--base",
    help="The base to carve from: a known one, a GGUF file or a Hugging Face folder [default: the recipe's, else "
    "smollm2-135m-instruct].",
)
@click.option("--name", help="What to call the model [default: the recipe's, else the folder's name]; under another "
              "name it has a recipe of its own, NAME.netsuke.toml.")  # fmt: skip
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any setting of the recipe."
)
@click.option("--task", metavar="FILE", help="A table of examples to teach: CSV, TSV, JSON or JSON lines.")
@click.option("--columns", metavar="QUESTION,ANSWER", help="What its columns are called, if not text,label.")
@click.option(
    "--from", "start", metavar="NAME", help="Go on from what a model has learnt, instead of from the base."
)
@click.option("--accept-template", is_flag=True, help="Take the base's chat template although it is not a known one.")
@click.option("--relock", is_flag=True, help="Measure this machine's speed anew.")
@ON
@AS_JSON
def make(
    target: str,
    mb: float | None,
    minutes: float | None,
    base: str | None,
    name: str | None,
    settings: tuple[str, ...],
    task: str | None,
    columns: str | None,
    start: str | None,
    accept_template: bool,
    relock: bool,
    on: str,
    as_json: bool,
) -> None:
    """Make a model of TARGET, most often a folder.

    It may also be a netsuke.toml, the name of a model made before, or a file of many [[make]].

    A folder without a netsuke.toml gets one. What the options say is written into it, and holds at the next make too.
    """
    from .. import bases
    from ..bases import KNOWN
    from ..front import combining, many, targets

    store = open_store()
    dials = any(one is not None for one in (mb, minutes, base, name, *settings, task, columns, start, relock or None))
    tell_pending(store)
    if many.is_many(place := targets.typed(target)):
        return make_many(place, store, dials, on, as_json, accept_template)
    if combined := combining.known(target, store):
        if dials or accept_template:
            raise RecipeError(f"{target} was combined, and has no such dials", hint="use netsuke combine … --out")
        return again(combined, store, on, as_json)
    wanted, path, fresh = targets.find_recipe(target, store, name)
    if base and base not in KNOWN and not bases.named(base, store) and (given := targets.typed(base)).exists():
        base = str(given.absolute())
    wanted = targets.with_task(dataclasses.replace(wanted, base=base or wanted.base), path.parent, task, columns)
    if accept_template:
        bases.accept(wanted, store, path.parent)
    chosen = targets.settings(settings)
    if start:
        chosen["tune.start"] = f'"{targets.adapter_of(start, store, bases.resolve(wanted, store, path.parent).ref)[0]}"'
    wanted = targets.applied(wanted, path, store, {"mb": mb, "minutes": minutes, "name": name}, chosen)
    bases.resolve(wanted, store, path.parent)  # before the recipe is written: it would keep one that is none
    if fresh:
        say(f"recipe: {path}")
    run(wanted, path, store, relock=relock, on=on, as_json=as_json)


def run(
    wanted: Recipe, path: Path, store: Store, *, relock: bool = False, on: str = "local", as_json: bool = False
) -> None:
    """Make what a recipe says and print the table. Raises NetsukeError; GateError where it does not ship."""
    from .. import loop, recipe
    from ..front import foretold, show

    with recipe.written(wanted, path), show.Watcher() as watcher:
        begun = foretold.begun(wanted, path, store, watcher, relock=relock, executor=executor(on))
        foretell(begun)

        def show_table(outcome: Outcome) -> None:
            watcher.after(lambda: tell(outcome, store, wanted.name, as_json))

        outcome = loop.make(wanted, path, store, watcher, pace=begun.pace, tell=show_table, executor=executor(on))
    if not as_json:
        say(show.next_steps(wanted.name, path, outcome.pack.ref, bool(outcome.task.files)))


def make_many(file: Path, store: Store, dials: bool, on: str, as_json: bool, accept_template: bool = False) -> None:
    """Make all models that a file names; one that fails does not stop the others, and decides how this ends."""
    from ..front import many, show

    if dials:
        raise RecipeError("these models have dials of their own", where=str(file), hint="say it in the file")
    wanted = many.read(file, store)
    if accept_template:
        many.accept(wanted, store)
    make_all = many.on_ray if on == "ray" else many.here
    rows = []
    for row in make_all(wanted, store, show.several()):
        rows.append(row)
        say(show.ended(row, len(rows), len(wanted)))
    rows.sort(key=lambda row: [one.name for one in wanted].index(row["name"]))
    result(rows, as_json, lambda: show.many(rows))
    if failed := [row["exit"] for row in rows if row["exit"]]:
        sys.exit(failed[0])


def foretell(begun: Foretold) -> None:
    """Say how long a make will take; nothing where all of it is there."""
    from ..front import show

    there, every = sum(line.cached for line in begun.lines), len(begun.lines)
    if there < every:
        say(
            f"about {show.duration(begun.seconds)} and {begun.bytes / 1e9:.1f} GB of disk while it works; "
            f"{there} of {every} steps are there already"
        )


def tell(outcome: Any, store: Store, name: str, as_json: bool) -> None:
    """Print the before/after table."""
    from ..outcome import gates_of, report_of, scores_of, since_last
    from . import measures

    report, scores = report_of(store, outcome), scores_of(store, outcome)
    trial = [dataclasses.asdict(m) for m in outcome.trial.run.measures]
    value = {
        "name": name,
        "pack": outcome.pack.ref,
        "measures": report["measures"],
        "gates": gates_of(store, outcome),
        "trial": trial,
        "task": scores,
        "since": since_last(store, name, outcome),
    }

    def told() -> str:
        parts = [measures.scores(scores)] if scores["scores"] else []
        parts += [measures.table(report["measures"], trial, value["gates"])]
        return "\n\n".join([*parts, *([measures.since(value["since"])] if value["since"] else [])])

    result(value, as_json, told)


@click.command()
@click.argument("target")
@AS_JSON
def plan(target: str, as_json: bool) -> None:
    """Show what `make TARGET` would run, and why; runs nothing."""
    from .. import recipe
    from ..front import combining, foretold, show, targets

    store = open_store()
    if combined := combining.known(target, store):
        lines = combining.plan(combined, store)
        seconds, size = foretold.estimate(lines, combining.whole(combined, store), store.root, store, None)
    else:
        wanted, path, fresh = targets.find_recipe(target, store)
        lines = foretold.plan(wanted, path, store, first=fresh)
        lock = recipe.load_lock(path.with_suffix(".lock"))
        seconds, size = foretold.estimate(lines, wanted, path.parent, store, lock)
    value = {"steps": [dataclasses.asdict(line) for line in lines], "seconds": round(seconds), "bytes": size}
    result(value, as_json, lambda: show.plan(lines, seconds, size))


@click.command()
@click.argument("target")
@click.argument("step", required=False)
@AS_JSON
def why(target: str, step: str | None, as_json: bool) -> None:
    """Say why each step (or STEP) of TARGET would run again. It names the input or setting that changed."""
    from ..front import combining, foretold, show, targets

    store = open_store()
    if combined := combining.known(target, store):
        planned = combining.plan(combined, store)
    else:
        wanted, path, fresh = targets.find_recipe(target, store)
        planned = foretold.plan(wanted, path, store, first=fresh)
    lines = [line for line in planned if step in (None, line.step) and (step or not line.cached)]
    if step and not lines:
        raise RecipeError(f"no step {step!r} in this plan", hint="netsuke plan shows the steps")
    result([dataclasses.asdict(line) for line in lines], as_json, lambda: show.why(lines))
