"""Tensors by name, as a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..errors import StoreError


def save_weights(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a safetensors file; StoreError if the disk is full."""
    try:
        save_file({k: v.contiguous() for k, v in weights.items()}, path, metadata={"format": "pt"})
    except Exception as error:  # SafetensorError derives from Exception only
        if "No space left" in str(error):
            raise StoreError(
                "the disk is full",
                where=str(path.parent),
                hint="free some space or run `netsuke gc`; nothing that was there is lost",
            ) from error
        raise
