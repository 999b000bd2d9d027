"""The layout of a GGUF file, read strictly from its bytes: fields, tensors, and nothing between them.

After https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, and not with the library that writes our files, so that
it does not repeat a mistake of it. Weights are not looked at.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import gguf


class Unsound(Exception):
    """Says what is wrong; becomes an EngineError that says where."""


@dataclass(frozen=True)
class Array:
    """An array of the metadata: strings are read, anything else is checked and left where it lies."""

    kind: int
    count: int
    start: int
    texts: Sequence[str]


@dataclass(frozen=True)
class Value:
    kind: int
    value: int | float | str | Array


@dataclass(frozen=True)
class Tensor:
    """`dims` in the file's order: the first is how long a row is."""

    name: str
    dims: tuple[int, ...]
    kind: str  # of its numbers
    bytes: int
    offset: int


Fields = Mapping[str, Value]
Shapes = dict[str, tuple[int, ...]]

UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
_FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_LEAST = {STRING: 8, ARRAY: 12} | {kind: struct.calcsize(f"<{form}") for kind, form in _FORMS.items()}
_DEEPEST = 4  # arrays in arrays; our files have none
_LONGEST_NAME = 64  # bytes of a tensor's name
_LEAST_FIELD, _LEAST_TENSOR = 8 + 1 + 4 + 1, 8 + 1 + 4 + 8 + 4 + 8  # bytes of the smallest of each


def read(data: mmap.mmap) -> tuple[Fields, list[Tensor]]:
    """(fields, tensors) of a file whose layout is sound. Raises Unsound."""
    cursor = _Cursor(data)
    tensor_count, field_count = _header(cursor)
    fields = _read_fields(cursor, field_count)
    tensors = _read_tensors(cursor, tensor_count)
    _require_layout(tensors, data, cursor.at, _alignment(fields))
    return fields, tensors


