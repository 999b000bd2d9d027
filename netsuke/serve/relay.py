"""One request to the engine and its answer to the client, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import httpx
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from ..engines.llama import JSON, Events
from .refused import Refused
from .supervisor import Supervisor, unavailable

SEND_SECONDS = 30.0  # a client that does not read for so long loses its turn
_STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class Relay:
    """An ASGI answer. When the client hangs up, the request to the engine is closed, which frees its slot."""

    def __init__(self, supervisor: Supervisor, path: str, body: dict[str, Any]) -> None:
        self.supervisor, self.path, self.body = supervisor, path, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._work(scope, receive, send))
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self.supervisor.turn():
                upstream = await self._open()
                try:
                    if self.body.get("stream"):
                        return await self._events(upstream, send)
                    answer = JSONResponse(await self._whole(upstream))
                finally:
                    await upstream.aclose()
        except Refused as refused:
            answer = refused.response()
        await answer(scope, receive, send)

    async def _open(self) -> httpx.Response:
        """The engine's answer, its body to come. Asks once more if the engine died before a byte came."""
        for _ in range(2):
            client = await self.supervisor.client()
            try:
                request = client.build_request("POST", self.path, content=json.dumps(self.body), headers=JSON)
                response = await client.send(request, stream=True)
                if response.status_code != 200:
                    raise _refusal(response.status_code, await response.aread())
                return response
            except httpx.TransportError:
                self.supervisor.suspect()
        raise unavailable("The engine died twice on this request.")

    async def _whole(self, upstream: httpx.Response) -> dict[str, Any]:
        try:
            return self._named(json.loads(await upstream.aread()))
        except httpx.TransportError:
            self.supervisor.suspect()
            raise unavailable("The engine died while it answered.") from None

    async def _events(self, upstream: httpx.Response, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        try:
            if not await self._pass_on(upstream, send):
                self.supervisor.suspect()
                await _say(send, json.dumps(unavailable("The engine died while it answered.").body()))
        except TimeoutError:
            return  # the client does not read; uvicorn closes a connection whose answer has no end
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, upstream: httpx.Response, send: Send) -> bool:
        """Whether the stream came to its proper end. Raises TimeoutError when the client does not read."""
        events = Events()
        with contextlib.suppress(httpx.TransportError):
            async for chunk in upstream.aiter_raw():
                for data in events.feed(chunk):
                    if data == b"[DONE]":
                        await _say(send, "[DONE]")
                        return True
                    event = json.loads(data)
                    if "error" in event:
                        await _say(send, json.dumps(_refusal(500, data).body()))
                        return True
                    await _say(send, json.dumps(self._named(event)))
        return False

    def _named(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The engine's answer under the pack's name: the engine itself tells the file's path."""
        return {**answer, "model": self.supervisor.name}


async def _say(send: Send, data: str) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": f"data: {data}\n\n".encode(), "more_body": True})


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refusal(status: int, body: bytes) -> Refused:
    """What the engine says against a request, in OpenAI's shape."""
    try:
        error = json.loads(body)["error"]
        message, kind = str(error["message"]), error.get("type")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, kind = f"The engine answered with status {status}.", None
    if kind == "exceed_context_size_error":
        return Refused(400, message, code="context_length_exceeded")
    return Refused(status if status in (400, 501, 503) else 500, message, code=kind)
