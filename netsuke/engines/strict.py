"""A strict reader of a finished GGUF file: does it hold what it says, byte for byte, before anybody gets it?

It parses the bytes itself (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), so that it does not repeat a
mistake of the library that wrote them. It looks at the layout and the metadata, never at weights.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import gguf

from ..errors import EngineError


@dataclass(frozen=True)
class Facts:
    """What a sound file holds. `tokens` and `merges` are 0 where it has no tokenizer."""

    tensors: int
    bytes: int
    tokens: int
    merges: int
    architecture: str


class _Unsound(Exception):
    """Says what is wrong; becomes an EngineError that says where."""


@dataclass(frozen=True)
class _Array:
    """An array of the metadata: strings are read, anything else is checked and left where it lies."""

    kind: int
    count: int
    start: int
    texts: Sequence[str]


@dataclass(frozen=True)
class _Value:
    kind: int
    value: int | str | _Array


@dataclass(frozen=True)
class _Tensor:
    """`dims` in the file's order: the first is how long a row is."""

    name: str
    dims: tuple[int, ...]
    bytes: int
    offset: int


_Fields = Mapping[str, _Value]
_Shapes = dict[str, tuple[int, ...]]

_UINT32, _INT32, _BOOL, _STRING, _ARRAY = 4, 5, 7, 8, 9
# How a number of each type is read. Nothing is asked of floats (6, 12): their bits do.
_FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "I", 7: "B", 10: "Q", 11: "q", 12: "Q"}
_LEAST = {_STRING: 8, _ARRAY: 12} | {kind: struct.calcsize(f"<{form}") for kind, form in _FORMS.items()}
_DEEPEST = 4  # arrays in arrays; our files have none
_LONGEST_NAME = 64  # bytes of a tensor's name
_LEAST_FIELD, _LEAST_TENSOR = 8 + 1 + 4 + 1, 8 + 1 + 4 + 8 + 4 + 8  # bytes of the smallest of each
_CONTROL, _TOKEN_TYPES = 3, range(1, 7)


