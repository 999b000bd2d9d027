"""Check: what the new file is worth beside its base, on text that nothing else has looked at.

    check   both GGUF files on the held-out documents and the general text; the gates
    examine the task that the examples teach, in stock llama.cpp, beside three baselines
    trial   both in stock llama.cpp: does it compute what we computed, and how fast

`trial` reads the clock, so nothing of it goes into the pack.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..nouns import Compute, Measure
from ..step import Work, step


@dataclass(frozen=True)
class Params:
    """What the gates allow, and the dials that decide the numbers."""

    domain_gate: float
    general_gate: float
    budget_bytes: int
    seed: int
    compute: Compute


@dataclass(frozen=True)
class Examining:
    """How much of the held-out examples is answered, and how the baseline is asked."""

    items: int
    shots: int
    seed: int
    compute: Compute


@dataclass(frozen=True)
class Trial:
    """How the engine is tried."""

    compute: Compute
    rounds: int = 3


@step(version=2, libraries=("torch", "transformers", "tokenizers", "gguf", "libgguf"))
def check(
    params: Params,
    out: Path,
    model: Path,
    base_file: Path,
    base_model: Path,
    tuned_model: Path,
    test: Path,
    general: Path,
) -> Work:
    """Write report.json: measures of base and ours with intervals, and the verdict of each gate."""
    from . import quality, report

    work = quality.compare(params, base_file, base_model, model, tuned_model, test, general)
    scores = yield from work
    sizes = {"base": base_file.stat().st_size, "ours": model.stat().st_size}
    content = report.build(params, scores, sizes)
    (out / "report.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return report.measures(content)


@step(version=1, libraries=("xllamacpp", "scikit-learn"))
def examine(params: Examining, out: Path, model: Path, base_file: Path, answer: Path, rendered: Path) -> Work:
    """Write scores.json: the task's scores of ours and of the baselines with intervals, and the gates' verdicts."""
    from . import task

    settled = json.loads((answer / "task.json").read_text())
    content = yield from task.examine(params, settled, model, base_file, answer / "shots.jsonl", rendered)
    task.write(content, out)
    return [
        Measure(row["score"], row["value"], "fraction", row["n"], row["seed"], "higher", row["low"], row["high"])
        for row in content["scores"]
        if row["who"] == "ours"
    ]


@step(version=1, libraries=("torch", "transformers", "xllamacpp", "gguf", "libgguf"))
def trial(params: Trial, out: Path, model: Path, base_file: Path, tuned_model: Path, text: Path) -> Work:
    """Load both files in stock llama.cpp: agreement with our own reading, and tokens/s of prompt and generation."""
    from . import speed

    measures: list[Measure] = yield from speed.trial(params, model, base_file, tuned_model, text)
    (out / "trial.json").write_text(json.dumps([m.__dict__ for m in measures], indent=1) + "\n")
    return measures
