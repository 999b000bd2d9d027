"""Answer: how the finished file is asked its task. Settled on valid, before the check looks at anything.

With examples in the prompt it may answer better than without: then that is the way. Where there is nothing to learn but
a few examples, the body before tuning is tried as well, with these in the prompt. The probabilities of labels are
calibrated, so that of the answers given with 80% about 80% are right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..nouns import Compute, Measure
from ..step import Progress, Work, step
from ..texts.documents import write_json, write_rows
from ..texts.examples import normal

WAY = ("shots", "temperature", "abstain", "instruction")  # what is settled, of engines.asking.Way
FEW = 50  # examples to learn from, at most: then the body may answer better untuned
UNTUNED = "the untuned body is better"  # a measure: 1 where it is


@dataclass(frozen=True)
class Params:
    """What the recipe says of answering."""

    abstain: float
    shots: int
    items: int
    compute: Compute


@step(version=10, libraries=("xllamacpp", "jinja2"))
def answer(params: Params, out: Path, model: Path, rendered: Path, untuned: Path | None = None) -> Work:
    """Write task.json: the task with its way of asking, and shots.jsonl: the examples that stand in the prompt.

    `bare` in task.json: the way without examples, for a pack that is shared, which quotes none.
    `untuned`, a file of the same body before tuning, is tried as well if given; UNTUNED says whether it is better.
    """
    from . import ways

    task = json.loads((rendered / "task.json").read_text(encoding="utf-8"))
    files = {"tuned": model} | ({"untuned": untuned} if untuned else {})
    settled = yield from ways.settle(params, task, files, rendered)
    way, bare = ({name: getattr(one, name) for name in WAY} for one in (settled.way, settled.bare))
    tried = {name: {"score": score, "bits": settled.bits.get(name)} for name, score in settled.scores.items()}
    record = {**task, "way": way, "bare": bare, "tried": tried, "tuned": settled.tuned}
    write_json(out / "task.json", record)
    write_rows(out / "shots.jsonl", map(normal, settled.shown))
    yield Progress(1.0, "settled")
    scores = [
        Measure(f"valid score, {name}", value, "fraction", better="higher") for name, value in settled.scores.items()
    ]
    return [*scores, Measure(UNTUNED, float(not settled.tuned), "")]
