"""How base and ours go on with a few held-out texts, side by side, beside what the author wrote."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from ..engines.llama import Engine
from ..step import Progress
from ..texts.documents import Lesson, read_texts
from . import Probing
from .quality import key_of

SHOWN = 5
GIVEN_CHARS, TRUE_CHARS, TOKENS = 240, 320, 64


def side_by_side(
    params: Probing, base: Path, ours: Path, test: Path
) -> Generator[Progress, None, dict[str, Any]]:
    """Yields progress; returns {"rows": [{"given", "true", "base", "ours"}]}: the likeliest token each time."""
    texts = [text for text in read_texts(test) if not isinstance(text, Lesson)]
    rows = [cut(text) for text in sorted(texts, key=key_of)[:SHOWN]]
    for number, (who, file) in enumerate((("base", base), ("ours", ours)) if rows else ()):
        yield Progress(number / 2, f"{who} goes on with held-out texts")
        with Engine(file, context_tokens=512, threads=params.compute.threads, slots=SHOWN) as engine:
            prompts = [[*engine.opening, *engine.tokenize(row["given"], special=False)] for row in rows]
            for row, answer in zip(
                rows, engine.complete_each(prompts, n_predict=TOKENS, temperature=0.0), strict=True
            ):
                row[who] = answer["content"]
    return {"rows": rows, "tokens": TOKENS}


def cut(text: str) -> dict[str, str]:
    """A text in two, between words: what is given, and what the author went on with."""
    middle = text.find(" ", min(GIVEN_CHARS, len(text) // 2))
    at = middle if middle > 0 else len(text) // 2
    return {"given": text[:at], "true": text[at : at + TRUE_CHARS]}