def require_sound(path: Path) -> Facts:
    """What the GGUF at `path` holds. Raises EngineError with the first thing that is wrong with it.

    The layout is checked for every file, tensors and tokenizer too for a llama. The file must not change meanwhile.
    """
    try:
        with path.open("rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _facts(data)
    except _Unsound as wrong:
        raise EngineError(str(wrong), where=path.name, hint="make the file again") from None
    except (OSError, ValueError) as error:  # ValueError: mmap's, of an empty file
        raise EngineError(f"cannot be read: {error}", where=path.name) from error


def _facts(data: mmap.mmap) -> Facts:
    cursor = _Cursor(data)
    tensor_count, field_count = _header(cursor)
    fields = _read_fields(cursor, field_count)
    tensors = _read_tensors(cursor, tensor_count)
    _require_layout(tensors, data, cursor.at, _alignment(fields))
    architecture = _text(fields, "general.architecture")
    if architecture == "llama":
        tokens = _texts(fields, "tokenizer.ggml.tokens")
        _require_llama(fields, tensors, len(tokens))
        if _text(fields, "tokenizer.ggml.model") == "gpt2":
            _require_tokenizer(fields, data, tokens)
    words, merges = (_length(fields, f"tokenizer.ggml.{part}") for part in ("tokens", "merges"))
    return Facts(len(tensors), len(data), words, merges, architecture)


# -- bytes -----------------------------------------------------------------------------------------------
class _Cursor:
    """A place in the file. Whatever it reads lies within the file, so no count in it can ask for more memory."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def skip(self, count: int, what: str) -> int:
        """Move on by `count` bytes; the place before that."""
        start = self.at
        if count > len(self.data) - start:
            raise _Unsound(f"the file ends within {what}")
        self.at += count
        return start

    def number(self, form: str, what: str) -> int:
        start = self.skip(struct.calcsize(f"<{form}"), what)
        return struct.unpack_from(f"<{form}", self.data, start)[0]

    def text(self, what: str) -> str:
        length = self.number("Q", what)
        start = self.skip(length, what)
        try:
            return str(self.data[start : start + length], "utf-8")
        except UnicodeDecodeError:
            raise _Unsound(f"{what} is not valid UTF-8") from None


def _shown(text: str) -> str:
    """A name out of the file, short enough and safe to print."""
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")


def _header(cursor: _Cursor) -> tuple[int, int]:
    """How many tensors and how many fields the file says that it has."""
    if cursor.data[:4] != b"GGUF":
        raise _Unsound("not a GGUF file: it does not start with GGUF")
    cursor.skip(4, "the header")
    if (version := cursor.number("I", "the header")) != 3:
        raise _Unsound(f"version {version} of GGUF, not 3")
    tensors, fields = cursor.number("Q", "the header"), cursor.number("Q", "the header")
    rest = len(cursor.data) - cursor.at
    for count, least, what in ((fields, _LEAST_FIELD, "fields"), (tensors, _LEAST_TENSOR, "tensors")):
        if count * least > rest:
            raise _Unsound(f"{count} {what} do not fit into the file")
    return tensors, fields


# -- metadata --------------------------------------------------------------------------------------------
def _read_fields(cursor: _Cursor, count: int) -> dict[str, _Value]:
    fields: dict[str, _Value] = {}
    for place in range(count):
        key = cursor.text(f"the key of field {place}")
        if not key:
            raise _Unsound(f"field {place} has an empty key")
        if key in fields:
            raise _Unsound(f"key {_shown(key)} is there twice")
        what = f"the value of {_shown(key)}"
        kind = cursor.number("I", what)
        fields[key] = _Value(kind, _read_value(cursor, kind, what))
    return fields


def _read_value(cursor: _Cursor, kind: int, what: str) -> int | str | _Array:
    if kind == _STRING:
        return cursor.text(what)
    if kind == _ARRAY:
        return _read_array(cursor, what, 1)
    if kind not in _FORMS:
        raise _Unsound(f"{what} has the unknown type {kind}")
    value = cursor.number(_FORMS[kind], what)
    if kind == _BOOL and value > 1:
        raise _Unsound(f"{what} is neither true nor false")
    return value


def _read_array(cursor: _Cursor, what: str, depth: int) -> _Array:
    if depth > _DEEPEST:
        raise _Unsound(f"{what} is nested deeper than {_DEEPEST} arrays")
    kind, count = cursor.number("I", what), cursor.number("Q", what)
    if kind not in _LEAST:
        raise _Unsound(f"{what} is an array of the unknown type {kind}")
    start, bytes_ = cursor.at, count * _LEAST[kind]
    if bytes_ > len(cursor.data) - start:
        raise _Unsound(f"{count} items in {what} do not fit into the file")
    if kind == _STRING:
        return _Array(kind, count, start, [cursor.text(f"item {place} of {what}") for place in range(count)])
    if kind == _ARRAY:
        for _ in range(count):
            _read_array(cursor, what, depth + 1)
        return _Array(kind, count, start, ())
    cursor.skip(bytes_, what)
    if kind == _BOOL and re.compile(rb"[^\0\1]").search(cursor.data, start, cursor.at):
        raise _Unsound(f"an item of {what} is neither true nor false")
    return _Array(kind, count, start, ())


def _text(fields: _Fields, key: str) -> str:
    value = _needed(fields, key).value
    if not isinstance(value, str):
        raise _Unsound(f"{key} is not a string")
    return value


def _texts(fields: _Fields, key: str) -> Sequence[str]:
    value = _needed(fields, key).value
    if not isinstance(value, _Array) or value.kind != _STRING:
        raise _Unsound(f"{key} is not an array of strings")
    return value.texts


def _uint32(fields: _Fields, key: str, least: int = 0) -> int:
    """A number that llama.cpp reads as uint32: it refuses any other type, even where the value would fit."""
    field = _needed(fields, key)
    if field.kind != _UINT32 or not isinstance(field.value, int):
        raise _Unsound(f"{_shown(key)} is not a uint32")
    if field.value < least:
        raise _Unsound(f"{key} is {field.value}")
    return field.value


def _needed(fields: _Fields, key: str) -> _Value:
    if key not in fields:
        raise _Unsound(f"{key} is missing")
    return fields[key]


def _length(fields: _Fields, key: str) -> int:
    value = fields[key].value if key in fields else None
    return value.count if isinstance(value, _Array) else 0


def _alignment(fields: _Fields) -> int:
    alignment = _uint32(fields, "general.alignment") if "general.alignment" in fields else 32
    if alignment.bit_count() != 1:
        raise _Unsound(f"general.alignment is {alignment}, not a power of two")
    return alignment


# -- tensors ---------------------------------------------------------------------------------------------
def _read_tensors(cursor: _Cursor, count: int) -> list[_Tensor]:
    tensors: dict[str, _Tensor] = {}
    for place in range(count):
        name = cursor.text(f"the name of tensor {place}")
        if not 1 <= len(name.encode()) <= _LONGEST_NAME:
            raise _Unsound(f"the name of tensor {place} has not 1 to {_LONGEST_NAME} bytes: {_shown(name)}")
        if name in tensors:
            raise _Unsound(f"tensor {_shown(name)} is there twice")
        tensors[name] = _read_tensor(cursor, name)
    return [*tensors.values()]


def _read_tensor(cursor: _Cursor, name: str) -> _Tensor:
    what = f"tensor {_shown(name)}"
    if not 1 <= (rank := cursor.number("I", what)) <= 4:
        raise _Unsound(f"{what} has {rank} dimensions, not 1 to 4")
    dims = tuple(cursor.number("Q", what) for _ in range(rank))
    if 0 in dims:
        raise _Unsound(f"{what} has a dimension of 0")
    number = cursor.number("I", what)
    try:
        block, bytes_ = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(number)]
    except (ValueError, KeyError):
        raise _Unsound(f"{what} has the unknown type {number}") from None
    if dims[0] % block:
        raise _Unsound(f"rows of {dims[0]} in {what} do not fill blocks of {block}")
    return _Tensor(name, dims, prod(dims) // block * bytes_, cursor.number("Q", what))


def _require_layout(tensors: Sequence[_Tensor], data: mmap.mmap, end: int, alignment: int) -> None:
    """One tensor after the other, in the order of their names, from the end of the metadata to the file's."""
    start = end + -end % alignment
    for tensor in tensors:
        what = f"tensor {_shown(tensor.name)}"
        if tensor.offset % alignment:
            raise _Unsound(f"{what} is not aligned to {alignment} bytes")
        at, expected = start + tensor.offset, end + -end % alignment
        if at < expected:
            raise _Unsound(f"{what} overlaps what stands before it")
        if at > expected:
            raise _Unsound(f"a gap of {at - expected} bytes stands before {what}")
        if at + tensor.bytes > len(data):
            raise _Unsound(f"the file ends before the end of {what}")
        _require_zeros(data, end, at)
        end = at + tensor.bytes
    if (rest := len(data) - (end + -end % alignment)) > 0:
        raise _Unsound(f"{rest} bytes follow the last tensor")
    _require_zeros(data, end, len(data))


def _require_zeros(data: mmap.mmap, start: int, end: int) -> None:
    if re.compile(rb"[^\0]").search(data, start, end):
        raise _Unsound(f"the padding at byte {start} is not all zeros")


# -- llama -----------------------------------------------------------------------------------------------
def _require_llama(fields: _Fields, tensors: Sequence[_Tensor], tokens: int) -> None:
    """Exactly the tensors of a llama of these counts, each in its shape."""
    if (key := "llama.vocab_size") in fields and (size := _uint32(fields, key)) != tokens:
        raise _Unsound(f"{key} is {size}, but there are {tokens} tokens")
    dims = {tensor.name: tensor.dims for tensor in tensors}
    blocks, width = _uint32(fields, "llama.block_count", 1), _uint32(fields, "llama.embedding_length", 1)
    top: _Shapes = {"token_embd.weight": (width, tokens), "output_norm.weight": (width,)}
    if "output.weight" in dims:  # otherwise the embedding is the head too
        top["output.weight"] = (width, tokens)
    # A hostile number of blocks costs nothing: the first tensor that is missing ends this.
    for name, shape in _shapes(top, _block_shapes(fields, width), blocks):
        if name not in dims:
            raise _Unsound(f"tensor {name} is missing")
        if dims[name] != shape:
            raise _Unsound(f"tensor {name} has the shape {[*dims[name]]}, not {[*shape]}")
        del dims[name]
    if dims:
        raise _Unsound(f"tensor {_shown(min(dims))} is not part of a llama of {blocks} blocks")


def _shapes(top: _Shapes, block: _Shapes, blocks: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from top.items()
    for place in range(blocks):
        yield from ((f"blk.{place}.{name}.weight", shape) for name, shape in block.items())


def _block_shapes(fields: _Fields, width: int) -> _Shapes:
    inner = _uint32(fields, "llama.feed_forward_length", 1)
    heads = groups = _uint32(fields, "llama.attention.head_count", 1)
    if (key := "llama.attention.head_count_kv") in fields:
        groups = _uint32(fields, key, 1)
    if heads % groups:
        raise _Unsound(f"{heads} heads cannot share {groups} heads of keys and values")
    keys, values = (_head_size(fields, part, width, heads) for part in ("key", "value"))
    return {
        "attn_norm": (width,), "attn_q": (width, heads * keys), "attn_k": (width, groups * keys),
        "attn_v": (width, groups * values), "attn_output": (heads * values, width),
        "ffn_norm": (width,), "ffn_gate": (width, inner), "ffn_up": (width, inner), "ffn_down": (inner, width),
    }  # fmt: skip


def _head_size(fields: _Fields, part: str, width: int, heads: int) -> int:
    if (key := f"llama.attention.{part}_length") in fields:
        return _uint32(fields, key, 1)
    if width % heads:
        raise _Unsound(f"{key} is missing, and {heads} heads do not divide a width of {width}")
    return width // heads


# -- tokenizer -------------------------------------------------------------------------------------------
def _require_tokenizer(fields: _Fields, data: mmap.mmap, tokens: Sequence[str]) -> None:
    """Byte-level BPE, closed: whatever a merge takes or makes is a token."""
    _require_unique(tokens, "token")
    types = _token_types(fields, data, len(tokens))
    _require_merges(_texts(fields, "tokenizer.ggml.merges"), set(tokens))
    for key in (key for key in fields if re.fullmatch(r"tokenizer\.ggml\..*_token_id", key)):
        if (token := _uint32(fields, key)) >= len(tokens):
            raise _Unsound(f"{_shown(key)} is {token}, but there are {len(tokens)} tokens")
    if "tokenizer.chat_template" in fields:
        _text(fields, "tokenizer.chat_template")
        if _CONTROL not in types:
            raise _Unsound("there is a chat template but no control token")


def _token_types(fields: _Fields, data: mmap.mmap, count: int) -> tuple[int, ...]:
    value = _needed(fields, "tokenizer.ggml.token_type").value
    if not isinstance(value, _Array) or value.kind != _INT32:
        raise _Unsound("tokenizer.ggml.token_type is not an array of int32")
    if value.count != count:
        raise _Unsound(f"{value.count} token types for {count} tokens")
    types = struct.unpack_from(f"<{count}i", data, value.start)
    for token, kind in enumerate(types):
        if kind not in _TOKEN_TYPES:
            raise _Unsound(f"token {token} has the unknown type {kind}")
    return types


def _require_merges(merges: Sequence[str], known: set[str]) -> None:
    _require_unique(merges, "merge")
    for merge in merges:
        parts = merge.split(" ")
        if len(parts) != 2 or not all(parts):
            raise _Unsound(f"merge {_shown(merge)} is not two parts")
        for part in (*parts, "".join(parts)):
            if part not in known:
                raise _Unsound(f"merge {_shown(merge)} needs {_shown(part)}, which is not a token")


def _require_unique(texts: Sequence[str], what: str) -> None:
    for text, times in Counter(texts).items():
        if times > 1:
            raise _Unsound(f"{what} {_shown(text)} is there {times} times")
