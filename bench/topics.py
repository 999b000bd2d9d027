"""Real texts that every Python has, in seven sources: five topics, near-copies of one, and noise."""

from __future__ import annotations

import argparse
import inspect
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PIECE = 1000  # characters
HELD = {"strings": 4, "types": 4, "classes": 4, "debugger": 4, "code": 0}  # pieces of each in valid, and in test


@dataclass(frozen=True)
class Material:
    """Pieces of text: of each source to learn from, and held out."""

    train: Mapping[str, Sequence[str]]
    valid: Sequence[str]
    test: Sequence[str]


def pieces(text: str, size: int = PIECE) -> list[str]:
    """A text in pieces of about so many characters, cut between paragraphs."""
    found, piece = [], ""
    for paragraph in re.split(r"\n\n+", text):
        if piece and len(piece) + len(paragraph) > size:
            found.append(piece)
            piece = ""
        piece += paragraph + "\n\n"
    return [one.strip() + "\n" for one in [*found, piece] if len(one) > size * 0.3]


def topics() -> dict[str, str]:
    """Real texts that every Python has, by topic."""
    import textwrap
    from pydoc_data.topics import topics as known

    return {
        "strings": known["string-methods"], "types": known["types"],
        "classes": f"{known['customization']}\n\n{known['attribute-access']}", "debugger": known["debugger"],
        "code": f"{inspect.getsource(textwrap)}\n\n{inspect.getsource(argparse)}",
    }  # fmt: skip


def material(kb: float) -> Material:
    """Seven sources of so many kB each."""
    draw, train, held = random.Random(0), dict[str, list[str]](), list[str]()
    for name, text in topics().items():
        every = pieces(text)
        draw.shuffle(every)
        out = 2 * HELD[name]
        held += every[:out]
        train[name] = []
        for piece in every[out:]:
            if sum(map(len, train[name])) < 1000 * kb:
                train[name].append(piece)
    words = [word for name in train if name != "code" for piece in train[name] for word in piece.split()]
    draw.shuffle(words)
    train["copies"] = [re.sub(r"\bstring\b", "text", piece) for piece in train["strings"]]
    train["noise"] = []
    for piece in train["types"]:
        count = len(piece.split())
        train["noise"].append(" ".join(words[:count]) + "\n")
        words = words[count:]
    return Material(train, held[::2], held[1::2])