# -- bytes -----------------------------------------------------------------------------------------------
class _Cursor:
    """A place in the file. Whatever it reads lies within the file, so no count in it can ask for more memory."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def skip(self, count: int, what: str) -> int:
        """Move on by `count` bytes; the place before that."""
        start = self.at
        if count > len(self.data) - start:
            raise Unsound(f"the file ends within {what}")
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
            raise Unsound(f"{what} is not valid UTF-8") from None


def shown(text: str) -> str:
    """A name out of the file, short enough and safe to print."""
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")


def _header(cursor: _Cursor) -> tuple[int, int]:
    """How many tensors and how many fields the file says that it has."""
    if cursor.data[:4] != b"GGUF":
        raise Unsound("not a GGUF file: it does not start with GGUF")
    cursor.skip(4, "the header")
    if (version := cursor.number("I", "the header")) != 3:
        raise Unsound(f"version {version} of GGUF, not 3")
    tensors, fields = cursor.number("Q", "the header"), cursor.number("Q", "the header")
    rest = len(cursor.data) - cursor.at
    for count, least, what in ((fields, _LEAST_FIELD, "fields"), (tensors, _LEAST_TENSOR, "tensors")):
        if count * least > rest:
            raise Unsound(f"{count} {what} do not fit into the file")
    return tensors, fields


# -- metadata --------------------------------------------------------------------------------------------
def _read_fields(cursor: _Cursor, count: int) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for place in range(count):
        key = cursor.text(f"the key of field {place}")
        if not key:
            raise Unsound(f"field {place} has an empty key")
        if key in fields:
            raise Unsound(f"key {shown(key)} is there twice")
        what = f"the value of {shown(key)}"
        kind = cursor.number("I", what)
        fields[key] = Value(kind, _read_value(cursor, kind, what))
    return fields


def _read_value(cursor: _Cursor, kind: int, what: str) -> int | float | str | Array:
    if kind == STRING:
        return cursor.text(what)
    if kind == ARRAY:
        return _read_array(cursor, what, 1)
    if kind not in _FORMS:
        raise Unsound(f"{what} has the unknown type {kind}")
    value = cursor.number(_FORMS[kind], what)
    if kind == BOOL and value > 1:
        raise Unsound(f"{what} is neither true nor false")
    return value


def _read_array(cursor: _Cursor, what: str, depth: int) -> Array:
    if depth > _DEEPEST:
        raise Unsound(f"{what} is nested deeper than {_DEEPEST} arrays")
    kind, count = cursor.number("I", what), cursor.number("Q", what)
    if kind not in _LEAST:
        raise Unsound(f"{what} is an array of the unknown type {kind}")
    start, bytes_ = cursor.at, count * _LEAST[kind]
    if bytes_ > len(cursor.data) - start:
        raise Unsound(f"{count} items in {what} do not fit into the file")
    if kind == STRING:
        return Array(kind, count, start, [cursor.text(f"item {place} of {what}") for place in range(count)])
    if kind == ARRAY:
        for _ in range(count):
            _read_array(cursor, what, depth + 1)
        return Array(kind, count, start, ())
    cursor.skip(bytes_, what)
    if kind == BOOL and re.compile(rb"[^\0\1]").search(cursor.data, start, cursor.at):
        raise Unsound(f"an item of {what} is neither true nor false")
    return Array(kind, count, start, ())


def text(fields: Fields, key: str) -> str:
    value = needed(fields, key).value
    if not isinstance(value, str):
        raise Unsound(f"{key} is not a string")
    return value


def texts(fields: Fields, key: str) -> Sequence[str]:
    value = needed(fields, key).value
    if not isinstance(value, Array) or value.kind != STRING:
        raise Unsound(f"{key} is not an array of strings")
    return value.texts


def uint32(fields: Fields, key: str, least: int = 0) -> int:
    """A number that llama.cpp reads as uint32: it refuses any other type, even where the value would fit."""
    field = needed(fields, key)
    if field.kind != UINT32 or not isinstance(field.value, int):
        raise Unsound(f"{shown(key)} is not a uint32")
    if field.value < least:
        raise Unsound(f"{key} is {field.value}")
    return field.value


def float32(fields: Fields, key: str) -> float:
    """A number that llama.cpp reads as float32, and as nothing else; it may be no number."""
    field = needed(fields, key)
    if field.kind != FLOAT32 or not isinstance(field.value, float):
        raise Unsound(f"{shown(key)} is not a float32")
    return field.value


def needed(fields: Fields, key: str) -> Value:
    if key not in fields:
        raise Unsound(f"{key} is missing")
    return fields[key]


def length(fields: Fields, key: str) -> int:
    value = fields[key].value if key in fields else None
    return value.count if isinstance(value, Array) else 0


def _alignment(fields: Fields) -> int:
    alignment = uint32(fields, "general.alignment") if "general.alignment" in fields else 32
    if alignment.bit_count() != 1:
        raise Unsound(f"general.alignment is {alignment}, not a power of two")
    return alignment


# -- tensors ---------------------------------------------------------------------------------------------
def _read_tensors(cursor: _Cursor, count: int) -> list[Tensor]:
    tensors: dict[str, Tensor] = {}
    for place in range(count):
        name = cursor.text(f"the name of tensor {place}")
        if not 1 <= len(name.encode()) <= _LONGEST_NAME:
            raise Unsound(f"the name of tensor {place} has not 1 to {_LONGEST_NAME} bytes: {shown(name)}")
        if name in tensors:
            raise Unsound(f"tensor {shown(name)} is there twice")
        tensors[name] = _read_tensor(cursor, name)
    return [*tensors.values()]


def _read_tensor(cursor: _Cursor, name: str) -> Tensor:
    what = f"tensor {shown(name)}"
    if not 1 <= (rank := cursor.number("I", what)) <= 4:
        raise Unsound(f"{what} has {rank} dimensions, not 1 to 4")
    dims = tuple(cursor.number("Q", what) for _ in range(rank))
    if 0 in dims:
        raise Unsound(f"{what} has a dimension of 0")
    number = cursor.number("I", what)
    try:
        kind = gguf.GGMLQuantizationType(number)
        block, bytes_ = gguf.GGML_QUANT_SIZES[kind]
    except (ValueError, KeyError):
        raise Unsound(f"{what} has the unknown type {number}") from None
    if dims[0] % block:
        raise Unsound(f"rows of {dims[0]} in {what} do not fill blocks of {block}")
    return Tensor(name, dims, kind.name, prod(dims) // block * bytes_, cursor.number("Q", what))


def _require_layout(tensors: Sequence[Tensor], data: mmap.mmap, end: int, alignment: int) -> None:
    """One tensor after the other, in the order of their names, from the end of the metadata to the file's."""
    start = end + -end % alignment
    for tensor in tensors:
        what = f"tensor {shown(tensor.name)}"
        if tensor.offset % alignment:
            raise Unsound(f"{what} is not aligned to {alignment} bytes")
        at, expected = start + tensor.offset, end + -end % alignment
        if at < expected:
            raise Unsound(f"{what} overlaps what stands before it")
        if at > expected:
            raise Unsound(f"a gap of {at - expected} bytes stands before {what}")
        if at + tensor.bytes > len(data):
            raise Unsound(f"the file ends before the end of {what}")
        _require_zeros(data, end, at)
        end = at + tensor.bytes
    if (rest := len(data) - (end + -end % alignment)) > 0:
        raise Unsound(f"{rest} bytes follow the last tensor")
    _require_zeros(data, end, len(data))


def _require_zeros(data: mmap.mmap, start: int, end: int) -> None:
    if re.compile(rb"[^\0]").search(data, start, end):
        raise Unsound(f"the padding at byte {start} is not all zeros")
