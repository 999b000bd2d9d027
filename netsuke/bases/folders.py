"""A Hugging Face folder of a known family as a model folder: one bfloat16 safetensors file, our tokenizer's files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..engines import families, hf, tokenizer
from ..errors import RecipeError
from ..texts.documents import write_json


def copy(source: Path, folder: Path) -> None:
    """Write `source` as a model folder. Raises RecipeError naming what is missing or not supported."""
    config = _json(source, "config.json")
    family = families.of_config(config)
    config = {**family.defaults, **config, **_rotary(config)}
    config["num_key_value_heads"] = config.get("num_key_value_heads") or config["num_attention_heads"]
    config.pop("rope_parameters", None)
    config["tie_word_embeddings"] = _is_tied(config)
    family.require(config)
    words = _json(source, "tokenizer.json")
    ours = tokenizer.adopted(words)
    weights = _weights(source)
    if config["tie_word_embeddings"]:
        weights.pop("lm_head.weight", None)
    for name in weights:
        family.gguf_name(name)
    if missing := hf.expected_weights(config) - set(weights):
        raise RecipeError(f"the base has no {sorted(missing)[0]} ({len(missing)} tensors are missing)",
                          where=str(source), hint="is a shard of the checkpoint missing?")  # fmt: skip
    write_json(folder / "config.json", config)
    (folder / "tokenizer.json").write_text(json.dumps(ours, ensure_ascii=False), encoding="utf-8")
    settings = _json(source, "tokenizer_config.json")
    if isinstance(settings.get("chat_template"), str) and not (source / "chat_template.jinja").exists():
        (folder / "chat_template.jinja").write_text(settings["chat_template"], encoding="utf-8")
    write_json(folder / "tokenizer_config.json", {
        key: value["content"] if isinstance(value, dict) else value
        for key, value in settings.items()
        if key in ("bos_token", "eos_token", "unk_token", "pad_token", "add_bos_token", "tokenizer_class")
    })  # fmt: skip
    if (source / "chat_template.jinja").exists():
        shutil.copyfile(source / "chat_template.jinja", folder / "chat_template.jinja")
    hf.save_weights(hf.in_bfloat16(weights), folder / "model.safetensors")


def _is_tied(config: dict[str, Any]) -> bool:
    """Whether the head is the embedding, also where config.json leaves that to its family's default."""
    return bool(hf.network_class(config).config_class(**config).tie_word_embeddings)


def _rotary(config: dict[str, Any]) -> dict[str, float]:
    """The bases of the rotary positions, wherever they are written. Raises RecipeError where they are scaled."""
    rope = config.get("rope_parameters") or {}
    kinds = {name: part for name, part in rope.items() if isinstance(part, dict)} or {"full_attention": rope}
    parts = [config.get("rope_scaling") or {}, *kinds.values()]
    if {part.get("rope_type", part.get("type", "default")) for part in parts} != {"default"}:
        raise RecipeError("a base with scaled rotary positions is not supported", where="config.json")
    whole, near = (kinds.get(f"{name}_attention", {}).get("rope_theta") for name in ("full", "sliding"))
    found = {"rope_theta": config.get("rope_theta") or whole or 10000.0}
    return found | ({"rope_local_base_freq": near} if near else {})


def _weights(source: Path) -> hf.Weights:
    files = sorted(source.glob("model*.safetensors"))
    if not files:
        raise RecipeError(
            "no model.safetensors in the base's folder",
            where=str(source),
            hint="pickle files (.bin, .pt) are never opened: convert them to safetensors",
        )
    weights: hf.Weights = {}
    for file in files:
        weights.update(hf.load_weights(file))
    return weights


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"the base's folder has no {name}", where=str(folder)) from None
    except ValueError as error:
        raise RecipeError(f"{name} is not JSON: {error}", where=str(folder)) from error
    return value
