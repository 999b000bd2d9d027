"""An example's normal forms, and what is asked and what is answered in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, Any]  # {"line", "messages"}, {"line", "input", "output"} or {"line", "text", "label"}


SILENCE = {"role": "system", "content": ""}


def texts(row: Mapping[str, Any]) -> list[str]:
    """The strings of a row in their order; the last one carries the loss."""
    if "messages" in row:
        return [message["content"] for message in row["messages"]]
    return [row["input"], row["output"]] if "input" in row else [row["text"], row["label"]]


def answer(row: Mapping[str, Any]) -> str:
    """The string that carries the loss: the last message of the assistant, the output or the label."""
    return texts(row)[-1]


def input_of(row: Mapping[str, Any]) -> str:
    """What a row has before its answer, as one text."""
    return "\n\n".join(texts(row)[:-1])


def replaced(row: Mapping[str, Any], function: Callable[[str], str]) -> Row:
    """The row with `function` applied to each of its texts, in their order."""
    if "messages" in row:
        return {**row, "messages": [{**m, "content": function(m["content"])} for m in row["messages"]]}
    first, second = ("input", "output") if "input" in row else ("text", "label")
    return {**row, first: function(row[first]), second: function(row[second])}


def right_answer(row: Mapping[str, Any]) -> str:
    """The answer without the spaces around it: what a model has to say."""
    return answer(row).strip()


def as_messages(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """The row as a conversation that ends with its answer, stripped of the spaces around it."""
    if "messages" in row:
        *before, last = [{"role": m["role"], "content": m["content"]} for m in row["messages"]]
        return [*before, last | {"content": last["content"].strip()}]
    return [
        {"role": "user", "content": input_of(row)},
        {"role": "assistant", "content": right_answer(row)},
    ]


def shortened(row: Mapping[str, Any], question: str) -> Row:
    """The row with another question before its answer."""
    if "messages" in row:
        return {**row, "messages": with_question(row["messages"], question)}
    return {**row, ("input" if "input" in row else "text"): question}


def normal(row: Mapping[str, Any]) -> Row:
    """The example alone, without where it came from."""
    return {name: row[name] for name in ("messages", "input", "output", "text", "label") if name in row}


def with_question(messages: list[dict[str, str]], question: str) -> list[dict[str, str]]:
    """A conversation with another text before its answer."""
    return [*messages[:-2], messages[-2] | {"content": question}, messages[-1]]
