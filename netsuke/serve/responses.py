"""OpenAI's /v1/responses: its fields, and its answers. Nothing is stored, so a response cannot be gone on from."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from . import checks, fields
from .checks import Check, boolean, each, either, integer, mapping, number, one_of, record, schema, text
from .dialect import Dialect, framed, said, used
from .refused import Refused

_part = record(
    {"type": one_of("input_text", "output_text", "text"), "text": text(1_000_000), "annotations": each(mapping, 64),
     "logprobs": each(mapping, 4096)},
    ("type", "text"),
)
_content = checks.parts(_part)
_item = record(
    {"type": one_of("message"), "role": fields.role, "content": _content, "id": text(128), "status": text(32)},
    ("role", "content"),
)
_format = record(
    {
        "type": one_of("text", "json_object", "json_schema"),
        "name": text(64),
        "description": text(4096),
        "strict": boolean,
        "schema": schema,
    },
    ("type",),
)
RESPONSES: dict[str, Check] = {
    "model": text(256),
    "voices": fields.voices,
    "input": either(text(1_000_000), each(_item, 1024, 1)),
    "instructions": text(1_000_000),
    "max_output_tokens": integer(1, fields.MOST_TOKENS),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "stream": boolean,
    "store": boolean,
    "text": record({"format": _format, "verbosity": one_of("low", "medium", "high")}),
    "truncation": one_of("disabled"),
    "metadata": mapping,
    "user": text(256),
    "tools": fields.no_tools,
    "previous_response_id": fields.unable("Nothing is stored here: send the whole conversation.", {"type": "string"}),
}
REQUIRED = ("input",)
_SAME = ("stream", "temperature", "top_p")


def as_chat(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a chat for the engine, of checked fields."""
    told = [{"role": "system", "content": given["instructions"]}] if given.get("instructions") else []
    asked = given["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    messages = [{"role": item["role"], "content": item["content"]} for item in items]
    body = {name: given[name] for name in _SAME if name in given} | {"messages": [*told, *messages]}
    shape = given.get("text", {}).get("format", {"type": "text"})
    if shape["type"] == "json_schema":
        if "schema" not in shape:
            raise fields.wrong("text", "must have a 'schema' in its format")
        inner = {name: shape[name] for name in ("name", "schema") if name in shape}
        body["response_format"] = {"type": "json_schema", "json_schema": inner}
    elif shape["type"] == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body | {"max_tokens": given.get("max_output_tokens", fields.DEFAULT_MAX_TOKENS)}


class Responses(Dialect):
    """Answers as OpenAI's responses."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.id, self.item_id = f"resp_{uuid.uuid4().hex}", f"msg_{uuid.uuid4().hex}"
        self.created = int(time.time())
        self._number = 0
        self._parts: list[str] = []
        self._count = (0, 0)
        self._end = ""

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        written, self._end = said(answer)
        self._count = used(answer) or (0, 0)
        return self._response(self._status, [self._item(self._status, [_text(written)])])

    def event(self, event: dict[str, Any]) -> list[bytes]:
        frames = [] if self._number else self._opening()
        written, end = said(event)
        self._count, self._end = used(event) or self._count, end or self._end
        if written:
            self._parts.append(written)
            frames.append(self._framed("response.output_text.delta", **self._at(), delta=written, logprobs=[]))
        return frames

    def closing(self) -> list[bytes]:
        part = _text("".join(self._parts))
        item = self._item(self._status, [part])
        return [
            self._framed("response.output_text.done", **self._at(), text=part["text"], logprobs=[]),
            self._framed("response.content_part.done", **self._at(), part=part),
            self._framed("response.output_item.done", output_index=0, item=item),
            self._framed(f"response.{self._status}", response=self._response(self._status, [item])),
        ]

    def broken(self, refused: Refused, path: str) -> list[bytes]:
        error = {"code": "server_error", "message": refused.message}
        return [self._framed("response.failed", response=self._response("failed", []) | {"error": error})]

    @property
    def _status(self) -> str:
        return "incomplete" if self._end == "length" else "completed"

    def _opening(self) -> list[bytes]:
        response = self._response("in_progress", [])
        return [
            self._framed("response.created", response=response),
            self._framed("response.in_progress", response=response),
            self._framed("response.output_item.added", output_index=0, item=self._item("in_progress", [])),
            self._framed("response.content_part.added", **self._at(), part=_text("")),
        ]

    def _at(self) -> dict[str, Any]:
        return {"item_id": self.item_id, "output_index": 0, "content_index": 0}

    def _framed(self, kind: str, **rest: Any) -> bytes:
        self._number += 1
        return framed({"type": kind, "sequence_number": self._number - 1, **rest}, kind)

    def _item(self, status: str, content: list[Any]) -> dict[str, Any]:
        return {"id": self.item_id, "type": "message", "role": "assistant", "status": status, "content": content}

    def _response(self, status: str, output: list[Any]) -> dict[str, Any]:
        prompt, answer = self._count
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": prompt, "output_tokens": answer, "total_tokens": prompt + answer, **details}
        made = {"id": self.id, "object": "response", "created_at": self.created, "model": self.model}
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        rest: dict[str, Any] = {"incomplete_details": cut, "error": None, "store": False}
        rest |= {"tools": [], "tool_choice": "none"}
        fixed = {"parallel_tool_calls": False, "usage": None if status == "in_progress" else usage}
        return {**made, "status": status, "output": output, **rest, **fixed}


def _text(text_: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text_, "annotations": [], "logprobs": []}
