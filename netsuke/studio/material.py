"""The material of a model: every document, what was decided about it and why; keeping, and taking out."""

from __future__ import annotations

import asyncio
import getpass
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..documents import file_of
from ..errors import NetsukeError, RecipeError, StoreError
from ..ledger import Ledger, Standing
from ..nouns import Recipe
from . import forms, shelf, texts

if TYPE_CHECKING:
    from .app import House

PAGE = 100  # rows at a time
STATES = {"learnt": "learnt from", "parts": "partly learnt from", "aside": "kept aside", "left": "left out"}
SHOWN = {**STATES, "leaving": "goes at the next make", "copies": "has copies", "private": "holds private things"}

ACTS: dict[str, Literal["out", "cleared"]] = {"out": "out", "keep": "cleared"}  # a button's word, and the ledger's


async def page(house: House, request: Request) -> Response:
    """The whole page, or only its rows where htmx asks."""
    model = shelf.find(request.path_params["name"], house.store)
    asked = request.query_params
    rows = await asyncio.to_thread(told, house, model)
    found = [row for row in rows if takes(row, asked.get("q", ""), asked.get("show", ""))]
    start = int(forms.number(asked.get("from", ""), 0, 1e9, "from") or 0)
    template = "material_rows.html" if "hx-request" in request.headers else "material.html"
    return house.pages.page(
        request, template, name=model.name, tab="material", rows=found[start : start + PAGE], count=len(found),
        next=start + PAGE if start + PAGE < len(found) else None, query=asked.get("q", ""),
        show=asked.get("show", ""), **counted(rows),
        why=Counter(row["why"] for row in rows if row["state"] == "left").most_common(),
    )  # fmt: skip


def counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many rows of each kind there are, as the note and the filter say it."""
    counts = {key: sum(takes(row, "", key) for row in rows) for key in SHOWN}
    return {"total": len(rows), "counts": counts, "leaving": counts["leaving"], "shown": SHOWN,
            "fate": fate(counts)}  # fmt: skip


def fate(counts: Mapping[str, int]) -> str:
    """What became of the files, in a sentence; of one that was cut, some parts are learnt from and others are not."""
    whole, parts, aside = counts["learnt"], counts["parts"], counts["aside"]
    told = [f"{whole} {_were(whole)} learnt from"] if whole or not parts else []
    if parts:
        told.append(f"{parts} {_were(parts)} learnt from in part, with other parts kept aside to choose and check by")
    if aside or not parts:
        told.append(f"{aside} kept aside{' whole' * bool(parts)} to choose and check by")
    left = f"{counts['left']} left out, each for a reason." if counts["left"] else "none left out."
    return ", ".join([*told, left])


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def told(house: House, model: shelf.Model) -> list[dict[str, Any]]:
    """A row for each document, with what people decided about it since."""
    named = names_of(model)
    standing = Ledger.of(house.store.root).standing()
    details = {(drop["source"], drop["path"]): drop["detail"] for drop in model.rows("drops.jsonl")}
    return [_row(n, row, model, standing, named, details) for n, row in enumerate(model.rows("documents.jsonl"))]


def names_of(model: shelf.Model) -> Sequence[Any]:
    """The sources of its recipe, which say how the ledger names a path; none where the recipe is gone."""
    from ..targets import find_recipe

    try:
        wanted: Recipe = find_recipe(model.name, model.store)[0]
        return wanted.sources
    except NetsukeError:
        return ()


def _row(
    number: int, row: Mapping[str, Any], model: shelf.Model, standing: Standing, sources: Sequence[Any],
    details: Mapping[tuple[int, str], str],
) -> dict[str, Any]:  # fmt: skip
    source = sources[row["source"]] if row["source"] < len(sources) else None
    place = f"{model.name}/{source.named(row['path']) if source else row['path']}"
    stand, state = standing.of(row["owner"], place, row["file"]), state_of(row["split"])
    why = row["reason"] if row["decision"] == "out" else row["dropped_by"]
    return {
        **row, "number": number, "state": state, "why": why, "detail": details.get((row["source"], row["path"]), ""),
        "leaving": state != "left" and stand.decision == "out", "stand": stand, "place": place,
        "taken_out": standing.find("document", row["file"]) is not None,
    }  # fmt: skip


def state_of(split: str) -> str:
    """What became of a file whose parts went to these splits ("train", "train+test", "dropped"): a key of STATES."""
    if split == "dropped":
        return "left"
    return "learnt" if split == "train" else "parts" if "train" in split.split("+") else "aside"


def takes(row: Mapping[str, Any], query: str, show: str) -> bool:
    """Whether a row is one of those that are asked for."""
    words = query.casefold().split()
    text = " ".join((row["path"], row["owner"], row["licence"], row["reason"], row["why"])).casefold()
    kind = {"copies": bool(row["stands_for"]), "private": bool(row["private"]), "leaving": row["leaving"]}
    return all(word in text for word in words) and (not show or kind.get(show, row["state"] == show))


def one(house: House, model: shelf.Model, number: str) -> dict[str, Any]:
    """A row by its number. Raises StoreError."""
    rows = told(house, model)
    if not number.isdecimal() or int(number) >= len(rows):
        raise StoreError("there is no such document", hint="the list shows those there are")
    return rows[int(number)]


async def document(house: House, request: Request) -> Response:
    """One document: its text, what was decided about it row by row, and what it stands for, side by side."""
    model = shelf.find(request.path_params["name"], house.store)
    row = await asyncio.to_thread(one, house, model, request.path_params["number"])
    text = await asyncio.to_thread(texts.of, model, row)
    copies = [(copy, await asyncio.to_thread(_copy, model, copy)) for copy in row["stands_for"]]
    history = Ledger.of(house.store.root).rows(path=row["place"])
    return house.pages.page(
        request, "document.html", name=model.name, tab="material", row=row, text=text, copies=copies, history=history,
        states=STATES,
    )


def _copy(model: shelf.Model, copy: Mapping[str, Any]) -> str | None:
    """The text of a document that was left out as a copy."""
    same = [row for row in model.rows("documents.jsonl")
            if (row["source"], row["path"]) == (copy["source"], file_of(copy["path"]))]  # fmt: skip
    return texts.read(model.store, same[0]["file"], same[0]["owner"]) if same else None


async def decide(house: House, request: Request) -> Response:
    """Take a document out, or keep it again: a row of the ledger, as `netsuke consent` writes it."""
    model = shelf.find(request.path_params["name"], house.store)
    given = await forms.form(request)
    row = await asyncio.to_thread(one, house, model, request.path_params["number"])
    said = ACTS.get(given.get("act", ""))
    if said is None:
        raise RecipeError("neither out nor keep", hint="use the buttons of the page")
    if not row["file"]:
        raise StoreError("this file was not read, so it has no content to decide about",
                         hint=f"netsuke consent out --path '{row['place']}'")  # fmt: skip
    reason = "taken out in the studio" if said == "out" else "kept again in the studio"
    ledger = Ledger.of(house.store.root)
    await asyncio.to_thread(ledger.decide_standing, "document", row["file"], said, reason, getpass.getuser())
    if "hx-request" in request.headers:
        rows = await asyncio.to_thread(told, house, model)
        return house.pages.page(
            request, "material_decided.html", name=model.name, row=rows[row["number"]], show=given.get("show", ""),
            **counted(rows),
        )  # fmt: skip
    return RedirectResponse(f"/m/{model.name}/material/{row['number']}", 303)


ROUTES = [
    ("GET", "/m/{name}/material", page), ("GET", "/m/{name}/material/{number}", document),
    ("POST", "/m/{name}/material/{number}", decide),
]  # fmt: skip
