"""GGUF files: read one into a model folder, write a model folder as one, and how many bytes that takes.

A model folder is Hugging Face's: config.json, model.safetensors (bfloat16), tokenizer.json, tokenizer_config.json,
chat_template.jinja, and our about.json (name, licence). Llama's shape only.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import libgguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..errors import EngineError, RecipeError
from . import tokenizer

BODY_TYPE = "IQ4_NL"


def type_of(name: str) -> gguf.GGMLQuantizationType:
    """A GGUF type by its name."""
    return gguf.GGMLQuantizationType[name]


_LAYER = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
_TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_LAYER_BACK = {ours: theirs for theirs, ours in _LAYER.items()}
_TOP_BACK = {ours: theirs for theirs, ours in _TOP.items()}


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor in a Hugging Face Llama. Raises RecipeError for one that Llama does not have."""
    stem = name.removesuffix(".weight")
    if stem in _TOP:
        return f"{_TOP[stem]}.weight"
    match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)", stem)
    if match and match[2] in _LAYER and name.endswith(".weight"):
        return f"blk.{match[1]}.{_LAYER[match[2]]}.weight"
    raise RecipeError(
        f"tensor {name!r} is not part of a Llama", hint="use a base of the llama family without biases"
    )


def hf_name(name: str) -> str:
    """The inverse of gguf_name."""
    stem = name.removesuffix(".weight")
    if stem in _TOP_BACK:
        return f"{_TOP_BACK[stem]}.weight"
    match = re.fullmatch(r"blk\.(\d+)\.(.+)", stem)
    if match and match[2] in _LAYER_BACK:
        return f"model.layers.{match[1]}.{_LAYER_BACK[match[2]]}.weight"
    raise RecipeError(
        f"tensor {name!r} is not part of a Llama", hint="use a base of the llama family without biases"
    )


