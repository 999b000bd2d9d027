"""Combine: the body and what was learnt, as one model."""

from __future__ import annotations

from pathlib import Path

from ..step import Progress, Work, step


@step(version=1, libraries=("torch", "safetensors"))
def combine(params: None, out: Path, model: Path, adapter: Path) -> Work:
    """Write the model folder with the adapter merged in: W + alpha / r · B A, formed in float32."""
    from . import merge

    yield Progress(0.1, "merging")
    merge.write(model, adapter, out)
    return []
