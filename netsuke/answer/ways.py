"""Which way of asking answers valid best, and how its probabilities are calibrated."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..documents import evenly, read_examples
from ..engines.asking import CONTEXT_TOKENS, Asker, Way, calibrated
from ..engines.llama import Engine
from ..examples import Row, as_messages, right_answer
from ..scores import SCORES
from ..step import Progress
from . import Params

SHOWN = ", with examples in the prompt"
TEMPERATURES = [1.15**step for step in range(-8, 17)]  # 0.3 to 9.4

Settled = tuple[Way, list[Row], dict[str, float], str]


def settle(
    params: Params, task: Mapping[str, Any], files: Mapping[str, Path], rendered: Path
) -> Generator[Progress, None, Settled]:
    """Yields progress; returns (the way, the examples that it shows, each way's score on valid, whose it is).

    `files`: "tuned", and "untuned" where the body before tuning may be better.
    """
    plain = Way.of({**task, "way": {"abstain": params.abstain}})
    examples = read_examples(rendered)
    train, valid = examples["train"], evenly(examples["valid"], params.items)
    ways = {"tuned": plain}
    if params.shots:
        ways["tuned" + SHOWN] = replace(plain, shots=params.shots)
        if "untuned" in files:
            ways["untuned" + SHOWN] = replace(plain, shots=params.shots, instruction=plain.in_words)
    tried: dict[str, float] = {}
    shares: dict[str, list[dict[str, float]]] = {}
    for number, (name, way) in enumerate(ways.items()):
        said = []
        file = files[name.removesuffix(SHOWN)]
        with Engine(file, context_tokens=CONTEXT_TOKENS, threads=params.compute.threads) as engine:
            asker = Asker(engine, way, train)
            for done, row in enumerate(valid):
                yield Progress((number + done / len(valid)) / len(ways), f"{name}, valid example {done + 1}")
                said.append(asker.ask(as_messages(row)[:-1]))
        score = SCORES[way.kind][0].function
        tried[name] = score([one.text for one in said], [right_answer(row) for row in valid])
        shares[name] = [dict(one.probabilities) for one in said]
    best = max(tried, key=lambda name: tried[name])  # the first of equals, which is the plain one
    way = ways[best]
    if way.kind == "labels":
        way = replace(way, temperature=fitted(shares[best], [right_answer(row) for row in valid]))
    return way, train if way.shots else [], tried, best.removesuffix(SHOWN)


def fitted(shares: Sequence[Mapping[str, float]], truths: Sequence[str]) -> float:
    """The temperature at which the right labels are likeliest (arXiv 1706.04599); 1 where nothing tells.

    One example more is thought of that any label fits as well: else few examples, all right, would make it sure of all.
    """
    doubt = 1 / (len(truths) + 1)

    def loss(temperature: float) -> float:
        total = 0.0
        for share, truth in zip(shares, truths, strict=True):
            heated = calibrated(share, temperature)
            spread = sum(map(math.log, heated.values())) / len(heated)
            total -= (1 - doubt) * math.log(heated[truth]) + doubt * spread
        return total

    return min(TEMPERATURES, key=lambda t: (round(loss(t), 9), abs(math.log(t))))

