"""Answer: how the finished file is asked its task. Settled on valid, before the check looks at anything.

With examples in the prompt it may answer better than without: then that is the way. The probabilities of labels are
calibrated, so that of the answers given with 80% about 80% are right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..documents import write_rows
from ..examples import normal
from ..nouns import Compute, Measure
from ..step import Progress, Work, step


@dataclass(frozen=True)
class Params:
    """What the recipe says of answering."""

    abstain: float
    shots: int
    items: int
    compute: Compute


@step(version=2, libraries=("xllamacpp", "jinja2"))
def answer(params: Params, out: Path, model: Path, rendered: Path) -> Work:
    """Write task.json: the task with its way of asking, and shots.jsonl: the examples that stand in the prompt."""
    from . import ways

    task = json.loads((rendered / "task.json").read_text())
    way, shots, tried = yield from ways.settle(params, task, model, rendered)
    settled = {"shots": way.shots, "temperature": way.temperature, "abstain": way.abstain}
    record = {**task, "way": settled, "tried": tried}
    (out / "task.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    write_rows(out / "shots.jsonl", map(normal, shots))
    yield Progress(1.0, "settled")
    return [Measure(f"valid score, {name}", value, "fraction", better="higher") for name, value in tried.items()]
