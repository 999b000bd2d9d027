"""Hold documents and examples out: by content hash, so that no order decides, and those that are alike on one side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..texts.examples import answer, input_of, texts
from ..texts.places import line_in_file, pages_between
from .contamination import Index
from .duplicates import without_copies, words
from .items import Drops, Item, text_hash
from .lines import part
from .repeats import key_of, without_repeated_paragraphs

if TYPE_CHECKING:
    from . import Params

FEW_EXAMPLES = 200
HELD_OUT = "shared with what is held out"  # a rule
FREQUENT = 5  # examples of one answer, of which one is held out in any case


# -- parts -----------------------------------------------------------------------------------------------
def documents(items: Sequence[Item], params: Params, drops: Drops) -> tuple[str, list[Item]]:
    """("document" | "part", the documents): long ones are cut where there are few, or one giant."""
    sizes = [len(item.text) for item in items]
    if len(items) >= params.min_documents and max(sizes, default=0) <= params.max_share * sum(sizes):
        return "document", list(items)
    parts = [piece for item in items for piece in _parts(item, params.part_chars)]
    if len(parts) == len(items):
        return "document", parts
    # A cut through a long paragraph makes new paragraphs, which may repeat each other.
    unlike, _ = without_copies(parts, drops)
    return "part", without_repeated_paragraphs(unlike, params.min_paragraph_chars, drops)


def _parts(item: Item, size: int) -> list[Item]:
    """The item in pieces, each with the places of its own lines; their MinHash is not that of the whole."""
    found, line = [], 0
    for piece in cut(item.text, size):
        start = line + len(piece) - len(piece.lstrip("\n"))
        if text := piece.strip("\n"):
            found.append((text, start, start + text.count("\n") + 1))
        line += piece.count("\n")
    if len(found) == 1:
        return [item]
    return [_part(item, number, *piece) for number, piece in enumerate(found, 1)]


def _part(item: Item, number: int, text: str, start: int, end: int) -> Item:
    """Lines start..end (from 0) of an item, as one of its parts."""
    lines = (line_in_file(item.places, line) for line in (start + 1, end))
    return replace(
        item, part=number, text=text, places=part(item.places, start, end), pages=pages_between(item.pages, *lines),
        signature=(), origin=f"{item.origin}#{number}",
    )  # fmt: skip


def cut(text: str, size: int) -> Iterator[str]:
    """Pieces of 0.5 to 1.5 `size` that join to `text`, cut after a paragraph, line, word or anywhere."""
    start = 0
    while len(text) - start > 1.5 * size:
        window = text[start : start + size]
        ends = (window.rfind(mark) + len(mark) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end >= size // 2), size)
        yield text[start : start + end]
        start += end
    yield text[start:]


# -- the split -------------------------------------------------------------------------------------------
def bucket(hashes: Iterable[str]) -> float:
    """0 to 1, from the smallest content hash of a group."""
    digest = hashlib.sha256(min(hashes).encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)  # exact in a float, so never 1.0


def assign(buckets: Sequence[float], test: float, valid: float) -> list[str]:
    """The split of each group: the lowest are test, the next valid; none is empty if there are three or more."""
    if len(buckets) < 3:
        return ["train"] * len(buckets)
    order = sorted(range(len(buckets)), key=buckets.__getitem__)
    tests = min(max(sum(b < test for b in buckets), 1), len(buckets) - 2)
    held = min(max(sum(b < test + valid for b in buckets), tests + 1), len(buckets) - 1)
    splits = [""] * len(buckets)
    for rank, number in enumerate(order):
        splits[number] = "test" if rank < tests else "valid" if rank < held else "train"
    return splits


def split(items: Sequence[Item], groups: Sequence[int], params: Params) -> list[Item]:
    """The items with their split; those of one group share it."""
    members: defaultdict[int, list[str]] = defaultdict(list)
    for item, group in zip(items, groups, strict=True):
        members[group].append(item.origin)
    splits = assign([bucket(hashes) for hashes in members.values()], params.test, params.valid)
    by_group = dict(zip(members, splits, strict=True))
    return [replace(item, split=by_group[group]) for item, group in zip(items, groups, strict=True)]


def input_key(row: Mapping[str, Any]) -> str:
    """What two examples share whose inputs have the same words, case and marks aside; one of marks alone keeps its own.

    Near-copies that share most of their words are not sought: a group of them grows by chains, and one example more
    could then move many from train to test.
    """
    return " ".join(words(input_of(row))) or key_of(input_of(row))


def split_examples(rows: Sequence[dict[str, Any]], params: Params) -> list[dict[str, Any]]:
    """The examples with their "split"; those of one input are together, and each frequent answer is in every part."""
    inputs = [text_hash(input_key(row)) for row in rows]
    answers = dict(zip(reversed(inputs), (answer(row) for row in reversed(rows)), strict=True))  # the first of each
    buckets = {hash: bucket([hash]) for hash in answers}
    by_input = spread(buckets, answers, *held_out(len(answers), params))
    return [row | {"split": by_input[hash]} for row, hash in zip(rows, inputs, strict=True)]


def held_out(examples: int, params: Params) -> tuple[float, float]:
    """(test, valid) shares: of few examples more are held out, for a choice needs more than a handful.

    From FEW_EXAMPLES on what is held out stays as many until the recipe's shares are more: if the shares fell at once,
    one example taken away there would move a twentieth of all from train to test.
    """
    few = min(1.0, FEW_EXAMPLES / max(1, examples))
    return max(params.test, 0.2 * few), max(params.valid, 0.15 * few)


def spread(buckets: Mapping[str, float], answers: Mapping[str, str], test: float, valid: float) -> dict[str, str]:
    """The split of each: the lowest buckets are test and the highest valid, also of each answer with FREQUENT of them.

    So an example that is added moves none from train to test, unless it is an answer's FREQUENT-th (or the third of
    all) and none of these would be test: then the lowest of them is, which an earlier training may have learnt. What is
    taken away may move some, too: the next of an answer that loses its only one in test, and as the shares grow.
    """
    splits = {k: "test" if b < test else "valid" if b >= 1 - valid else "train" for k, b in buckets.items()}
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(buckets, key=buckets.__getitem__):
        groups[answers[key]].append(key)
    everything = sorted(buckets, key=buckets.__getitem__)
    for group in [*groups.values(), everything]:
        if len(group) >= (FREQUENT if group is not everything else 3):
            if not any(splits[key] == "test" for key in group):
                splits[group[0]] = "test"
            if not any(splits[key] == "valid" for key in group):
                splits[group[-1]] = "valid"
    return splits


def without_leaks(items: Sequence[Item], examples: Sequence[dict[str, Any]], drops: Drops) -> list[Item]:
    """The items, those of train without the passages that share twelve words with test or an example's answer."""
    index = Index([*(i.text for i in items if i.split == "test"), *map(answer, examples)])
    return [_clean(item, index, drops) if item.split == "train" else item for item in items]


def examples_without_leaks(
    items: Sequence[Item], examples: Sequence[dict[str, Any]], drops: Drops
) -> list[dict[str, Any]]:
    """The examples, those of train without the ones that quote twelve words of a test document."""
    index = Index(item.text for item in items if item.split == "test")
    kept = []
    for row in examples:
        quotes = row["split"] == "train" and any(index.cut(text) for text in texts(row))
        if not (quotes and drops.add_example(row, HELD_OUT, "it quotes a document that is held out")):
            kept.append(row)
    return kept


def _clean(item: Item, index: Index, drops: Drops) -> Item:
    lines = item.text.split("\n")
    spans = [(start, end, "\n".join(lines[start:end])) for start, end in index.cut(item.text)]
    return item.without([
        (start, end) for start, end, span in spans
        if drops.add(item, HELD_OUT, f"“{' '.join(span[:200].split())[:60]}”", span=span)
    ])  # fmt: skip
