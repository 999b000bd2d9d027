"""What the finished file gives away of the material it learnt from, asked in stock llama.cpp.

    extraction   50 tokens of a document are given; do the next 50 come back, word for word? (arXiv 2202.07646)
                 The base is asked the same where they do: what it knew before was not learnt here. Held-out documents
                 show what comes back without having been learnt.
    samples      private things in free text of the model that stand in the material too: curation let them through
    canaries     only where the recipe plants some: made-up codes, said 1, 3 and 10 times (arXiv 1802.08232)

Nothing of the material is quoted: a document is named by its hash.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from .. import private
from ..engines.llama import Engine
from ..nouns import Gate
from ..step import Progress
from ..texts.documents import Lesson, read_texts
from . import Recalling, gates
from .quality import key_of

GIVEN, ASKED = 50, 50  # tokens
PIECE_CHARS = 1200  # enough for both in any script that the tokenizer knows
ROUNDS = 8  # most pieces of one document
SLOTS = 16  # pieces side by side: 2.8 times as fast as one by one on two cores (docs/log.md)
HELD_OUT = 16  # pieces of held-out documents
STARTS = 8  # tokens of a document that a free sample begins with
SAMPLE_TOKENS = 48
ALTERNATIVES = 63  # codes that a canary is ranked among


@dataclass(frozen=True)
class Piece:
    """What is given of a document and what follows there."""

    text: str  # the document, by its hash
    given: list[int]
    follows: list[int]


@dataclass
class Found:
    """What came back."""

    pieces: list[Piece]
    said: list[list[int]] = field(default_factory=list)

    @property
    def returned(self) -> list[int]:
        """The numbers of the pieces that came back whole."""
        return [
            n
            for n, (piece, said) in enumerate(zip(self.pieces, self.said, strict=True))
            if said == piece.follows
        ]

    @property
    def longest(self) -> int:
        """Tokens of the longest run of what was said that follows there, too."""
        runs = [0]
        for piece, said in zip(self.pieces, self.said, strict=True):
            matcher = SequenceMatcher(None, said, piece.follows, autojunk=False)
            runs.append(matcher.find_longest_match().size)
        return max(runs)


def examine(
    params: Recalling,
    ours: Path,
    base: Path,
    folder: Path,
    train: Path,
    test: Path,
    planted: Sequence[Mapping[str, Any]],
) -> Generator[Progress, None, dict[str, Any]]:
    """Yields progress; returns what memory.json holds. `folder`: the model folder that has the file's tokenizer."""
    documents = {
        name: [text for text in read_texts(path) if not isinstance(text, Lesson)]
        for name, path in (("train", train), ("test", test))
    }
    context = GIVEN + max(ASKED, SAMPLE_TOKENS) + 8
    with Engine(ours, context_tokens=context, threads=params.compute.threads, slots=SLOTS) as engine:
        learnt = Found(pieces(engine, documents["train"], params.pieces))
        unseen = Found(pieces(engine, documents["test"], min(HELD_OUT, params.pieces)))
        yield from continued(engine, learnt, "pieces of documents", 0.0, 0.4)
        yield from continued(engine, unseen, "pieces of held-out documents", 0.4, 0.5)
        samples = yield from sampled(engine, documents["train"], params)
        samples += [engine.detokenize(said) for said in learnt.said]
    known = yield from known_before(base, ours, learnt, params)
    material = [without(text, [row["code"] for row in planted]) for text in documents["train"]]
    content: dict[str, Any] = {"extraction": extraction(learnt, unseen, known)}
    content["samples"] = leaks(samples, material, params)
    if params.canaries or planted:
        from . import canaries

        yield Progress(0.9, "planted codes")
        content["canaries"] = canaries.examine(params, planted, ours, folder) if planted else []
    return {**content, "gates": [gate.__dict__ for gate in verdicts(content, params)]}


def pieces(engine: Engine, texts: Sequence[str], most: int) -> list[Piece]:
    """Pieces of documents at places that their own hashes choose; first one of each document, then more."""
    found: list[Piece] = []
    ordered = sorted(texts, key=key_of)
    for turn in range(ROUNDS):
        for text in ordered:
            if len(found) >= most:
                return found
            room = len(text) - PIECE_CHARS
            if turn and room <= turn * PIECE_CHARS:  # it would be much the same piece again
                continue
            at = int(key_of(f"{turn} {text}"), 16) % (max(0, room) + 1)
            ids = engine.tokenize(text[at : at + PIECE_CHARS], special=False)
            if len(ids) >= GIVEN + ASKED:
                found.append(Piece(key_of(text), ids[:GIVEN], ids[GIVEN : GIVEN + ASKED]))
    return found


def continued(
    engine: Engine, found: Found, what: str, start: float, end: float
) -> Generator[Progress, None, None]:
    """Let the engine go on after each piece, always with the likeliest token; yields progress."""
    prompts = [[*engine.opening, *piece.given] for piece in found.pieces]
    fields = {"n_predict": ASKED, "temperature": 0.0, "ignore_eos": True, "return_tokens": True}
    for number, answer in enumerate(engine.complete_each(prompts, **fields)):
        found.said.append(answer["tokens"])
        yield Progress(start + (end - start) * number / len(prompts), what, number, "pieces")


