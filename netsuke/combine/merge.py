"""Merging one adapter, or one set of changed weights, into a model folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..engines import hf
from ..errors import RecipeError


def write(model: Path, adapter: Path, out: Path) -> None:
    """Write `model` with `adapter` merged in. Raises RecipeError if the adapter is not of this body."""
    shutil.copytree(model, out, dirs_exist_ok=True, copy_function=shutil.copyfile)
    weights = hf.load_weights(model / "model.safetensors")
    if (adapter / "weights.safetensors").exists():
        weights |= hf.in_bfloat16(hf.load_weights(adapter / "weights.safetensors"))
    else:
        config = json.loads((adapter / "adapter_config.json").read_text())
        pairs = hf.load_weights(adapter / "adapter_model.safetensors")
        scale = config["lora_alpha"] / config["r"]
        for key in [k for k in pairs if k.endswith("lora_B.weight")]:
            name = key.removeprefix("base_model.model.").removesuffix("lora_B.weight") + "weight"
            a, b = pairs[key.replace("lora_B", "lora_A")].float(), pairs[key].float()
            if name not in weights or weights[name].shape != (b.shape[0], a.shape[1]):
                raise RecipeError(f"the adapter does not fit the body at {name}")
            weights[name] = (weights[name].float() + scale * (b @ a)).to(weights[name].dtype)
    hf.save_weights(weights, out / "model.safetensors")
