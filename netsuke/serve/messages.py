"""Anthropic's /v1/messages: its fields, and its answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from . import fields
from .checks import Check, boolean, each, integer, number, one_of, parts, record, text
from .dialect import Dialect, framed, said, used
from .refused import Refused

_part = record(
    {"type": one_of("text"), "text": text(1_000_000), "cache_control": record({"type": one_of("ephemeral")})},
    ("type", "text"),
)
_content = parts(_part)

MESSAGES: dict[str, Check] = {
    "model": text(256),
    "voices": fields.voices,
    "messages": each(
        record({"role": one_of("user", "assistant"), "content": _content}, ("role", "content")), 1024, 1
    ),
    "system": _content,
    "max_tokens": integer(1, fields.MOST_TOKENS),
    "stop_sequences": each(text(256, 1), 16),
    "stream": boolean,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": integer(0, 1000),
    "metadata": record({"user_id": text(256)}),
    "tools": fields.no_tools,
}
REQUIRED = ("messages", "max_tokens")
_SAME = ("max_tokens", "stream", "temperature", "top_p", "top_k")


def as_chat(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a chat for the engine, of checked fields."""
    system = [{"role": "system", "content": given["system"]}] if given.get("system") else []
    body = {name: given[name] for name in _SAME if name in given}
    stop = {"stop": given["stop_sequences"]} if given.get("stop_sequences") else {}
    return {**body, **stop, "messages": [*system, *given["messages"]]}


class Messages(Dialect):
    """Answers as Anthropic gives them."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.id = f"msg_{uuid.uuid4().hex}"
        self._begun = False
        self._count = (0, 0)
        self._end = "end_turn"

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        written, end = said(answer)
        return self._message([{"type": "text", "text": written}], _reason(end), used(answer) or (0, 0))

    def event(self, event: dict[str, Any]) -> list[bytes]:
        written, end = said(event)
        self._count = used(event) or self._count
        self._end = _reason(end) if end else self._end
        frames = []
        if not self._begun and (written or end):
            self._begun = True
            message = self._message([], None, (self._count[0], 0))
            frames = [_framed("message_start", message=message)]
            frames.append(_framed("content_block_start", index=0, content_block={"type": "text", "text": ""}))
        if written:
            delta = {"type": "text_delta", "text": written}
            frames.append(_framed("content_block_delta", index=0, delta=delta))
        return frames

    def closing(self) -> list[bytes]:
        delta = {"stop_reason": self._end, "stop_sequence": None}
        usage = {"input_tokens": self._count[0], "output_tokens": self._count[1]}
        stop = _framed("content_block_stop", index=0)
        return [stop, _framed("message_delta", delta=delta, usage=usage), _framed("message_stop")]

    def broken(self, refused: Refused, path: str) -> list[bytes]:
        return [framed(refused.body(path), "error")]

    def _message(self, content: list[Any], stop: str | None, count: tuple[int, int]) -> dict[str, Any]:
        usage = {"input_tokens": count[0], "output_tokens": count[1]}
        made = {"id": self.id, "type": "message", "role": "assistant", "model": self.model}
        return {**made, "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}


def _framed(kind: str, **rest: Any) -> bytes:
    return framed({"type": kind, **rest}, kind)


def _reason(end: str) -> str:
    return "max_tokens" if end == "length" else "end_turn"
