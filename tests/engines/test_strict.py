"""A finished GGUF is read strictly: sound files pass, each fault is named, and no damage makes it stumble."""

import json
import struct
from copy import deepcopy
from dataclasses import dataclass, field
from math import prod

import gguf as library
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import MERGES, SPECIALS, byte_symbols, tiny_gguf

from netsuke.engines import gguf
from netsuke.engines.strict import Facts, require_sound
from netsuke.errors import EngineError

UINT32, INT32, BOOL, STRING, ARRAY = 4, 5, 7, 8, 9
F32, F16, Q8_0 = 0, 1, 8
FORMS = {UINT32: "I", INT32: "i", 6: "f", BOOL: "?"}
TOKENS = "tokenizer.ggml.tokens"
TYPES = "tokenizer.ggml.token_type"
MERGED = "tokenizer.ggml.merges"


# -- a file in parts, so that each can be spoiled --------------------------------------------------------
def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


def plain(kind, value):
    return text(value) if kind == STRING else struct.pack(f"<{FORMS[kind]}", value)


def scalar(kind, value):
    return struct.pack("<I", kind) + plain(kind, value)


def array(kind, values):
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(plain(kind, value) for value in values)


@dataclass
class Tensor:
    name: str
    dims: list
    kind: int
    data: bytes = b""
    offset: int | None = None  # by default where it belongs

    @property
    def bytes(self):
        block, size = library.GGML_QUANT_SIZES.get(self.kind, (1, 1))
        stated = prod(self.dims) // block * size
        return self.data[:stated].ljust(min(stated, 2**20), b"\0")


@dataclass
class Parts:
    fields: dict
    tensors: list
    magic: bytes = b"GGUF"
    version: int = 3
    counts: dict = field(default_factory=dict)
    more: bytes = b""  # one more field, key and all
    alignment: int = 32
    filler: bytes = b"\0"
    end: bytes = b""
    cut: int = 0

    def tensor(self, name):
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def encoded(self):
        counts = {"tensors": len(self.tensors), "fields": len(self.fields) + bool(self.more)} | self.counts
        head = self.magic + struct.pack("<IQQ", self.version, counts["tensors"], counts["fields"])
        head += b"".join(text(key) + value for key, value in self.fields.items()) + self.more
        body = b""
        for tensor in self.tensors:
            offset = len(body) if tensor.offset is None else tensor.offset
            head += text(tensor.name) + struct.pack("<I", len(tensor.dims))
            head += struct.pack(f"<{len(tensor.dims)}QIQ", *tensor.dims, tensor.kind, offset)
            body += self.padded(tensor.bytes)
        data = self.padded(head) + body
        return data[: len(data) - self.cut] + self.end

    def padded(self, data):
        return data + self.filler * (-len(data) % self.alignment)


def taken_apart(path):
    reader = library.GGUFReader(path)
    fields = {}
    for key, item in reader.fields.items():
        if not key.startswith("GGUF."):
            kinds = [int(kind) for kind in item.types]
            value = item.contents()
            fields[key] = array(kinds[1], value) if kinds[0] == ARRAY else scalar(kinds[0], value)
    tensors = [
        Tensor(t.name, [int(dim) for dim in t.shape], int(t.tensor_type), t.data.tobytes())
        for t in reader.tensors
    ]
    return Parts(fields, tensors)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("strict")


@pytest.fixture(scope="module")
def sound(place):
    return tiny_gguf(place / "tiny.gguf")


@pytest.fixture(scope="module")
def whole(sound):
    return taken_apart(sound)


# -- changes to it ---------------------------------------------------------------------------------------
def setting(**values):
    return lambda parts: parts.__dict__.update(values)


def each(*changes):
    return lambda parts: [change(parts) for change in changes]


def field_of(key, value):
    return lambda parts: parts.fields.update({key: value})


def number(key, value):
    return field_of(key, scalar(UINT32, value))


def without(key):
    return lambda parts: parts.fields.pop(key)


def another(key, value=b""):
    return setting(more=text(key) + value)


def spoiled(name="blk.0.ffn_up.weight", **values):
    return lambda parts: parts.tensor(name).__dict__.update(values)


