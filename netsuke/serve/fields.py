"""Which fields a request may have: each by name, type and range. What is not listed here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..voices import LOUDEST
from .checks import (
    Check,
    Schema,
    boolean,
    each,
    either,
    integer,
    mapping,
    number,
    numbers,
    one_of,
    record,
    schema,
    text,
)
from .refused import Refused

DEFAULT_MAX_TOKENS = 256
MOST_BRACKETS = 2000  # of a grammar
MOST_TOKENS = 1 << 20


def unable(what: str, shape: Schema) -> Check:
    """A field that asks for something that cannot be done here: 501. An empty list asks for nothing."""

    def refuse(value: Any) -> Any:
        if value == []:
            return value
        raise Refused(501, what, code="not_supported")

    return Check(refuse, shape)


no_tools = unable("Tools are passed on at /v1/chat/completions, not here.", {"type": "array"})


def _clock(value: Any) -> Any:
    parts = value if isinstance(value, list) and len(value) <= 2 else [value]
    return value if [number(-1e15, 1e15)(part) for part in parts] else None


_moment: Schema = {"type": "number", "minimum": -1e15, "maximum": 1e15}
clock = Check(_clock, {"anyOf": [_moment, {"type": "array", "items": _moment, "minItems": 1, "maxItems": 2}]})
"""A moment as Vim tells it: a number, or two."""


def _stop(value: Any) -> list[str]:
    return _stops([value] if isinstance(value, str) else value)


_stops = each(text(256, 1), 16)
stop = Check(_stop, {"anyOf": [text(256, 1).schema, _stops.schema]})

_tokens = each(integer(0, 2**31 - 1), MOST_TOKENS, 1)


def _prompt(value: Any) -> str | list[int]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return value
    try:
        return _tokens(value)
    except ValueError:
        raise ValueError("must be one text, or a list of token ids") from None


_one = each(text(1_000_000), 1, 1).schema
prompt = Check(_prompt, {"anyOf": [{"type": "string"}, _one, _tokens.schema]})


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise ValueError("content must be a text or a list of text parts")
    return "".join(_part(part)["text"] for part in value)


def _messages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not 0 < len(value) <= 1024:
        raise ValueError("must be a list of 1 to 1024 messages")
    checked = []
    for position, message in enumerate(value):
        try:
            checked.append(_message(message))
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from None
    return checked


def _message(value: Any) -> dict[str, Any]:
    """A message of one of three kinds: a tool's result, a call for tools, or a text."""
    kind = mapping(value).get("role")
    if kind == "tool":
        return _result(value)
    if kind == "assistant" and value.get("tool_calls"):
        return {"content": "", **_call(value)}
    return _text_of(value)


def _text_of(value: Any) -> dict[str, Any]:
    """A text; of an assistant that would not answer, what it said instead, as our own answers have it."""
    given = _said(value)
    if given.get("content") is None and (given["role"] != "assistant" or "refusal" not in given):
        raise ValueError("must have 'content'")
    instead = given.pop("refusal", "")
    return {"content": instead, **given}


def _role(value: Any) -> str:
    known = _roles(value)
    return "system" if known == "developer" else str(known)


_roles = one_of("system", "developer", "user", "assistant")
role = Check(_role, _roles.schema)
"""A role the usual chat templates know; OpenAI's `developer` is their `system`."""


_part = record({"type": one_of("text"), "text": text(1_000_000)}, required=("type", "text"))
content = Check(_content, {"anyOf": [{"type": "string"}, each(_part, 1024).schema]})
"""A message's text; OpenAI's list of text parts is joined."""
_said = record({"role": role, "content": content, "refusal": text(65536), "name": text(64)}, required=("role",))
_function = record({"name": text(64, 1), "arguments": text(65536)}, required=("name", "arguments"))
_bare_call = record({"id": text(64), "type": one_of("function"), "function": _function}, ("id", "function"))
_calls = each(Check(lambda value: {"type": "function", **_bare_call(value)}, _bare_call.schema), 64, 1)
_call = record(
    {"role": one_of("assistant"), "content": content, "name": text(64), "tool_calls": _calls}, ("role", "tool_calls")
)
_result = record(
    {"role": one_of("tool"), "content": content, "tool_call_id": text(64), "name": text(64)},
    ("role", "content", "tool_call_id"),
)
_kinds: Schema = {"anyOf": [_said.schema, _call.schema, _result.schema]}
messages = Check(_messages, {"type": "array", "items": _kinds, "minItems": 1, "maxItems": 1024})
_named_function = record(
    {"name": text(64, 1), "description": text(8192), "parameters": schema, "strict": boolean}, ("name",)
)
tools = each(record({"type": one_of("function"), "function": _named_function}, ("type", "function")), 128)
tool_choice = either(
    one_of("none", "auto", "required"),
    record({"type": one_of("function"), "function": record({"name": text(64, 1)}, ("name",))}, ("type", "function")),
)
_response_format = record(
    {
        "type": one_of("text", "json_object", "json_schema"),
        "json_schema": record(
            {"name": text(64), "description": text(4096), "strict": boolean, "schema": schema},
            required=("schema",),
        ),
    },
    required=("type",),
)

