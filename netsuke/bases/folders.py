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
    config = _whole(config, family)
    family.require(config)
    words = _json(source, "tokenizer.json")
    ours = tokenizer.adopted(words)
    weights = _weights(source)
    if config["tie_word_embeddings"]:
        weights.pop("lm_head.weight", None)
    for name in weights:
        family.gguf_name(name)
    _require_weights(config, weights, source)
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


def _whole(config: dict[str, Any], family: families.Family) -> dict[str, Any]:
    """A config.json with what it leaves to its family's defaults, as transformers has them. Raises RecipeError."""
    try:
        known = hf.network_class(config).config_class(**config)
    except Exception as error:  # whatever transformers says of a value that is none
        raise RecipeError(f"transformers does not take it: {error}", where="config.json") from error
    keys = [*(one.theirs for one in family.numbers), *family.head_keys, *(["layer_types"] if family.every else [])]
    left = {key: getattr(known, key, None) for key in keys if config.get(key) is None}
    filled = {**family.defaults, **config, **left, **_rotary(known.rope_parameters)}
    filled.pop("rope_parameters", None)
    return filled | {"tie_word_embeddings": bool(known.tie_word_embeddings)}


def _rotary(rope: dict[str, Any]) -> dict[str, Any]:
    """The bases of the rotary positions, wherever they were written. Raises RecipeError where they are scaled."""
    kinds = rope if "full_attention" in rope else {"full_attention": rope}
    if {part["rope_type"] for part in kinds.values()} != {"default"}:
        raise RecipeError("a base with scaled rotary positions is not supported", where="config.json")
    names = {"full_attention": "rope_theta", "sliding_attention": "rope_local_base_freq"}
    return {names[kind]: part.get("rope_theta") for kind, part in kinds.items()}


def _require_weights(config: dict[str, Any], weights: hf.Weights, source: Path) -> None:
    """Raise RecipeError for the first tensor that is missing, of another shape, or of a layer that is not there."""
    expected = hf.expected_weights(config)
    if missing := expected.keys() - weights.keys():
        raise RecipeError(f"the base has no {sorted(missing)[0]} ({len(missing)} tensors are missing)",
                          where=str(source), hint="is a shard of the checkpoint missing?")  # fmt: skip
    for name, weight in weights.items():
        if (shape := expected.get(name)) != weight.shape:
            told = f"{name} has the shape {[*weight.shape]}, by config.json {[*shape] if shape else 'it is not there'}"
            raise RecipeError(told, where=str(source), hint="are both of one model?")


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