def one_more(name, dims=(64,), kind=F32, **values):
    return lambda parts: parts.tensors.append(Tensor(name, [*dims], kind, **values))


def lacking(name):
    return lambda parts: parts.tensors.remove(parts.tensor(name))


def shifted(by):
    def change(parts):
        before = parts.tensors[:5]
        parts.tensors[5].offset = sum(len(parts.padded(tensor.bytes)) for tensor in before) + by

    return change


def tokens(changed):
    words = [*SPECIALS, *byte_symbols(), *(merge.replace(" ", "") for merge in MERGES)]
    return field_of(TOKENS, array(STRING, [changed.get(place, word) for place, word in enumerate(words)]))


def merges(*values):
    return field_of(MERGED, array(STRING, values))


def types(*kinds):
    return field_of(TYPES, array(INT32, [*kinds] + [1] * (264 - len(kinds))))


def nested(depth):
    return struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", UINT32, 0)


# -- what passes -----------------------------------------------------------------------------------------
def test_a_sound_file_passes(sound, whole):
    assert whole.encoded() == sound.read_bytes()
    size = sound.stat().st_size
    assert require_sound(sound) == Facts(20, size, 264)


@pytest.mark.parametrize("kinds", [("F16", "F16"), ("Q8_0", "IQ4_NL")])
def test_a_file_of_ours_passes(sound, tmp_path, kinds):
    gguf.unpack(sound, tmp_path)
    (tmp_path / "about.json").write_text(json.dumps({"name": "tiny", "licence": "MIT"}))
    gguf.write(tmp_path, tmp_path / "ours.gguf", gguf.plan_types(*kinds))
    facts = require_sound(tmp_path / "ours.gguf")
    assert (facts.tensors, facts.tokens) == (20, 264)


INNER = struct.pack("<IQI", UINT32, 1, 7)
HEADS = "llama.attention.head_count"
OTHER = setting(
    fields={"general.architecture": scalar(STRING, "bert")},
    tensors=[Tensor("x", [32, 3, 2, 1], Q8_0), Tensor("y", [1], F32)],
)
SIZES = {"q": [64, 32], "k": [64, 16], "v": [64, 48], "output": [96, 64]}
LEGAL = {
    "alignment": each(number("general.alignment", 128), setting(alignment=128)),
    "head of its own": one_more("output.weight", [64, 264], Q8_0),
    "sizes of heads": each(
        number("llama.attention.key_length", 8), number("llama.attention.value_length", 24),
        number("llama.rope.dimension_count", 8),
        *(spoiled(f"blk.{n}.attn_{name}.weight", dims=SIZES[name]) for n in range(2) for name in SIZES),
    ),
    "one head each": each(
        without(f"{HEADS}_kv"),
        *(spoiled(f"blk.{n}.attn_{name}.weight", dims=[64, 64]) for n in range(2) for name in "kv"),
    ),
    "arrays in arrays": field_of("x", struct.pack("<IIQ", ARRAY, ARRAY, 2) + INNER * 2),
    "another architecture": OTHER,
    "no padding at the end": each(OTHER, setting(cut=28)),
    "a token made twice": each(tokens({263: "he"}), merges("t h", "h e", "th e", "t he")),
}  # fmt: skip


def test_what_else_is_legal_passes(whole, place, subtests):
    for name, change in LEGAL.items():
        with subtests.test(name):
            parts = deepcopy(whole)
            change(parts)
            (place / "legal.gguf").write_bytes(parts.encoded())
            require_sound(place / "legal.gguf")


