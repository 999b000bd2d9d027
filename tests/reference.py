"""Write docs/recipe.md, the reference of netsuke.toml, from the dataclasses that are its one source.

python tests/reference.py
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from netsuke import loop, recipe
from netsuke.nouns import Gates, Recipe, Source

PAGE = Path(__file__).resolve().parent.parent / "docs" / "recipe.md"
TOP = {
    "name": "what the model is called",
    "base": "a known base (`netsuke bases`), or the path of a GGUF file or a Hugging Face folder",
    "mb": "most megabytes (10^6 bytes) of the model; 0: at the knee, where a smaller one costs too much",
    "minutes": "of training",
    "seed": "of everything that is drawn",
}
SOURCE = {
    "path": "a folder or a file, relative to the recipe",
    "owner": 'who owns it; "me" is your own work',
    "licence": "an SPDX expression",
    "consent": '"in", "out" or "unknown": your own work needs none; others\' comes in with an open licence or "in"',
    "profile": 'what kind of text it is; "auto": each file by itself. Only prose goes by the quality rules',
    "columns": 'of a table of examples: what the columns of question and answer are called, as in ["body", "label"]',
    "private": 'e-mail addresses, phone numbers, keys, …: "mask" them, "drop" what has some, or "keep" them',
    "agreement": "a file that the owner signed, relative to the recipe (docs/data.md)",
    "signers": "who may have signed it: a public key, or an allowed-signers file",
}


def page() -> str:
    """The whole page."""
    parts = [
        "# netsuke.toml", "",
        "Made from the dataclasses in the source by `python tests/reference.py`. Unknown keys and wrong types are",
        "errors. `--set SECTION.KEY=VALUE` sets any key of a section on the command line.", "",
        "## At the top", "", *rows(Recipe, {name: text + within(name) for name, text in TOP.items()}), "",
        "## [[sources]]", "", *rows(Source, SOURCE), "",
    ]  # fmt: skip
    for name, kind in {**loop.SECTIONS, "gates": Gates}.items():
        parts += [f"## [{name}]", "", *rows(kind, {f.name: told(f) for f in dataclasses.fields(kind)}), ""]
    return "\n".join(parts)


def told(field: dataclasses.Field) -> str:
    """What a field means, its unit and its range."""
    facts = field.metadata
    unit = f" ({facts['unit']})" if facts["unit"] else ""
    return f"{facts['help']}{unit}" + (
        "" if facts["least"] is None else f", {facts['least']:g} to {facts['most']:g}"
    )


def within(name: str) -> str:
    """The range of a number at the top, behind its meaning."""
    least, most = recipe.RANGES.get(name, (None, None))
    return "" if least is None else f" ({least:g} to {most:,})"


def kind_of(hint: Any) -> str:
    """What may be written for a value of this type; of a few words, each of them."""
    if get_origin(hint) is Literal:
        return " ".join(f'`"{word}"`' if isinstance(word, str) else f"`{word}`" for word in get_args(hint))
    name = getattr(hint, "__name__", "text")
    return {"str": "text", "tuple": "list"}.get(name, name)


def rows(kind: type, texts: dict[str, str]) -> list[str]:
    hints = get_type_hints(kind)
    found = ["| key | type | default | |", "|---|---|---|---|"]
    for field in dataclasses.fields(kind):
        if field.name in texts:
            given = list(field.default) if isinstance(field.default, tuple) else field.default
            default = "needed" if given is dataclasses.MISSING else f"`{given!r}`".replace("'", '"')
            found.append(f"| `{field.name}` | {kind_of(hints[field.name])} | {default} | {texts[field.name]} |")
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
