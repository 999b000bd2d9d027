"""Filling in for editors: as the model was taught, or, where it was not, by going on from what stands before the hole.

A small model that was not taught holes for long writes a better middle from the prefix alone (docs/log.md).
"""

from __future__ import annotations

from typing import Any

import httpx

from .refused import Refused
from .relay import Relay

CHARS_A_TOKEN = 2  # at least, in code: a prompt of so many characters fits
_SAMPLING = ("n_predict", "temperature", "top_k", "top_p", "min_p", "seed", "stream", "cache_prompt",
             "t_max_predict_ms", "response_fields")  # fmt: skip


class Infilling(Relay):
    """An answer to /infill."""

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
    room = max(1, CHARS_A_TOKEN * (context_tokens - body["n_predict"]))
    extra = "".join(f"{chunk['text']}\n" for chunk in body.get("input_extra", ()))
    prompt = (extra + body["input_prefix"] + body["prompt"])[-room:]
    line = next(filter(str.strip, body["input_suffix"].splitlines()), "").strip()
    stop = [body["stop"]] if isinstance(body.get("stop"), str) else list(body.get("stop", ()))
    stops = [*stop, *([line] if len(line) > 2 else [])]
    return {field: body[field] for field in _SAMPLING if field in body} | {"prompt": prompt, "stop": stops}
