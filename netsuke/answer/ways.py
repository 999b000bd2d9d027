"""Which way of asking answers valid best, and how its probabilities are calibrated."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..engines.asking import CONTEXT_TOKENS, Asker, Way, calibrated
from ..engines.llama import Engine
from ..step import Progress
from ..texts.documents import evenly, read_examples
from ..texts.examples import Row, as_messages, right_answer
from ..texts.scores import SCORES
from . import Params

SHOWN = ", with examples in the prompt"
TEMPERATURES = [1.15**step for step in range(-8, 17)]  # 0.3 to 9.4


@dataclass(frozen=True)
class Settled:
    """The way, the examples that it shows, and whose it is; what each way came to on valid.

    `bits`, of labels alone: what a right one cost, calibrated. `bare`: the way of the tuned file without examples.
    """

    way: Way
    bare: Way
    shown: list[Row]
    tuned: bool
    scores: dict[str, float]
    bits: dict[str, float]


def settle(
    params: Params, task: Mapping[str, Any], files: Mapping[str, Path], rendered: Path
) -> Generator[Progress, None, Settled]:
    """Yields progress; returns the way that answers valid best.

    `files`: "tuned", and "untuned" where the body before tuning may be better. Of few answers a score tells little:
    labels go by how likely the right ones were, which tells more (docs/log.md).
    """
    plain = Way.of({**task, "way": {"abstain": params.abstain}})
    examples = read_examples(rendered)
    train, valid = examples["train"], evenly(examples["valid"], params.items)
    ways = {"tuned": plain}
    if params.shots:
        ways["tuned" + SHOWN] = replace(plain, shots=params.shots)
        if "untuned" in files:
            ways["untuned" + SHOWN] = replace(plain, shots=params.shots, instruction=plain.in_words)
    scores, bits, heat = dict[str, float](), dict[str, float](), dict[str, float]()
    truths = [right_answer(row) for row in valid]
    for number, (name, way) in enumerate(ways.items()):
        said = []
        file = files[name.removesuffix(SHOWN)]
        with Engine(file, context_tokens=CONTEXT_TOKENS, threads=params.compute.threads) as engine:
            asker = Asker(engine, way, train)
            for done, row in enumerate(valid):
                yield Progress((number + done / len(valid)) / len(ways), f"{name}, valid example {done + 1}")
                said.append(asker.ask(as_messages(row)[:-1]))
        scores[name] = SCORES[way.kind][0].function([one.text for one in said], truths)
        if way.kind == "labels":
            heat[name], bits[name] = fitted([dict(one.probabilities) for one in said], truths)
    # the first of equals is the plain one
    best = min(bits, key=lambda name: round(bits[name], 9)) if bits else max(scores, key=lambda name: scores[name])
    way, bare = (replace(ways[name], temperature=heat.get(name, 1.0)) for name in (best, "tuned"))
    return Settled(way, bare, train if way.shots else [], best.startswith("tuned"), scores, bits)


def fitted(shares: Sequence[Mapping[str, float]], truths: Sequence[str]) -> tuple[float, float]:
    """(the temperature at which the right labels are likeliest, what one costs then: bits); 1 where nothing tells.

    arXiv 1706.04599. One example more is thought of that any label fits as well: else few examples, all right, would
    make it sure of all.
    """
    doubt = 1 / (len(truths) + 1)

    def loss(temperature: float) -> float:
        total = 0.0
        for share, truth in zip(shares, truths, strict=True):
            heated = calibrated(share, temperature)
            spread = sum(map(math.log, heated.values())) / len(heated)
            total -= (1 - doubt) * math.log(heated[truth]) + doubt * spread
        return total

    best = min(TEMPERATURES, key=lambda t: (round(loss(t), 9), abs(math.log(t))))
    return best, loss(best) / math.log(2) / max(1, len(truths))

