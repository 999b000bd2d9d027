"""Chat and completion in the terminal, streaming from an engine that lives as long as the talk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..engines import asking
from ..engines.asking import CONTEXT_TOKENS
from ..engines.llama import Engine
from ..errors import EngineError, RecipeError
from ..terminal import not_text, say

REPEATED_TOKENS = 256  # that a repeat penalty looks back on


def complete(
    model: Path,
    prompt: str,
    max_tokens: int,
    temperature: float,
    seed: int | None,
    *,
    echo: bool,
    repeat_penalty: float = 1.0,
) -> str:
    """The model's continuation of `prompt`; with `echo` it is also written to stdout as it comes."""
    body: dict[str, Any] = {
        "prompt": prompt,
        "n_predict": max_tokens,
        "temperature": temperature,
        **_against_loops(repeat_penalty),
        "stream": True,
    }
    if seed is not None:
        body["seed"] = seed
    parts: list[str] = []
    with Engine(model, context_tokens=CONTEXT_TOKENS) as engine:
        for event in engine.stream("/completion", body):
            if echo and not parts:  # not before the engine has taken it
                _write(prompt)
            parts.append(event.get("content", ""))
            if echo:
                _write(parts[-1])
    if echo:
        _write("\n")
    return "".join(parts)


def chat(model: Path, name: str, max_tokens: int, temperature: float, repeat_penalty: float = 1.0) -> None:
    """Read lines from standard input, answer each; ends at the end of input."""
    messages: list[dict[str, str]] = []
    say(f"{name}: write a line, Ctrl-D ends. It writes in your voice; it does not know facts.")
    with Engine(model, context_tokens=CONTEXT_TOKENS) as engine:
        while (line := _ask()) is not None:
            if not line.strip():
                continue
            if fault := not_text(line):
                say(f"error: {fault}")
                continue
            try:
                asked = _fitting(engine, [*messages, {"role": "user", "content": line}], max_tokens)
                answer = _answer(engine, asked, max_tokens, temperature, repeat_penalty)
            except EngineError as error:  # too long, say: the talk goes on without this line
                say(f"error: {error}")
                continue
            messages = [*asked, {"role": "assistant", "content": answer}]


def ask(pack: Path, name: str, questions: Sequence[str]) -> list[dict[str, Any]]:
    """What a pack with a task answers to each question, as plain values. Raises RecipeError for one without."""
    task = asking.task_of(pack)
    if not task:
        raise RecipeError(
            f"{name} was not taught a task: its material has no examples",
            hint=f"talk to it: netsuke chat {name}; or add a table with the columns text and label, and make it again",
        )
    with Engine(pack / "model.gguf", context_tokens=CONTEXT_TOKENS) as engine:
        asker = asking.Asker(engine, asking.Way.of(task), asking.shots_of(pack))
        answers = [asker.ask([{"role": "user", "content": question}]) for question in questions]
    return [{"question": q, **a.row} for q, a in zip(questions, answers, strict=True)]


def _ask() -> str | None:
    try:
        if sys.stdin.isatty():
            return input("> ")
        line = sys.stdin.readline()
        return line.rstrip("\n") if line else None
    except EOFError:
        return None


def _against_loops(repeat_penalty: float) -> dict[str, Any]:
    return {"repeat_penalty": repeat_penalty, "repeat_last_n": REPEATED_TOKENS}


def _fitting(engine: Engine, messages: list[dict[str, str]], max_tokens: int) -> list[dict[str, str]]:
    """The talk without its oldest exchanges, where the context has no room for it beside the answer."""
    room = CONTEXT_TOKENS - min(max_tokens, CONTEXT_TOKENS // 2)
    while len(messages) > 1 and len(engine.asked(messages)) > room:
        messages = messages[2:]
    return messages


def _answer(
    engine: Engine, messages: list[dict[str, str]], max_tokens: int, temperature: float, repeat_penalty: float
) -> str:
    """The answer, written as it comes."""
    body = {"messages": messages, "max_tokens": max_tokens, "temperature": temperature, "stream": True}
    body |= _against_loops(repeat_penalty)
    parts: list[str] = []
    for event in engine.stream("/v1/chat/completions", body):
        for choice in event.get("choices", ()):
            parts.append(choice["delta"].get("content") or "")
            _write(parts[-1])
    _write("\n")
    return "".join(parts)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
