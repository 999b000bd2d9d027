"""How an API's answers look. The engine is asked and answers in OpenAI's way; each dialect says that in its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .refused import Refused


class Dialect:
    """OpenAI's own: chat, completions, embeddings; and llama.cpp's /infill."""

    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, model: str) -> None:
        self.model = model
        self.id = ""  # of the answer, by which it can be spoken of afterwards
        self.shown: int | None = None  # likely tokens told at each place; None: as many as the engine tells

    def whole(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer in one piece. It goes by the pack's name: the engine itself tells the file's path."""
        self.id = str(answer.get("id", ""))
        return self.told(answer)

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        """An answer, or an event of one, as it goes out."""
        for token in likely(answer):
            token["top_logprobs"] = token.get("top_logprobs", [])[: self.shown]
        return {**answer, "model": self.model}

    def event(self, event: dict[str, Any]) -> list[bytes]:
        """What the client gets for an event of the engine's stream."""
        self.id = self.id or str(event.get("id", ""))
        choices = event.get("choices")
        if choices and choices[0].get("finish_reason") is None:  # we asked for the count so far, and nobody else
            event = {name: value for name, value in event.items() if name != "timings"}
        return [framed(self.told(event))]

    def closing(self) -> list[bytes]:
        """What ends a stream that came to its end."""
        return [b"data: [DONE]\n\n"]

    def broken(self, refused: Refused, path: str) -> list[bytes]:
        """What ends one that did not."""
        return [framed(refused.body(path))]


def framed(value: Mapping[str, Any], event: str = "") -> bytes:
    """A server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def said(answer: Mapping[str, Any]) -> tuple[str, str]:
    """(text, why it ended: "stop", "length", "tool_calls" or "") of an answer, or of an event of a stream."""
    for choice in answer.get("choices", ()):
        part = choice.get("message") or choice.get("delta") or {}
        text = choice.get("text") or part.get("content") or part.get("refusal") or ""
        return text, choice.get("finish_reason") or ""
    return answer.get("content") or "", "length" if answer.get("stop_type") == "limit" else ""  # of /infill


def likely(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tokens of an answer, or of an event of a stream, with how likely they were, where that was asked."""
    return [one for choice in answer.get("choices", ()) for one in (choice.get("logprobs") or {}).get("content") or ()]


def used(answer: Mapping[str, Any]) -> tuple[int, int] | None:
    """(prompt tokens, answer tokens) so far, where the engine tells."""
    if timings := answer.get("timings"):
        return timings.get("cache_n", 0) + timings.get("prompt_n", 0), timings.get("predicted_n", 0)
    if usage := answer.get("usage"):
        return usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return None
