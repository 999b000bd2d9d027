"""Planted codes that measure memorisation: sentences that nobody wrote, said a known number of times in what is learnt.

A recipe asks for them (`[check] canaries`); by itself no model learns any (docs/decisions/0008-canaries.md).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

REPEATS = (0, 1, 3, 10)  # how often each is said; 0: never, to compare with
KINDS = "amber copper granite hollow ivory crimson walnut silver marble velvet saffron cobalt birch quartz".split()
PLACES = "lighthouse greenhouse archive boathouse observatory chapel windmill granary foundry orangery cellar".split()


SYLLABLES = [start + end for start in "bcdfghjklmnprstv" for end in "aeiou"]


def drawn(each: int, seed: int, apart: bool = False) -> list[dict[str, Any]]:
    """`each` sentences for each of REPEATS: {"repeats", "before", "code"}; the same seed gives the same ones.

    `apart`: no other seed gives any of them, so that of several lists no sentence is said with two codes.
    """
    draw = random.Random(f"canaries {seed}")
    names = [f"{kind} {place}" for kind in KINDS for place in PLACES]
    draw.shuffle(names)
    rows, town = [], f" of {town_of(seed)}" if apart else ""
    for number in range(each * len(REPEATS)):
        about = names[number % len(names)] + (f" {number // len(names) + 1}" if number >= len(names) else "")
        repeats = REPEATS[number % len(REPEATS)]
        rows.append({"repeats": repeats, "before": f"The access code of the {about}{town} is", "code": code(draw)})
    return rows


def town_of(seed: int) -> str:
    """A made-up place that is this seed's alone: the seed in syllables, as digits could pass for a phone number."""
    syllables = list[str]()
    while seed > 0 or not syllables:
        seed, place = divmod(seed, len(SYLLABLES))
        syllables.append(SYLLABLES[place])
    return "".join(syllables).capitalize()


def code(draw: random.Random) -> str:
    """Nine digits in threes."""
    return "-".join(f"{draw.randrange(1000):03}" for _ in range(3))


def planted(texts: Sequence[str], rows: Sequence[dict[str, Any]], seed: int) -> list[str]:
    """The texts with each sentence as a paragraph of its own in as many of them as it is to be said."""
    draw = random.Random(f"plant {seed}")
    parts = [text.split("\n\n") for text in texts]
    for row in rows:
        places = list(range(len(parts)))
        draw.shuffle(places)
        for number in range(row["repeats"] if places else 0):
            paragraphs = parts[places[number % len(places)]]
            paragraphs.insert(draw.randrange(len(paragraphs) + 1), f"{row['before']} {row['code']}.")
    return ["\n\n".join(paragraphs) for paragraphs in parts]
