"""Combining models of this home into one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import RecipeError
from ..terminal import say
from . import AS_JSON, ON, executor, open_store

if TYPE_CHECKING:
    from ..front.combining import Wanted
    from ..outcome import Outcome
    from ..store import Store

METHODS = ("linear", "slerp", "ties", "dare", "task")


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--out", "name", required=True, metavar="NAME", help="What to call the new model.")
@click.option("--method", type=click.Choice(METHODS), default="linear", show_default=True, help="How they are joined.")
@click.option("--weights", metavar="0.7,0.3", help="What each counts, in their order [default: all the same].")
@click.option("--search", is_flag=True, help="Look for the weights on text that the models kept aside.")
@click.option("--mb", type=click.FloatRange(0), default=0.0,
              help="Size in megabytes [default: that of the largest parent; none where one had none].")  # fmt: skip
@click.option("--density", type=float, default=0.5, show_default=True, help="Share of each that ties and dare keep.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what dare drops.")
@click.option("--voices", is_flag=True, help="Also pack each model's adapter, for requests that move it.")
@ON
@AS_JSON
def combine(
    models: tuple[str, ...],
    name: str,
    method: Any,
    weights: str | None,
    search: bool,
    mb: float,
    density: float,
    seed: int,
    voices: bool,
    on: str,
    as_json: bool,
) -> None:
    """Combine MODELS of one body into one. It is weighed, merged, rounded, checked and packed as any other.

    A licence that excludes another's, or a document that may not be used any more, is named and stops it.
    """
    from ..front import combining

    wanted = combining.Wanted(name, models, method, numbers(weights), search, mb, density, seed, voices)
    combining.checked(wanted)
    again(wanted, open_store(), on, as_json)


def numbers(text: str | None) -> tuple[float, ...]:
    """`0.7,0.3` as numbers. Raises RecipeError."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise RecipeError(f"--weights {text}: not numbers", hint="write --weights 0.7,0.3") from None


def again(wanted: Wanted, store: Store, on: str, as_json: bool) -> None:
    """Combine, and tell what came of it."""
    from ..front import combining, show
    from .making import tell

    with show.Watcher() as watcher:

        def show_table(outcome: Outcome) -> None:
            watcher.after(lambda: tell(outcome, store, wanted.name, as_json))

        outcome = combining.make(wanted, store, watcher, tell=show_table, executor=executor(on))
    if not as_json:
        place = combining.place_of(wanted.name, store)
        say(show.next_steps(wanted.name, place, outcome.pack.ref, bool(outcome.task.files)))
