"""Asking a model the task that examples taught it: rows in, labels with their confidence out."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..curate import delimited
from ..errors import EngineError, RecipeError
from ..serve.keys import OWNER
from ..serve.prompts import MOST_OF_ONE
from ..serve.record import Record
from ..serve.refused import Refused
from ..serve.shelf import Seat
from . import forms, shelf

if TYPE_CHECKING:
    from .app import House

MOST_ROWS = 2000
DELIMITERS = ",;\t|"
TEXT_COLUMNS = ("text", "question", "input", "body", "message")


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    task = model.part("task.json") if model.has_task else None
    scores = model.part("scores.json").get("scores", []) if task else []
    return house.pages.page(request, "ask.html", name=model.name, tab="ask", task=task, scores=scores, most=MOST_ROWS)


async def answers(house: House, request: Request) -> Response:
    """A line of JSON for each row as it is answered: {"question", "id", "answer", "confidence", "abstained", "likely"}.

    By its id a thumb or a correction speaks of it.
    """
    given = await forms.record(request, rows=str)
    model = shelf.find(request.path_params["name"], house.store)
    if not model.has_task:
        raise RecipeError(f"{model.name} was not taught a task", hint="add a table with the columns text and label")
    rows, record = questions(given["rows"]), request.scope["record"]
    record.model, record.prompts = model.name, rows[:MOST_OF_ONE]

    held = contextlib.AsyncExitStack()
    seat = await held.enter_async_context(house.engines.own(model))  # a refusal is still an answer of its own
    record.pack = seat.folder

    async def told() -> AsyncIterator[str]:
        for row in rows:
            answer = await _answer(seat, row, record)
            answer_id = f"ask-{uuid.uuid4().hex}"
            request.app.state.answers.add(OWNER, answer_id, model.name)
            yield json.dumps({"question": row, "id": answer_id, **answer}) + "\n"

    return Rows(told(), held)


class Rows(StreamingResponse):
    """A line for each row. What is held for them is given back at their end, or when the client leaves."""

    def __init__(self, rows: AsyncIterator[str], held: contextlib.AsyncExitStack) -> None:
        super().__init__(rows, media_type="application/x-ndjson")
        self.held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.held:
            await super().__call__(scope, receive, send)


async def _answer(seat: Seat, row: str, record: Record) -> dict[str, Any]:
    try:
        async with seat.supervisor.turn(OWNER) as turn:
            record.reached = True
            await seat.supervisor.client()
            found = await seat.task.ask([{"role": "user", "content": row}], turn)
    except (EngineError, Refused) as error:
        record.broke = True
        return {"answer": None, "confidence": None, "abstained": False, "likely": [], "error": str(error)}
    record.prompt_tokens += found.prompt_tokens
    record.abstained |= found.abstained
    return found.row


def questions(text: str) -> list[str]:
    """The rows of a table or of plain lines. Raises Refused where there are none, or too many.

    A table is one whose first line names a column of text, by the delimiters that examples have; anything else is a
    row a line.
    """
    rows: Iterable[str] = map(str.strip, text.splitlines())
    if head := delimited.headed(text, DELIMITERS, lambda names: _column(names) is not None):
        text, _, delimiter, names = head
        rows = _cells(text, delimiter, _column(names) or 0)
    rows = [row for row in rows if row]
    if not rows:
        raise Refused(400, "There is no row to answer.", code="empty")
    if len(rows) > MOST_ROWS:
        message = f"{len(rows)} rows are more than {MOST_ROWS}; use `netsuke ask` for so many."
        raise Refused(400, message, code="too_many")
    return rows


def _column(names: Sequence[str]) -> int | None:
    """Which column holds the texts."""
    plain = [name.strip().casefold() for name in names]
    return next((plain.index(name) for name in TEXT_COLUMNS if name in plain), None)


def _cells(text: str, delimiter: str, column: int) -> Iterator[str]:
    read = delimited.rows(text, delimiter)
    next(read)  # the header
    for line, cells in read:
        if isinstance(cells, str):
            raise Refused(400, f"The table cannot be read: line {line}: {cells}.", code="invalid_table")
        yield cells[column].strip()


ROUTES = [("GET", "/m/{name}/ask", page), ("POST", "/m/{name}/answers", answers)]
