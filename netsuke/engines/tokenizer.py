"""The tokenizer in its two written forms: Hugging Face's tokenizer.json and GGUF's tokenizer.ggml.* fields.

Two kinds: byte-level BPE (GPT-2's family: SmolLM, Llama 3), of which llama.cpp compiles the splitting rule in and knows
it by name (`tokenizer.ggml.pre`), while tokenizer.json writes it out (the table below joins the two); and
SentencePiece's (sentencepiece.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..errors import RecipeError
from . import sentencepiece
from .sentencepiece import BYTE, CONTROL, NORMAL, UNUSED, USER_DEFINED

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_LLAMA3 = (
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
    "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)

# name in llama.cpp -> (pre_tokenizer in tokenizer.json, ignore_merges)
SPLITTERS: dict[str, tuple[dict[str, Any], bool]] = {
    "smollm": (
        {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, _BYTE_LEVEL]},
        False,
    ),
    "gpt-2": (_BYTE_LEVEL, False),
    "llama-bpe": (
        {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": _LLAMA3}, "behavior": "Isolated", "invert": False},
                _BYTE_LEVEL | {"use_regex": False},
            ],
        },
        True,
    ),
}

_SPARE = re.compile(r"<unused\d+>")  # special tokens that the base never learnt a use for
INFILL = ("pre", "suf", "mid")
_ROLES = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"}


def load_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer of a model folder."""
    return from_document((folder / "tokenizer.json").read_text(encoding="utf-8"))


def from_document(text: str) -> Tokenizer:
    """The fast tokenizer of a tokenizer.json; a special token spelt out in a text is text, not a command."""
    words = Tokenizer.from_str(text)
    words.encode_special_tokens = True
    return words


def document_start(folder: Path) -> int:
    """Id of the token that stands before a document: bos if the model wants it, else <|endoftext|>, else eos."""
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokenizer = load_tokenizer(folder)
    wished = [config["bos_token"]] if config.get("add_bos_token") else []
    for token in (*wished, "<|endoftext|>", config.get("bos_token"), config.get("eos_token")):
        if token and (found := tokenizer.token_to_id(token)) is not None:
            return int(found)
    raise RecipeError("the base has no token that can begin a document", where=str(folder))


def commands(folder: Path) -> list[str]:
    """The special tokens of a model folder, in the order of their ids."""
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    return [token["content"] for token in sorted(added, key=lambda t: t["id"]) if token["special"]]


def end_of_turn(folder: Path) -> str:
    """The token that ends an answer."""
    token = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("eos_token", "")
    return str(token["content"] if isinstance(token, dict) else token)


def infill_tokens(folder: Path) -> dict[str, str] | None:
    """The marks before prefix, suffix and middle: the base's own, or its last special tokens that nothing else uses."""
    known = commands(folder)
    for form in ("<|fim_{}|>", "<fim_{}>"):
        names = [form.format(part) for part in ("prefix", "suffix", "middle")]
        if all(name in known for name in names):
            return dict(zip(INFILL, names, strict=True))
    config = (folder / "tokenizer_config.json").read_text(encoding="utf-8")
    template = folder / "chat_template.jinja"
    used = config + (template.read_text(encoding="utf-8") if template.exists() else "")
    spare = [token for token in known if token not in used and token != "<|endoftext|>"]
    return dict(zip(INFILL, spare[-3:], strict=True)) if len(spare) >= 3 else None


