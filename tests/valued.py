"""A folder of three owners' documents, and a model made of it: the whole of value in seconds."""

from __future__ import annotations

import random
from pathlib import Path

from material import document, write_material

OWNERS = ("Ann", "Bea", "Cid")
SOURCES = """
[[sources]]
path = "ann"
owner = "Ann"
consent = "in"

[[sources]]
path = "bea"
owner = "Bea"
licence = "CC-BY-4.0"

[[sources]]
path = "cid"
owner = "Cid"
consent = "in"
"""


def noise(number: int) -> str:
    """Words of letters that no other document has: even a model that knows letters alone can tell."""
    pick = random.Random(number)
    return " ".join("".join(pick.choice("QXZJKV~^") for _ in range(6)) for _ in range(250)) + "\n"


def write_owned(folder: Path, documents: int = 18, owners: int = 3) -> Path:
    """Documents of three owners (or all of one), a tiny base and a recipe; returns the recipe's path."""
    place = write_material(folder, documents=0)
    for number in range(documents):
        mine = folder / OWNERS[number % owners].lower()
        mine.mkdir(exist_ok=True)
        (mine / f"note-{number:02}.md").write_text(document(number))
    text = place.read_text().replace('\n[[sources]]\npath = "."\n', "\n".join(SOURCES.split("\n\n")[:owners]) + "\n")
    place.write_text(text)
    return place
