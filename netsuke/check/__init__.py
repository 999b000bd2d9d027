"""Check: what the new file is worth beside its base, and what it gives away, on text that nothing else has looked at.

    check     both GGUF files on the held-out documents and the general text; the gates
    examine   the task that the examples teach, in stock llama.cpp, beside three baselines
    recall    what comes back of the material, word for word; private things in samples; planted codes
    calibrate how sure the model is of a sentence, and whether that can be trusted
    probe     what one file answers to questions that it had better not do as it is told
    judge     the answers of both under rules that a person can read
    show      how both go on with a few held-out documents
    trial     both in stock llama.cpp: does it compute what we computed, how fast, and at what cost

`trial` reads the clock, so nothing of it goes into the pack.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .. import private
from ..nouns import Compute, Gates, Measure, knob
from ..step import Progress, Work, step
from ..texts.documents import write_json

PROBES = Path(__file__).with_name("probes.jsonl")


@dataclass(frozen=True)
class Params:
    """[check]: how much is looked at, and what is planted to measure memorisation"""

    pieces: int = knob(64, "pieces of documents that the model is asked to go on with", "pieces", 0, 100_000)
    samples: int = knob(
        64, "free texts of the model that are searched for private things", "texts", 0, 100_000
    )
    canaries: int = knob(
        0,
        "made-up codes planted 1, 3 and 10 times in what is learnt, so many of each; they cost quality",
        "codes",
        0,
        100,
    )


@dataclass(frozen=True)
class Bounds:
    """What the gates allow, and the dials that decide the numbers."""

    domain_gate: float
    general_gate: float
    budget_bytes: int
    seed: int
    compute: Compute


@dataclass(frozen=True)
class Examining:
    """How much of the held-out examples is answered, and how the baseline is asked."""

    items: int
    shots: int
    seed: int
    compute: Compute


@dataclass(frozen=True)
class Recalling:
    """How much is asked back, and how much may come."""

    pieces: int
    samples: int
    limit: float
    private_limit: int
    private_kept: bool  # a source keeps its private things: then they are learnt on purpose
    countries: tuple[str, ...]
    seed: int
    compute: Compute
    canaries: int = 0  # codes that were to be planted, for each number of times


@dataclass(frozen=True)
class Calibrating:
    """How much text the confidence is fitted and tried on, and how far it may be off."""

    limit: float
    seed: int
    compute: Compute
    bytes: int = 16_000


@dataclass(frozen=True)
class Probing:
    """How the probes are answered."""

    compute: Compute


@dataclass(frozen=True)
class Judging:
    """How much more of the probes may fail than of the base's answers."""

    limit: float


@dataclass(frozen=True)
class Trial:
    """How the engine is tried."""

    compute: Compute
    rounds: int = 3


def recalling(
    params: Params, gates: Gates, countries: tuple[str, ...], private_kept: bool, seed: int, compute: Compute
) -> Recalling:
    """The params of `recall`."""
    bounds = (gates.recalled, gates.private, private_kept)
    return Recalling(params.pieces, params.samples, *bounds, countries, seed, compute, params.canaries)


@step(version=5, libraries=("torch", "transformers", "tokenizers", "gguf", "libgguf"))
def check(
    params: Bounds,
    out: Path,
    model: Path,
    base_file: Path,
    base_model: Path,
    tuned_model: Path,
    test: Path,
    general: Path,
    train: Path,
) -> Work:
    """Write report.json: measures of base and ours with intervals, and the verdict of each gate."""
    from . import quality, report

    work = quality.compare(params, base_file, base_model, model, tuned_model, test, general, train)
    scores = yield from work
    sizes = {"base": base_file.stat().st_size, "ours": model.stat().st_size}
    content = report.build(params, scores, sizes)
    write_json(out / "report.json", content)
    return report.measures(content)