# -- what does not ---------------------------------------------------------------------------------------
HUGE = 2**61
LAYOUT = {
    "magic": (setting(magic=b"GGUX"), "does not start with GGUF"),
    "version": (setting(version=2), "version 2 of"),
    "byte order": (setting(version=3 << 24), "version 50331648 of"),
    "tensor count": (setting(counts={"tensors": HUGE}), "tensors do not fit"),
    "one tensor too many": (setting(counts={"tensors": 21}), "tensor 20"),
    "field count": (setting(counts={"fields": HUGE}), "fields do not fit"),
    "key's bytes": (another(b"\xff\xfe", scalar(UINT32, 1)), "the key of field 22 is not valid UTF-8"),
    "key without letters": (another("", scalar(UINT32, 1)), "empty key"),
    "key's length": (setting(more=struct.pack("<Q", HUGE)), "ends within the key of field"),
    "key twice": (another("general.name", scalar(STRING, "b")), "key 'general.name' is there twice"),
    "string's bytes": (field_of("x", scalar(STRING, b"\xc3\x28")), "the value of 'x' is not valid UTF-8"),
    "string's length": (field_of("x", struct.pack("<IQ", STRING, HUGE)), "ends within the value of 'x'"),
    "item's bytes": (field_of("x", array(STRING, ["a", b"\xed\xa0\x80"])), "item 1 of .* UTF-8"),
    "item's length": (
        field_of("x", struct.pack("<IIQQ", ARRAY, STRING, 1, HUGE)), "ends within item 0 of the value of 'x'"
    ),
    "value's type": (field_of("x", struct.pack("<II", 13, 0)), "unknown type 13"),
    "items' type": (field_of("x", struct.pack("<IIQ", ARRAY, 13, 0)), "array of the unknown type 13"),
    "bool": (field_of("x", struct.pack("<IB", BOOL, 2)), "neither true nor false"),
    "bools": (field_of("x", struct.pack("<IIQBB", ARRAY, BOOL, 2, 1, 9)), "item .* neither true nor false"),
    "numbers": (field_of("x", struct.pack("<IIQ", ARRAY, UINT32, HUGE)), "items in .* do not fit"),
    "strings": (field_of("x", struct.pack("<IIQ", ARRAY, STRING, HUGE)), "items in .* do not fit"),
    "arrays": (field_of("x", struct.pack("<IIQ", ARRAY, ARRAY, HUGE)), "items in .* do not fit"),
    "nesting": (field_of("x", nested(5000)), "nested deeper"),
    "alignment": (number("general.alignment", 48), "general.alignment is 48"),
    "alignment of 0": (number("general.alignment", 0), "general.alignment is 0"),
    "alignment's type": (field_of("general.alignment", scalar(INT32, 32)), "not a uint32"),
    "wide alignment": (number("general.alignment", 2**31), "ends before the end of tensor"),
    "no architecture": (without("general.architecture"), "general.architecture is missing"),
    "architecture's type": (number("general.architecture", 1), "general.architecture is not a string"),
    "tensor twice": (one_more("output_norm.weight"), "tensor 'output_norm.weight' is there twice"),
    "no name": (one_more(""), "has not 1 to 64 bytes"),
    "long name": (one_more("ü" * 32 + "x"), "has not 1 to 64 bytes"),
    "name's bytes": (one_more(b"\xff"), "name of tensor 20 is not valid UTF-8"),
    "no dimension": (spoiled(dims=[]), "has 0 dimensions"),
    "five dimensions": (spoiled(dims=[64, 128, 1, 1, 1]), "has 5 dimensions"),
    "dimension of 0": (spoiled(dims=[64, 0]), "a dimension of 0"),
    "huge dimensions": (one_more("y", [2**60] * 4), "ends before the end of tensor 'y'"),
    "tensor's type": (spoiled(kind=4), "unknown type 4"),
    "block": (spoiled(dims=[65, 128], kind=Q8_0), "rows of 65 .* blocks of 32"),
    "offset": (shifted(4), "is not aligned to 32 bytes"),
    "overlap": (shifted(-32), "overlaps"),
    "gap": (shifted(32), "a gap of 32 bytes"),
    "far away": (one_more("y", offset=2**64 - 32), "a gap of"),
    "padding": (each(OTHER, setting(filler=b"x")), "padding .* zeros"),
    "padding at the end": (each(OTHER, setting(cut=1, end=b"x")), "padding .* zeros"),
    "cut off": (setting(cut=1), "ends before the end of tensor"),
    "cut off early": (setting(cut=140_000), "the file ends"),
    "more at the end": (setting(end=b"\0"), "1 bytes follow the last tensor"),
}  # fmt: skip

