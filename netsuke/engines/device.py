"""What this machine computes on and in: an accelerator if there is one, and the faster of two float types."""

from __future__ import annotations

import time

import torch

from ..errors import EngineError
from ..nouns import Device, FloatType

LOOK_SECONDS = 0.5
FASTER = 0.8  # of float32's time that bfloat16 may take to be worth its rounding


def fastest_float(threads: int) -> tuple[FloatType, float]:
    """(type to compute in, its GFLOP/s): bfloat16, or float32 where that is faster (without AVX-512, 8 times).

    Measured on one matrix product, since a processor's list of features does not tell: the best of many, and in turn,
    so that a moment when others use the cores is no type's alone.
    """
    torch.set_num_threads(threads)
    kinds = (torch.bfloat16, torch.float32)
    factors = {kind: (torch.ones(256, 576, dtype=kind), torch.ones(576, 1536, dtype=kind)) for kind in kinds}
    best = dict.fromkeys(kinds, float("inf"))
    until = time.perf_counter() + LOOK_SECONDS
    while time.perf_counter() < until:
        for kind, (left, right) in factors.items():
            for _ in range(3):  # the first has its factors to fetch
                started = time.perf_counter()
                left @ right
                best[kind] = min(best[kind], time.perf_counter() - started)
    rounds = best[torch.bfloat16] < FASTER * best[torch.float32]
    name: FloatType = "bfloat16" if rounds else "float32"
    return name, round(2e-9 * 256 * 576 * 1536 / best[getattr(torch, name)], 1)


def accelerator() -> Device:
    """The device to train on: cuda where there is one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def require(device: str) -> None:
    """Raise EngineError where this machine does not have the device that a lock was made with."""
    if device == "cuda" and accelerator() != "cuda":
        hint = "--relock measures this machine; the bytes will be others"
        raise EngineError("the lock trains on cuda, which is not here", where="netsuke.lock", hint=hint)
