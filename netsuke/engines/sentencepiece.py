"""SentencePiece's kind of tokenizer (Gemma, Llama 2): pieces with scores, spaces written as ▁, bytes to fall back on.

llama.cpp joins whichever neighbours make the piece of the best score, and reads no merges. tokenizer.json has merges.
Both cut every text alike: whatever is around a piece, the joins inside it are those of the piece alone, so each piece
that text can come to has one last join, and those joins in the order of their scores are the merges. Pieces that no
text comes to have none, and are not kept in a smaller vocabulary, where a join that is gone could let them appear.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SPACE = "\u2581"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6  # llama.cpp's token types
UNSCORED = -1e6  # of pieces that no join makes
SCRIPT_SHARE = 0.01  # of the pieces that a text uses, for it to be said to be in a script
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def is_ours(document: Mapping[str, Any]) -> bool:
    """Whether a tokenizer.json is of this kind."""
    normalizer = document.get("normalizer") or {}
    return bool(document["model"].get("byte_fallback")) and normalizer.get("content") == SPACE


def document(tokens: Sequence[str], scores: Sequence[float], types: Sequence[int], unknown: str) -> dict[str, Any]:
    """tokenizer.json of a GGUF's pieces."""
    pieces = {token: score for token, score, kind in zip(tokens, scores, types, strict=True) if kind == NORMAL}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": kind in (CONTROL, UNKNOWN)}
            for i, (token, kind) in enumerate(zip(tokens, types, strict=True))
            if kind in (CONTROL, UNKNOWN, USER_DEFINED)
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"},
        ]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": unknown, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)}, "merges": merges(pieces),
        },
    }  # fmt: skip


def adopted(document: Mapping[str, Any], merged: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A tokenizer.json as Hugging Face writes it, with every way to join a piece, as one of ours."""
    model = document["model"]
    added = [{**token, "content": token["content"].replace(SPACE, " ")} for token in document["added_tokens"]]
    written = {token["id"]: token["content"] for token in added}
    vocab = {written.get(i, token): i for token, i in model["vocab"].items()}
    vocab |= {token: i for i, token in written.items()}
    pieces = {token: UNSCORED for token, i in vocab.items() if i not in written and not is_byte(token)}
    for place, (left, right) in reversed([*enumerate(merged)]):
        pieces[left + right] = float(-place)
    return {
        **document, "added_tokens": added, "pre_tokenizer": None, "post_processor": None,
        "model": {**model, "vocab": vocab, "merges": merges(pieces)},
    }  # fmt: skip


def merges(pieces: Mapping[str, float]) -> list[list[str]]:
    """The last join of each piece that text can come to, the best score first."""
    found = [(piece, join) for piece in pieces if len(piece) > 1 and (join := last_join(piece, pieces))]
    found.sort(key=lambda pair: -pieces[pair[0]])
    return [list(join) for _, join in found]


def last_join(piece: str, pieces: Mapping[str, float]) -> tuple[str, str] | None:
    """What a piece alone is joined from in the end; None if it does not come to one piece."""
    parts = list(piece)
    while len(parts) > 2:
        joins = [pieces.get(left + right) for left, right in zip(parts, parts[1:], strict=False)]
        known = [score for score in joins if score is not None]
        if not known:
            return None
        at = joins.index(max(known))  # the leftmost of the best
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    left, right = parts
    return (left, right) if left in pieces and right in pieces else None


def alphabet(document: Mapping[str, Any]) -> set[int]:
    """Ids of the tokens that any text can be written in: the 256 bytes and the space, which no bytes stand for."""
    return {i for token, i in document["model"]["vocab"].items() if token == SPACE or is_byte(token)}


def unreachable(document: Mapping[str, Any], merged: Sequence[Sequence[str]]) -> set[int]:
    """Ids of the pieces that no text comes to."""
    made = {left + right for left, right in merged}
    added = {token["id"] for token in document["added_tokens"]}
    return {
        i
        for token, i in document["model"]["vocab"].items()
        if len(token) > 1 and token not in made and i not in added and not is_byte(token)
    }


def fields(tokens: Sequence[str], merged: Sequence[Sequence[str]]) -> dict[str, Any]:
    """GGUF's fields of the pieces: a score for each token, by the place of its join."""
    order = {left + right: place for place, (left, right) in enumerate(merged)}
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.scores": [float(-order[token]) if token in order else UNSCORED for token in tokens],
    }


def is_byte(token: str) -> bool:
    """Whether a token stands for one byte."""
    return _BYTE.fullmatch(token) is not None


@functools.cache
def script(letter: str) -> str:
    """What the letter's script is called in Unicode; "" of what is no letter."""
    return unicodedata.name(letter, "").partition(" ")[0] if letter.isalpha() else ""


def foreign(document: Mapping[str, Any], used: Iterable[int]) -> set[int]:
    """Ids of pieces with letters of a script that neither the used ones nor general English are in."""
    scripts = {i: {script(letter) for letter in piece} for piece, i in document["model"]["vocab"].items()}
    seen = [scripts[i] for i in used]
    counts = Counter(name for names in seen for name in names)
    known = {"", "LATIN"} | {name for name, count in counts.items() if count >= SCRIPT_SHARE * len(seen)}
    return {i for i, names in scripts.items() if not names <= known}
