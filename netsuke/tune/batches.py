"""Packing: documents one after the other in windows of one length, lessons whole; and the order they are seen in.

Lessons aside stand at the ends of windows of documents: in windows of their own, whose few learnt tokens are the whole
of a step, they pull so hard that the documents suffer (docs/log.md, "manners beside the documents").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ..engines.hf import Text


@dataclass(frozen=True)
class Windows:
    """Packed text, [N, T + 1] each: ids, the number of each token's text in its window, and what is learnt."""

    ids: Tensor
    text: Tensor
    wanted: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Tensor) -> Windows:
        return Windows(self.ids[rows], self.text[rows], self.wanted[rows])

    def to(self, device: torch.device) -> Windows:
        return Windows(self.ids.to(device), self.text.to(device), self.wanted.to(device))

    @property
    def tokens(self) -> int:
        """Tokens that are read, padding aside."""
        return int((self.text >= 0).sum())


Tokens = np.ndarray  # int32 [n, 3]: id, number of its text, whether it is learnt; a hundred MB of text is many
OPEN = 64  # windows that are looked at for room
LEAST_READ = 45  # lessons aside that a training reads at least; with thirty chance decides (docs/log.md)
MOST_ASIDE = 1 / 3  # of a window, for that
PADDING = (0, -1, 0)


def pack(texts: Sequence[Text], window: int, seed: int, read: float = 0, epochs: float = math.inf) -> Windows:
    """Documents keep their order, and each row's last id is the next row's first, so every token is a target once.

    Lessons (of which only the end is learnt) are shuffled, and lie whole in windows of their own; those aside behind
    documents, where there are some. `read`: how many windows the training reads, or `epochs`: how often all, at most.
    """
    documents = [text for text in texts if not text.lesson]
    stream = _joined([_tokens(text, number) for number, text in enumerate(documents)])
    lessons = _shuffled([text for text in texts if text.lesson and not (text.aside and len(stream))], seed)
    aside = _shuffled([text for text in texts if text.aside and len(stream)], seed)
    spoken = [_tokens(text, len(documents) + number)[-(window // 2) :] for number, text in enumerate(aside)]
    rows = _streamed(stream, spoken, window, read, epochs)
    rows += _bins(lessons, window + 1)
    filled = np.full((len(rows), window + 1, 3), PADDING, np.int32)
    for place, row in zip(filled, rows, strict=True):
        place[: len(row)] = row
    ids, text, wanted = (torch.from_numpy(filled[:, :, part].astype(np.int64)) for part in range(3))
    return Windows(ids, text, wanted.bool())


def with_questions(texts: Sequence[Text], share: float) -> list[Text]:
    """The texts; of every lesson in 1 / share, evenly spread, the question is learnt too."""
    found, owed = [], 0.0
    for text in texts:
        task = text.lesson and not text.aside
        owed += share if task else 0.0
        whole = task and owed >= 1.0
        owed -= whole
        found.append(replace(text, begin=1) if whole else text)
    return found


def _tokens(text: Text, number: int) -> Tokens:
    found = np.full((len(text.ids), 3), number, np.int32)
    found[:, 0], found[:, 2] = text.ids, np.arange(len(text.ids)) >= text.begin
    return found


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return np.concatenate(parts) if parts else np.zeros((0, 3), np.int32)


def _shuffled(texts: list[Text], seed: int) -> list[Text]:
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
    return [texts[number] for number in order.tolist()]


def _streamed(
    stream: Tokens, aside: list[Tokens], window: int, read: float, epochs: float
) -> list[Tokens]:
    """The stream in rows of window + 1, the lessons aside spread over their ends, each at least once.

    A short training reads few rows: then there are more in each, again and again, up to a part of the row.
    """
    said = sum(map(len, aside))
    count = max(1, math.ceil((len(stream) - 1 + said) / window))
    a_row = len(aside) / count
    if aside and read:
        least = LEAST_READ / min(read, count * epochs)
        a_row = max(a_row, min(least, len(aside) * MOST_ASIDE * window / said, len(aside)))
    rows: list[Tokens] = []
    at = done = 0
    while at < len(stream) - 1 or done < len(aside) or (len(stream) and not rows):  # one token teaches nothing
        end = Bin()
        due = min(math.ceil(a_row * (len(rows) + 1)), done + len(aside))  # none twice in one row
        while done < due and end.size + len(aside[done % len(aside)]) < window:
            end.add(aside[done % len(aside)])
            done += 1
        rows.append(_joined([stream[at : at + window + 1 - end.size], *end.parts]))
        at += window - end.size
    return rows


@dataclass
class Bin:
    """Tokens that will lie behind each other."""

    parts: list[Tokens] = field(default_factory=list)
    size: int = 0

    def add(self, tokens: Tokens) -> None:
        """Put some behind those that are there."""
        self.parts.append(tokens)
        self.size += len(tokens)


def _bins(lessons: Sequence[Text], size: int) -> list[Tokens]:
    """Each lesson in the first window that has room for it; one that is too long keeps its end."""
    bins: list[Bin] = []
    least = min((len(lesson.ids) for lesson in lessons), default=0)
    open_: list[Bin] = []  # those that the shortest one would fit into
    for number, lesson in enumerate(lessons):
        tokens = _tokens(lesson, number)[-size:]
        room = next((one for one in open_ if one.size + len(tokens) <= size), None)
        if room is None:
            bins.append(room := Bin())
            open_.append(room)
        room.add(tokens)
        open_ = [one for one in open_ if one.size + least <= size][-OPEN:]
    return [_joined(one.parts) for one in bins]


def order(rows: int, steps: int, per_step: int, seed: int) -> Iterator[Tensor]:
    """Row numbers of each step: a fresh shuffle every epoch, a function of the seed alone."""
    wanted = steps * per_step
    epochs = -(-wanted // rows)
    numbers = torch.cat([
        torch.randperm(rows, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for epoch in range(epochs)
    ])  # fmt: skip
    yield from numbers[:wanted].split(per_step)
