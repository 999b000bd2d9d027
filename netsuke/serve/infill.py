"""Filling in for editors: as the model was taught, or, where it was not, by going on from what stands before the hole.

A small model that was not taught holes for long writes a better middle from the prefix alone (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from starlette.responses import Response

from .refused import Refused
from .relay import Asked, Relay

CHARS_A_TOKEN = 2  # mostly more, in code
_SAMPLING = ("n_predict", "temperature", "top_k", "top_p", "min_p", "seed", "stream", "cache_prompt",
             "t_max_predict_ms", "repeat_penalty", "repeat_last_n", "presence_penalty",
             "frequency_penalty")  # fmt: skip


class GoingOn(Relay):
    """What goes on from a text. Of one that is longer than the context the older half is left out, and again."""

    def __init__(self, asked: Asked, path: str = "/completion") -> None:
        super().__init__(asked, path)

    async def _open(self) -> httpx.Response:
        while True:
            try:
                return await super()._open()
            except Refused as refused:
                text = self.body["prompt"]
                if refused.code != "context_length_exceeded" or not text:
                    raise
                self.body = {**self.body, "prompt": text[(len(text) + 1) // 2 :]}


class Infilling(GoingOn):
    """An answer to /infill. The engine answers whole: its tokens count, whatever the client reads of it."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked, "/infill")
        self.body = {name: value for name, value in self.body.items() if name != "response_fields"}

    def whole(self, answer: dict[str, Any]) -> Response:
        wanted = self.asked.body.get("response_fields")
        return super().whole(picked(answer, wanted) if wanted else answer)

    async def _open(self) -> httpx.Response:
        try:
            return await super()._open()
        except Refused as refused:
            if refused.status != 501:  # the file has no marks for holes
                raise
        self.path, self.body = "/completion", prefix_alone(self.body, self.seat.supervisor.engine.context_tokens)
        return await super()._open()


def prefix_alone(body: dict[str, Any], context_tokens: int) -> dict[str, Any]:
    """The body of a completion of what stands before the hole, that ends where the suffix would begin again."""
    most = min(body["n_predict"], context_tokens // 2)  # "without end" leaves the prompt its half
    room = CHARS_A_TOKEN * (context_tokens - most)
    extra = "".join(f"{chunk['text']}\n" for chunk in body.get("input_extra", ()))
    prompt = (extra + body["input_prefix"] + body["prompt"])[-room:]
    line = next(filter(str.strip, body["input_suffix"].splitlines()), "").strip()
    stop = [body["stop"]] if isinstance(body.get("stop"), str) else list(body.get("stop", ()))
    stops = [*stop, *([line] if len(line) > 2 else [])]
    sampling = {field: body[field] for field in _SAMPLING if field in body}
    return {**sampling, "n_predict": most, "prompt": prompt, "stop": stops}


def picked(answer: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Of an answer what was asked for, as llama.cpp picks it: "timings/prompt_n" is one of a field's own fields."""
    found = dict[str, Any]()
    for path in wanted:
        value: Any = answer
        for name in path.split("/"):
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            found[path] = value
    return found
