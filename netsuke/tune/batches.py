"""Packing: documents one after the other in windows of one length, lessons whole; and the order they are seen in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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


Token = tuple[int, int, bool]  # id, number of its text, whether it is learnt
OPEN = 64  # windows that are looked at for room
PADDING: Token = (0, -1, False)


def pack(texts: Sequence[Text], window: int, seed: int) -> Windows:
    """Documents keep their order, and each row's last id is the next row's first, so every token is a target once.

    Lessons (of which only the end is learnt) are shuffled, and lie whole in windows of their own.
    """
    documents = [text for text in texts if not text.lesson]
    lessons = [text for text in texts if text.lesson]
    stream = [token for number, text in enumerate(documents) for token in _tokens(text, number)]
    rows = [stream[at : at + window + 1] for at in range(0, len(stream) - 1, window)]
    order = torch.randperm(len(lessons), generator=torch.Generator().manual_seed(seed)).tolist()
    rows += _bins([lessons[number] for number in order], window + 1)
    padded = [row + [PADDING] * (window + 1 - len(row)) for row in rows]
    ids, text, wanted = (torch.tensor([[token[part] for token in row] for row in padded]) for part in range(3))
    return Windows(ids, text, wanted.bool())


def with_questions(texts: Sequence[Text], share: float) -> list[Text]:
    """The texts; of every lesson in 1 / share, evenly spread, the question is learnt too."""
    found, owed = [], 0.0
    for text in texts:
        owed += share if text.lesson else 0.0
        whole = text.lesson and owed >= 1.0
        owed -= whole
        found.append(replace(text, begin=1) if whole else text)
    return found


def _tokens(text: Text, number: int) -> list[Token]:
    return [(token, number, place >= text.begin) for place, token in enumerate(text.ids)]


def _bins(lessons: Sequence[Text], size: int) -> list[list[Token]]:
    """Each lesson in the first window that has room for it; one that is too long keeps its end."""
    bins: list[list[Token]] = []
    least = min((len(lesson.ids) for lesson in lessons), default=0)
    open_: list[list[Token]] = []  # those that the shortest one would fit into
    for number, lesson in enumerate(lessons):
        tokens = _tokens(lesson, number)[-size:]
        room = next((one for one in open_ if len(one) + len(tokens) <= size), None)
        if room is None:
            bins.append(tokens)
            open_.append(tokens)
        else:
            room += tokens
        open_ = [one for one in open_ if len(one) + least <= size][-OPEN:]
    return bins


def order(rows: int, steps: int, per_step: int, seed: int) -> Iterator[Tensor]:
    """Row numbers of each step: a fresh shuffle every epoch, a function of the seed alone."""
    wanted = steps * per_step
    epochs = -(-wanted // rows)
    numbers = torch.cat([
        torch.randperm(rows, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for epoch in range(epochs)
    ])  # fmt: skip
    yield from numbers[:wanted].split(per_step)
