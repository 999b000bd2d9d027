"""What the material of a model was worth to it, and a sum of money divided by that."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..disk import require_new_file
from ..errors import RecipeError, StoreError
from ..terminal import say
from . import AS_JSON, open_store, result

if TYPE_CHECKING:
    from ..front.worth import Model
    from ..step import Local
    from ..store import Store
    from ..value import By

ASK_SECONDS = 60  # work that is longer is asked for


@click.command()
@click.argument("name")
@click.option("--by", type=click.Choice(["owner", "source"]), default="owner", show_default=True, help="Who is valued.")
@click.option("--split", nargs=2, metavar="SUM CURRENCY", help="Divide a sum by what each was worth: --split 1000 EUR.")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write all of it as a table.")
@click.option("--svg", "svg_file", type=click.Path(path_type=Path), metavar="FILE", help="Write the picture.")
@click.option("--force", is_flag=True, help="Write over a FILE that is there.")
@click.option("--yes", is_flag=True, help="Work for longer than a minute without asking.")
@AS_JSON
def value(
    name: str,
    by: By,
    split: tuple[str, str] | None,
    csv_file: Path | None,
    svg_file: Path | None,
    force: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Say what each owner and each document was worth to model NAME. Or each source (--by); by valid text."""
    from ..value import money, tables

    total = money.parse(*split) if split else None
    for file in filter(None, (csv_file, svg_file)):
        require_new_file(file, force)
    store = open_store()
    content, picture = worked_out(name, by, store, yes, total is not None)
    divided = tables.divided(content, total) if total else None
    if csv_file:
        paid = [row["amount"].replace(",", "") for row in divided["payments"]] if divided else []
        write(csv_file, tables.as_csv(content, paid, divided["currency"] if divided else ""))
    if svg_file:
        write(svg_file, picture)
    shown = {key: item for key, item in content.items() if key != "resampled"}
    result({"name": name, **shown, "split": divided}, as_json, lambda: told(content, divided))


def worked_out(name: str, by: By, store: Store, yes: bool, splits: bool) -> tuple[dict[str, Any], str]:
    """(value.json, the picture), worked out where it is not there. Raises RecipeError where nobody may be asked."""
    from ..front import show, worth
    from ..plan import Plan
    from ..step import Local

    model = worth.find(name, store)
    pace, planner = worth.Pace.of(model), Plan(store)
    with store.lock("gc", exclusive=False), show.Watcher() as watcher:
        local = Local(store, watcher)
        parts, units = worth.divided(model, by, local)
        whole = len(units) == 1 and not divides(model, by, units[0]["name"], local, splits)
        _, seconds = worth.valued(model, by, planner, parts, units, pace)
        permitted(name, worth.expected(planner.lines, seconds), yes, whole)
        made, _ = worth.valued(model, by, local, parts, units, pace)
        content = json.loads(store.path(made["value.json"] or "").read_text(encoding="utf-8"))
        return content, store.path(made["value.svg"] or "").read_text(encoding="utf-8")


def divides(model: Model, by: By, unit: str, execute: Local, splits: bool) -> bool:
    """Say that all is of one owner (or source); whether --by the other divides it. Raises RecipeError for a sum."""
    from ..front import show, worth

    other: By = "source" if by == "owner" else "owner"
    _, others = worth.divided(model, other, execute)
    only, more = f"all of it is of one {by}, {unit}", len(others) > 1
    told = f"{only}: leaving it out leaves nothing. --by {other} tells more" if more else \
        f"{only}, and of one {other}, {others[0]['name']}: there is nothing to divide"  # fmt: skip
    if splits:
        raise RecipeError(f"{only}: there is nothing to divide", where=model.name,
                          hint=f"--by {other}" if more else f"it is of one {other} too")  # fmt: skip
    say("\n".join(show.wrapped([told])))
    return more


def permitted(name: str, seconds: float, yes: bool, whole: bool = False) -> None:
    """Say how long it will take; ask where that is more than a minute. Raises RecipeError where nobody can answer, and
    where all is of one (`whole`): what each document was worth is worked out for who asks for that."""
    from ..front.show import duration

    if seconds < 5:
        return
    say(f"about {duration(seconds)}: an adapter for each, and every combination of them scored on valid")
    if seconds <= ASK_SECONDS or yes:
        return
    if whole:
        what = "what each document was worth would take longer than a minute"
        raise RecipeError(what, where=f"netsuke value {name}", hint="--yes works it out")
    if not sys.stdin.isatty():
        raise RecipeError("it would take longer than a minute", where=f"netsuke value {name}", hint="add --yes")
    if not click.confirm("Go on?", err=True):
        raise click.Abort


def told(content: dict[str, Any], divided: dict[str, Any] | None) -> str:
    """The tables in 80 columns."""
    from ..front.show import grid, wrapped
    from ..value import tables

    parts = [grid(tables.units(content), (1, 2, 3, 5)), "\n".join(wrapped(tables.sentences(content)))]
    for rows, numbers in ((tables.documents(content), (2, 3, 4, 5)), (tables.doubted(content), (2,))):
        if len(rows) > 1:
            parts.append(grid(rows, numbers))
    parts.append("\n".join(wrapped(tables.rights(content))))
    if divided:
        rule = "\n".join(wrapped([f"The rule: {divided['rule']}."]))
        parts.append(f"{grid(tables.payments(divided), (1,))}\n{rule}")
    return "\n\n".join(parts)


def write(file: Path, text: str) -> None:
    """Write a file, and say so. Raises StoreError."""
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        what = f"it could not be written: {error.strerror}"
        raise StoreError(what, where=str(file), hint="name another place") from error
    say(f"written to {file}")
