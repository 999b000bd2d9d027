"""What a document must be to stay: text at all, in a wanted language, and prose that reads like prose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..rights.licences import TEXT_NAME
from ..rights.sites import notice
from .items import Drops, Item

if TYPE_CHECKING:
    from . import Params


# What is heard of a file's rights, by its name, beside what sites say: not license.py, nor notice-board.md.
_NOTICE = re.compile(
    r"REUSE\.toml|(?i:.*\.(?:license|sig))"
    r"|(?i:(?:un)?licen[cs]es?|copying)(?i:\.(?:txt|md|rst|html?|pdf|rtf))?|NOTICE(?:\.(?:txt|md))?"
)


def wanted(items: Sequence[Item], params: Params, drops: Drops) -> list[Item]:
    """The items that stay. Only prose goes by the rules of Gopher, FineWeb and C4; the others carry them as labels."""
    return [item for item in items if not _is_refused(item, params, drops)]


def _is_refused(item: Item, params: Params, drops: Drops) -> bool:
    name = item.path.rpartition("/")[2]
    if notice(name) or _NOTICE.fullmatch(name) or TEXT_NAME.fullmatch(name):
        if drops.add(item, "notice", "it says what is allowed, and is no document"):
            return True
    longest = max(map(len, item.text.split("\n")))
    if _is_empty(item, params, drops):
        return True
    if longest > params.max_line_chars and drops.add(
        item, "one long line", f"{longest:,} characters on a line"
    ):
        return True
    if params.languages and item.language not in (*params.languages, "und"):
        if drops.add(item, "language", item.language):
            return True
    fails = item.fails if item.profile == "prose" else ()
    return any(drops.add(item, rule, f"{value:g}, the limit is {limit:g}") for rule, value, limit in fails)


def with_text(items: Sequence[Item], params: Params, drops: Drops) -> list[Item]:
    """The items in which enough is left after passages were cut."""
    return [item for item in items if not _is_empty(item, params, drops)]


def _is_empty(item: Item, params: Params, drops: Drops) -> bool:
    size = len(item.text.strip())
    return size < params.min_chars and drops.add(item, "empty", f"{size} characters of text")
