"""Where examples are few, half of the lessons show the examples nearest to them: so is a prompt full of examples used.

After tuning on the bare questions of 50 examples, examples in the prompt help no more; after tuning on lessons half of
which show neighbours they do, and the model is the better for it (docs/log.md, "tasks on a GPU").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..engines.template import Template
from ..texts.documents import Lesson
from ..texts.examples import Row, as_messages
from ..texts.nearest import Nearest

FEW = 100  # examples to learn from; with more, more bare ones teach more in the same time

Pair = tuple[Row, Lesson]


def beside(
    pairs: Sequence[Pair], template: Template, system: list[dict[str, str]], fits: Callable[[str], bool], shots: int
) -> list[Pair]:
    """The pairs, every second one behind its nearest examples of train, as many of `shots` as fit, the nearest last."""
    train = [number for number, (row, _) in enumerate(pairs) if row["split"] == "train"]
    if not shots or len(train) > FEW:
        return list(pairs)
    turns = {number: as_messages(pairs[number][0])[-2:] for number in train}
    nearest = Nearest([turns[number][0]["content"] for number in train])
    found = list(pairs)
    for number in range(1, len(pairs), 2):
        row = pairs[number][0]
        messages = as_messages(row)
        told = messages[:1] if messages[0]["role"] == "system" else system
        rest = messages[1:] if messages[0]["role"] == "system" else messages
        near = [train[place] for place in nearest.find(messages[-2]["content"], shots + 1)]
        shown = [place for place in near if turns[place] != messages[-2:]][:shots]  # its own answer never
        for most in range(len(shown), 0, -1):
            turned = [message for place in reversed(shown[:most]) for message in turns[place]]
            lesson = template.lesson([*told, *turned, *rest])
            if fits(str(lesson)):
                found[number] = (row, lesson)
                break
    return found
