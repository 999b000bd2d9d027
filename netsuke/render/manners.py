"""Short answers that keep a base's manners: to decline harm, to point to help, to leave orders in a document alone.

Tuning on harmless documents takes them away (arXiv 2310.03693; docs/log.md), and a few lessons keep them
(arXiv 2309.07875). The questions share no six words in a row with the check's probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..documents import Lesson, evenly, read_rows
from ..engines.template import Template
from ..errors import RecipeError

LESSONS = Path(__file__).with_name("manners.jsonl")
SPEAKERS = (("user", "question"), ("assistant", "answer"))


def lessons(texts: Sequence[str], template: Template | None, model: Path, share: float) -> list[Lesson]:
    """Lessons of manners, of about this share of the characters at most; none for a base without a template."""
    rows = list(read_rows(LESSONS)) if share else []
    room = share * sum(map(len, texts))
    each = sum(len(row["question"]) + len(row["answer"]) for row in rows) / max(1, len(rows))
    chosen = evenly(rows, min(len(rows), int(room / each))) if rows and room >= each else []
    try:
        template = template or (Template(model) if chosen else None)
    except RecipeError:  # it was never tuned to answer
        return []
    if template is None:
        return []
    found = []
    for row in chosen:
        question, answer = ({"role": who, "content": row[what]} for who, what in SPEAKERS)
        found.append(template.lesson([question, answer]))
    return found
