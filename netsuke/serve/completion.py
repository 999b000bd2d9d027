"""OpenAI's /v1/completions: its answers, whose probabilities are four lists where a chat has one of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .dialect import Dialect, likely


class Completed(Dialect):
    """Answers of /v1/completions."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._at = 0  # characters of the answer so far

    def told(self, answer: dict[str, Any]) -> dict[str, Any]:
        answer = super().told(answer)
        if not (tokens := likely(answer)):
            return answer
        lists = self._lists(tokens)
        return {**answer, "choices": [{**choice, "logprobs": lists} for choice in answer["choices"]]}

    def _lists(self, tokens: list[dict[str, Any]]) -> dict[str, list[Any]]:
        offsets = []
        for token in tokens:
            offsets.append(self._at)
            self._at += len(token["token"])
        return {
            "tokens": [token["token"] for token in tokens],
            "token_logprobs": [token["logprob"] for token in tokens],
            "top_logprobs": [_likeliest(token) for token in tokens],
            "text_offset": offsets,
        }


def _likeliest(token: Mapping[str, Any]) -> dict[str, float]:
    """The likeliest tokens at a place by their names, and the one that was taken, as OpenAI has it."""
    top = token["top_logprobs"]
    taken = {} if token["id"] in [one["id"] for one in top] else {token["token"]: token["logprob"]}
    return {_name(one): one["logprob"] for one in top} | taken


def _name(token: Mapping[str, Any]) -> str:
    """A token's text; bytes that are no text by themselves go by OpenAI's name, or all of them would share one."""
    raw = bytes(token["bytes"])
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
