"""One request to the engine and its answer to the client, whole or as a stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..engines.llama import JSON, Events
from .dialect import Dialect, used
from .record import Record
from .refused import Refused
from .shelf import Kind, Seat, Shelf
from .supervisor import unavailable
from .turns import Turn

SEND_SECONDS = 30.0  # a client that does not read for so long loses its turn
GATHER_SECONDS = 0.02  # tokens behind the first go out together: waking for each takes the cores from the engine
UNREADABLE = "does not match the expected"  # llama.cpp of an answer that its reader of chats gives up on (#26381)
READ = ("prompt", "messages", "input", "input_prefix", "input_suffix", "input_extra")  # what a model reads
TOO_LONG = "is too large to process"  # llama.cpp of a text that is to be one vector
CHARS_A_TOKEN, TOKENS_A_SECOND = 4, 100  # about, where an answer was broken off before anything was counted
AT_ONCE_SECONDS = 0.001  # what comes within it was there already


@dataclass
class Asked:
    """A request that was looked at: what for, of which model, and how it is to be answered."""

    shelf: Shelf
    record: Record
    model: str
    body: dict[str, Any]  # the engine's
    dialect: Dialect
    kind: Kind = "text"
    voices: Mapping[str, float] = field(default_factory=dict)  # by name, how loud; those that are not named: 1
    stream: bool = field(init=False)

    def __post_init__(self) -> None:
        self.stream = bool(self.body.get("stream"))


class Relay:
    """An ASGI answer. When the client hangs up, the request to the engine is closed, which frees its slot."""

    gather_seconds = GATHER_SECONDS

    def __init__(self, asked: Asked, path: str) -> None:
        self.asked, self.path, self.body, self.record = asked, path, asked.body, asked.record
        self.began: float | None = None
        self.seat: Seat
        self.turn: Turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._work(scope, receive, send))
        gone = asyncio.ensure_future(hung_up(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            else:
                self.record.left = True
                self._estimate()
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self.asked
        asked.record.model = asked.model
        try:
            async with asked.shelf.lent(asked.model, asked.kind) as self.seat:
                asked.record.pack = self.seat.folder
                voices = self.seat.added(asked.voices)
                async with self.seat.supervisor.turn(self.record.who, voices) as self.turn:
                    self.began = time.monotonic()
                    asked.record.reached = True
                    answer = await self.answer(send)
        except Refused as refused:
            answer = refused.response(scope["path"])
        if answer:
            await answer(scope, receive, send)

    async def answer(self, send: Send) -> Response | None:
        """The answer, or None where it was streamed. A seat and a turn are held. Raises Refused."""
        upstream = await self._open()
        try:
            if self.asked.stream:
                await self._events(upstream, send)
                return None
            return self.whole(await self._whole(upstream))
        finally:
            await upstream.aclose()

    def whole(self, answer: dict[str, Any]) -> Response:
        """An answer in one piece."""
        told = JSONResponse(self.asked.dialect.whole(answer))
        self.record.answer = self.asked.dialect.id
        return told

    async def _open(self) -> httpx.Response:
        """The engine's answer, its body to come. Asks once more if the engine died before a byte came."""
        body = {**self.turn.fields(self.body), **({"timings_per_token": True} if self.asked.stream else {})}
        for _ in range(2):
            client = await self.seat.supervisor.client()
            try:
                request = client.build_request("POST", self.path, content=json.dumps(body), headers=JSON)
                response = await client.send(request, stream=True)
                if response.status_code != 200:
                    raise refusal(response.status_code, await response.aread())
                return response
            except httpx.TransportError:
                self.seat.supervisor.suspect()
        raise unavailable("The engine died twice on this request.")

    async def _whole(self, upstream: httpx.Response) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = json.loads(await upstream.aread())
        except httpx.TransportError:
            raise self.seat.supervisor.broken() from None
        self.note(answer)
        return answer

    async def _events(self, upstream: httpx.Response, send: Send) -> None:
        await begin(send, self.asked.dialect)
        try:
            if not await self._pass_on(upstream, send):
                await self._break_off(self.seat.supervisor.broken(), send)
        except TimeoutError:
            self.record.broke = True
            return  # the client does not read; uvicorn closes a connection whose answer has no end
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, upstream: httpx.Response, send: Send) -> bool:
        """Whether the stream came to its proper end. Raises TimeoutError when the client does not read."""
        events, held, clock = Events(), list[bytes](), asyncio.get_running_loop().time
        woke = -1.0
        with contextlib.suppress(httpx.TransportError):
            async for chunk in upstream.aiter_raw():
                for data in events.feed(chunk):
                    if data == b"[DONE]":
                        await say(send, *held, *self.asked.dialect.closing())
                        return True
                    event = json.loads(data)
                    if "error" in event:
                        await say(send, *held)
                        await self._break_off(refusal(500, data), send)
                        return True
                    self.note(event)
                    held += self.asked.dialect.event(event)
                    self.record.answer = self.asked.dialect.id
                if clock() - woke > AT_ONCE_SECONDS:
                    await say(send, *held)
                    held.clear()
                    await asyncio.sleep(self.gather_seconds)
                    woke = clock()
        await say(send, *held)
        return False

    async def _break_off(self, refused: Refused, send: Send) -> None:
        self.record.broke = True
        await say(send, *self.asked.dialect.broken(refused, self.record.path))

    def _estimate(self) -> None:
        """Counts what was broken off before the engine had told a count, so that nothing is had for nothing."""
        if self.began is None or self.record.tokens:
            return
        asked = [self.body[name] for name in READ if name in self.body]
        most = max(self.body.get(name, 0) for name in ("max_tokens", "n_predict"))
        worked = int((time.monotonic() - self.began) * TOKENS_A_SECOND)
        self.record.prompt_tokens = len(json.dumps(asked, ensure_ascii=False)) // CHARS_A_TOKEN
        self.record.completion_tokens = min(worked, most)

    def note(self, answer: Mapping[str, Any]) -> None:
        """Counts the tokens so far."""
        if count := used(answer):
            self.record.prompt_tokens, self.record.completion_tokens = count


async def begin(send: Send, dialect: Dialect) -> None:
    """Begins a stream."""
    headers = [(b"content-type", dialect.media_type.encode()), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def say(send: Send, *parts: bytes) -> None:
    """Sends a part of a stream. Raises TimeoutError when the client does not read."""
    if parts:
        async with asyncio.timeout(SEND_SECONDS):
            await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})


async def hung_up(receive: Receive) -> None:
    """Returns when the client has left. The request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def refusal(status: int, body: bytes) -> Refused:
    """What the engine says against a request."""
    try:
        error = json.loads(body)["error"]
        message, kind = str(error["message"]), error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, kind = f"The engine answered with status {status}.", None
    if kind == "exceed_context_size_error" or TOO_LONG in message:
        return Refused(400, message, code="context_length_exceeded")
    if status == 500 and UNREADABLE in message:
        what = "What the model wrote cannot be read as the format that was asked for; ask again with another seed."
        return Refused(503, what, code="unreadable_answer")
    return Refused(status if status in (400, 501, 503) else 500, message, code=kind)
