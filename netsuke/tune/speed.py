"""How fast this machine trains and scores this model: measured once, before a lock is written."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch

from ..engines import hf
from ..nouns import Compute
from . import Params, Speed, Training
from .teacher import teacher
from .train import Job

STEPS = 6


def measure(
    params: Params,
    compute: Compute,
    model: Path,
    train: Path,
    valid: Path,
    base: Path,
    choice: Path,
    vocabulary: Path,
) -> Speed:
    """Tokens a second of training and of scoring, the median of a few steps after a warm-up. Cost: about 20 s.

    Shards of a step count as computed side by side.
    """
    training = Training.of(
        params,
        budget_tokens=1,
        evaluations=1,
        valid_bytes=4000,
        general_gate=0.0,
        seed=0,
        compute=compute,
    )
    hf.use(compute)
    teaching = teacher(choice, base, vocabulary, params.distil)
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(training, model, train, valid, Path(scratch), teaching)
        spread = torch.linspace(0, len(job.rows) - 1, max(1, params.windows_per_step)).long()
        rows = job.rows[spread]
        tokens = rows.ids[:, 1:].numel()
        seconds = []
        for _ in range(STEPS):
            started = time.perf_counter()
            job.train_step(rows, 0.0)
            seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        hf.score(job.model.eval(), job.valid)
        scored = sum(len(t.ids) - 1 for t in job.valid) / (time.perf_counter() - started)
    return Speed(round(tokens * params.shards / statistics.median(seconds[1:]), 1), round(scored, 1))
