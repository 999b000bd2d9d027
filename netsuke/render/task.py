"""What examples ask for: one of a few labels, a piece of the input, or free text."""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RecipeError
from ..texts.examples import Row, input_of, right_answer

LABEL_CHARS = 60  # a longer answer is no label
REPEATS = 4  # uses of each label, on average, that make answers labels
TAKEN = 0.9  # share of answers whose every word stands in the input, that makes a task an extraction
FEWEST = 10


@dataclass(frozen=True)
class Task:
    """What is asked, of which examples, and which ones were left out for what."""

    kind: str  # "labels", "extract" or "free"; "" without examples
    labels: tuple[str, ...]
    examples: tuple[Row, ...]
    left_out: dict[str, list[int]]  # by reason: lines


def kind_of(rows: Sequence[Row]) -> str:
    """What the answers look like."""
    answers = Counter(right_answer(row) for row in rows)
    if all(sum(m["role"] != "system" for m in row.get("messages", ())) > 2 for row in rows):
        return "free"
    if all("label" in row for row in rows):
        return "labels"
    if len(rows) >= REPEATS * len(answers) and max(map(len, answers)) <= LABEL_CHARS:
        return "labels"
    telling = [row for row in rows if _words(right_answer(row))]  # null and true alone could stand beside any input
    taken = sum(not lacking(row) for row in telling)
    return "extract" if telling and taken >= TAKEN * len(telling) else "free"


def lacking(row: Row) -> int:
    """How many words of the answer do not stand in the input."""
    given = input_of(row).casefold()
    return sum(word.casefold() not in given for word in _words(right_answer(row)))


def _words(said: str) -> list[str]:
    """The words of an answer: of JSON those of its texts and numbers, else all but what looks like JSON's keys."""
    try:
        held = json.loads(said, parse_float=str, parse_int=str, parse_constant=str)  # numbers as they are spelt
        leaves = " ".join(_leaves(held)) if isinstance(held, dict | list) else None
    except (ValueError, RecursionError):  # no JSON, or nested too deep
        leaves = None
    if leaves is not None:
        words = leaves.split()
    else:
        words = [word for word in said.replace('":', '": ').split() if not word.endswith('":')]
    return [word.strip('{}[]",:') for word in words]


def _leaves(held: Any) -> Iterator[str]:
    """The texts of a JSON value and its numbers; what is null, true or false is in no input."""
    if isinstance(held, str):
        yield held
    elif isinstance(held, dict | list):
        for one in held.values() if isinstance(held, dict) else held:
            yield from _leaves(one)


def task_of(rows: Sequence[Row], kind: str, wanted: Sequence[str], part: bool = False) -> Task:
    """The task of these examples, without those that contradict their like, have a label too many or are copies.

    Raises RecipeError where there is nothing to tell apart, or too little to learn from; of a `part` of what teaches
    a task any number of examples will do.
    """
    if not rows:
        return Task("", (), (), {})
    kind = kind_of(rows) if kind == "auto" else kind
    left_out: defaultdict[str, list[int]] = defaultdict(list)
    kept = list(rows)
    if kind == "labels":
        kept = agreeing(_listed(kept, wanted, left_out), left_out)
    kept = distinct(kept, left_out)
    labels = tuple(sorted({right_answer(row) for row in kept})) if kind == "labels" else ()
    if part:
        return Task(kind if kept else "", labels, tuple(kept), dict(left_out))
    if kind == "labels" and len(labels) < 2:
        told = f"every example has the label {labels[0]!r}" if labels else "no example has a label of the list"
        raise RecipeError(f"{told}: there is nothing to tell apart", hint="add examples of other labels")
    if len(kept) < FEWEST:
        raise RecipeError(
            f"{len(kept)} examples are too few to learn a task from and to check it: at least {FEWEST} are needed",
            hint="add examples, each another one; fifty are a start",
        )
    return Task(kind, labels, tuple(kept), dict(left_out))


def _listed(rows: Sequence[Row], wanted: Sequence[str], left_out: dict[str, list[int]]) -> list[Row]:
    """The rows whose label is in the recipe's list, if there is one; spaces around a label are none of it."""
    wanted, kept = [label.strip() for label in wanted], []
    for row in rows:
        if not wanted or (label := right_answer(row)) in wanted:
            kept.append(row)
            continue
        near = difflib.get_close_matches(label, wanted, 1, 0.6)
        meant = f": perhaps {near[0]!r}" if near else ""
        left_out.setdefault(f"label {label!r} is not in task.labels{meant}", []).append(row["line"])
    return kept


def agreeing(
    rows: Sequence[Row], left_out: dict[str, list[int]], why: str = "another label for the same input"
) -> list[Row]:
    """The rows but those whose input has another answer more often; where none has more, none is right."""
    votes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        votes[input_of(row).strip()][right_answer(row)] += 1
    kept = []
    for row in rows:
        found = votes[input_of(row).strip()]
        most = [label for label, count in found.items() if count == max(found.values())]
        if most == [right_answer(row)]:
            kept.append(row)
        else:
            left_out.setdefault(why, []).append(row["line"])
    return kept


def distinct(
    rows: Sequence[Row], left_out: dict[str, list[int]], why: str = "a copy of another example"
) -> list[Row]:
    """The first row of each input and answer: a copy teaches nothing more, and would be counted twice in test."""
    seen, kept = set(), []
    for row in rows:
        key = input_of(row).strip(), right_answer(row)
        if key in seen:
            left_out.setdefault(why, []).append(row["line"])
        else:
            seen.add(key)
            kept.append(row)
    return kept
