"""The first page: the models that are here, and the way to a new one; a make's own page while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from .. import bases, recipe
from ..errors import NetsukeError, RecipeError
from ..front import foretold, targets
from ..nouns import Recipe
from ..serve.refused import Refused
from ..store import Store
from . import dials, drawing, forms, model, shelf, uploads
from .makes import Make, state_of
from .rendering import event

if TYPE_CHECKING:
    from .app import House

LOOK_SECONDS = 0.7  # between two looks at a make that runs
TITLES = {
    "read": "Read the documents", "curate": "Choose what to learn from", "unpack": "Open the base",
    "render": "Write it as the model reads it", "carve": "Carve", "pace": "Measure this machine", "tune": "Teach it",
    "combine": "Join what was learnt", "quantise": "Write one file", "answer": "Settle how it is asked",
    "examine": "Examine its task", "check": "Compare with the base", "recall": "Ask the material back",
    "calibrate": "Measure how sure it is", "probe base": "Probe the base", "probe ours": "Probe yours",
    "judge": "Judge the answers", "show": "Write samples", "trial": "Try it in stock llama.cpp", "pack": "Pack it",
    "index": "Make it searchable",
}  # fmt: skip


async def home(house: House, request: Request) -> Response:
    return await _shown(house, request, request.query_params)


async def _shown(
    house: House, request: Request, given: Mapping[str, str], status: int = 200, refused: tuple[str, str] | None = None
) -> Response:
    """The page with what was given in its form; `refused`: what is wrong with that, and what to do."""
    models, wrong = await asyncio.to_thread(shelf.every, house.store)
    makes = [(make, make.job, make.alive) for make in list(house.makes.every())[:4]]
    known = [name for name in house.store.names("bases") if name in bases.KNOWN]
    given = {"target": "", "name": "", **given}
    found = await asyncio.to_thread(dials.of, given, house.store)
    return house.pages.page(
        request, "home.html", status, models=models, wrong=wrong, makes=makes, tab="home", bases=known, dials=found,
        given=given, refused=refused,
    )  # fmt: skip


async def estimate(house: House, request: Request) -> Response:
    """What a make would take, as `netsuke make` says it before it starts."""
    asked = request.query_params
    if not asked.get("target", "").strip():
        return house.pages.page(request, "estimate.html", told=None)
    job = _job(dict(asked))
    told = await asyncio.to_thread(foresee, job, house.store)
    return house.pages.page(request, "estimate.html", told=told)


def foresee(job: dict[str, Any], store: Store) -> dict[str, Any]:
    """{"seconds", "bytes", "steps", "there"} of a make, nothing run and nothing written. Raises NetsukeError."""
    wanted, path = _recipe(job, store)
    try:
        lines = foretold.plan(wanted, path, store)
    except ModuleNotFoundError as error:  # serving alone is installed
        hint = "pip install 'netsuke[make]'"
        raise RecipeError(f"what makes a model is not installed: {error.name}", hint=hint) from None
    lock = recipe.load_lock(path.with_suffix(".lock"))
    seconds, size = foretold.estimate(lines, wanted, path.parent, store, lock)
    there = sum(line.cached for line in lines)
    return {"seconds": seconds, "bytes": size, "steps": len(lines), "there": there, "name": wanted.name}


def _recipe(job: dict[str, Any], store: Store) -> tuple[Recipe, Path]:
    wanted, path, _ = targets.find_recipe(job["target"], store, job["name"])
    given = {name: job[name] for name in ("mb", "minutes", "name")}
    return targets.applied(wanted, path, store, given, {}), path


async def make(house: House, request: Request) -> Response:
    """Start a make and go to its page. What is wrong with it is said before anything starts, with the form again."""
    given = await forms.form(request)
    try:
        job = _job(given)
        if not job["target"]:
            raise RecipeError("no folder was chosen", hint="drop files on the page, or type the path of a folder")
        await asyncio.to_thread(foresee, job, house.store)
        started = await asyncio.to_thread(house.makes.start, job)
    except (Refused, NetsukeError) as error:
        return await _shown(house, request, given, 400, forms.wrong(error))
    return RedirectResponse(f"/makes/{started.id}", 303)


def _job(given: dict[str, str]) -> dict[str, Any]:
    target, name = given.get("target", "").strip(), given.get("name", "").strip()
    return {
        "target": target, "shown": name or Path(target).name or target, "name": name or None,
        "mb": forms.number(given.get("mb", ""), 0, 100_000, "mb"),
        "minutes": forms.number(given.get("minutes", ""), 0.05, 10_000, "minutes"),
    }  # fmt: skip


async def make_page(house: House, request: Request) -> Response:
    found = house.makes.find(request.path_params["id"])
    return house.pages.page(request, "make.html", make=found, job=found.job, tab="home", **shown(house, found))


def shown(house: House, make: Make) -> dict[str, Any]:
    """What the page of a make shows of it just now."""
    state = state_of(make, make.events()[0])
    lines = [drawing.Line("loss on what it learns", [(n, loss) for n, loss, _ in state["points"]], "soft")]
    valid: list[tuple[float, float]] = []
    for count, _, value in state["points"]:
        if not valid or valid[-1][1] != value:
            valid.append((count, value))
    state["losses"] = drawing.chart("loss while it learns", "tokens learnt from", "loss", lines)
    state["valid"] = drawing.chart(
        "bits per byte while it learns", "tokens learnt from", "bits per byte on text kept aside",
        [drawing.Line("valid", valid)],
    )  # fmt: skip
    ended = state.get("end", {}).get("kind")
    named = ended == "done" and house.store.named("packs", state["end"]["name"]) is not None
    left = max(0.0, state["foretold"] - state["seconds"])
    rows = [model.row(row) for row in state["checked"]["measures"]] if state["checked"] and ended == "failed" else []
    return {"state": state, "titles": TITLES, "ended": ended, "left": left, "named": named, "rows": rows,
            "again": again(make.job)}  # fmt: skip


def again(job: Mapping[str, Any]) -> str:
    """The address of the first page with what a job asked for."""
    asked = {name: job.get(name) for name in ("target", "mb", "minutes", "name")}
    return "/?" + urlencode({name: value for name, value in asked.items() if value is not None})


async def make_events(house: House, request: Request) -> Response:
    """The part of the page that changes, as often as it does, until the make ends."""
    found = house.makes.find(request.path_params["id"])

    async def told() -> AsyncIterator[str]:
        last = ""
        while True:
            values = await asyncio.to_thread(shown, house, found)
            part = house.pages.text(request.scope, "make_part.html", make=found, job=found.job, **values)
            if part != last:
                yield event({"html": part, "said": _said(values), "ended": values["ended"] or ""})
                last = part
            if values["ended"]:
                return
            await asyncio.sleep(LOOK_SECONDS)

    return StreamingResponse(told(), media_type="text/event-stream")


def _said(values: dict[str, Any]) -> str:
    """One line for whoever listens instead of looking: the step, and no figures that change all the time."""
    if values["ended"]:
        return {"done": "It is made."}.get(values["ended"], "It did not come to its end.")
    step = values["state"]["step"]
    return TITLES.get(step, step)


async def stop(house: House, request: Request) -> Response:
    found = house.makes.find(request.path_params["id"])
    await asyncio.to_thread(found.stop)
    return RedirectResponse(f"/makes/{found.id}", 303)


async def new_folder(house: House, request: Request) -> Response:
    """A new folder in the home for what is dropped on the page."""
    given = await forms.record(request, name=str)
    return uploads.answer(await asyncio.to_thread(uploads.begin, house.store.root, given["name"]))


async def take_file(house: House, request: Request) -> Response:
    """One dropped file, its bytes as the body."""
    path = request.query_params.get("path", "")
    return uploads.answer(await uploads.take(house.store.root, request.path_params["folder"], path, request))


ROUTES = [
    ("GET", "/", home), ("GET", "/estimate", estimate), ("POST", "/makes", make), ("GET", "/makes/{id}", make_page),
    ("GET", "/makes/{id}/events", make_events), ("POST", "/makes/{id}/stop", stop),
    ("POST", "/folders", new_folder), ("POST", "/folders/{folder}", take_file),
]  # fmt: skip