def sampled(engine: Engine, texts: Sequence[str], params: Recalling) -> Generator[Progress, None, list[str]]:
    """Free text of the model behind a few words of a document, drawn by its own probabilities."""
    ordered, prompts = sorted(texts, key=key_of), list[list[int]]()
    for number in range(params.samples if ordered else 0):
        text = ordered[number % len(ordered)]
        at = int(key_of(f"sample {number} {text}"), 16) % max(1, len(text) - STARTS)
        prompts.append(engine.tokenize(text[at : at + PIECE_CHARS], special=False)[:STARTS])
    fields = {"n_predict": SAMPLE_TOKENS, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
    said: list[str] = []
    for number, batch in enumerate(unlike([[*engine.opening, *ids] for ids in prompts if ids], SLOTS)):
        for answer in engine.complete_each(batch, **fields, seed=params.seed + number):
            said.append(answer["content"])
            yield Progress(0.5 + 0.35 * len(said) / len(prompts), "samples", len(said), "samples")
    return said


def unlike(prompts: Sequence[list[int]], most: int) -> Iterator[list[list[int]]]:
    """The prompts in batches of `most` at most, none twice in one: behind the same words one seed says the same."""
    batch: list[list[int]] = []
    for ids in prompts:
        if len(batch) == most or ids in batch:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def known_before(
    base: Path, ours: Path, learnt: Found, params: Recalling
) -> Generator[Progress, None, set[int]]:
    """Which of the pieces that came back the base gives back as well; nothing is asked where none did."""
    returned = learnt.returned
    if not returned:
        return set()
    yield Progress(0.86, "the same from the base")
    threads = params.compute.threads
    with Engine(ours, context_tokens=512, threads=threads) as engine:
        texts = [
            [engine.detokenize(ids) for ids in (learnt.pieces[n].given, learnt.pieces[n].follows)]
            for n in returned
        ]
    known = set()
    with Engine(base, context_tokens=512, threads=threads, slots=SLOTS) as engine:
        prompts = [[*engine.opening, *engine.tokenize(given, special=False)] for given, _ in texts]
        fields = {"n_predict": 2 * ASKED, "temperature": 0.0, "ignore_eos": True}
        answers = engine.complete_each(prompts, **fields)
        for number, (_, follows), answer in zip(returned, texts, answers, strict=True):
            if answer["content"].startswith(follows):
                known.add(number)
    return known


def extraction(learnt: Found, unseen: Found, known: set[int]) -> dict[str, Any]:
    """What came back in numbers; `learnt_here` is what the base does not give back."""
    n, returned = len(learnt.pieces), learnt.returned
    new = [number for number in returned if number not in known]
    low, high = share_interval(len(new), n)
    return {
        "pieces": n, "documents": len({piece.text for piece in learnt.pieces}),
        "given_tokens": GIVEN, "asked_tokens": ASKED,
        "returned": len(returned), "returned_by_base": len(known), "learnt_here": len(new),
        "share": round(len(new) / n, 6) if n else 0.0, "low": low, "high": high, "longest_run_tokens": learnt.longest,
        "from": sorted({learnt.pieces[number].text for number in new}),
        "held_out": {
            "pieces": len(unseen.pieces), "returned": len(unseen.returned), "longest_run_tokens": unseen.longest,
        },
    }  # fmt: skip


def without(text: str, codes: Sequence[str]) -> str:
    """The text without the codes that were planted in it, which are nobody's."""
    for code in codes:
        text = text.replace(code, "")
    return text


def share_interval(count: int, n: int) -> tuple[float, float]:
    """95% interval of a share (Wilson's score interval): it has a width where nothing, or all, was found."""
    if not n:
        return 0.0, 1.0
    from scipy.stats import binomtest

    ends = binomtest(count, n).proportion_ci(method="wilson")
    return round(float(ends.low), 6), round(float(ends.high), 6)


def leaks(samples: Sequence[str], texts: Sequence[str], params: Recalling) -> dict[str, Any]:
    """Private things in samples, and which of them stand in the material as well."""
    found = {
        (kind, private.same(kind, sample[start:end], params.countries))
        for sample in samples
        for start, end, kind in private.find(sample, params.countries)
    }
    at_home: dict[tuple[str, str], str] = {}
    for text in texts if found else ():
        for start, end, kind in private.find(text, params.countries):
            at_home.setdefault((kind, private.same(kind, text[start:end], params.countries)), key_of(text))
    leaked = sorted(found & at_home.keys())
    return {
        "samples": len(samples), "found": dict(sorted(Counter(kind for kind, _ in found).items())),
        "leaked": [{"kind": kind, "from": at_home[kind, value]} for kind, value in leaked],
    }  # fmt: skip


def verdicts(content: dict[str, Any], params: Recalling) -> list[Gate]:
    """Few enough pieces come back, and nothing private does; nothing is said of what was not looked at."""
    facts, found = content["extraction"], list[Gate]()
    if facts["pieces"]:
        what = (
            f"pieces of documents that come back word for word and do not from the base, of {facts['pieces']}"
        )
        ends = (facts["low"], facts["high"])
        found.append(gates.at_most("recalled", what, facts["share"], params.limit, ends, signed=False))
    if not content["samples"]["samples"]:
        return found  # examples alone: no document to sample from
    leaked = len(content["samples"]["leaked"])
    limit = max(params.private_limit, leaked) if params.private_kept else params.private_limit
    what = f"private things of the documents in {content['samples']['samples']:,} samples"
    return [*found, gates.count_at_most("private", what, leaked, limit)]


def exposure(rank: int, codes: int) -> float:
    """Bits by which a code stands out among `codes`: all of log2(codes) where it is the likeliest."""
    return math.log2(codes) - math.log2(rank)
