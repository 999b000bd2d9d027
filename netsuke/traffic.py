"""Requests in figures: how many, how long, how much, how often nothing came of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .texts.ranked import quantile

BLOCK = 50  # prompts that are held against as many others (watch/drift.py)


class Request(Protocol):
    """A request that reached a model, in seconds and tokens."""

    @property
    def time(self) -> float: ...
    @property
    def first_seconds(self) -> float | None: ...
    @property
    def seconds(self) -> float: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def abstained(self) -> bool: ...
    @property
    def failed(self) -> bool: ...


@dataclass(frozen=True)
class Numbers:
    """Some requests; seconds are None where there were none, and of those alone that did not fail."""

    requests: int = 0
    median: float | None = None  # seconds to the end of the answer
    p95: float | None = None
    first_median: float | None = None  # seconds to the first part, of streams
    first_p95: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    abstained: int = 0
    failed: int = 0


def numbers(requests: Iterable[Request]) -> Numbers:
    """These requests in figures."""
    every = list(requests)
    whole = [one for one in every if not one.failed]
    seconds = [one.seconds for one in whole]
    first = [one.first_seconds for one in whole if one.first_seconds is not None]
    return Numbers(
        len(every), _at(seconds, 0.5), _at(seconds, 0.95), _at(first, 0.5), _at(first, 0.95),
        sum(one.prompt_tokens for one in every), sum(one.completion_tokens for one in every),
        sum(one.abstained for one in every), sum(one.failed for one in every),
    )  # fmt: skip


def _at(values: Sequence[float], share: float) -> float | None:
    return quantile(values, share) if values else None


def by_day(
    requests: Iterable[Request], over: Mapping[str, Numbers], day_of: Callable[[float], str]
) -> list[tuple[str, Numbers]]:
    """(day, its requests in figures), oldest first; of a day that is `over` those that are there already."""
    there = defaultdict[str, list[Request]](list)
    for one in requests:
        there[day_of(one.time)].append(one)
    known = {day: numbers(some) for day, some in there.items()} | {**over}
    return sorted(known.items())
