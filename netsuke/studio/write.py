"""The writing page: an editor that suggests how you would go on, and says which sentences are not like you."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..serve import fields
from ..serve.infill import GoingOn, Infilling
from ..serve.keys import OWNER
from ..serve.record import Record
from ..serve.refused import Refused
from ..serve.relay import hung_up
from . import forms, shelf, voice
from .close import bare, is_close
from .lending import ask

if TYPE_CHECKING:
    from .app import House

T = TypeVar("T")
GHOST_TOKENS = 12
BEFORE_CHARS, AFTER_CHARS = 2400, 400
MOST_MARKED = 12_000  # characters of a draft that are looked at at once
CANDIDATES, REWRITE_CHARS = 4, 600


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    return house.pages.page(request, "write.html", name=model.name, tab="write", model=model)


async def ghost(house: House, request: Request) -> GoingOn:
    """What may come next: a suggestion that the page shows and never puts in by itself.

    As OpenAI's stream of a completion, so that its first words are there before its last; inside of a line, where the
    engine answers whole, as {"content"}. When the page asks anew, the engine of this answer is freed.
    """
    given = await forms.record(request, before=str, after=str, voices=dict)
    loud = forms.checked("voices", fields.voices, given["voices"])
    model = shelf.find(request.path_params["name"], house.store)
    house.engines.suggesting(request, model.name)
    before, after = given["before"][-BEFORE_CHARS:].rstrip(" "), given["after"][:AFTER_CHARS]
    if not before.strip():  # a token begins with its space
        raise Refused(400, "There is nothing to go on from.", code="empty")
    body = {"temperature": 0.0, "cache_prompt": True, "stop": ["\n"]}
    if after.partition("\n")[0].strip():
        hole = {"input_prefix": before, "input_suffix": after, "prompt": "", "n_predict": GHOST_TOKENS, "stream": False,
                "response_fields": ["content", "timings"]}  # fmt: skip
        return Infilling(house.engines.asked(request, model.name, body | hole, loud))
    more = {"prompt": before, "max_tokens": GHOST_TOKENS, "stream": True}
    return Ghost(house.engines.asked(request, model.name, body | more, loud), "/v1/completions")


class Ghost(GoingOn):
    """A few tokens that somebody waits for: each goes out as it comes."""

    gather_seconds = 0.0


# -- rewriting -----------------------------------------------------------------------------------------------
async def rewrite(house: House, request: Request) -> Response:
    """Up to three other ways to say a passage, the most like the owner's first: {"choices": [{"text", "id"}]}, and
    "asked", what the model was asked. By its id a thumb or a correction speaks of a choice.

    A small model strays, so what shares too little with the passage is left out; what stays is ranked by the
    difference of ours and the base, as the off-voice marks are.
    """
    given = await forms.record(request, text=str, voices=dict)
    loud = forms.checked("voices", fields.voices, given["voices"])
    passage = given["text"].strip()
    if not 0 < len(passage) <= REWRITE_CHARS:
        raise Refused(400, f"Select between one word and {REWRITE_CHARS} characters.", code="invalid_value")
    model = shelf.find(request.path_params["name"], house.store)
    record = house.engines.suggesting(request, model.name)
    asked = f"Rewrite this in other words and keep its meaning. Answer with the text alone.\n\n{passage}"
    tries = (_said_anew(house, model, record, asked, passage, seed, loud) for seed in range(CANDIDATES))
    said = dict(await asyncio.gather(*tries))
    close = [text for text in said if is_close(passage, text)]
    one = house.desk.voice(model)
    ranked = []
    for text in close:
        found = await one.differences("", text, record) if model.base_file else []
        ranked.append((sum(d for *_, d in found) / len(found) if found else 0.0, text))
    choices = [{"text": text, "id": said[text]} for _, text in sorted(ranked)[:3]]
    for choice in choices:
        request.app.state.answers.add(OWNER, choice["id"], model.name)
    return JSONResponse({"asked": asked, "choices": choices})


async def _said_anew(
    house: House, model: shelf.Model, record: Record, asked: str, passage: str, seed: int, loud: Mapping[str, float]
) -> tuple[str, str]:
    """(what was written, the answer's id)."""
    async with house.engines.own(model) as seat:
        body = {"messages": [{"role": "user", "content": asked}], "temperature": 0.2 + 0.2 * seed, "seed": seed,
                "max_tokens": 40 + len(passage) // 2, "cache_prompt": True}  # fmt: skip
        answer = await ask(seat.supervisor, "/v1/chat/completions", body, seat.added(loud), record)
    return bare(passage, str(answer["choices"][0]["message"]["content"] or "")), str(answer["id"])


# -- marks ---------------------------------------------------------------------------------------------------
async def marks(house: House, request: Request) -> Response:
    """What is off-voice in a draft and what stands word for word in the material, by UTF-16 place.

    {"off": [{"start", "end", "bits"}], "same": [{"start", "end", "words", "path"}], "read", "voice": {…}}: "read" is
    where looking ended, "voice" says where the threshold comes from, how far settling it is, or why there is none.
    """
    given = await forms.record(request, text=str)
    text = given["text"][:MOST_MARKED]
    model = shelf.find(request.path_params["name"], house.store)
    record = house.engines.suggesting(request, model.name)
    place = utf16(text)
    same = [
        {"start": place[run.start], "end": place[run.end], "words": run.words, "path": run.path}
        for run in await asyncio.to_thread(lambda: house.desk.material(model).overlaps(text))
    ]
    one = house.desk.voice(model)
    state = house.desk.state(one)
    off = await while_there(request, _off_voice(one, text, record)) or []
    found = [{"start": place[start], "end": place[end], "bits": round(bits, 3)} for start, end, bits in off]
    return JSONResponse({"off": found, "same": same, "read": place[-1], "voice": state})


async def _off_voice(one: voice.Voice, text: str, record: Record) -> list[tuple[int, int, float]]:
    """(first character, last, bits per byte) of each sentence above the threshold; none where that is not settled."""
    if not (settled := one.calibration()):
        return []
    off, before = list[tuple[int, int, float]](), ""
    for start, part in voice.paragraphs(text):
        for first, last, difference in await one.differences(before, part, record):
            if difference > settled.threshold:
                off.append((start + first, start + first + len(part[first:last].rstrip()), difference))
        before = text[: start + len(part)] + "\n\n"
    return off


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What it comes to; None where the page has given up: then it is broken off, since whoever writes on wants the
    engine for the next words."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(hung_up(request.receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def utf16(text: str) -> list[int]:
    """For each character of a text, and its end, its place in UTF-16, as a browser counts."""
    places, at = [], 0
    for sign in text:
        places.append(at)
        at += 2 if ord(sign) > 0xFFFF else 1
    return [*places, at]


ROUTES = [
    ("GET", "/m/{name}/write", page), ("POST", "/m/{name}/ghost", ghost), ("POST", "/m/{name}/rewrite", rewrite),
    ("POST", "/m/{name}/marks", marks),
]  # fmt: skip
