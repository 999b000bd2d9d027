"""Adapters as other programs know them: peft's folder, and llama.cpp's GGUF of type `adapter`.

llama.cpp scales by alpha / rank whatever peft says, so for rsLoRA (alpha / sqrt(rank)) alpha is written larger.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.torch import load_file

from . import families
from .gguf import rotary

PREFIX = "base_model.model."


def scale_of(settings: Mapping[str, Any]) -> float:
    """How many times B A counts, by a peft folder's adapter_config.json."""
    rank: int = settings["r"]
    return float(settings["lora_alpha"] / (math.sqrt(rank) if settings.get("use_rslora") else rank))


def to_gguf(adapter: Path, model: Path, path: Path) -> None:
    """Write a peft folder as a GGUF adapter of the model whose folder is given (for its heads); float16.

    Raises RecipeError for a tensor that the model's family does not have.
    """
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    family = families.of_config(config)
    writer = gguf.GGUFWriter(path, family.name)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", scale_of(settings) * settings["r"])
    for key, weight in sorted(load_file(adapter / "adapter_model.safetensors").items()):
        name, _, side = key.removeprefix(PREFIX).removesuffix(".weight").rpartition(".lora_")
        data = weight.float().numpy()
        data = rotary(family, config, name, data) if side == "B" else data
        writer.add_tensor(f"{family.gguf_name(name + '.weight')}.lora_{side.lower()}", data.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
