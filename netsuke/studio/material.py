"""The material of a model: every document, what was decided about it and why; keeping, and taking out.

What a person takes out is a row of the ledger. What a rule left out is kept by the recipe (keeping.py).
"""

from __future__ import annotations

import asyncio
import getpass
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..consent.ledger import Ledger, Standing, document_of
from ..errors import NetsukeError, RecipeError, StoreError
from ..texts.documents import file_of
from . import forms, keeping, shelf, texts

if TYPE_CHECKING:
    from .app import House

PAGE = 100  # rows at a time
STATES = {"learnt": "learnt from", "parts": "partly learnt from", "aside": "kept aside", "left": "left out"}
SHOWN = {**STATES, "leaving": "goes at the next make", "coming": "comes at the next make", "copies": "has copies",
         "private": "holds private things"}  # fmt: skip

ACTS: dict[str, Literal["out", "cleared"]] = {"out": "out", "keep": "cleared"}  # a button's word, and the ledger's
KEEPS = {"admit": True, "leave": False}  # a button's word, and whether the recipe then keeps it
BUTTONS = {"out": "Take out", "keep": "Keep again", "admit": "Keep", "leave": "Leave out"}


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
    return {"total": len(rows), "counts": counts, "leaving": counts["leaving"], "coming": counts["coming"],
            "shown": SHOWN, "fate": fate(counts), "buttons": BUTTONS}  # fmt: skip


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


@dataclass(frozen=True)
class Known:
    """What a row of the list is told by, besides the row of documents.jsonl."""

    model: shelf.Model
    standing: Standing
    sources: Sequence[Any]  # of its recipe, which say how the ledger names a path; none where the recipe is gone
    keep: Sequence[str]  # of its recipe
    fixed: str  # why nothing can be written into a recipe; "" where it can
    drops: Mapping[tuple[int, str], Mapping[str, str]]  # by source and file: the rules that took of it, each with why
    paths: Mapping[str, int]  # how many sources have a file of this path

    def refusal(self, row: Mapping[str, Any], why: str, out: str) -> str:
        """Why a document that was left out cannot be kept here; "" where it can. `out`: what a person said."""
        rules = self.drops.get((row["source"], row["path"]), {})
        if why_not := keeping.refusal(row, why, rules, rules.get(why, "")) or out or self.fixed:
            return why_not
        if self.paths[row["path"]] > 1:
            return "Another source has a file of this path, and the recipe would keep both."
        return ""


def told(house: House, model: shelf.Model) -> list[dict[str, Any]]:
    """A row for each document, with what people decided about it since."""
    rows, drops = model.rows("documents.jsonl"), defaultdict[tuple[int, str], dict[str, str]](dict)
    for drop in model.rows("drops.jsonl"):
        drops[drop["source"], file_of(drop["path"])][drop["rule"]] = drop["detail"]
    standing = Ledger.of(house.store.root).standing()
    known = Known(model, standing, *_recipe(model), drops, Counter(row["path"] for row in rows))
    return [_row(number, row, known) for number, row in enumerate(rows)]


def _recipe(model: shelf.Model) -> tuple[Sequence[Any], Sequence[str], str]:
    """(sources, what it keeps, why nothing can be written into it) of its recipe as it is now."""
    from .. import loop, recipe

    try:
        wanted = recipe.load(keeping.recipe_of(model), loop.SECTIONS)
    except NetsukeError as error:
        return (), (), f"Its recipe cannot be written to: {error}."
    return wanted.sources, wanted.params["curate"].keep, ""


def _row(number: int, row: Mapping[str, Any], known: Known) -> dict[str, Any]:
    source = known.sources[row["source"]] if row["source"] < len(known.sources) else None
    place = f"{known.model.name}/{source.named(row['path']) if source else row['path']}"
    stand, state = known.standing.of(row["owner"], place, document_of(row)), state_of(row["split"])
    why = row["reason"] if row["decision"] == "out" else row["dropped_by"]
    stays = known.refusal(row, why, stand.reason if stand.decision == "out" else "") if state == "left" else ""
    details = known.drops.get((row["source"], row["path"]), {})
    found = {
        **row, "number": number, "state": state, "why": why, "detail": details.get(row["dropped_by"], ""),
        "leaving": state != "left" and stand.decision == "out", "stand": stand, "place": place,
        "taken_out": known.standing.find("document", document_of(row)) is not None, "stays": stays,
        "kept": keeping.entry(row["path"]) in known.keep,
        "coming": state == "left" and not stays and any(fnmatchcase(row["path"], one) for one in known.keep),
    }  # fmt: skip
    return found | {"act": _act(found)}


