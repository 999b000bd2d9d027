"""Ollama's verbs that read and run: their fields, and their answers. None that fetches, makes or deletes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from . import fields
from .checks import Check, boolean, each, either, integer, mapping, number, one_of, record, schema, text
from .dialect import Dialect, likely, said, used
from .refused import Refused

_images = fields.unable("These models read text and no images.", {"type": "array", "maxItems": 0})
_called = record({"function": record({"name": text(64, 1), "arguments": mapping}, ("name",))}, ("function",))
_message = record(
    {
        "role": one_of("system", "user", "assistant", "tool"),
        "content": text(1_000_000),
        "images": _images,
        "thinking": text(1_000_000),
        "tool_calls": each(_called, 64),
        "tool_name": text(64),
    },
    ("role",),
)
_ignored = {  # how their server loads a model: ours is loaded as `netsuke serve` was told
    name: either(integer(-1, 2**31), boolean)
    for name in (
        "numa", "num_ctx", "num_batch", "num_gpu", "main_gpu", "low_vram", "f16_kv", "logits_all", "vocab_only",
        "use_mmap", "use_mlock", "num_thread", "num_keep",
    )
}  # fmt: skip
_options = record(
    {
        "seed": integer(-1, 2**32 - 1),
        "num_predict": integer(-2, fields.MOST_TOKENS),
        "temperature": number(0, 2),
        "top_k": integer(0, 1000),
        "top_p": number(0, 1),
        "min_p": number(0, 1),
        "repeat_penalty": number(0.5, 2),
        "repeat_last_n": integer(-1, 1 << 16),
        "presence_penalty": number(-2, 2),
        "frequency_penalty": number(-2, 2),
        "stop": fields.stop,
        "voices": fields.voices,
        **_ignored,
    }
)
_keep = either(number(-1e9, 1e9), text(32))
_RUN: dict[str, Check] = {
    "model": text(256, 1),
    "stream": boolean,
    "options": _options,
    "format": either(one_of("", "json"), schema),
    "keep_alive": _keep,
    "think": either(boolean, one_of("low", "medium", "high")),
    "logprobs": boolean,
    "top_logprobs": integer(0, 20),
}
CHAT: dict[str, Check] = {**_RUN, "messages": each(_message, 1024), "tools": fields.tools}
GENERATE: dict[str, Check] = {
    **_RUN,
    "prompt": text(1_000_000),
    "suffix": text(1_000_000),
    "system": text(1_000_000),
    "raw": boolean,
    "images": _images,
    "template": fields.unable("The model's own chat template is used and no other.", {"type": "string"}),
    "context": fields.unable("Send the conversation to /api/chat instead.", {"type": "array"}),
}
EMBED: dict[str, Check] = {
    "model": text(256, 1),
    "input": either(text(1_000_000, 1), each(text(1_000_000, 1), 256, 1)),
    "truncate": boolean,
    "options": _options,
    "keep_alive": _keep,
}
SHOW: dict[str, Check] = {"model": text(256, 1), "name": text(256, 1), "verbose": boolean}
_SAMPLING = ("seed", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "presence_penalty",
             "frequency_penalty", "stop", "repeat_last_n")  # fmt: skip


# -- requests ----------------------------------------------------------------------------------------------
def as_chat(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a chat for the engine, of checked fields of /api/chat."""
    tools = {"tools": given["tools"], "stream": False} if given.get("tools") else {}  # calls come whole
    return {**_settings(given), **tools, "messages": [_told(message) for message in given["messages"]]}


def as_asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same of /api/generate: a question, behind the system message."""
    system = [{"role": "system", "content": given["system"]}] if given.get("system") else []
    return {**_settings(given), "messages": [*system, {"role": "user", "content": given["prompt"]}]}


def as_completion(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a completion, of a raw prompt."""
    body = _settings(given)
    shown = {"logprobs": body.pop("top_logprobs")} if body.pop("logprobs", False) else {}
    shape = body.pop("response_format", {"type": "text"})
    bound = {"json_schema": shape.get("json_schema", {}).get("schema", {})} if shape["type"] != "text" else {}
    return {**body, **shown, **bound, "prompt": given["prompt"]}


