"""A question to a model that was taught labels: answered with one of them and its probability, in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..engines import asking
from ..engines.llama import RefusedError
from ..errors import EngineError
from .refused import Refused
from .supervisor import Supervisor, unavailable


class Task:
    """What a pack was taught by examples, if anything, asked through the supervised engine."""

    def __init__(self, supervisor: Supervisor, pack: Path) -> None:
        self.supervisor = supervisor
        record = asking.task_of(pack)
        self.way = asking.Way.of(record) if record else None
        self.shapes = (["user"], record["roles"] if record else [])
        self.examples = asking.shots_of(pack)
        self._asker: asking.Asker | None = None

    def takes(self, body: Mapping[str, Any]) -> bool:
        """Whether a chat request is a question of the task, shaped as the examples were, with labels to choose from."""
        return self.way is not None and self.way.kind == "labels" and self._is_shaped(body)

    def _is_shaped(self, body: Mapping[str, Any]) -> bool:
        return [message["role"] for message in body["messages"]] in self.shapes

    def prepared(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A chat request for a text: a question of the task is asked as the examples were, and not by chance."""
        if not self.way or not self._is_shaped(body):
            return dict(body)
        messages = asking.Prompt(self.way, self.examples).before(body["messages"])
        sure = {"temperature": 0.0} if self.way.kind == "extract" else {}
        return {**sure, **body, "messages": messages}

    def answer(self, body: Mapping[str, Any]) -> Labelled:
        """The ASGI answer to a request that it takes."""
        return Labelled(self, body)

    def ask(self, messages: list[dict[str, str]]) -> asking.Answer:
        """Blocks; to be called in a thread, while a turn is held. Raises EngineError."""
        assert self.way
        if self._asker is None:
            self._asker = asking.Asker(self.supervisor.engine, self.way, self.examples)
        return self._asker.ask(messages)


class Labelled:
    """An ASGI answer with a label; where the model is not sure enough, a refusal and no content."""

    def __init__(self, task: Task, body: Mapping[str, Any]) -> None:
        self.task, self.body = task, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with self.task.supervisor.turn():
                answer = await self._ask()
            response = self._events(answer) if self.body.get("stream") else JSONResponse(self._whole(answer))
        except Refused as refused:
            response = refused.response()
        await response(scope, receive, send)

    async def _ask(self) -> asking.Answer:
        """Asks once more if the engine died."""
        for _ in range(2):
            await self.task.supervisor.client()
            try:
                return await asyncio.to_thread(self.task.ask, list(self.body["messages"]))
            except RefusedError as error:
                raise Refused(400, f"{error}.", code="invalid_value") from None
            except EngineError:
                self.task.supervisor.suspect()
        raise unavailable("The engine died twice on this request.")

    def _whole(self, answer: asking.Answer) -> dict[str, Any]:
        message = {"role": "assistant", **_said(answer)}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return self._framed("chat.completion", choice) | {"netsuke": answer.row}

    def _events(self, answer: asking.Answer) -> Response:
        first = {"index": 0, "delta": {"role": "assistant", **_said(answer)}, "finish_reason": None}
        last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
        events = [
            self._framed("chat.completion.chunk", first) | {"netsuke": answer.row},
            self._framed("chat.completion.chunk", last),
        ]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        return StreamingResponse(iter(lines), media_type="text/event-stream")

    def _framed(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        made = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}
        return {**made, "model": self.task.supervisor.name, "choices": [choice]}


def _said(answer: asking.Answer) -> dict[str, Any]:
    if answer.abstained:
        return {"content": None, "refusal": f"not sure: {answer.text} at {answer.confidence:.0%}"}
    return {"content": answer.text}
