"""Which fields a request may have: each by name, type and range. What is not listed here is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .refused import Refused

DEFAULT_MAX_TOKENS = 256
MOST_TOKENS = 1 << 20

Check = Callable[[Any], Any]  # the value to pass on; raises ValueError with what the value must be


def integer(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any) -> float:
        if type(value) not in (int, float) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return check


def text(most: int) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most:
            raise ValueError(f"must be a text of at most {most} characters")
        return value

    return check


def one_of(*choices: Any) -> Check:
    def check(value: Any) -> Any:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise ValueError("must be " + " or ".join(repr(choice) for choice in choices))
        return value

    return check


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    return value


def record(checks: Mapping[str, Check], required: tuple[str, ...] = ()) -> Check:
    """An object with these keys and no other; a key whose value is null counts as absent."""

    def check(value: Any) -> dict[str, Any]:
        given = {key: item for key, item in mapping(value).items() if item is not None}
        for key in required:
            if key not in given:
                raise ValueError(f"must have {key!r}")
        for key in given:
            if key not in checks:
                raise ValueError(f"may not have {key!r}")
        return {key: checks[key](item) for key, item in given.items()}

    return check


def clock(value: Any) -> Any:
    """A moment as Vim tells it: a number, or two."""
    parts = value if isinstance(value, list) and len(value) <= 2 else [value]
    return value if [number(-1e15, 1e15)(part) for part in parts] else None


def each(check: Check, most: int) -> Check:
    """A list of at most so many such values."""

    def checked_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"must be a list of at most {most}")
        return [check(item) for item in value]

    return checked_all


def stop(value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or len(words) > 16:
        raise ValueError("must be a text or a list of at most 16 texts")
    if not all(isinstance(word, str) and 0 < len(word) <= 256 for word in words):
        raise ValueError("must hold texts of 1 to 256 characters")
    return words


def prompt(value: Any) -> str | list[int]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(map(_is_token, value)):
        return value
    raise ValueError("must be one text, or a list of token ids")


def _is_token(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def content(value: Any) -> str:
    """A message's text; OpenAI's list of text parts is joined."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise ValueError("content must be a text or a list of text parts")
    return "".join(_part(part)["text"] for part in value)


def messages(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not 0 < len(value) <= 1024:
        raise ValueError("must be a list of 1 to 1024 messages")
    checked = []
    for position, message in enumerate(value):
        try:
            checked.append(_message(message))
        except ValueError as error:
            raise ValueError(f"message {position}: {error}") from None
    return checked


def role(value: Any) -> str:
    """A role the usual chat templates know; OpenAI's `developer` is their `system`."""
    known = one_of("system", "developer", "user", "assistant")(value)
    return "system" if known == "developer" else str(known)


_part = record({"type": one_of("text"), "text": text(1_000_000)}, required=("type", "text"))
_message = record({"role": role, "content": content, "name": text(64)}, required=("role", "content"))
_response_format = record(
    {
        "type": one_of("text", "json_object", "json_schema"),
        "json_schema": record(
            {"name": text(64), "description": text(4096), "strict": boolean, "schema": mapping},
            required=("schema",),
        ),
    },
    required=("type",),
)

_COMMON: dict[str, Check] = {
    "model": text(256),
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
    "grammar": text(65536),
    "user": text(256),
}
CHAT: dict[str, Check] = {
    **_COMMON,
    "messages": messages,
    "max_completion_tokens": integer(1, MOST_TOKENS),
    "logprobs": boolean,
    "top_logprobs": integer(0, 20),
    "response_format": _response_format,
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
_OURS = ("model", "n", "user", "echo", "best_of", "max_completion_tokens")  # read here, not by the engine


def checked(body: Mapping[str, Any], checks: Mapping[str, Check], known: tuple[str, ...]) -> dict[str, Any]:
    """The body for the engine. Raises Refused: 400 with the field's name, 404 for a model not in `known`."""
    given = named(body, checks, known)
    most = given.get("max_completion_tokens", given.get("max_tokens", DEFAULT_MAX_TOKENS))
    return {field: value for field, value in given.items() if field not in _OURS} | {"max_tokens": most}


def infilling(body: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The body of /infill for the engine. Raises Refused as `checked`."""
    given = named({"input_prefix": "", "input_suffix": "", "prompt": "", **body}, INFILL, known)
    most = min(given.get("n_predict", DEFAULT_MAX_TOKENS), MOST_TOKENS)
    return {k: v for k, v in given.items() if k not in ("model", "id_slot")} | {"n_predict": most}


def named(body: Mapping[str, Any], checks: Mapping[str, Check], known: tuple[str, ...]) -> dict[str, Any]:
    """The body's fields, each as it may be, for a model that is here. Raises Refused."""
    given = {field: value for field, value in body.items() if value is not None}
    for required in ("messages", "prompt"):
        if required in checks and required not in given:
            raise _wrong(required, "is missing")
    for field, value in given.items():
        if field not in checks:
            raise _wrong(field, "is not a field that this server knows", "unknown_field")
        try:
            given[field] = checks[field](value)
        except ValueError as error:
            raise _wrong(field, str(error)) from None
    if given.get("model", known[0]) not in known:
        message = f"There is no model {given['model']!r} here; there is {', '.join(known)}."
        raise Refused(404, message, code="model_not_found", param="model")
    return given


def _wrong(field: str, what: str, code: str = "invalid_value") -> Refused:
    return Refused(400, f"{field[:64]!r} {what}.", code=code, param=field[:64])
