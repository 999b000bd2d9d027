"""Export: a pack in the forms that other programs take. It reads packs, as serve does, and is no step.

A form is a function (pack, out) that writes a file or a folder at `out`, which does not exist yet. Where that lies and
how it gets its name is `place`'s business.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError


@dataclass(frozen=True)
class Pack:
    """A pack that was found whole: its folder, its manifest, and its signature if it has one."""

    folder: Path
    record: Mapping[str, Any]
    signature: Path | None = None

    @property
    def name(self) -> str:
        return str(self.record["name"])

    @property
    def model(self) -> Path:
        return self.folder / "model.gguf"

    @property
    def model_facts(self) -> Mapping[str, Any]:
        """`sha256` and `bytes` of model.gguf."""
        facts: Mapping[str, Any] = self.record["files"]["model.gguf"]
        return facts

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


Write = Callable[[Pack, Path], list[str]]  # what to say about it, a sentence each


@dataclass(frozen=True)
class Form:
    """One way out: how it is written, what it is called, and how many bytes it takes for each of the model's."""

    module: str
    function: str
    suffix: str
    growth: float
    whole: bool = False  # with all other files of the pack

    def write(self, pack: Pack, out: Path) -> list[str]:
        """Write it at `out`; what a person should know about it."""
        function: Write = getattr(importlib.import_module(f".{self.module}", __package__), self.function)
        return function(pack, out)

    def bytes(self, pack: Pack) -> int:
        """About how much it writes."""
        others = sum(facts["bytes"] for facts in pack.record["files"].values()) - pack.model_facts["bytes"]
        return int(self.growth * pack.model_facts["bytes"]) + self.whole * others + 20_000_000


FORMS = {
    "gguf": Form("plain", "file", ".gguf", 1.0),
    "folder": Form("plain", "folder", "-pack", 1.1, whole=True),
    "shared": Form("share", "folder", "-shared", 1.1),
    "hf": Form("huggingface", "write", "-hf", 8.0),
    "ollama": Form("ollama", "write", "-ollama", 1.0),
    "oci": Form("oci", "write", "-oci", 1.1),
    "html": Form("page", "file", ".html", 1.02),
    "html folder": Form("page", "folder", "-page", 1.0),
}


def form(to: str) -> Form:
    """The form of this name. Raises RecipeError that lists them."""
    if to not in FORMS:
        raise RecipeError(f"no form {to!r}", hint=f"forms: {', '.join(FORMS)}")
    return FORMS[to]


def write_json(path: Path, value: Any) -> None:
    """Canonical enough to be the same bytes each time, and readable."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


__all__ = ["FORMS", "Form", "Pack", "form"]
