"""What this machine computes on and in: an accelerator if there is one, and the faster of two float types."""

from __future__ import annotations

import time

import torch

from ..errors import EngineError

LOOK_SECONDS = 0.2  # at one type; without AVX-512 a product in bfloat16 takes as long
FASTER = 0.8  # of float32's time that bfloat16 may take to be worth its rounding


def fastest_float(threads: int) -> tuple[str, float]:
    """(type to compute in, its GFLOP/s): bfloat16, or float32 where that is faster (without AVX-512, 8 times).

    Measured on one matrix product, since a processor's list of features does not tell.
    """
    torch.set_num_threads(threads)

    def seconds(kind: torch.dtype) -> float:
        left, right = torch.ones(256, 576, dtype=kind), torch.ones(576, 1536, dtype=kind)
        times = list[float]()
        while len(times) < 2 or sum(times) < LOOK_SECONDS:  # the best of many: others use the cores too
            started = time.perf_counter()
            left @ right
            times.append(time.perf_counter() - started)
        return min(times)

    rounded, whole = seconds(torch.bfloat16), seconds(torch.float32)
    best, name = (rounded, "bfloat16") if rounded < FASTER * whole else (whole, "float32")
    return name, round(2e-9 * 256 * 576 * 1536 / best, 1)


def accelerator() -> str:
    """The device to train on: cuda where there is one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def require(device: str) -> None:
    """Raise EngineError where this machine does not have the device that a lock was made with."""
    if device == "cuda" and accelerator() != "cuda":
        hint = "--relock measures this machine; the bytes will be others"
        raise EngineError("the lock trains on cuda, which is not here", where="netsuke.lock", hint=hint)
