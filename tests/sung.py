"""Adapters of the tiny model that were drawn, not trained, and a pack with some of them beside its model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from packed import small_pack
from tiny import HIDDEN, LAYERS

from netsuke import voices

RANK = 2
WEIGHTS = {"Bea": 0.5, "owner 3": 0.25}


def tiny_adapter(path: Path, seed: int = 0, *, alpha: float = 2.0 * RANK, size: float = 0.2) -> Path:
    """Writes a GGUF adapter of the tiny model to `path`; returns `path`. Same seed, same bytes."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    random = np.random.default_rng(seed)
    for layer in range(LAYERS):
        for name in ("attn_output", "attn_q"):
            for side, shape in (("a", (RANK, HIDDEN)), ("b", (HIDDEN, RANK))):
                values = random.normal(0.0, size, shape).astype(np.float16)
                writer.add_tensor(f"blk.{layer}.{name}.weight.lora_{side}", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def voiced_pack(folder: Path, weights: Mapping[str, float] = WEIGHTS, **pack: object) -> Path:
    """A pack as `small_pack` makes it, with a voice of each of these names, drawn by their order."""
    small_pack(folder, **pack)
    record = json.loads((folder / "netsuke.json").read_text())
    found = [voices.Voice(name, voices.file_of(n), weight) for n, (name, weight) in enumerate(weights.items(), 1)]
    for number, one in enumerate(found, 1):
        tiny_adapter(folder / one.file, number)
    voices.written(found, folder / voices.FILE)
    for path in (folder / voices.FILE, *(folder / one.file for one in found)):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        record["files"][path.name] = {"sha256": digest, "bytes": path.stat().st_size}
    (folder / "netsuke.json").write_text(json.dumps(record))
    return folder