def as_infilling(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of /infill: what stands before the hole and behind it. Raises Refused for what is not told of one."""
    for field in ("format", "logprobs"):
        if given.get(field):
            raise fields.wrong(field, "cannot be asked beside 'suffix'")
    body = _settings(given)
    kept = {name: body[name] for name in _SAMPLING if name in body}
    hole = {"input_prefix": given["prompt"], "input_suffix": given["suffix"], "prompt": ""}
    return {**kept, **hole, "n_predict": body["max_tokens"], "stream": False}


def as_embedding(given: Mapping[str, Any]) -> dict[str, Any]:
    """The body of /v1/embeddings."""
    return {"input": given["input"], "encoding_format": "float"}


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("think"):
        raise fields.wrong("think", "must be false: these models do not think first")
    options = given.get("options", {})
    body = {name: options[name] for name in _SAMPLING if name in options}
    most = options.get("num_predict", fields.DEFAULT_MAX_TOKENS)
    body |= {"max_tokens": most if most > 0 else fields.MOST_TOKENS, "stream": given.get("stream", True)}
    if given.get("logprobs"):
        body |= {"logprobs": True, "top_logprobs": max(1, fields.shown(given))}  # for 0 the engine tells nothing
    shape = given.get("format") or {}
    if shape == "json":
        body["response_format"] = {"type": "json_object"}
    elif shape:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": shape}}
    return body


def _told(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as OpenAI has it, with calls of tools and their results."""
    told = {"role": message["role"], "content": message.get("content", "")}
    if message["role"] == "tool":
        return {**told, "tool_call_id": message.get("tool_name", "0")}
    calls = [call["function"] for call in message.get("tool_calls", ())]
    if not calls:
        return told
    functions = [{"name": one["name"], "arguments": json.dumps(one.get("arguments", {}))} for one in calls]
    return {**told, "tool_calls": [{"id": f["name"], "type": "function", "function": f} for f in functions]}


# -- answers -----------------------------------------------------------------------------------------------
class Generated(Dialect):
    """Answers of /api/generate: a line of JSON each."""

    media_type = "application/x-ndjson"

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._end, self._last = "stop", dict[str, Any]()

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        written, end = said(answer)
        return self._row(self.part(written, answer), True, end or "stop", answer)

    def event(self, event: dict[str, Any]) -> list[bytes]:
        written, end = said(event)
        self._end = end or self._end
        self._last = event if used(event) else self._last
        part = self.part(written, event)
        return [_line(self._row(part, False))] if written else []

    def closing(self) -> list[bytes]:
        return [_line(self._row(self.part("", {}), True, self._end, self._last))]

    def broken(self, refused: Refused, path: str) -> list[bytes]:
        return [_line({"error": refused.message})]

    def loaded(self) -> dict[str, Any]:
        """The answer to a request that only asks that the model be there."""
        return self._row(self.part("", {}), True, "load", {})

    def part(self, written: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What was written, and how likely its tokens were."""
        return {"response": written, **self.likely(answer)}

    def likely(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """How likely the tokens were, where that was asked."""
        tokens = [_token(one, self.shown) for one in likely(answer)]
        return {"logprobs": tokens} if tokens else {}

    def _row(
        self, part: dict[str, Any], done: bool, why: str = "", answer: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        row = {"model": self.model, "created_at": now, **part, "done": done}
        if not done or answer is None:
            return row
        timings = answer.get("timings", {})
        before, after = (int(timings.get(name, 0) * 1e6) for name in ("prompt_ms", "predicted_ms"))
        prompt, written = used(answer) or (0, 0)
        counts = {"prompt_eval_count": prompt, "prompt_eval_duration": before, "eval_count": written}
        row |= {"done_reason": why, "total_duration": before + after, "load_duration": 0, **counts}
        labelled = {"netsuke": answer["netsuke"]} if "netsuke" in answer else {}
        return {**row, "eval_duration": after, **labelled}


class Chatted(Generated):
    """Answers of /api/chat."""

    def part(self, written: str, answer: Mapping[str, Any]) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": written}
        for choice in answer.get("choices", ()):
            calls = (choice.get("message") or choice.get("delta") or {}).get("tool_calls")
            if calls:
                message["tool_calls"] = [{"function": _arguments(call["function"])} for call in calls]
        return {"message": message, **self.likely(answer)}


class Embedded(Dialect):
    """Answers of /api/embed."""

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        vectors = [item["embedding"] for item in sorted(answer["data"], key=lambda item: item["index"])]
        count = (used(answer) or (0, 0))[0]
        return {"model": self.model, "embeddings": vectors, "prompt_eval_count": count}


def _token(token: Mapping[str, Any], most: int | None) -> dict[str, Any]:
    top = [{"token": one["token"], "logprob": one["logprob"]} for one in token.get("top_logprobs", ())[:most]]
    return {"token": token["token"], "logprob": token["logprob"], "top_logprobs": top}


def _arguments(function: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"name": function.get("name", ""), "arguments": json.loads(function.get("arguments") or "{}")}
    except ValueError:
        return {"name": function.get("name", ""), "arguments": {}}


def _line(value: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(value)}\n".encode()
