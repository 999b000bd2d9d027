"""Search: what the documents of a pack say about a question, in their own words, each quote with its place.

It reads the search.db that the step `index` writes, and needs SQLite and numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Answer
    from .find import Index

__all__ = ["answer", "open_pack"]


def answer(index: Index, text: str, most: int = 3) -> Answer:
    """As answers.answer, which is loaded now."""
    from . import answers

    return answers.answer(index, text, most)


def open_pack(folder: Path, record: Mapping[str, Any], name: str) -> Index:
    """As answers.open_pack, which is loaded now."""
    from . import answers

    return answers.open_pack(folder, record, name)
