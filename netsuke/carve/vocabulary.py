"""Trimming a vocabulary of merges so that kept text is tokenised exactly as before.

A set of tokens that is closed under merge parents, with only the merges inside it at their old relative ranks, gives
the same merge at each step of any text whose tokens are all kept. The bytes are always kept, so that every other text
still round-trips, in smaller pieces. After: asahi417/lm-vocab-trimmer; arXiv 2512.03989.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engines import tokenizer
from ..engines.tokenizer import always_kept, merges_of, never_said


def closed(document: Mapping[str, Any], wanted: Iterable[int]) -> list[int]:
    """Ids to keep, ascending: `wanted`, what is always kept (added tokens, bytes), and all merge parents."""
    vocab: Mapping[str, int] = document["model"]["vocab"]
    parents: dict[int, list[int]] = {}
    for left, right in merges_of(document["model"]):
        if (child := vocab.get(left + right)) is not None:
            parents.setdefault(child, []).extend((vocab[left], vocab[right]))
    keep = always_kept(document)
    todo = list(wanted)
    while todo:
        if (token_id := todo.pop()) not in keep:
            keep.add(token_id)
            todo += parents.get(token_id, ())
    return sorted(keep)


def by_expected_use(
    document: Mapping[str, Any], likely: Sequence[float], general_weight: float, used: Iterable[int]
) -> list[int]:
    """All ids of the vocabulary that a text can be written in, the most wanted first.

    A token is wanted for how likely the base finds it in the training text, said there or not (`likely`, by id), and
    for how common it is in general: BPE numbers its tokens by that, and Zipf's law makes it a probability. What is in
    a script that the training text does not use is not common here.
    """
    ids = sorted(set(document["model"]["vocab"].values()) - never_said(document))
    foreign = tokenizer.foreign(document, used)
    common = {token: rank for rank, token in enumerate(i for i in ids if i not in foreign)}
    harmonic = sum(1 / (rank + 1) for rank in common.values())
    wanted = {
        token: likely[token] + (general_weight / harmonic / (common[token] + 1) if token in common else 0.0)
        for token in ids
    }
    return sorted(ids, key=lambda token: (-wanted[token], token))


def trimmed(document: Mapping[str, Any], keep: list[int]) -> dict[str, Any]:
    """tokenizer.json with only the ids in `keep`, renumbered in their old order."""
    renumber = {old: new for new, old in enumerate(keep)}
    model = document["model"]
    vocab = {token: renumber[i] for token, i in model["vocab"].items() if i in renumber}
    merges = [[a, b] for a, b in merges_of(model) if a in vocab and b in vocab and a + b in vocab]
    added = [t | {"id": renumber[t["id"]]} for t in document["added_tokens"] if t["id"] in renumber]
    return {
        **document,
        "added_tokens": added,
        "model": {**model, "vocab": vocab, "merges": merges},
        "post_processor": None,
    }