def from_gguf(fields: Mapping[str, Any], folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja from a GGUF's fields.

    Raises RecipeError for a tokenizer that is neither byte-level BPE with a known splitting rule nor SentencePiece's.
    """
    kind, rule = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre", "gpt-2")
    tokens = fields.get("tokenizer.ggml.tokens", [])
    if kind == "llama" and not fields.get("tokenizer.ggml.add_space_prefix", True):
        unknown = tokens[fields.get("tokenizer.ggml.unknown_token_id", 0)]
        types, scores = fields["tokenizer.ggml.token_type"], fields["tokenizer.ggml.scores"]
        document = sentencepiece.document(tokens, scores, types, unknown)
    elif kind == "gpt2" and rule in SPLITTERS:
        document = _byte_level(fields, *SPLITTERS[rule])
    else:
        raise RecipeError(
            f"tokenizer {kind!r} with splitting rule {rule!r} is not supported",
            hint="bases with SentencePiece's tokenizer that puts no space first, or with byte-level BPE and one of "
            f"these rules are: {', '.join(SPLITTERS)}",
        )
    (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast"}
    for role, key in _ROLES.items():
        if (token_id := fields.get(f"tokenizer.ggml.{role}_token_id")) is not None:
            config[key] = tokens[token_id]
    config["add_bos_token"] = bool(fields.get("tokenizer.ggml.add_bos_token", False))
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    if template := fields.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def _byte_level(fields: Mapping[str, Any], splitter: Mapping[str, Any], ignore_merges: bool) -> dict[str, Any]:
    """tokenizer.json of byte-level BPE."""
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": kind == CONTROL}
            for i, (token, kind) in enumerate(zip(tokens, types, strict=True))
            if kind in (CONTROL, USER_DEFINED)
        ],
        "normalizer": None, "pre_tokenizer": splitter, "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore_merges,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in fields["tokenizer.ggml.merges"]],
        },
    }  # fmt: skip


def adopted(document: dict[str, Any]) -> dict[str, Any]:
    """A stranger's tokenizer.json as ours: SentencePiece's with one join a piece. Raises RecipeError if not known."""
    if sentencepiece.is_ours(document):
        return sentencepiece.adopted(document, merges_of(document["model"]))
    splitting_rule(document)
    return document


def always_kept(document: Mapping[str, Any]) -> set[int]:
    """Ids that no smaller vocabulary is without: what any text can be written in, and the added tokens with a use."""
    vocab: Mapping[str, int] = document["model"]["vocab"]
    added = {token["id"] for token in document["added_tokens"] if not _SPARE.fullmatch(token["content"])}
    if sentencepiece.is_ours(document):
        return added | sentencepiece.alphabet(document)
    return added | {i for token, i in vocab.items() if len(token) == 1}


def never_said(document: Mapping[str, Any]) -> set[int]:
    """Ids that no text is written in: spare special tokens, and pieces that no text comes to."""
    spare = {token["id"] for token in document["added_tokens"] if _SPARE.fullmatch(token["content"])}
    if sentencepiece.is_ours(document):
        spare |= sentencepiece.unreachable(document, merges_of(document["model"]))
    return spare


def foreign(document: Mapping[str, Any], used: Iterable[int]) -> set[int]:
    """Ids in scripts that the used ones are not in; none of byte-level BPE, whose tokens are not always letters."""
    return sentencepiece.foreign(document, used) if sentencepiece.is_ours(document) else set()


def gguf_bytes(document: Mapping[str, Any], tokens: int) -> int:
    """Bytes that a vocabulary of so many tokens takes in a GGUF, to within a few."""
    vocab, merged = document["model"]["vocab"], merges_of(document["model"])
    words = sum(len(word.encode()) + 12 for word in vocab) + 32 * max(0, tokens - len(vocab))
    if sentencepiece.is_ours(document):
        return words + 4 * tokens
    return words + sum(len(a.encode()) + len(b.encode()) + 9 for a, b in merged)


def merges_of(model: Mapping[str, Any]) -> list[list[str]]:
    """The merges of tokenizer.json's model as pairs; older files write "a b" in one string."""
    return [m.split(" ") if isinstance(m, str) else list(m) for m in model["merges"]]


def splitting_rule(document: Mapping[str, Any]) -> str:
    """llama.cpp's name for the splitting rule of a tokenizer.json. Raises RecipeError if it is not known."""
    if document["model"]["type"] != "BPE" or document.get("normalizer"):
        raise RecipeError(
            "the base's tokenizer is neither byte-level BPE nor SentencePiece's that puts no space first",
            hint="SmolLM, GPT-2, Llama 3 and Gemma kinds work",
        )

    def core(value: Any) -> Any:  # trim_offsets changes no token
        if isinstance(value, dict):
            return {k: core(v) for k, v in value.items() if k != "trim_offsets"}
        return [core(v) for v in value] if isinstance(value, list) else value

    for name, (splitter, _) in SPLITTERS.items():
        if core(splitter) == core(document["pre_tokenizer"]):
            return name
    raise RecipeError(
        "the base's tokenizer splits text in a way that llama.cpp has no name for here",
        hint=f"known rules: {', '.join(SPLITTERS)}",
    )


def to_gguf(folder: Path, size: int, infill: bool = False) -> dict[str, Any]:
    """GGUF fields of a model folder's tokenizer; ids without a token up to `size` become unused ones.

    `infill`: the marks for filling in the middle are named, since the model was taught them.
    """
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokens, types = [f"[PAD{i}]" for i in range(size)], [UNUSED] * size
    for token, i in document["model"]["vocab"].items():
        tokens[i], types[i] = token, NORMAL
    for token in document["added_tokens"]:
        tokens[token["id"]] = token["content"]
        types[token["id"]] = CONTROL if token["special"] else USER_DEFINED
    merged = merges_of(document["model"])
    if sentencepiece.is_ours(document):
        types = [BYTE if sentencepiece.is_byte(token) else kind for token, kind in zip(tokens, types, strict=True)]
        kind = sentencepiece.fields(tokens, merged)
    else:
        joins = [" ".join(pair) for pair in merged]
        kind = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": splitting_rule(document),
                "tokenizer.ggml.merges": joins}  # fmt: skip
    fields: dict[str, Any] = {
        **kind,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.add_bos_token": bool(config.get("add_bos_token", False)),
        "tokenizer.ggml.add_space_prefix": False,
    }
    ids = {token: i for i, token in enumerate(tokens)}
    for role, key in _ROLES.items():
        token = config.get(key)
        token = token["content"] if isinstance(token, dict) else token
        if token in ids:
            fields[f"tokenizer.ggml.{role}_token_id"] = ids[token]
    for part, token in ((infill and infill_tokens(folder)) or {}).items():
        fields[f"tokenizer.ggml.fim_{part}_token_id"] = ids[token]
    template = folder / "chat_template.jinja"
    if template.exists():
        fields["tokenizer.chat_template"] = template.read_text(encoding="utf-8")
    elif isinstance(config.get("chat_template"), str):
        fields["tokenizer.chat_template"] = config["chat_template"]
    return fields
