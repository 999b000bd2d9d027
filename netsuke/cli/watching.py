"""Watching a model that is served, and training it again."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ..terminal import escaped, say
from . import AS_JSON, open_store, result

if TYPE_CHECKING:
    from ..consent.corrections import Correction
    from ..front.watching import State
    from ..traffic import Numbers

NOT_DUE = 10  # how `--retrain` ends where the rule does not hold
DAYS = 14


@click.command()
@click.argument("name")
@click.option("--corrections", "listed", is_flag=True, help="List the corrections, newest first.")
@click.option("--forget", metavar="ID", help="Delete the correction whose id begins so.")
@click.option("--retrain", is_flag=True, help=f"Train it again if [watch] retrain_when says so, else exit {NOT_DUE}.")
@click.option("--now", is_flag=True, help="As --retrain, whatever the rule says.")
@AS_JSON
def watch(name: str, listed: bool, forget: str | None, retrain: bool, now: bool, as_json: bool) -> None:
    """Show what a model was asked and how it did. Requests, seconds, thumbs, drift, and whether to train it again."""
    from ..front import watching

    store = open_store()
    state = watching.state(name, store)
    if forget is not None:
        _forget(state, forget)
    elif listed:
        new = {one.id for one in state.new}
        result({"name": name, "corrections": [_row(one, one.id in new) for one in state.corrections]}, as_json,
               lambda: _corrections(state))  # fmt: skip
    elif retrain or now:
        _retrain(state, now, as_json)
    else:
        result(told(state), as_json, lambda: shown(state))


def told(state: State) -> dict[str, Any]:
    """All of it as plain values."""
    from ..front.watching import DAY, HOUR

    why, wrong = state.judged()
    return {
        "name": state.name, "since": _when(state.since),
        "hour": asdict(state.last(HOUR)), "day": asdict(state.last(DAY)),
        "days": [{"day": day, **asdict(row)} for day, row in state.days],
        "suggestions": {what: {"hour": asdict(hour), "day": asdict(day)} for what, hour, day in state.suggestions},
        "thumbs": {"up": state.up, "down": state.down},
        "corrections": {"there": len(state.corrections), "new": len(state.new)},
        "drift": asdict(state.drift) | {"documents": state.has_documents},
        "unlike": asdict(unlike) if (unlike := state.unlike()) else None,
        "retrain_when": state.rule, "due": why, "wrong": str(wrong) if wrong else None,
    }  # fmt: skip


def shown(state: State) -> str:
    """The same as a table and a few sentences."""
    from ..front import show
    from ..front.watching import DAY, HOUR

    titles = ["", "requests", "median", "p95", "first", "p95", "tokens", "not sure", "failed"]
    rows = [["last hour", *_cells(state.last(HOUR))], ["last day", *_cells(state.last(DAY))]]
    rows += [[day, *_cells(row)] for day, row in state.days[-DAYS:]]
    lines = [show.grid([titles, *rows], range(1, 9)), "", "seconds: to the end of an answer; first: of a stream"]
    return "\n".join([*lines, "", *sentences(state)])


def sentences(state: State) -> list[str]:
    """What thumbs, corrections, prompts and the rule come to."""
    from .. import watch

    since = _when(state.since)[:10]
    drift = state.drift
    found = [
        f"suggestions in the editor, last day: {day.requests:,} × {what},\n  median {_seconds(day.median)}"
        f", p95 {_seconds(day.p95)}; {day.failed:,} given up"
        for what, _, day in state.suggestions
    ]
    found += [
        f"thumbs since {since}: {state.up} up, {state.down} down",
        f"corrections: {len(state.corrections)}, {len(state.new)} of them new",
    ]
    if not state.has_documents:
        found.append("drift: this pack holds no documents, so it is not known")
    elif drift.p is None:
        found.append(f"drift: not enough yet, it needs {drift.missing} prompts more")
    else:
        found.append(f"drift: documents knew {drift.first:.0%} of a prompt's words at first, {drift.last:.0%} at last,")
        found.append(f"  medians of {watch.BLOCK}; p = {drift.p:.4f}: how often chance alone would look so")
    if unlike := state.unlike():
        found.append(f"prompts beside documents: {unlike.prompt:.0%} of a prompt's words are known, and")
        found.append(f"  {unlike.piece:.0%} of those of as long a piece of a document, by the other documents")
    rule = state.rule or "never"
    why, wrong = state.judged()
    if wrong:
        said = f"train again when: never, until this is mended: {wrong}; {wrong.hint}"
        return [*found, *textwrap.wrap(said, 80, subsequent_indent="  ")]
    return [*found, f"train again when: {rule}" + (f"; due: {'; '.join(why)}" if why else "; not due")]


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f} s"


def _cells(row: Numbers) -> list[str]:
    seconds = ["" if one is None else f"{one:.2f}" for one in (row.median, row.p95, row.first_median, row.first_p95)]
    rest = [row.prompt_tokens + row.completion_tokens, row.abstained, row.failed]
    return [f"{row.requests:,}", *seconds, *(f"{one:,}" for one in rest)]


def _row(one: Correction, new: bool) -> dict[str, Any]:
    return {"id": one.id, "owner": one.owner, "when": _when(one.time), "prompt": one.prompt, "answer": one.answer,
            "new": new}  # fmt: skip


def _corrections(state: State) -> str:
    from ..front import show

    if not state.corrections:
        return "no corrections yet: /v1/feedback and the pages of `netsuke open` take them (docs/watch.md)"
    rows = [["id", "owner", "given", "what was asked", "what is better"]]
    for one in sorted(state.corrections, key=lambda one: (-one.time, one.id)):
        texts = [show.shortened(escaped(text), 22) for text in (one.prompt, one.answer)]
        rows.append([one.id[:10], show.shortened(one.owner, 10), _when(one.time)[:10], *texts])
    return show.grid(rows)


def _forget(state: State, begins: str) -> None:
    from ..consent import corrections
    from ..errors import StoreError

    gone = corrections.drop(state.store.root, model=state.name, id=begins)
    if not gone:
        hint = f"netsuke watch {state.name} --corrections lists them; eight digits or more say which"
        raise StoreError(f"no correction {begins!r}", hint=hint)
    say(f"deleted {len(gone)}; it goes out of the model at the next training")


def _when(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def _retrain(state: State, now: bool, as_json: bool) -> None:
    """Train it again in this process, as `netsuke make` does, if its rule says so or `now` does."""
    from ..front import targets, watching
    from . import making

    why = state.reasons()
    if not why and not now:
        result({"name": state.name, "due": [], "retrain_when": state.rule}, as_json,
               f"{state.name} is not due: {state.rule or 'its recipe has no [watch] retrain_when'}")  # fmt: skip
        sys.exit(NOT_DUE)
    say(f"training {state.name} again: {'; '.join(why) or 'you said so'}")
    wanted, path, _ = targets.find_recipe(state.name, state.store)
    with watching.alone(state.name, state.store):
        wanted = watching.with_corrections(wanted, state.store)
        watching.mark(state.name, state.store)
        making.run(wanted, path, state.store, as_json=as_json)
