"""How much a sentence sounds like the material: what the tuned model makes of it, beside its base.

For each sentence, the bits that ours needs for a byte of it less those that the base needs. Above a threshold it is
off-voice. The threshold is what 95 of 100 sentences of the owner stay below that were kept aside from learning
(valid, never test). llama.cpp tells no probability of a prompt, so the text is what it may generate: a grammar of its
very tokens. Each probability is then the one before the grammar, at the speed of generation; no torch is needed.
"""

from __future__ import annotations

import asyncio
import bisect
import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..disk import write_whole
from ..errors import StoreError
from ..serve.record import Record
from ..serve.supervisor import Supervisor
from ..texts.documents import evenly, general_text, read_texts
from ..texts.ranked import quantile
from ..texts.sentences import FEWEST_TOKENS, spans
from . import shelf
from .lending import Lending, ask

QUANTILE = 0.95  # of the owner's own sentences stay unmarked
FEWEST_SENTENCES = 20  # with fewer there is no threshold
PASSAGES, PASSAGE_CHARS = 14, 700  # of the held-out text, to settle it
GENERAL_CHARS = 450
LEAST_KNOWN = 0.9  # share of a sentence's tokens whose bits are told; what is missing is so for both models
READER = "owner, reading"
STEP_TOKENS = 48  # asked for at once, so that whoever writes waits half a second at most
BEFORE_CHARS = 400  # of what stands before, which both models see


@dataclass(frozen=True)
class Calibration:
    """Where off-voice begins: the threshold in bits per byte, and on how many sentences it rests."""

    threshold: float
    sentences: int
    general_marked: float | None  # share of general English sentences above it
    general: int


class TooLittleError(StoreError):
    """Too little was kept aside from learning to say what is like the owner."""


async def token_bits(
    supervisor: Supervisor, before: str, text: str, record: Record | None = None
) -> list[tuple[int, float | None]]:
    """(byte where it ends, bits) of each token of `text` behind `before`; None where the engine tells nothing."""
    shown = await ask(supervisor, "/tokenize", {"content": text, "parse_special": False, "with_pieces": True},
                      record=record, who=READER)  # fmt: skip
    first = await ask(supervisor, "/tokenize", {"content": before[-BEFORE_CHARS:] or "\n", "parse_special": False},
                      who=READER)  # fmt: skip
    ids, ends, at = [token["id"] for token in shown["tokens"]], [], 0
    for token in shown["tokens"]:
        piece = token["piece"]
        at += len(piece.encode()) if isinstance(piece, str) else len(piece)
        ends.append(at)
    found: list[float | None] = []
    for start in range(0, len(ids), STEP_TOKENS):
        wanted = ids[start : start + STEP_TOKENS]
        body = {
            "prompt": [*first["tokens"], *ids[:start]], "n_predict": len(wanted), "n_probs": 1, "temperature": 0.0,
            "grammar": "root ::= " + " ".join(f"<[{token}]>" for token in wanted), "cache_prompt": True,
            "response_fields": ["completion_probabilities"],
        }  # fmt: skip
        told = (await ask(supervisor, "/completion", body, who=READER)).get("completion_probabilities", [])
        found += aligned(wanted, told)
    return list(zip(ends, found, strict=True))


def aligned(wanted: Sequence[int], told: Sequence[Mapping[str, Any]]) -> list[float | None]:
    """Bits of each wanted token: llama.cpp tells nothing of one that ends within a character."""
    found: list[float | None] = []
    rows = iter(told)
    row = next(rows, None)
    for token in wanted:
        if row is not None and row["id"] == token:
            found.append(-row["logprob"] / math.log(2))
            row = next(rows, None)
        else:
            found.append(None)
    return found