def _act(row: Mapping[str, Any]) -> str:
    """Which button a row has: a key of BUTTONS, or none."""
    if row["taken_out"]:
        return "keep"
    if row["state"] != "left":
        return "out" if row["file"] else ""
    if row["coming"]:
        return "leave" if row["kept"] else ""  # else it is the person's own line of the recipe
    return "" if row["stays"] else "admit"


def state_of(split: str) -> str:
    """What became of a file whose parts went to these splits ("train", "train+test", "dropped"): a key of STATES."""
    if split == "dropped":
        return "left"
    return "learnt" if split == "train" else "parts" if "train" in split.split("+") else "aside"


def takes(row: Mapping[str, Any], query: str, show: str) -> bool:
    """Whether a row is one of those that are asked for."""
    words = query.casefold().split()
    text = " ".join((row["path"], row["owner"], row["licence"], row["reason"], row["why"])).casefold()
    kind = {"copies": bool(row["stands_for"]), "private": bool(row["private"]), "leaving": row["leaving"],
            "coming": row["coming"]}  # fmt: skip
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
    text, passage = await asyncio.to_thread(_text, model, row, request.query_params)
    copies = [(copy, await asyncio.to_thread(_copy, model, copy)) for copy in row["stands_for"]]
    history = Ledger.of(house.store.root).rows(path=row["place"])
    return house.pages.page(
        request, "document.html", name=model.name, tab="material", row=row, text=text, passage=passage,
        copies=copies, history=history, states=STATES, buttons=BUTTONS,
    )  # fmt: skip


def _text(
    model: shelf.Model, row: Mapping[str, Any], asked: Mapping[str, str]
) -> tuple[str | None, tuple[str, str, str] | None]:
    """The text of a document; and it in three, before, passage and after, where the address names a passage."""
    begin, end = (forms.number(asked.get(name, ""), 0, 1e9, name) for name in ("begin", "end"))
    if begin is not None and end is not None:
        if found := texts.around(model, row, asked.get("part", row["path"]), int(begin), int(end)):
            return "".join(found), found
    return texts.of(model, row), None


def _copy(model: shelf.Model, copy: Mapping[str, Any]) -> str | None:
    """The text of a document that was left out as a copy."""
    same = [row for row in model.rows("documents.jsonl")
            if (row["source"], row["path"]) == (copy["source"], file_of(copy["path"]))]  # fmt: skip
    return texts.read(model.store, same[0]["file"], same[0]["owner"]) if same else None


async def decide(house: House, request: Request) -> Response:
    """Take a document out, or keep it again: a row of the ledger, as `netsuke consent` writes it.

    Or keep what a rule left out, and take that back: a line of the recipe.
    """
    model = shelf.find(request.path_params["name"], house.store)
    given = await forms.form(request)
    row, act = await asyncio.to_thread(one, house, model, request.path_params["number"]), given.get("act", "")
    if act in KEEPS:
        await asyncio.to_thread(_admit, model, row, KEEPS[act])
    else:
        await asyncio.to_thread(_stand, house, row, ACTS.get(act))
    if "hx-request" in request.headers:
        rows = await asyncio.to_thread(told, house, model)
        return house.pages.page(
            request, "material_decided.html", name=model.name, row=rows[row["number"]], show=given.get("show", ""),
            **counted(rows),
        )  # fmt: skip
    return RedirectResponse(f"/m/{model.name}/material/{row['number']}", 303)


def _stand(house: House, row: Mapping[str, Any], said: Literal["out", "cleared"] | None) -> None:
    if said is None:
        raise RecipeError("neither out nor keep", hint="use the buttons of the page")
    if not row["file"]:
        raise StoreError("this file was not read, so it has no content to decide about",
                         hint=f"netsuke consent out --path '{row['place']}'")  # fmt: skip
    reason = "taken out in the studio" if said == "out" else "kept again in the studio"
    ledger = Ledger.of(house.store.root)
    ledger.decide_standing("document", row["file"], said, reason, getpass.getuser())


def _admit(model: shelf.Model, row: Mapping[str, Any], kept: bool) -> None:
    if row["act"] != ("admit" if kept else "leave"):
        raise RecipeError(f"{row['path']} is not for the recipe to decide", hint=row["stays"] or "load the page again")
    keeping.write(model, row["path"], kept)


ROUTES = [
    ("GET", "/m/{name}/material", page), ("GET", "/m/{name}/material/{number}", document),
    ("POST", "/m/{name}/material/{number}", decide),
]  # fmt: skip