def interleave(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q or k from Hugging Face's rotary order (halves) to llama.cpp's (pairs)."""
    rows = weight.shape[0]
    return weight.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def _halve(weight: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of interleave."""
    rows = weight.shape[0]
    return weight.reshape(heads, rows // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def read_fields(path: Path) -> tuple[gguf.GGUFReader, dict[str, Any]]:
    """A reader and all metadata of a GGUF. Raises EngineError if it is not a whole GGUF."""
    try:
        reader = gguf.GGUFReader(path)
        fields = {name: field.contents() for name, field in reader.fields.items()}
        end = max((int(t.data_offset + t.n_bytes) for t in reader.tensors), default=0)
    except (ValueError, IndexError, KeyError, OSError, struct.error, OverflowError, MemoryError) as error:
        raise EngineError(f"not a whole GGUF file: {error}", where=path.name) from error
    if end > path.stat().st_size:
        raise EngineError("the file ends before its last tensor", where=path.name)
    return reader, fields


def state_dict(path: Path, dtype: torch.dtype = torch.bfloat16) -> dict[str, torch.Tensor]:
    """All weights of a GGUF, dequantised, by Hugging Face names."""
    reader, fields = read_fields(path)
    heads = {
        "attn_q": fields["llama.attention.head_count"],
        "attn_k": fields["llama.attention.head_count_kv"],
    }

    weights = {}
    for item in reader.tensors:
        weight = dequantised(item.data, item.tensor_type)
        for part, count in heads.items():
            if f".{part}." in item.name:
                weight = _halve(weight, count)
        weights[hf_name(item.name)] = torch.from_numpy(np.ascontiguousarray(weight)).to(dtype)
    return weights


def unpack(path: Path, folder: Path) -> None:
    """Write a GGUF as a model folder. Raises EngineError or RecipeError where it is damaged or not a Llama."""
    _, fields = read_fields(path)
    if (shape := fields.get("general.architecture")) != "llama":
        raise RecipeError(f"a base of shape {shape!r} is not supported", hint="use one of the llama family")
    if any(key.startswith("llama.rope.scaling") for key in fields):
        raise RecipeError("a base with scaled rotary positions is not supported", where=path.name)
    weights = state_dict(path)
    tokenizer.from_gguf(fields, folder)
    heads, width = fields["llama.attention.head_count"], fields["llama.embedding_length"]
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": width, "intermediate_size": fields["llama.feed_forward_length"],
        "num_hidden_layers": fields["llama.block_count"], "num_attention_heads": heads,
        "num_key_value_heads": fields["llama.attention.head_count_kv"],
        "head_dim": fields.get("llama.attention.key_length", width // heads),
        "max_position_embeddings": fields["llama.context_length"],
        "rms_norm_eps": fields["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": fields.get("llama.rope.freq_base", 10000.0),
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields.get("tokenizer.ggml.eos_token_id"),
        "tie_word_embeddings": "lm_head.weight" not in weights, "torch_dtype": "bfloat16",
    }  # fmt: skip
    write_json(folder / "config.json", config)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def tensor_bytes(shape: tuple[int, ...], kind: str) -> int:
    """Bytes of a tensor in a GGUF type; EngineError if its rows do not fill whole blocks."""
    block, size = gguf.GGML_QUANT_SIZES[type_of(kind)]
    if shape[-1] % block:
        raise EngineError(f"rows of {shape[-1]} do not fit blocks of {block} ({kind})")
    return int(np.prod(shape)) // block * size


def block_columns(kind: str) -> int:
    """How many columns one block of a GGUF type holds."""
    return int(gguf.GGML_QUANT_SIZES[type_of(kind)][0])


def fitting(kind: str, columns: int) -> str:
    """`kind`, or the nearest bigger type whose block fits this many columns, as llama-quantize falls back."""
    for candidate in (kind, "Q8_0", "F16"):
        if columns % block_columns(candidate) == 0:
            return candidate
    return "F32"


def quantise(weight: np.ndarray, kind: str, importance: np.ndarray | None = None) -> np.ndarray:
    """Rows of float32 [R, C] as bytes [R, bytes a row] of a GGUF type, weighted by `importance` [C] if given."""
    if kind in ("F32", "F16"):
        return weight.astype(np.float32 if kind == "F32" else np.float16)
    return np.asarray(
        libgguf.quantize_rows(np.ascontiguousarray(weight, np.float32), type_of(kind), imatrix=importance)
    )


_IQ4_NL = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)  # ggml-common.h

# The numbers that a code can stand for, times its block's scale, in types of blocks of 32 with one float16 scale.
GRIDS: dict[str, tuple[float, ...]] = {
    "IQ4_NL": _IQ4_NL,
    "Q8_0": tuple(range(-127, 128)),
}


def packed(codes: np.ndarray, scales: np.ndarray, kind: str) -> np.ndarray:
    """Bytes [R, bytes a row] of codes [R, C] (places in GRIDS) and scales [R, C / 32] in one of these types."""
    rows, blocks = scales.shape
    codes = codes.reshape(rows, blocks, 32)
    parts: list[np.ndarray] = [scales.astype(np.float16)[..., None].view(np.uint8)]
    if kind == "Q8_0":
        parts.append((codes.astype(np.int16) - 127).astype(np.int8).view(np.uint8))
    else:
        parts.append(codes[..., :16] | (codes[..., 16:] << 4))
    return np.concatenate(parts, axis=-1).reshape(rows, -1)


def dequantised(data: np.ndarray, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    """float32 rows of a GGUF tensor's data."""
    if kind in (type_of("F32"), type_of("F16"), type_of("BF16")):
        return np.array(gguf.dequantize(data, kind), np.float32)
    return np.asarray(libgguf.dequantize_rows(data, kind))


def rounded(weight: torch.Tensor, kind: str, importance: np.ndarray | None = None) -> torch.Tensor:
    """What a weight [R, C] becomes when it is written in a GGUF type and read back, in the weight's own dtype."""
    kind = fitting(kind, weight.shape[-1])
    data = quantise(weight.float().numpy(), kind, importance)
    return torch.from_numpy(dequantised(data, type_of(kind))).to(weight.dtype)


Choose = Callable[[str, tuple[int, ...]], str]


def plan_types(embedding: str, body: str = BODY_TYPE) -> Choose:
    """A rule from Hugging Face tensor name and shape to a GGUF type: norms F32, embedding and head as given."""

    def choose(name: str, shape: tuple[int, ...]) -> str:
        if len(shape) == 1:
            return "F32"
        outer = name in ("model.embed_tokens.weight", "lm_head.weight")
        return fitting(embedding if outer else body, shape[-1])

    return choose


def write(
    folder: Path,
    path: Path,
    choose: Choose,
    importance: Mapping[str, np.ndarray] | None = None,
    name: str | None = None,
    encoded: Mapping[str, np.ndarray] | None = None,
    infill: bool = False,
) -> None:
    """Write a model folder as GGUF, each tensor in the type that `choose` gives it; same inputs, same bytes.

    `name` is what other programs show; by default the base's. `encoded` holds tensors whose bytes are chosen already.
    `infill` is whether it was taught to fill in the middle.
    """
    config = json.loads((folder / "config.json").read_text())
    about = json.loads((folder / "about.json").read_text())
    about["name"] = name or about["name"]
    weights = load_file(folder / "model.safetensors")
    writer = gguf.GGUFWriter(path, "llama")
    _write_fields(writer, config, about, tokenizer.to_gguf(folder, config["vocab_size"], infill))
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}

    for name in sorted(weights):
        kind = choose(name, tuple(weights[name].shape))
        if encoded and name in encoded:
            data = encoded[name]
        else:
            data = quantise(weights[name].float().numpy(), kind, (importance or {}).get(name))
        for part, count in heads.items():
            if f".{part}." in name:
                data = interleave(data, count)
        writer.add_tensor(gguf_name(name), data, raw_dtype=None if kind in ("F32", "F16") else type_of(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_fields(
    writer: gguf.GGUFWriter, config: Mapping[str, Any], about: Mapping[str, Any], words: Mapping[str, Any]
) -> None:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    writer.add_type("model")
    writer.add_name(about["name"])
    if about.get("licence"):
        writer.add_license(about["licence"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    head = config.get("head_dim") or width // heads
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in words.items():
        if isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        else:
            writer.add_string(key, value)
