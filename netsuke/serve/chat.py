"""A conversation with a model: asked as it was taught, answered with a text or, by a model of labels, with one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
from starlette.responses import Response
from starlette.types import Send

from ..engines.llama import JSON, RefusedError
from ..errors import EngineError
from . import task
from .dialect import used
from .refused import Refused
from .relay import Asked, Relay, begin, say
from .supervisor import unavailable

T = TypeVar("T")
_PROBE = {"type": "function", "function": {"name": "probe", "parameters": {"type": "object", "properties": {}}}}


class Chat(Relay):
    """The body is that of /v1/chat/completions, whatever route it came in by."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, "/v1/chat/completions")

    async def answer(self, send: Send) -> Response | None:
        taught = self.seat.task
        if taught.takes(self.body):
            if self.turn.voices:
                what = "answers this with a label, whose confidence was measured with all voices at 1."
                raise Refused(400, f"The model {self.asked.model!r} {what}", code="no_voices", param="voices")
            return await self._labelled(send)
        self.body = await self._twice(lambda: taught.prepared(self.body, self.turn))
        if self.body.get("tools") and not await self._knows_tools():
            message = f"The chat template of {self.asked.model!r} has no place for tools, so it cannot use any."
            raise Refused(501, message, code="no_tools", param="tools")
        return await super().answer(send)

    async def _whole(self, upstream: httpx.Response) -> dict[str, Any]:
        """What is new of it: the engine repeats a beginning that the request had, though not in a stream."""
        answer = await super()._whole(upstream)
        last = self.body["messages"][-1]
        for choice in answer["choices"] if last["role"] == "assistant" else ():
            if written := choice["message"].get("content"):
                choice["message"]["content"] = written.removeprefix(last["content"])
        return answer

    async def _knows_tools(self) -> bool:
        """Whether tools change what the model reads; the engine drops them silently where its template has none."""
        if self.seat.tools is None:
            client = await self.seat.supervisor.client()
            told = {"messages": [{"role": "user", "content": "a"}]}
            try:
                asked = [
                    await client.post("/apply-template", json=body, headers=JSON)
                    for body in (told, {**told, "tools": [_PROBE]})
                ]
            except httpx.TransportError:
                raise self.seat.supervisor.broken() from None
            self.seat.tools = asked[0].text != asked[1].text and asked[1].status_code == 200
        return self.seat.tools

    # -- labels --------------------------------------------------------------------------------------------
    async def _labelled(self, send: Send) -> Response | None:
        answer = await self._twice(lambda: self.seat.task.ask(self.body["messages"], self.turn))
        self.record.abstained = answer.abstained
        whole, dialect = task.answered(answer), self.asked.dialect
        self.record.prompt_tokens, self.record.completion_tokens = used(whole) or (0, 0)
        if not self.asked.stream:
            return self.whole(whole)
        await begin(send, dialect)
        frames = [part for event in task.events(answer) for part in dialect.event(event)]
        self.record.answer = dialect.id
        await say(send, *frames, *dialect.closing())
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return None

    async def _twice(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What the task's own asking comes to; asks once more if the engine died. Raises Refused."""
        for _ in range(2):
            await self.seat.supervisor.client()
            try:
                return await ask()
            except RefusedError as error:
                raise Refused(400, f"{error}.", code="invalid_value") from None
            except EngineError:
                self.seat.supervisor.suspect()
        raise unavailable("The engine died twice on this request.")
