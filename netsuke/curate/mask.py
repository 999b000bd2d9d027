"""Private things under placeholders: the same value the same one, in all that an owner wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..private import Placeholders
from ..texts.examples import replaced, texts
from .items import Item


def masked(
    items: Sequence[Item], examples: Sequence[dict[str, Any]], countries: Sequence[str]
) -> tuple[list[Item], list[dict[str, Any]]]:
    """(items, examples) without the private things that were found in them, by the habits of these countries."""
    names = Placeholders(countries)
    clean = [
        replace(item, text=names.mask(item.text, item.private, item.owner), private=())
        if item.private
        else item
        for item in items
    ]
    return clean, [_masked_row(row, names) for row in examples]


def _masked_row(row: dict[str, Any], names: Placeholders) -> dict[str, Any]:
    finds: Iterator[Any] = iter(row["private"] or [()] * len(texts(row)))
    rest = {name: value for name, value in row.items() if name != "private"}
    return replaced(rest, lambda text: names.mask(text, next(finds), row["owner"]))