def by_sentence(text: str, bits: Sequence[tuple[int, float | None]]) -> list[tuple[int, int, float, int] | None]:
    """For each sentence (first character, last, bits, tokens), or None where it is short or not all is known."""
    ends = [end for end, _ in bits]
    rows: list[tuple[int, int, float, int] | None] = []
    for start, end in spans(text):
        first = bisect.bisect_right(ends, len(text[:start].encode()))
        last = bisect.bisect_left(ends, len(text[:end].encode())) + 1
        parts = [value for _, value in bits[first:last]]
        known = [value for value in parts if value is not None]
        whole = len(parts) >= FEWEST_TOKENS and len(known) >= LEAST_KNOWN * len(parts)
        rows.append((start, end, sum(known), len(parts)) if whole else None)
    return rows


class Voice:
    """Both engines of one model, and what they made of paragraphs that did not change."""

    def __init__(self, engines: Lending, model: shelf.Model) -> None:
        self.engines, self.model, self.store = engines, model, model.store
        self._known: OrderedDict[str, list[tuple[int, int, float]]] = OrderedDict()

    async def differences(
        self, before: str, text: str, record: Record | None = None
    ) -> list[tuple[int, int, float]]:
        """(first character, last, bits per byte that ours needs more than the base) of each sentence of a text."""
        key = hashlib.sha256(f"{before[-BEFORE_CHARS:]}\0{text}".encode("utf-8", "replace")).hexdigest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        both = []
        for lent in (self.engines.own(self.model), self.engines.base(self.model)):
            async with lent as seat:
                both.append(by_sentence(text, await token_bits(seat.supervisor, before, text, record)))
        found = []
        for ours, base in zip(*both, strict=True):
            if ours and base:
                found.append((ours[0], ours[1], (ours[2] - base[2]) / len(text[ours[0] : ours[1]].encode())))
        self._known[key] = found
        while len(self._known) > 2000:
            self._known.popitem(last=False)
        return found

    @property
    def place(self) -> Path:
        """Where its calibration is kept: beside the packs, not in one, since a pack does not change."""
        return self.store.root / "voice" / f"{self.model.ref}.json"

    def calibration(self) -> Calibration | None:
        """What was settled before, if it was."""
        if not self.place.exists():
            return None
        return Calibration(**json.loads(self.place.read_text(encoding="utf-8")))

    async def calibrate(self, tell: Callable[[float], None] = lambda share: None) -> Calibration:
        """Settle the threshold on held-out text. Raises TooLittleError where there is too little of it."""
        held_out = [text[:PASSAGE_CHARS] for text in
                    evenly([row["text"] for row in self.model.rows("valid.jsonl")], PASSAGES)]  # fmt: skip
        if 0 < len(held_out) < PASSAGES:  # few documents: more of each
            each = PASSAGES // len(held_out) + 1
            held_out = [row["text"][n * PASSAGE_CHARS : (n + 1) * PASSAGE_CHARS]
                        for row in self.model.rows("valid.jsonl") for n in range(each)][: PASSAGES + 2]  # fmt: skip
        general = await asyncio.to_thread(
            lambda: read_texts(self.store.path(general_text(self.store, "valid")))
        )
        passages = [(True, text) for text in held_out if text.strip()]
        passages += [(False, text[:GENERAL_CHARS]) for text in general]
        found: dict[bool, list[float]] = {True: [], False: []}
        for number, (own, text) in enumerate(passages):
            tell(number / len(passages))
            found[own] += [difference for _, _, difference in await self.differences("", text)]
        if len(found[True]) < FEWEST_SENTENCES:
            raise TooLittleError(
                f"only {len(found[True])} sentences were kept aside, {FEWEST_SENTENCES} are needed to say what is "
                "off-voice", hint="give it more documents and make it again",
            )  # fmt: skip
        threshold = quantile(found[True], QUANTILE)
        marked = sum(value > threshold for value in found[False]) / len(found[False]) if found[False] else None
        settled = Calibration(threshold, len(found[True]), marked, len(found[False]))
        write_whole(self.place, json.dumps(asdict(settled), indent=1).encode())
        return settled


def paragraphs(text: str) -> list[tuple[int, str]]:
    """(first character, paragraph) of a text, blank ones left out."""
    found, at = [], 0
    for part in text.split("\n\n"):
        if part.strip():
            found.append((at, part))
        at += len(part) + 2
    return found

