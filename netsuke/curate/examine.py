"""Everything that can be known from one file alone: its examples, or its text with language, faults and signals.

No setting of the recipe that others could see decides here: what is done about a finding is for the `curate` step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import private
from ..readers.html import beside
from ..rights import licences, signals
from ..texts.examples import texts
from . import duplicates, examples, language, profiles, rules
from .lines import normalise

LAYOUT = frozenset((".html", ".htm", ".xhtml", ".pdf"))  # text that comes off a page
TABLES = frozenset((".jsonl", ".ndjson", ".json", ".csv", ".tsv"))  # what may hold examples


def examine(raw: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What text.json holds. `options`: "profile" and "columns" (of the source), "countries" (whose numbers count)."""
    about = {"reader": raw["reader"], "title": raw["title"], "licence": None}
    about["signals"] = [asdict(signal) for signal in _signals(raw)]
    if options["profile"] in ("auto", "examples") and raw["suffix"] in TABLES:
        named = tuple(options.get("columns", ()))
        if found := examples.parse(raw["text"], raw["suffix"], named):
            finds = [
                [private.find(text, options["countries"]) for text in texts(row)]
                for row in found.rows
            ]
            return about | found.to_dict() | {"private": finds}
        if named:
            why = f"not a table with {' and '.join(named)}"
            return {"drop": {"rule": "no such columns", "detail": why, "bytes": len(raw["text"].encode())}}
    text, places = normalise(raw["text"])
    tongue, _ = language.of(text)
    profile = options["profile"]
    if profile in ("auto", "examples"):
        profile = profiles.choose(raw["suffix"], text)
    tag = licences.in_text(text, raw["title"] or "")
    if raw["markup"]:
        tag = licences.tagged(raw["markup"]) or tag  # in a comment
        tag = licences.in_page(tag, *beside(raw["markup"]), raw["title"] or "")
    return about | {
        "text": text,
        "places": places,
        "pages": raw["pages"],
        "licence": asdict(tag) if tag else None,
        "language": tongue,
        "profile": profile,
        "fails": rules.failures(text, tongue, layout=raw["suffix"] in LAYOUT),
        "private": private.find(text, options["countries"]),
        "signature": duplicates.signature(text),
    }


def _signals(raw: Mapping[str, Any]) -> list[signals.Signal]:
    page = signals.in_html(raw["markup"]) if raw["markup"] else []
    return page + signals.in_binary(Path(raw["path"]), raw["suffix"])
