"""A strict reader of a finished GGUF file: does it hold what it says, byte for byte, before anybody gets it?

The layout is read by layout.py; here it is asked whether the tensors are those of the model and the tokenizer is whole.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import EngineError
from . import layout
from .families import FAMILIES, Dims, Family
from .layout import Fields, Shapes, Tensor, Unsound, shown
from .sentencepiece import BYTE, CONTROL, is_byte

_TOKEN_TYPES = range(1, 7)
_NO_WEIGHTS = ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K")  # types that llama.cpp only computes in between
_COUNTED = {"token_type": "token types", "scores": "scores"}


@dataclass(frozen=True)
class Facts:
    """What a sound file holds. `tokens` is 0 where it has none."""

    tensors: int
    bytes: int
    tokens: int


def require_sound(path: Path) -> Facts:
    """What the GGUF at `path` holds. Raises EngineError with the first thing that is wrong with it.

    The layout is checked for every file, tensors and tokenizer too for the families that are known. The file must not
    change meanwhile.
    """
    with _opened(path) as data:
        return _facts(data)


def require_adapter(path: Path, model: Path) -> None:
    """Raise EngineError unless the GGUF at `path` is an adapter of low rank and fits the sound one at `model`."""
    with _opened(model) as data:
        body, matrices = layout.read(data)
        family = layout.text(body, "general.architecture")
    with _opened(path) as data:
        fields, tensors = layout.read(data)
        _require_adapter(fields, family)
        _require_pairs({one.name: one.dims for one in tensors}, {one.name: one.dims for one in matrices})


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[mmap.mmap]:
    """A file's bytes. Raises EngineError where it cannot be read, or for what is Unsound of it."""
    try:
        with path.open("rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                yield data
    except Unsound as wrong:
        raise EngineError(str(wrong), where=path.name, hint="make the file again") from None
    except (OSError, ValueError) as error:  # ValueError: mmap's, of an empty file
        raise EngineError(f"cannot be read: {error}", where=path.name) from error


def _facts(data: mmap.mmap) -> Facts:
    fields, tensors = layout.read(data)
    _require_one_template(fields)
    if family := FAMILIES.get(layout.text(fields, "general.architecture")):
        tokens = layout.texts(fields, "tokenizer.ggml.tokens")
        _require_model(family, fields, tensors, len(tokens))
        _require_tokenizer(fields, data, tokens)
    return Facts(len(tensors), len(data), layout.length(fields, "tokenizer.ggml.tokens"))


# -- the model -------------------------------------------------------------------------------------------
def _require_model(family: Family, fields: Fields, tensors: Sequence[Tensor], tokens: int) -> None:
    """The numbers of the family, and exactly its tensors in these counts, each in its shape."""
    _require_numbers(family, fields)
    if (key := f"{family.name}.vocab_size") in fields and (size := layout.uint32(fields, key)) != tokens:
        raise Unsound(f"{key} is {size}, but there are {tokens} tokens")
    dims = {tensor.name: tensor.dims for tensor in tensors}
    kinds = {tensor.name: tensor.kind for tensor in tensors}
    blocks = layout.uint32(fields, f"{family.name}.block_count", 1)
    sizes = _sizes(family, fields)
    top: Shapes = {"token_embd.weight": (sizes.width, tokens), "output_norm.weight": (sizes.width,)}
    if "output.weight" in dims:  # otherwise the embedding is the head too
        top["output.weight"] = (sizes.width, tokens)
    # A hostile number of blocks costs nothing: the first tensor that is missing ends this.
    for name, shape in _shapes(top, family.shapes(sizes), blocks):
        if name not in dims:
            raise Unsound(f"tensor {name} is missing")
        if dims[name] != shape:
            raise Unsound(f"tensor {name} has the shape {[*dims[name]]}, not {[*shape]}")
        if kinds[name] in _NO_WEIGHTS:
            raise Unsound(f"tensor {name} is of the type {kinds[name]}, in which no weights are")
        del dims[name]
    if dims:
        raise Unsound(f"tensor {shown(min(dims))} is not part of a {family.name} of {blocks} blocks")
    key = f"{family.name}.rope.dimension_count"
    if key in fields and (turned := layout.uint32(fields, key)) != sizes.key:
        raise Unsound(f"{key} is {turned}, but a head has {sizes.key} columns")


def _require_numbers(family: Family, fields: Fields) -> None:
    """Each of the type that llama.cpp reads it as, and in its range."""
    for one in family.numbers:
        key = f"{family.name}.{one.gguf}"
        if one.needed or key in fields:
            value = (layout.uint32 if one.whole else layout.float32)(fields, key)
            if not one.fits(value):
                raise Unsound(f"{key} is {value}")


def _shapes(top: Shapes, block: Shapes, blocks: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from top.items()
    for place in range(blocks):
        yield from ((f"blk.{place}.{name}.weight", shape) for name, shape in block.items())


def _sizes(family: Family, fields: Fields) -> Dims:
    name = family.name
    width = layout.uint32(fields, f"{name}.embedding_length", 1)
    inner = layout.uint32(fields, f"{name}.feed_forward_length", 1)
    heads = groups = layout.uint32(fields, f"{name}.attention.head_count", 1)
    if (key := f"{name}.attention.head_count_kv") in fields:
        groups = layout.uint32(fields, key, 1)
    if heads % groups:
        raise Unsound(f"{heads} heads cannot share {groups} heads of keys and values")
    keys, values = (
        _head_size(fields, f"{name}.attention.{part}_length", width, heads) for part in ("key", "value")
    )
    return Dims(width, inner, heads, groups, keys, values)


def _head_size(fields: Fields, key: str, width: int, heads: int) -> int:
    if key in fields:
        return layout.uint32(fields, key, 1)
    if width % heads:
        raise Unsound(f"{key} is missing, and {heads} heads do not divide a width of {width}")
    return width // heads


# -- an adapter ------------------------------------------------------------------------------------------
def _require_adapter(fields: Fields, architecture: str) -> None:
    wanted = {"general.type": "adapter", "adapter.type": "lora", "general.architecture": architecture}
    for key, value in wanted.items():
        if (found := layout.text(fields, key)) != value:
            raise Unsound(f"{key} is {shown(found)}, not {value}")
    if layout.needed(fields, "adapter.lora.alpha").kind != layout.FLOAT32:
        raise Unsound("adapter.lora.alpha is not a float32")


def _require_pairs(pairs: Shapes, matrices: Shapes) -> None:
    """Of each matrix that is changed an A and a B, which together have its shape."""
    for name, dims in pairs.items():
        stem, _, side = name.rpartition(".lora_")
        other = pairs.get(f"{stem}.lora_{'b' if side == 'a' else 'a'}")
        if side not in ("a", "b") or other is None:
            raise Unsound(f"tensor {shown(name)} is not one of a pair")
        first, second = (dims, other) if side == "a" else (other, dims)
        if [len(first), len(second)] != [2, 2] or first[1] != second[0]:
            raise Unsound(f"tensor {shown(name)} and the other of its pair do not fit each other")
        if matrices.get(stem) != (first[0], second[1]):
            raise Unsound(f"tensor {shown(name)} changes no matrix of this model")


def _require_one_template(fields: Fields) -> None:
    """Only the template that is looked at: llama.cpp runs one of another name for tools, or where there is no other."""
    key = "tokenizer.chat_template"
    if more := [name for name in fields if name.startswith(key) and name != key]:
        raise Unsound(f"{shown(more[0])} is a second chat template, which would be run and never looked at")


# -- the tokenizer ---------------------------------------------------------------------------------------
def _require_tokenizer(fields: Fields, data: mmap.mmap, tokens: Sequence[str]) -> None:
    """Of the two kinds that are known: byte-level BPE, closed; SentencePiece's, with scores and all bytes."""
    kind = layout.text(fields, "tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        return
    _require_unique(tokens, "token")
    types = _token_types(fields, data, len(tokens))
    if kind == "gpt2":
        _require_merges(layout.texts(fields, "tokenizer.ggml.merges"), set(tokens))
    else:
        _require_scores(fields, data, len(tokens))
        _require_bytes(tokens, types)
    for key in (key for key in fields if re.fullmatch(r"tokenizer\.ggml\..*_token_id", key)):
        if (token := layout.uint32(fields, key)) >= len(tokens):
            raise Unsound(f"{shown(key)} is {token}, but there are {len(tokens)} tokens")
    if "tokenizer.chat_template" in fields:
        layout.text(fields, "tokenizer.chat_template")
        if CONTROL not in types:
            raise Unsound("there is a chat template but no control token")


def _token_types(fields: Fields, data: mmap.mmap, count: int) -> list[int]:
    types = [int(kind) for kind in _numbers(fields, data, "token_type", layout.INT32, "int32", count)]
    for token, kind in enumerate(types):
        if kind not in _TOKEN_TYPES:
            raise Unsound(f"token {token} has the unknown type {kind}")
    return types


def _numbers(
    fields: Fields, data: mmap.mmap, name: str, kind: int, called: str, count: int
) -> tuple[float, ...]:
    """An array of one number for each token."""
    value = layout.needed(fields, f"tokenizer.ggml.{name}").value
    if not isinstance(value, layout.Array) or value.kind != kind:
        raise Unsound(f"tokenizer.ggml.{name} is not an array of {called}")
    if value.count != count:
        raise Unsound(f"{value.count} {_COUNTED[name]} for {count} tokens")
    return struct.unpack_from(f"<{count}{'f' if kind == layout.FLOAT32 else 'i'}", data, value.start)


def _require_scores(fields: Fields, data: mmap.mmap, count: int) -> None:
    scores = _numbers(fields, data, "scores", layout.FLOAT32, "float32", count)
    for token, score in enumerate(scores):
        if not math.isfinite(score):
            raise Unsound(f"the score of token {token} is not a number")


def _require_bytes(tokens: Sequence[str], types: Sequence[int]) -> None:
    """A token for each of the 256 bytes, or text without a piece of its own could not be written."""
    there = {token for token, kind in zip(tokens, types, strict=True) if kind == BYTE}
    if wrong := [token for token in there if not is_byte(token)]:
        raise Unsound(f"token {shown(min(wrong))} is said to be a byte")
    if missing := [byte for byte in range(256) if f"<0x{byte:02X}>" not in there]:
        raise Unsound(f"byte {missing[0]} has no token")


def _require_merges(merges: Sequence[str], known: set[str]) -> None:
    _require_unique(merges, "merge")
    for merge in merges:
        parts = merge.split(" ")
        if len(parts) != 2 or not all(parts):
            raise Unsound(f"merge {shown(merge)} is not two parts")
        for part in (*parts, "".join(parts)):
            if part not in known:
                raise Unsound(f"merge {shown(merge)} needs {shown(part)}, which is not a token")


def _require_unique(texts: Sequence[str], what: str) -> None:
    for text, times in Counter(texts).items():
        if times > 1:
            raise Unsound(f"{what} {shown(text)} is there {times} times")