COUNTS = ("llama.block_count", "llama.embedding_length", "llama.feed_forward_length", HEADS)
BLOCK = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down"
NEEDED = ("token_embd", "output_norm", *(f"blk.1.{part}" for part in BLOCK.split()))
LLAMA = {
    **{f"no {key}": (without(key), f"{key} is missing") for key in COUNTS},
    **{f"no {name}": (lacking(f"{name}.weight"), f"tensor {name}.weight is missing") for name in NEEDED},
    "count's type": (field_of("llama.block_count", scalar(INT32, 2)), "'llama.block_count' is not a uint32"),
    "no heads": (number(HEADS, 0), "head_count is 0"),
    "shared heads": (number(f"{HEADS}_kv", 3), "4 heads cannot share 3"),
    "width": (each(number(HEADS, 6), number(f"{HEADS}_kv", 1)), "do not divide"),
    "key heads": (number(f"{HEADS}_kv", 1), r"blk.0.attn_k.weight has the shape \[64, 32\], not \[64, 16\]"),
    "key_length": (number("llama.attention.key_length", 8), "attn_q.weight has the shape"),
    "value_length": (number("llama.attention.value_length", 8), "attn_v.weight has the shape"),
    "feed forward": (number("llama.feed_forward_length", 96), "ffn_gate.weight has the shape"),
    "turned": (spoiled("blk.1.ffn_down.weight", dims=[64, 128]), "blk.1.ffn_down.weight has the shape"),
    "norm": (spoiled("blk.1.attn_norm.weight", dims=[64, 1]), "blk.1.attn_norm.weight has the shape"),
    "rows": (spoiled("token_embd.weight", dims=[64, 263]), "token_embd.weight has the shape"),
    "head": (one_more("output.weight", [64, 263], Q8_0), "output.weight has the shape"),
    "vocab_size": (number("llama.vocab_size", 265), "vocab_size is 265, but there are 264 tokens"),
    "more blocks": (number("llama.block_count", 2**32 - 1), "tensor blk.2.attn_norm.weight is missing"),
    "fewer blocks": (number("llama.block_count", 1), "'blk.1.attn_k.weight' is not part of a llama of 1"),
    **{
        f"no {key}": (without(f"llama.{key}"), f"llama.{key} is missing")
        for key in ("context_length", "attention.layer_norm_rms_epsilon")
    },
    "context's type": (field_of("llama.context_length", scalar(STRING, "1")), "'llama.context_length' is not a uint32"),
    "contexts": (field_of("llama.context_length", array(UINT32, [1024])), "'llama.context_length' is not a uint32"),
    "no context": (number("llama.context_length", 0), "llama.context_length is 0"),
    "epsilon's type": (
        number("llama.attention.layer_norm_rms_epsilon", 1), "layer_norm_rms_epsilon' is not a float32"
    ),
    **{
        f"epsilon {value}": (
            field_of("llama.attention.layer_norm_rms_epsilon", scalar(6, value)), f"rms_epsilon is {value}"
        )
        for value in (0.0, -1.0, float("nan"), float("inf"))
    },
    "turns": (field_of("llama.rope.freq_base", scalar(6, 0.0)), "llama.rope.freq_base is 0.0"),
    "turns' type": (field_of("llama.rope.freq_base", scalar(STRING, "x")), "'llama.rope.freq_base' is not a float32"),
    "turns in a list": (field_of("llama.rope.freq_base", array(6, [1e4])), "'llama.rope.freq_base' is not a float32"),
    "turned columns": (number("llama.rope.dimension_count", 8), "dimension_count is 8, but a head has 16 columns"),
    **{
        f"weights of {kind}": (
            spoiled("blk.1.ffn_up.weight", kind=int(library.GGMLQuantizationType[kind])), f"of the type {kind}"
        )
        for kind in ("I8", "I32", "F64", "Q8_1")
    },
    "bias": (one_more("blk.0.attn_q.bias"), "'blk.0.attn_q.bias' is not part"),
}  # fmt: skip