_written = text(65536)


def _of_few_brackets(value: Any) -> Any:
    if _written(value).count("(") > MOST_BRACKETS:
        raise ValueError(f"must open at most {MOST_BRACKETS} brackets")
    return value


grammar = Check(_of_few_brackets, _written.schema)
"""As llama.cpp writes them; its reader goes a call deeper with each bracket, and 30,000 fill its stack."""

voices = numbers(0, LOUDEST, 256)
"""How loud each voice of the model is to be, by its name; those that are not named are at 1."""

_COMMON: dict[str, Check] = {
    "model": text(256),
    "voices": voices,
    "max_tokens": integer(1, MOST_TOKENS),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "top_k": integer(0, 1000),
    "min_p": number(0, 1),
    "seed": integer(-1, 2**32 - 1),
    "stop": stop,
    "stream": boolean,
    "stream_options": record({"include_usage": boolean}),
    "n": one_of(1),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "repeat_penalty": number(0.5, 2),
    "grammar": grammar,
    "user": text(256),
}
CHAT: dict[str, Check] = {
    **_COMMON,
    "messages": messages,
    "max_completion_tokens": integer(1, MOST_TOKENS),
    "logprobs": boolean,
    "top_logprobs": integer(0, 20),
    "response_format": _response_format,
    "tools": tools,
    "tool_choice": tool_choice,
    "parallel_tool_calls": boolean,
}
COMPLETION: dict[str, Check] = {
    **_COMMON,
    "prompt": prompt,
    "logprobs": integer(0, 20),
    "echo": one_of(False),
    "best_of": one_of(1),
}
_extra = record(
    {"text": text(1_000_000), "filename": text(4096), "time": clock}, required=("text",)
)
INFILL: dict[str, Check] = {  # llama.cpp's own route, as llama.vim and llama.vscode ask it
    "input_prefix": text(1_000_000),
    "input_suffix": text(1_000_000),
    "input_extra": each(_extra, 256),
    "prompt": text(1_000_000),
    "model": text(256),
    "voices": voices,
    "n_predict": integer(0, MOST_TOKENS),
    "n_indent": integer(0, 1000),
    "temperature": number(0, 2),
    "top_k": integer(0, 1000),
    "top_p": number(0, 1),
    "min_p": number(0, 1),
    "seed": integer(-1, 2**32 - 1),
    "samplers": each(text(64), 16),
    "stop": stop,
    "stream": one_of(False),
    "cache_prompt": boolean,
    "t_max_prompt_ms": integer(1, 60_000),
    "t_max_predict_ms": integer(1, 60_000),
    "response_fields": each(text(64), 64),
    "id_slot": integer(-1, 1 << 16),
}
EMBEDDING: dict[str, Check] = {
    "model": text(256),
    "input": either(text(1_000_000, 1), _tokens, each(text(1_000_000, 1), 256, 1), each(_tokens, 256, 1)),
    "encoding_format": one_of("float", "base64"),
    "user": text(256),
}
_OURS = ("model", "voices", "n", "user", "echo", "best_of", "max_completion_tokens", "max_tokens")  # not for the engine


def checked(body: Mapping[str, Any], checks: Mapping[str, Check], *required: str) -> dict[str, Any]:
    """The body's fields, each as it may be; null counts as absent. Raises Refused: 400 with the field's name."""
    given = {field: value for field, value in body.items() if value is not None}
    for field in required:
        if field not in given:
            raise wrong(field, "is missing")
    for field, value in given.items():
        if field not in checks:
            raise wrong(field, "is not a field that this server knows", "unknown_field")
        try:
            given[field] = checks[field](value)
        except ValueError as error:
            raise wrong(field, str(error)) from None
    return given


def for_engine(given: Mapping[str, Any]) -> dict[str, Any]:
    """Checked fields of a chat or a completion as the engine gets them."""
    most = given.get("max_completion_tokens", given.get("max_tokens", DEFAULT_MAX_TOKENS))
    sent = {field: value for field, value in given.items() if field not in _OURS} | {"max_tokens": most}
    if "logprobs" not in given or given["logprobs"] is False:
        return sent
    # asked for none of the likely tokens, the engine leaves out the probability of the one that it took too
    return sent | {"logprobs" if "prompt" in given else "top_logprobs": max(1, shown(given))}


def shown(given: Mapping[str, Any]) -> int:
    """How many likely tokens are to be told at each place: a chat's `top_logprobs`, a completion's `logprobs`."""
    asked = given.get("logprobs", False)
    return given.get("top_logprobs", 0) if isinstance(asked, bool) else int(asked)


def infilling(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of /infill for the engine, and `model`. Raises Refused as `checked`."""
    given = {"input_prefix": "", "input_suffix": "", "prompt": "", **checked(body, INFILL)}
    most = given.get("n_predict", DEFAULT_MAX_TOKENS)
    return {k: v for k, v in given.items() if k != "id_slot"} | {"n_predict": most}


def wrong(field: str, what: str, code: str = "invalid_value") -> Refused:
    """A 400 about a field."""
    return Refused(400, f"{field[:64]!r} {what}.", code=code, param=field[:64])
