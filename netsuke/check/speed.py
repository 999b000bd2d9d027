"""Both files in stock llama.cpp: does it compute what we computed, how fast, and with how much memory and energy."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from ..engines import gguf, hf
from ..engines.llama import TIMED_ANSWER, TIMED_PROMPT, Engine
from ..errors import EngineError
from ..machine import joules, peak_memory_bytes
from ..nouns import Measure
from ..step import Progress
from ..texts.documents import read_texts
from . import Trial

PRINTABLE = r"root ::= [ -~\n]*"  # llama.cpp shows no probability of half a character
COMPARED = 24
LARGEST_GAP = 0.15  # nats between the two log-probabilities of one token, mean over the places compared


def trial(
    params: Trial, model: Path, base_file: Path, tuned: Path, sample: Path
) -> Generator[Progress, None, list[Measure]]:
    """Yields progress; returns the Measures. Raises EngineError if llama.cpp reads our file in another way."""
    text = "\n\n".join(read_texts(sample))[:20_000]
    threads = params.compute.threads
    with Engine(base_file, threads=threads) as base, Engine(model, threads=threads) as ours:
        yield Progress(0.1, "loaded in llama.cpp")
        gaps = agreement(ours, model, tuned, text)
        gap = statistics.mean(gaps)
        if gap > LARGEST_GAP:
            raise EngineError(
                f"llama.cpp computes something else from this file: {gap:.3f} nats apart on average",
                hint="this is a fault of the writer; the old pack stays",
            )
        costs: dict[str, list[Cost]] = {"base": [], "ours": []}
        for n in range(params.rounds):
            for name, engine in (("base", base), ("ours", ours)):
                yield Progress(0.2 + 0.8 * n / params.rounds, f"tokens a second, {name}")
                costs[name].append(cost(engine, text[n * 3000 :], text[n * 3000 + 1500 :]))
        memory = {"base": _peak(base), "ours": _peak(ours)}
    found = [Measure("engine gap", gap, "nats", n=len(gaps), better="lower")]
    for name, rounds in costs.items():
        found += measures(name, rounds, memory[name])
    return found


@dataclass(frozen=True)
class Cost:
    """What one round cost."""

    prompt: float  # tokens a second
    generation: float
    first_token: float  # seconds, behind a prompt of TIMED_PROMPT tokens
    joules: (
        float | None
    )  # for each token that was written or read; the whole machine's, so nothing else may run


def cost(engine: Engine, text: str, other: str) -> Cost:
    """One round: a prompt is read and gone on with; another is read until the first token is here."""
    before = joules()
    prompt, generation = engine.rates(text)
    after = joules()
    spent = None if before is None or after is None or after < before else after - before
    tokens = TIMED_PROMPT + TIMED_ANSWER
    return Cost(prompt, generation, first_token(engine, other), None if spent is None else spent / tokens)


def first_token(engine: Engine, text: str) -> float:
    """Seconds from sending the front of a text, which shares none with those before, until the first token is here."""
    body = {
        "prompt": engine.tokenize(text)[:TIMED_PROMPT],
        "n_predict": 1,
        "cache_prompt": False,
        "ignore_eos": True,
    }
    started = time.perf_counter()
    with contextlib.closing(engine.stream("/completion", body)) as events:
        next(events)
        return time.perf_counter() - started


def measures(name: str, rounds: list[Cost], memory: int | None) -> list[Measure]:
    """Medians of the rounds; what this machine does not tell is left out."""
    n, found = len(rounds), []
    for part in ("prompt", "generation"):
        value = statistics.median(getattr(one, part) for one in rounds)
        found.append(Measure(f"{part} {name}", value, "tokens per second", n=n, better="higher"))
    value = statistics.median(one.first_token for one in rounds)
    found.append(Measure(f"first token {name}", value, "seconds", n=n, better="lower"))
    if memory is not None:
        found.append(Measure(f"memory {name}", memory, "bytes", better="lower"))
    spent = [one.joules for one in rounds if one.joules is not None]
    if spent:
        found.append(
            Measure(
                f"energy {name}", statistics.median(spent), "joules per token", n=len(spent), better="lower"
            )
        )
    return found


def _peak(engine: Engine) -> int | None:
    return peak_memory_bytes(engine.pid) if engine.pid else None


def agreement(engine: Engine, file: Path, folder: Path, text: str) -> list[float]:
    """|Difference| in nats between llama.cpp's and our log-probability of the token that the engine takes next."""
    model = hf.model_of(folder, gguf.state_dict(file, hf.EXACT))
    ids = engine.tokenize(text)[: COMPARED * 4]
    ours = hf.log_probabilities(model, ids)
    gaps = []
    for end in range(4, len(ids) + 1, 4):
        answer = engine.complete(
            ids[:end], n_predict=1, n_probs=1, temperature=0.0, cache_prompt=True, grammar=PRINTABLE
        )
        for chosen in answer.get("completion_probabilities", ())[:1]:
            gaps.append(abs(chosen["logprob"] - float(ours[end - 1, chosen["id"]])))
    if not gaps or any(math.isnan(gap) for gap in gaps):
        raise EngineError("llama.cpp gave no usable probabilities for this file")
    return gaps
