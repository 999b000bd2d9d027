"""GGUF files: read one into a model folder, write a model folder as one, and how many bytes that takes.

A model folder is Hugging Face's: config.json, model.safetensors (bfloat16), tokenizer.json, tokenizer_config.json,
chat_template.jinja, and our about.json (name, licence). The families of families.py only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import libgguf
import numpy as np
import torch
from safetensors.torch import load_file

from ..errors import EngineError
from ..texts.documents import write_json
from . import families, tokenizer
from .families import Family
from .tensors import save_weights

BODY_TYPE = "IQ4_NL"


def type_of(name: str) -> gguf.GGMLQuantizationType:
    """A GGUF type by its name."""
    return gguf.GGMLQuantizationType[name]


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
    family = families.of_gguf(fields)
    heads = fields[f"{family.name}.attention.head_count"]
    counts = {"attn_q": heads, "attn_k": fields.get(f"{family.name}.attention.head_count_kv", heads)}
    weights = {}
    for item in reader.tensors:
        weight = dequantised(item.data, item.tensor_type)
        for part, count in counts.items():
            if family.pairs and f".{part}." in item.name:
                weight = _halve(weight, count)
        if weight.ndim == 1:
            weight = weight - np.float32(family.norm_shift)
        weights[family.hf_name(item.name)] = torch.from_numpy(np.ascontiguousarray(weight)).to(dtype)
    return weights


def unpack(path: Path, folder: Path) -> None:
    """Write a GGUF as a model folder. Raises EngineError or RecipeError where it is damaged or of no known family."""
    _, fields = read_fields(path)
    family = families.of_gguf(fields)
    weights = state_dict(path)
    config = family.config(fields, tied="lm_head.weight" not in weights)
    family.require(config, path.name)
    tokenizer.from_gguf(fields, folder)
    write_json(folder / "config.json", config)
    save_weights(weights, folder / "model.safetensors")


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
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    about["name"] = name or about["name"]
    weights = load_file(folder / "model.safetensors")
    family = families.of_config(config)
    writer = gguf.GGUFWriter(path, family.name)
    _write_fields(writer, family, config, about, tokenizer.to_gguf(folder, config["vocab_size"], infill))
    for name in sorted(weights):
        kind = choose(name, tuple(weights[name].shape))
        if encoded and name in encoded:
            data = encoded[name]
        else:
            shift = family.norm_shift if weights[name].dim() == 1 else 0.0
            data = quantise(weights[name].float().numpy() + np.float32(shift), kind, (importance or {}).get(name))
        data = rotary(family, config, name.removesuffix(".weight"), data)
        writer.add_tensor(family.gguf_name(name), data, raw_dtype=None if kind in ("F32", "F16") else type_of(kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rotary(family: Family, config: Mapping[str, Any], name: str, rows: np.ndarray) -> np.ndarray:
    """Rows of a layer's part, in the order that llama.cpp has those of q and k in."""
    dims = family.dims(config)
    counts = {"self_attn.q_proj": dims.heads, "self_attn.k_proj": dims.groups}
    count = next((count for part, count in counts.items() if name.endswith(part)), 0)
    return interleave(rows, count) if family.pairs and count else rows


def _write_fields(
    writer: gguf.GGUFWriter,
    family: Family,
    config: Mapping[str, Any],
    about: Mapping[str, Any],
    words: Mapping[str, Any],
) -> None:
    dims = family.dims(config)
    writer.add_type("model")
    writer.add_name(about["name"])
    if about.get("licence"):
        writer.add_license(about["licence"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(dims.width)
    writer.add_feed_forward_length(dims.inner)
    writer.add_head_count(dims.heads)
    writer.add_head_count_kv(dims.groups)
    writer.add_key_length(dims.key)
    writer.add_value_length(dims.value)
    writer.add_rope_dimension_count(dims.key)
    writer.add_rope_freq_base(config["rope_theta"])
    for one in family.own:
        add = writer.add_uint32 if one.whole else writer.add_float32
        add(f"{family.name}.{one.gguf}", config[one.theirs])
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
