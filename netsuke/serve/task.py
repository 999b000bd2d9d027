"""A question to a model that was taught labels: answered with one of them and its probability, as OpenAI says it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..engines import asking
from .supervisor import Supervisor
from .turns import Turn

T = TypeVar("T")


class Task:
    """What a pack was taught by examples, if anything, asked through the supervised engine."""

    def __init__(self, supervisor: Supervisor, pack: Path) -> None:
        self.supervisor = supervisor
        record = asking.task_of(pack)
        self.way = asking.Way.of(record) if record else None
        self.shapes = (["user"], record["roles"] if record else [])
        self.examples = asking.shots_of(pack)
        self._askers: dict[int, asking.Asker] = {}  # by slot: each is asked by one thread at a time

    def takes(self, body: Mapping[str, Any]) -> bool:
        """Whether a chat request is a question of the task, shaped as the examples were, with labels to choose from."""
        return self.way is not None and self.way.kind == "labels" and self._is_shaped(body)

    def _is_shaped(self, body: Mapping[str, Any]) -> bool:
        return [message["role"] for message in body["messages"]] in self.shapes

    async def prepared(self, body: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
        """A chat request for a text: a question of the task is asked as the examples were, and not by chance.

        To be awaited while the turn is held. Raises EngineError.
        """
        if not self.way or not self._is_shaped(body):
            return dict(body)
        messages, _ = await _in_thread(lambda: self._asker(turn).fitting(body["messages"]))
        sure = {"temperature": 0.0} if self.way.kind == "extract" else {}
        return {**sure, **body, "messages": messages}

    async def ask(self, messages: list[dict[str, str]], turn: Turn) -> asking.Answer:
        """To be awaited while the turn is held. Raises EngineError."""
        return await _in_thread(lambda: self._ask(messages, turn))

    def _ask(self, messages: list[dict[str, str]], turn: Turn) -> asking.Answer:
        return self._asker(turn).ask(messages, id_slot=turn.slot, cache_prompt=turn.kept)

    def _asker(self, turn: Turn) -> asking.Asker:
        """Made at the slot's first question: with thousands of examples that takes half a second."""
        assert self.way
        if turn.slot not in self._askers:
            self._askers[turn.slot] = asking.Asker(self.supervisor.engine, self.way, self.examples)
        return self._askers[turn.slot]


async def _in_thread(ask: Callable[[], T]) -> T:
    """What it comes to. Who leaves waits for what was begun: else it would write into the slot of the next one."""
    work = asyncio.ensure_future(asyncio.to_thread(ask))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


def answered(answer: asking.Answer) -> dict[str, Any]:
    """OpenAI's answer of one piece. Where the model is not sure enough: a refusal and no content."""
    message = {"role": "assistant", **_said(answer)}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": 0, "total_tokens": answer.prompt_tokens}
    return _framed("chat.completion", choice) | {"netsuke": answer.row, "usage": usage}


def events(answer: asking.Answer) -> list[dict[str, Any]]:
    """The same as the events of a stream, of which each tells how sure it is, and the first what the question cost."""
    whole = answered(answer)
    first = {"index": 0, "delta": whole["choices"][0]["message"], "finish_reason": None}
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    begun = _framed("chat.completion.chunk", first) | {"netsuke": answer.row}
    counted = {"timings": {"prompt_n": answer.prompt_tokens}}
    return [begun | counted, begun | {"choices": [last], "usage": whole["usage"]}]


def _framed(kind: str, choice: dict[str, Any]) -> dict[str, Any]:
    made = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time())}
    return {**made, "choices": [choice]}


def _said(answer: asking.Answer) -> dict[str, Any]:
    if answer.abstained:
        return {"content": None, "refusal": f"not sure: {answer.text} at {answer.confidence:.0%}"}
    return {"content": answer.text}
