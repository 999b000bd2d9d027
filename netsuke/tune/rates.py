"""The learning rate: its course over a training, and its peak by trial of three, of which valid likes one best."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from . import FACTORS

if TYPE_CHECKING:
    from .train import Job

USUAL = {"lora": 2e-3, "full": 2e-4}  # where there is no time for trials, and the middle one
SHARE = 0.04  # of all steps, for each trial
LEAST = 6  # steps that tell anything


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over the first 5% (at most 20 steps), then a cosine to zero."""
    warm = max(1, min(20, steps // 20))
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def trial_steps(steps: int) -> int:
    """Steps of each trial in a training of so many; 0 where that is too few to try."""
    each = int(steps * SHARE)
    return each if each >= LEAST else 0


def tried(job: Job, each: int) -> dict[float, float]:
    """Bits per byte on valid after `each` steps with each rate; the job is afterwards as it was."""
    start = {name: master.clone() for name, master in job.masters.items()}
    found = {}
    for factor in FACTORS:
        peak = factor * USUAL[job.params.method]
        for step in range(each):
            job.train_step(job.rows[job.plan[step]], learning_rate(step, each, peak))
        bits = job.crew.agreed(job.valid_bits)
        found[peak] = bits if math.isfinite(bits) else math.inf
        with torch.no_grad():
            for name, master in job.masters.items():
                master.copy_(start[name])
                job.live[name].copy_(start[name])
        job.optimiser.state.clear()
    return found
