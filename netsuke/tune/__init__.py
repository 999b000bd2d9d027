"""Tune: teach the carved model the training text, in a number of steps that is fixed before it starts.

What comes out is an adapter in peft's format (`lora`) or the changed weights (`full`); `combine` joins it to the body.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import RecipeError, StoreError
from ..nouns import Compute, Measure, Ref, knob
from ..step import Progress, Work, step
from ..store import Store


@dataclass(frozen=True)
class Params:
    """[tune]"""

    method: Literal["lora", "full"] = knob("lora", "what is trained: adapters, or the whole body")
    rank: int = knob(16, "rank of the adapter (lora)", "", 1, 256)
    learning_rate: float = knob(0.0, "peak learning rate; 0: the best of three short trials on valid", "", 0, 1)
    window_tokens: int = knob(512, "length of a packed window", "tokens", 16, 4096)
    windows_per_step: int = knob(0, "windows in one optimiser step; 0: one, on a GPU eight", "windows", 0, 256)
    shards: int = knob(1, "parts of a step that are computed apart; with `--on ray` by a worker each", "", 1, 256)
    distil: float = knob(
        0.25, "share of the target that the unpruned base gives, where carving pruned the body", "fraction", 0, 1
    )
    questions: float = knob(
        0.3, "share of the examples whose question is learnt too: it holds general language", "fraction", 0, 1
    )
    max_epochs: float = knob(
        0.0, "most passes over the training text; 0: two, or four where examples teach a task", "epochs", 0, 1000
    )
    patience: int = knob(3, "stop after this many looks at valid without a new best", "looks", 1, 1000)
    start: str = knob("", "adapter to go on from, by its Ref: `make --from NAME` sets it (lora)")
    units: Literal["joint", "per-owner"] = knob(
        "joint", "one adapter for all, or one for each owner, who is then forgotten without training again"
    )


WINDOWS = {"cpu": 1, "cuda": 8}  # in a step: small steps learn most a token, and eight keep a GPU busy


DOCUMENT_PASSES, EXAMPLE_PASSES = 2.0, 4.0  # a third one over documents learns them by heart


def settled(params: Params, compute: Compute, examples: bool = False) -> Params:
    """The params with what depends on the machine, and on whether there are examples, decided."""
    windows = params.windows_per_step or max(WINDOWS[compute.device], params.shards)
    return dataclasses.replace(params, windows_per_step=windows, max_epochs=passes(params, examples))


def passes(params: Params, examples: bool) -> float:
    """How often the training text is read at most."""
    return params.max_epochs or (EXAMPLE_PASSES if examples else DOCUMENT_PASSES)


@dataclass(frozen=True)
class Training:
    """Params with what the rest of the recipe, and the lock, decide."""

    method: str
    rank: int
    learning_rate: float
    window_tokens: int
    windows_per_step: int
    shards: int
    distil: float
    questions: float
    max_epochs: float
    patience: int
    start: str
    budget_tokens: int  # of training: minutes times the speed in netsuke.lock
    valid_bytes: int  # of valid text in one evaluation while training
    evaluations: int
    general_gate: float
    seed: int
    compute: Compute

    @classmethod
    def of(cls, params: Params, **decided: Any) -> Training:
        """Params with the fields that are decided elsewhere."""
        given = dataclasses.asdict(params)
        del given["units"]  # one adapter for each owner is one training for each
        return cls(**given, **decided)


@step(version=11, libraries=("torch", "transformers", "tokenizers", "safetensors"))
def tune(
    params: Training,
    out: Path,
    scratch: Path,
    model: Path,
    choice: Path,
    base: Path,
    vocabulary: Path,
    train: Path,
    valid: Path,
    general: Path,
    start: Path | None = None,
) -> Work:
    """Train; keep the best state on valid; shrink the change until the general text is within its gate."""
    from . import guard
    from .teacher import teacher
    from .train import Job

    yield Progress(0.0, "reading")
    job = Job(params, model, train, valid, scratch, teacher(choice, base, vocabulary, params.distil), start)
    yield from job.run()
    if not job.crew.leads:
        return []
    yield Progress(0.97, "checking the general text")
    scale, general_bits = guard.scale_within(job, choice, general, params.general_gate)
    job.save(out, scale)
    after = job.best["valid"] if scale == 1.0 else job.valid_bits()
    looks = [
        Measure("valid before tuning", job.history[0]["valid"], "bits per byte", better="lower"),
        Measure("valid after tuning", after, "bits per byte", better="lower"),
    ]
    return [
        *(looks if job.valid else ()),
        Measure("general after tuning", general_bits, "bits per byte", better="lower"),
        Measure("training tokens", job.tokens_done, "tokens"),
        Measure("adapter scale", scale, "fraction"),
    ]


def start_of(params: Params, store: Store) -> dict[str, Ref]:
    """The adapter to go on from as an input of `tune`, or nothing. Raises RecipeError where it is not here."""
    if not params.start:
        return {}
    if params.method != "lora":
        raise RecipeError(
            f"tune.start goes on from an adapter, and tune.method is {params.method!r}",
            hint='--set tune.method=lora, or --set tune.start="" to start afresh',
        )
    try:
        ref = Ref(params.start)
        store.path(ref)
    except (ValueError, StoreError) as error:
        raise RecipeError(
            f"tune.start is not an adapter that is here: {error}",
            hint='`netsuke make TARGET --from NAME` sets it; --set tune.start="" starts afresh',
        ) from None
    return {"start": ref}


@dataclass(frozen=True)
class Speed:
    """What this machine does with this model, measured before a lock is written."""

    train_tokens_per_second: float
    score_tokens_per_second: float


EVALUATIONS = 6
FACTORS = (0.5, 1.0, 2.0)  # of the usual rate: those that are tried, and each ends with a look at valid
BYTES_A_TOKEN = 3.5  # about, of English


def looks(learning_rate: float) -> int:
    """How often valid is looked at, at most: before training, while it goes on, and at each rate that is tried."""
    return 1 + EVALUATIONS + (0 if learning_rate else len(FACTORS))


def budget(minutes: float, speed: Speed, learning_rate: float = 0.0) -> tuple[int, int]:
    """(training tokens, bytes of valid text in each evaluation) that fit into `minutes`.

    A tenth goes to the evaluations, up to 10 s to loading and the general text.
    """
    seconds = minutes * 60
    evaluation = 0.1 * seconds / looks(learning_rate)
    valid_bytes = min(32_000, max(2_000, int(evaluation * speed.score_tokens_per_second * BYTES_A_TOKEN)))
    left = 0.9 * seconds - min(10, 0.1 * seconds)
    return max(512, int(left * speed.train_tokens_per_second)), valid_bytes


def training(
    params: Params, minutes: float, speed: Speed | None, general_gate: float, seed: int, compute: Compute
) -> Training | None:
    """The tune step's params from the recipe's section, the lock and the rest of the recipe; None without a speed."""
    if speed is None:
        return None
    tokens, valid_bytes = budget(minutes, speed, params.learning_rate)
    return Training.of(
        params,
        budget_tokens=tokens,
        valid_bytes=valid_bytes,
        evaluations=EVALUATIONS,
        general_gate=general_gate,
        seed=seed,
        compute=compute,
    )
