"""The guard of general language: shrink the adapter until the general text is within its gate."""

from __future__ import annotations

import json
from pathlib import Path

from ..engines import hf
from ..texts.documents import read_texts
from .train import Job

SCALES = (1.0, 0.75, 0.5)
SHARE = 0.9  # of the gate: the test text differs from this one


def scale_within(job: Job, choice: Path, general: Path, gate: float) -> tuple[float, float]:
    """(scale, bits per byte on the general text) of the largest scale that holds, else of the best one; the job's
    model is left at that scale.

    The base's own bits per byte are in carve's choice.json. Rounding the file costs what carve measured, so the bound
    is that of the model before rounding.
    """
    record = json.loads(choice.read_text(encoding="utf-8"))
    bound = record["base"]["general"] * (1 + gate * SHARE) / record["rounding"]["general"]
    texts = hf.open_texts(job.folder, read_texts(general))
    tried: list[tuple[float, float]] = []
    for scale in SCALES if job.params.method == "lora" else SCALES[:1]:
        job.with_scale(scale)
        job.model.eval()
        tried.append((scale, hf.bits_per_byte(hf.score(job.model, texts))))
        if tried[-1][1] <= bound:
            return tried[-1]
    best = min(tried, key=lambda pair: pair[1])
    job.with_scale(best[0])
    return best