TOKENIZER = {
    "no model": (without("tokenizer.ggml.model"), "tokenizer.ggml.model is missing"),
    "no tokens": (without(TOKENS), "tokens is missing"),
    "no types": (without(TYPES), "token_type is missing"),
    "no merges": (without(MERGED), "merges is missing"),
    "tokens' type": (field_of(TOKENS, array(INT32, [1] * 264)), "tokens is not an array of strings"),
    "types' type": (field_of(TYPES, array(UINT32, [1] * 264)), "token_type is not an array of int32"),
    "token twice": (tokens({263: "th"}), "token 'th' is there 2 times"),
    "empty token twice": (tokens({0: "", 1: ""}), "token '' is there 2"),
    "fewer types": (field_of(TYPES, array(INT32, [3] * 263)), "263 token types for 264 tokens"),
    "type 0": (types(3, 0), "token 1 has the unknown type 0"),
    "type 7": (types(3, 3, 7), "token 2 has the unknown type 7"),
    "one part": (merges("th"), "merge 'th' is not two parts"),
    "three parts": (merges("t h e"), "merge 't h e' is not two parts"),
    "empty part": (merges("t "), "merge 't ' is not two parts"),
    "left": (merges("th e", "xx y"), "merge 'xx y' needs 'xx'"),
    "right": (merges("x yy"), "merge 'x yy' needs 'yy'"),
    "joined": (merges("x y"), "merge 'x y' needs 'xy'"),
    "merge twice": (merges("t h", "t h"), "merge 't h' is there 2 times"),
    **{
        f"{role} id": (number(f"tokenizer.ggml.{role}_token_id", 264), f"{role}_token_id' is 264")
        for role in ("bos", "eos", "unknown", "padding", "eot")
    },
    "id's type": (field_of("tokenizer.ggml.bos_token_id", scalar(INT32, -1)), "not a uint32"),
    "template's type": (number("tokenizer.chat_template", 1), "chat_template is not a string"),
    "no control token": (types(1), "no control token"),
    **{
        f"a {key} besides": (another(f"tokenizer.chat_template{key}", scalar(STRING, "x")), "is a second chat template")
        for key in (".tool_use", ".rag", "s")
    },
}  # fmt: skip


@pytest.mark.parametrize("faults", [LAYOUT, LLAMA, TOKENIZER], ids=["layout", "llama", "tokenizer"])
def test_each_fault_is_named(whole, place, subtests, faults):
    for name, (change, message) in faults.items():
        with subtests.test(name):
            parts = deepcopy(whole)
            change(parts)
            (place / "bad.gguf").write_bytes(parts.encoded())
            with pytest.raises(EngineError, match=message) as caught:
                require_sound(place / "bad.gguf")
            assert caught.value.where == "bad.gguf" and len(str(caught.value)) < 300


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "empty.gguf").touch()
    for name in ("empty.gguf", "none.gguf", "."):
        with pytest.raises(EngineError, match="cannot be read"):
            require_sound(tmp_path / name)


# -- any damage ------------------------------------------------------------------------------------------
def passes_or_is_named(path, data):
    path.write_bytes(data)
    try:
        return require_sound(path)
    except EngineError as error:
        assert not data or "cannot be read" not in str(error)
    return None


def test_a_file_cut_off_anywhere_is_named(whole, place):
    data = whole.encoded()
    for end in [*range(0, 9000, 101), *range(9000, len(data), 19_997), len(data) - 1]:
        assert passes_or_is_named(place / "cut.gguf", data[:end]) is None


POINTED = st.one_of(st.integers(0, 60), st.integers(0, 9000), st.integers(0, 2**17))
WRITTEN = st.one_of(
    st.binary(min_size=1, max_size=9), st.integers(0, 2**64 - 1).map(lambda n: n.to_bytes(8, "little"))
)


@settings(max_examples=80)
@given(st.lists(st.tuples(POINTED, WRITTEN), max_size=5), st.none() | st.integers(0, 2**17))
def test_random_damage_passes_or_is_named(whole, place, damage, end):
    data = bytearray(whole.encoded())
    for at, written in damage:
        data[at : at + len(written)] = written
    passes_or_is_named(place / "damaged.gguf", bytes(data[:end]))
