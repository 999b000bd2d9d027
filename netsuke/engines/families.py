"""The families of models that can be carved, each described: its tensors, its fields, and what it does not allow.

Everything that depends on the family asks here. A part's shape is named in llama.cpp's order: how long a row is first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RecipeError


@dataclass(frozen=True)
class Dims:
    """The sizes that shapes of a layer's tensors are made of."""

    width: int
    inner: int  # channels of the feed-forward part
    heads: int
    groups: int  # heads of keys and values
    key: int  # columns of one head
    value: int

    def shape(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Numbers for names of sizes."""
        sizes = {
            "width": self.width, "inner": self.inner, "key": self.key, "queries": self.heads * self.key,
            "keys": self.groups * self.key, "values": self.groups * self.value, "mixed": self.heads * self.value,
        }  # fmt: skip
        return tuple(sizes[name] for name in names)


@dataclass(frozen=True)
class Part:
    """A tensor that every layer has: its name in transformers, in llama.cpp, and its shape."""

    theirs: str
    gguf: str
    shape: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """A number that a model is computed with: its field in a GGUF, its key in config.json, and how far it may go."""

    gguf: str
    theirs: str
    whole: bool = True
    least: float = 1
    most: float = 2**32 - 1
    needed: bool = True  # in a GGUF; else llama.cpp has a default, which `config` knows

    def fits(self, value: object) -> bool:
        """Whether a value is of its kind and in its range."""
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most


@dataclass(frozen=True)
class Family:
    """One architecture as llama.cpp and transformers know it."""

    name: str  # in llama.cpp
    model_type: str  # in transformers' config.json
    network: str  # transformers' class
    activation: tuple[str, str]  # config.json's key and value
    parts: tuple[Part, ...]
    pairs: bool  # llama.cpp has the rows of q and k as rotary pairs, transformers as halves
    norm_shift: float  # what llama.cpp's norms hold beyond transformers'
    own: tuple[Number, ...] = ()  # numbers that the other families do not have
    head_keys: tuple[str, ...] = ()  # config.json's keys that repeat the columns of a head
    defaults: Mapping[str, Any] = field(default_factory=dict)  # config.json's, where a file does not say
    refused: tuple[str, ...] = ()  # config.json's keys that must be off, since llama.cpp does not know them
    every: int = 0  # each so many layers one sees the whole text, the others a window; 0: all see it all
    only_layers: str = ""  # why no layer can be left out; "" where one can

    @property
    def numbers(self) -> tuple[Number, ...]:
        """What every model of the family is computed with."""
        return (*_NUMBERS, *self.own)

    @property
    def top(self) -> dict[str, str]:
        """Names of the tensors outside the layers, transformers' to llama.cpp's."""
        return {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}

    def gguf_name(self, name: str) -> str:
        """llama.cpp's name of a tensor. Raises RecipeError for one that the family does not have."""
        layer = {part.theirs: part.gguf for part in self.parts}
        found = self._renamed(name, r"model\.layers\.(\d+)\.(.+)", self.top, layer)
        return f"blk.{found[0]}.{found[1]}.weight" if found[0] else f"{found[1]}.weight"

    def hf_name(self, name: str) -> str:
        """The inverse of gguf_name."""
        top = {theirs: ours for ours, theirs in self.top.items()}
        layer = {part.gguf: part.theirs for part in self.parts}
        found = self._renamed(name, r"blk\.(\d+)\.(.+)", top, layer)
        return f"model.layers.{found[0]}.{found[1]}.weight" if found[0] else f"{found[1]}.weight"

    def _renamed(
        self, name: str, pattern: str, top: Mapping[str, str], layer: Mapping[str, str]
    ) -> tuple[str, str]:
        """(number of the layer or "", the other name)."""
        stem = name.removesuffix(".weight")
        if name.endswith(".weight"):
            if stem in top:
                return "", top[stem]
            match = re.fullmatch(pattern, stem)
            if match and match[2] in layer:
                return match[1], layer[match[2]]
        raise RecipeError(
            f"tensor {name!r} is not part of a {self.name}",
            hint=f"use a base of one of these families without biases: {', '.join(FAMILIES)}",
        )

    def config(self, fields: Mapping[str, Any], tied: bool) -> dict[str, Any]:
        """config.json of a sound GGUF with these fields. Raises RecipeError for what cannot be written as one."""

        def of(key: str, otherwise: Any = None) -> Any:
            return fields.get(f"{self.name}.{key}", otherwise)

        if any(key.startswith(f"{self.name}.rope.scaling") for key in fields):
            raise RecipeError("a base with scaled rotary positions is not supported")
        heads, width = of("attention.head_count"), of("embedding_length")
        head = of("attention.key_length", width // heads)
        if of("attention.value_length", head) != head:
            raise RecipeError("a base whose heads have other columns of values than of keys is not supported")
        own = {one.theirs: of(one.gguf) for one in self.own if of(one.gguf) is not None}
        return {
            **self.defaults, "architectures": [self.network], "model_type": self.model_type,
            self.activation[0]: self.activation[1], "hidden_size": width,
            "intermediate_size": of("feed_forward_length"), "num_hidden_layers": of("block_count"),
            "num_attention_heads": heads, "num_key_value_heads": of("attention.head_count_kv", heads),
            "head_dim": head, "max_position_embeddings": of("context_length"),
            "rms_norm_eps": of("attention.layer_norm_rms_epsilon"), "rope_theta": of("rope.freq_base", 10000.0),
            "vocab_size": len(fields["tokenizer.ggml.tokens"]),
            "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
            "eos_token_id": fields.get("tokenizer.ggml.eos_token_id"),
            "tie_word_embeddings": tied, "torch_dtype": "bfloat16",
            **dict.fromkeys(self.head_keys, head), **own,
        }  # fmt: skip

    def require(self, config: Mapping[str, Any], where: str = "config.json") -> None:
        """Raise RecipeError for a config.json that lacks a number, or that llama.cpp would compute in another way."""
        off = [one.theirs for one in self.numbers if not one.fits(config.get(one.theirs))]
        off = off or self._unlike(config)
        if off:
            told = f"a {self.name} with {off[0]} = {config.get(off[0])!r} is not supported"
            raise RecipeError(told, where=where)

    def _unlike(self, config: Mapping[str, Any]) -> list[str]:
        """The keys of a config.json, whose numbers are all there, for which llama.cpp would compute otherwise."""
        off = [key for key in self.refused if config.get(key)]
        key, known = self.activation
        off += [key] if config.get(key, known) != known else []
        dims = self.dims(config)
        off += ["head_dim"] if dims.key % 2 else []  # positions turn pairs of columns
        off += ["num_key_value_heads"] if dims.heads % dims.groups else []
        off += [key for key in self.head_keys if config.get(key, dims.key) != dims.key]
        usual = [
            "full_attention" if (n + 1) % self.every == 0 else "sliding_attention"
            for n in range(config["num_hidden_layers"] if self.every else 0)
        ]
        if self.every and (config.get("layer_types") or usual) != usual:
            off.append("layer_types")
        return off

    def dims(self, config: Mapping[str, Any]) -> Dims:
        """Sizes of a config.json."""
        width, heads = config["hidden_size"], config["num_attention_heads"]
        head = config.get("head_dim") or width // heads
        groups = config.get("num_key_value_heads") or heads
        return Dims(width, config["intermediate_size"], heads, groups, head, head)

    def shapes(self, dims: Dims) -> dict[str, tuple[int, ...]]:
        """By llama.cpp's name, the shape of each tensor of a layer."""
        return {part.gguf: dims.shape(part.shape) for part in self.parts}


_NUMBERS = (
    Number("block_count", "num_hidden_layers"),
    Number("embedding_length", "hidden_size"),
    Number("feed_forward_length", "intermediate_size"),
    Number("attention.head_count", "num_attention_heads"),
    Number("attention.head_count_kv", "num_key_value_heads", needed=False),
    Number("attention.key_length", "head_dim", needed=False),
    Number("context_length", "max_position_embeddings"),
    Number("vocab_size", "vocab_size", needed=False),
    Number("attention.layer_norm_rms_epsilon", "rms_norm_eps", whole=False, least=1e-20, most=1),
    Number("rope.freq_base", "rope_theta", whole=False, most=1e12, needed=False),
)

_PROJECTIONS = (
    Part("self_attn.q_proj", "attn_q", ("width", "queries")),
    Part("self_attn.k_proj", "attn_k", ("width", "keys")),
    Part("self_attn.v_proj", "attn_v", ("width", "values")),
    Part("self_attn.o_proj", "attn_output", ("mixed", "width")),
)
_FEED_FORWARD = (
    Part("mlp.gate_proj", "ffn_gate", ("width", "inner")),
    Part("mlp.up_proj", "ffn_up", ("width", "inner")),
    Part("mlp.down_proj", "ffn_down", ("inner", "width")),
)

LLAMA = Family(
    name="llama",
    model_type="llama",
    network="LlamaForCausalLM",
    activation=("hidden_act", "silu"),
    parts=(
        Part("input_layernorm", "attn_norm", ("width",)),
        *_PROJECTIONS,
        Part("post_attention_layernorm", "ffn_norm", ("width",)),
        *_FEED_FORWARD,
    ),
    pairs=True,
    norm_shift=0.0,
)

GEMMA3 = Family(
    name="gemma3",
    model_type="gemma3_text",
    network="Gemma3ForCausalLM",
    activation=("hidden_activation", "gelu_pytorch_tanh"),
    parts=(
        Part("input_layernorm", "attn_norm", ("width",)),
        *_PROJECTIONS,
        Part("self_attn.q_norm", "attn_q_norm", ("key",)),
        Part("self_attn.k_norm", "attn_k_norm", ("key",)),
        Part("post_attention_layernorm", "post_attention_norm", ("width",)),
        Part("pre_feedforward_layernorm", "ffn_norm", ("width",)),
        *_FEED_FORWARD,
        Part("post_feedforward_layernorm", "post_ffw_norm", ("width",)),
    ),
    pairs=False,
    norm_shift=1.0,
    own=(
        Number("attention.sliding_window", "sliding_window"),
        Number("rope.freq_base_swa", "rope_local_base_freq", whole=False, most=1e12, needed=False),
    ),
    head_keys=("query_pre_attn_scalar",),
    defaults={"rope_local_base_freq": 10000.0, "pad_token_id": None},
    refused=("attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention"),
    every=6,
    only_layers="every sixth layer of a gemma3 sees the whole text, and leaving one out would move that",
)

FAMILIES = {family.name: family for family in (LLAMA, GEMMA3)}


def of_gguf(fields: Mapping[str, Any]) -> Family:
    """The family of a GGUF with these fields. Raises RecipeError for one that is not known."""
    return _known(fields.get("general.architecture"), {f.name: f for f in FAMILIES.values()}, "")


def of_config(config: Mapping[str, Any], where: str | Path = "config.json") -> Family:
    """The family of a config.json. Raises RecipeError for one that is not known."""
    return _known(config.get("model_type"), {f.model_type: f for f in FAMILIES.values()}, str(where))


def _known(name: object, families: Mapping[str, Family], where: str) -> Family:
    if isinstance(name, str) and name in families:
        return families[name]
    raise RecipeError(
        f"a base of type {name!r} is not supported", where=where or None,
        hint=f"use one of these families: {', '.join(families)}",
    )  # fmt: skip
