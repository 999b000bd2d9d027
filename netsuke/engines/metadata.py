"""Single fields of a GGUF, without what reads its weights."""

from __future__ import annotations

from pathlib import Path

import gguf


def chat_template(path: Path) -> str | None:
    """The chat template of a file that was found sound, or None."""
    field = gguf.GGUFReader(path).fields.get("tokenizer.chat_template")
    return str(field.contents()) if field else None
