"""Short answers that keep a base's manners: to decline harm, to point to help, to leave orders in a document alone.

Tuning on harmless documents takes them away (arXiv 2310.03693; docs/log.md), and a few lessons keep them
(arXiv 2309.07875). Half of them answer harmless questions, so that not everything is declined (arXiv 2308.01263). No
question shares six words in a row with the check's probes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..engines.template import Template
from ..errors import RecipeError
from ..texts.documents import Lesson, evenly, read_rows

LESSONS = Path(__file__).with_name("manners.jsonl")
SPEAKERS = (("user", "question"), ("assistant", "answer"))


def lessons(texts: Sequence[str], template: Template | None, model: Path, share: float) -> list[Lesson]:
    """Lessons of manners, of this share of the characters at most, half of them harmless; none if no template fits."""
    room = share * sum(map(len, texts))
    if not room:
        return []
    kinds: dict[bool, list[Lesson]] = {False: [], True: []}
    try:
        template = template or Template(model)
        for row in read_rows(LESSONS):
            question, answer = ({"role": who, "content": row[what]} for who, what in SPEAKERS)
            lesson = template.lesson([question, answer])
            kinds[row["harmless"]].append(Lesson(lesson, lesson.answer, aside=True))
    except RecipeError:  # it was never tuned to answer, or its template has no place for a lesson
        return []
    every = [lesson for kind in kinds.values() for lesson in kind]
    each = min(int(room * len(every) / sum(map(len, every)) / 2), *map(len, kinds.values()))
    while each:
        chosen = [lesson for kind in kinds.values() for lesson in evenly(kind, each)]
        if sum(map(len, chosen)) <= room:
            return chosen
        each -= 1
    return []
