"""Both files in stock llama.cpp: does it compute what we computed, and how many tokens a second."""

from __future__ import annotations

import math
import statistics
from collections.abc import Generator
from pathlib import Path

from ..documents import read_texts
from ..engines import gguf, hf
from ..engines.llama import Engine
from ..errors import EngineError
from ..nouns import Measure
from ..step import Progress
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
        rates: dict[str, list[tuple[float, float]]] = {"base": [], "ours": []}
        for n in range(params.rounds):
            for name, engine in (("base", base), ("ours", ours)):
                yield Progress(0.2 + 0.8 * n / params.rounds, f"tokens a second, {name}")
                rates[name].append(engine.rates(text[n * 1500 :]))
    found = [Measure("engine gap", gap, "nats", n=len(gaps), better="lower")]
    for name, pairs in rates.items():
        for place, part in enumerate(("prompt", "generation")):
            value = statistics.median(pair[place] for pair in pairs)
            found.append(Measure(f"{part} {name}", value, "tokens per second", n=len(pairs), better="higher"))
    return found


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
