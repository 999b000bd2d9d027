"""A body of the tiny model, and adapters of it that were drawn, not trained, in peft's form."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import tiny_gguf

from netsuke.engines import gguf, hf
from netsuke.tune import lora


def tiny_body(folder: Path) -> Path:
    """The model folder of the tiny model, its file beside it."""
    folder.mkdir()
    gguf.unpack(tiny_gguf(folder.parent / "tiny.gguf"), folder)
    (folder / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    return folder


def drawn_adapter(body: Path, folder: Path, seed: int, rank: int = 4, size: float = 0.02) -> Path:
    """An adapter of a body; the same seed, the same bytes."""
    folder.mkdir(parents=True)
    live = lora.attach_lora(hf.load_model(body), rank, seed)
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(p.shape, generator=generator) * size for name, p in live.items()}
    lora.write_adapter(drawn, rank, 1.0, folder)
    return folder
