"""What a base knows of a word by itself: the rows of its embedding table, the mean of the word's tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import safe_open

from .tokenizer import load_tokenizer

_TABLE = "model.embed_tokens.weight"
_SPACE = ("Ġ", "▁")  # how a token is written that begins behind a space


def word_rows(folder: Path, words: Sequence[str]) -> np.ndarray:
    """float32 [words, C] of lower-case words in a model folder: small or capitalised, whichever takes fewer tokens."""
    tokenizer = load_tokenizer(folder)
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        table = file.get_tensor(_TABLE).float().numpy()
    forms = [[f" {word}" for word in words], [f" {word.title()}" for word in words]]
    small, large = ([one.ids for one in tokenizer.encode_batch(form, add_special_tokens=False)] for form in forms)
    rows = np.zeros((len(words), table.shape[1]), np.float32)
    for number, (one, other) in enumerate(zip(small, large, strict=True)):
        if ids := min(one, other, key=len):
            rows[number] = table[ids].mean(axis=0)
    return rows


def whole_words(folder: Path) -> list[str]:
    """The words that are one token of a model's, in lower case, in the order of their ids: the commonest first."""
    vocab: dict[str, int] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    begun = sorted((i, token[1:].lower()) for token, i in vocab.items() if token.startswith(_SPACE))
    return list(dict.fromkeys(word for _, word in begun if len(word) > 1 and word.isascii() and word.isalpha()))