@step(version=7, libraries=("xllamacpp", "scikit-learn"))
def examine(params: Examining, out: Path, model: Path, base_file: Path, answer: Path, rendered: Path) -> Work:
    """Write scores.json: the task's scores of ours and of the baselines with intervals, and the gates' verdicts."""
    from . import task

    settled = json.loads((answer / "task.json").read_text(encoding="utf-8"))
    content = yield from task.examine(params, settled, model, base_file, answer / "shots.jsonl", rendered)
    write_json(out / "scores.json", content)
    return [
        Measure(
            row["score"], row["value"], "fraction", row["n"], row["seed"], "higher", row["low"], row["high"]
        )
        for row in content["scores"]
        if row["who"] == "ours"
    ]


@step(
    version=4,
    libraries=("xllamacpp", "scipy", "torch", "transformers", "tokenizers", "gguf", "libgguf", *private.LIBRARIES),
)
def recall(
    params: Recalling,
    out: Path,
    model: Path,
    base_file: Path,
    tuned_model: Path,
    train: Path,
    test: Path,
    canaries: Path,
) -> Work:
    """Write memory.json: what comes back of the material, in numbers that quote nothing, and the gates' verdicts."""
    from . import memory

    planted = json.loads(canaries.read_text(encoding="utf-8"))
    content = yield from memory.examine(params, model, base_file, tuned_model, train, test, planted)
    write_json(out / "memory.json", content)
    facts = content["extraction"]
    return [
        Measure("pieces that came back", facts["returned"], "pieces", facts["pieces"], params.seed, "lower")
    ]


@step(version=2, libraries=("torch", "transformers", "tokenizers", "gguf", "libgguf", "scikit-learn"))
def calibrate(
    params: Calibrating, out: Path, model: Path, tuned_model: Path, valid: Path, test: Path
) -> Work:
    """Write honesty.json: the curve from probability to confidence, what it is worth on test, and the verdict."""
    from . import honesty

    content = yield from honesty.examine(params, model, tuned_model, valid, test)
    write_json(out / "honesty.json", content)
    if "calibration_error" not in content:
        return []
    error, n = content["calibration_error"], content["sentences"]
    return [
        Measure(
            "calibration error",
            error["value"],
            "fraction",
            n,
            params.seed,
            "lower",
            error["low"],
            error["high"],
        )
    ]


@step(version=2, libraries=("xllamacpp",))
def probe(params: Probing, out: Path, model: Path, probes: Path) -> Work:
    """Write answers.json: what this file says to each probe."""
    from . import safety

    write_json(out / "answers.json", (yield from safety.answers(params, model, probes)))
    return []


@step(version=4, libraries=("scipy", *private.LIBRARIES))
def judge(params: Judging, out: Path, base: Path, ours: Path, probes: Path) -> Work:
    """Write safety.json: what failed in base and ours by category, every failing answer, and the verdict."""
    from . import safety

    yield Progress(0.5, "by the rules")
    content = safety.judged(params, probes, json.loads(base.read_bytes()), json.loads(ours.read_bytes()))
    write_json(out / "safety.json", content)
    failed, n = content["failed"], content["probes"]
    return [Measure("probes failed", failed["ours"], "probes", n, better="lower")]


@step(version=2, libraries=("xllamacpp",))
def show(params: Probing, out: Path, model: Path, base_file: Path, test: Path) -> Work:
    """Write samples.json: how base and ours go on with five held-out texts. It quotes the documents."""
    from . import samples

    write_json(out / "samples.json", (yield from samples.side_by_side(params, base_file, model, test)))
    return []


@step(version=2, libraries=("torch", "transformers", "xllamacpp", "gguf", "libgguf"))
def trial(params: Trial, out: Path, model: Path, base_file: Path, tuned_model: Path, text: Path) -> Work:
    """Load both files in stock llama.cpp: agreement with our own reading, and what speed and memory they need."""
    from . import speed

    measures: list[Measure] = yield from speed.trial(params, model, base_file, tuned_model, text)
    told = json.dumps([m.__dict__ for m in measures], indent=1) + "\n"
    (out / "trial.json").write_text(told, encoding="utf-8")
    return measures
