"""Ours beside TRL's SFTTrainer on the same base and the same documents: seconds to the same held-out bits per byte.

    python -m bench.tune [--tokens 32000] [--seeds 3] [--quick] [--json] [--check]

TRL runs one epoch twice: as a good user sets it (peft, all linear layers, rank 16, 8e-4, packed, no checkpointing) and
out of the box. Ours gets a quarter, a third and half of the first one's seconds, and (first seed) one minute and all of
them; it trains what carving to 80 MB left, with its looks at valid. A seed chooses the documents too. Both compute in
the type that is fastest here, on a GPU if there is one, with as many windows in a step. Prints a table and one JSON
line; `--check` ends with 1 where a floor is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import carve as carve_bench

PEER, PLAIN = "TRL, tuned", "TRL, out of the box"
MINUTE, WHOLE = "ours, 1 minute", "ours, all of that"
QUARTER, THIRD, HALF = "ours, a quarter of that", "ours, a third of that", "ours, half of that"
Row = dict[str, Any]
Trained = tuple[Any, int, float]  # the model, tokens, seconds of the training itself


@dataclass(frozen=True)
class Inputs:
    """The base and what was carved from it, and the texts, on the disk."""

    base: Path
    model: Path
    choice: Path
    vocabulary: Path
    train: Path
    valid: Path
    test: Path
    general_valid: Path
    general_test: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=32_000, help="of training text, about")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one seed, 6,000 tokens")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    tokens, seeds = (6_000, 1) if options.quick else (options.tokens, options.seeds)
    with tempfile.TemporaryDirectory() as room:
        inputs = prepare(Path(room))
        rows = [row for seed in range(seeds) for row in measure(inputs, Path(room), tokens, seed)]
    verdicts = floors(rows)
    if not options.json:
        print(*map(told, rows), sep="\n")
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    print(json.dumps({
        "bench": "tune", "tokens": tokens, "seeds": seeds, "cores": os.cpu_count(), "rows": rows, "floors": verdicts,
        "float_type": computing().float_type, "device": computing().device,
    }))  # fmt: skip
    sys.exit(1 if options.check and not all(verdicts.values()) else 0)


@functools.cache
def computing() -> Any:
    """All cores, in the type that is fastest here; training on a GPU if there is one."""
    from netsuke.engines import device

    return dataclasses.replace(carve_bench.computing(), device=device.accelerator())


def told(row: Row) -> str:
    return (
        f"seed {row['seed']}  {row['arm']:23} {row['seconds']:5.0f} s  {row['tokens']:7,} tokens  "
        f"test {row['test_before']:.4f} -> {row['test']:.4f}  "
        f"general {row['general_before']:.4f} -> {row['general']:.4f}  load {row['load']:.1f}"
    )


def prepare(room: Path) -> Inputs:
    """The base, what carving it to 80 MB leaves, and the texts of the Python documents, as the loop makes them."""
    from netsuke import carve
    from netsuke.nouns import Gates

    bench, compute = carve_bench.prepare(room), computing()
    carving = carve.carving(carve.Params(), 80_000_000, Gates().general, compute)
    carved = bench.local.run(carve.carve, carving, model=bench.base, train=bench.train, valid=bench.valid,
                             general=bench.general_valid)  # fmt: skip
    refs = (bench.base, carved.folder("model"), carved["choice.json"], carved["vocabulary.json"], bench.train,
            bench.valid, bench.test, bench.general_valid, bench.general_test)  # fmt: skip
    return Inputs(*(bench.path(ref or "") for ref in refs))


def some_documents(train: Path, tokens: int, seed: int, out: Path) -> Path:
    """A file with documents chosen by the seed, of about so many tokens (3.5 bytes each)."""
    import random

    from netsuke.texts.documents import read_rows, write_rows

    rows, bytes_ = list(read_rows(train)), 0
    random.Random(seed).shuffle(rows)
    chosen = []
    for row in rows:
        if bytes_ < 3.5 * tokens:
            chosen.append(row)
            bytes_ += len(row["text"].encode())
    write_rows(out, chosen)
    return out


def measure(inputs: Inputs, room: Path, tokens: int, seed: int) -> Iterator[Row]:
    """A row for each arm, in turn."""
    train = some_documents(inputs.train, tokens, seed, room / f"train-{seed}.jsonl")
    before = {folder: untrained(folder, inputs) for folder in (inputs.base, inputs.model)}
    peer = timed(inputs, inputs.base, before, PEER, seed, lambda: peer_tuned(inputs, train, seed))
    yield peer
    yield timed(inputs, inputs.base, before, PLAIN, seed, lambda: peer_plain(inputs, train, seed))
    shares = {QUARTER: 1 / 4, THIRD: 1 / 3, HALF: 1 / 2}
    minutes = {arm: share * peer["seconds"] / 60 for arm, share in shares.items()}
    if seed == 0:
        minutes |= {MINUTE: 1.0, WHOLE: peer["seconds"] / 60}
    for arm, given in minutes.items():
        yield timed(inputs, inputs.model, before, arm, seed, functools.partial(ours, inputs, train, given, seed))


def untrained(folder: Path, inputs: Inputs) -> dict[str, float]:
    """Bits per byte before any tuning."""
    from netsuke.engines import hf

    hf.use(computing())
    return bits(hf.load_model(folder), folder, inputs)


def timed(
    inputs: Inputs, folder: Path, before: dict[Path, dict[str, float]], arm: str, seed: int,
    train: Callable[[], Trained],
) -> Row:  # fmt: skip
    """What one arm came to."""
    load = os.getloadavg()[0]
    model, tokens, seconds = train()
    after = bits(model, folder, inputs)
    row = {"arm": arm, "seed": seed, "seconds": round(seconds, 1), "tokens": tokens, "load": round(load, 2),
           "test_before": before[folder]["test"], "general_before": before[folder]["general"], **after}  # fmt: skip
    print(told(row), file=sys.stderr, flush=True)
    return row


def bits(model: Any, folder: Path, inputs: Inputs) -> dict[str, float]:
    """Bits per byte on the held-out documents and on the general test text."""
    from netsuke.engines import hf
    from netsuke.texts.documents import read_texts

    places = {"test": inputs.test, "general": inputs.general_test}
    model = model.to(computing().device)
    return {
        name: round(hf.bits_per_byte(hf.score(model.eval(), hf.open_texts(folder, read_texts(place)))), 4)
        for name, place in places.items()
    }


def ours(inputs: Inputs, train: Path, minutes: float, seed: int) -> Trained:
    """As the tune step does it, looks at valid and guard and all; its speed was measured before."""
    from netsuke import tune
    from netsuke.nouns import Gates
    from netsuke.tune import guard, speed
    from netsuke.tune.teacher import teacher
    from netsuke.tune.train import Job

    compute, gate = computing(), Gates().general
    params = tune.settled(tune.Params(), compute)
    pace = speed.measure(params, compute, inputs.model, train, inputs.valid, inputs.base, inputs.choice,
                         inputs.vocabulary)  # fmt: skip
    training = tune.training(params, minutes, pace, gate, seed, compute)
    assert training
    with tempfile.TemporaryDirectory() as scratch:
        teaching = teacher(inputs.choice, inputs.base, inputs.vocabulary, params.distil)
        job = Job(training, inputs.model, train, inputs.valid, Path(scratch), teaching)
        started = time.perf_counter()
        for _ in job.run():
            pass
        guard.scale_within(job, inputs.choice, inputs.general_valid, gate)
        return job.model, job.tokens_done, time.perf_counter() - started


def peer_tuned(inputs: Inputs, train: Path, seed: int) -> Trained:
    """One epoch of SFTTrainer as a good user sets it; documents wrapped into windows, so that none is cut."""
    from peft import LoraConfig

    from netsuke import tune

    windows = tune.WINDOWS[computing().device]
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", lora_dropout=0.0, task_type="CAUSAL_LM")
    return sft(
        inputs, train, seed, lora, learning_rate=8e-4, packing=True, packing_strategy="wrapped",
        per_device_train_batch_size=windows, gradient_checkpointing=False, lr_scheduler_type="cosine", warmup_steps=2,
    )  # fmt: skip


def peer_plain(inputs: Inputs, train: Path, seed: int) -> Trained:
    """One epoch of SFTTrainer with every setting as it comes but the number of epochs."""
    return sft(inputs, train, seed, None)


def sft(inputs: Inputs, train: Path, seed: int, lora: Any, **settings: Any) -> Trained:
    """One epoch of SFTTrainer."""
    import torch
    from datasets import Dataset, disable_progress_bars
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    from netsuke.engines import hf
    from netsuke.texts.documents import read_texts

    disable_progress_bars()
    compute = computing()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(inputs.base / "tokenizer.json"))
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    model = hf.LlamaForCausalLM.from_pretrained(inputs.base, dtype=getattr(torch, compute.float_type))
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out, num_train_epochs=1, seed=seed, data_seed=seed, report_to="none", save_strategy="no",
            disable_tqdm=True, bf16=compute.float_type == "bfloat16", use_cpu=compute.device == "cpu",
            logging_strategy="no", **settings,
        )  # fmt: skip
        trainer = SFTTrainer(
            model=model, args=config, train_dataset=Dataset.from_dict({"text": read_texts(train)}),
            processing_class=tokenizer, peft_config=lora,
        )  # fmt: skip
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
        tokens = int(trainer.state.num_input_tokens_seen or getattr(trainer, "_total_train_tokens", 0))
    trained = trainer.model.merge_and_unload() if lora else trainer.model
    weights = {name: weight.to("cpu", hf.compute_type()) for name, weight in hf.weights_of(trained).items()}
    return hf.model_of(inputs.base, weights), tokens, seconds


def times_faster(peer: Row, rows: list[Row]) -> float:
    """The peer's seconds by those of the shortest of our runs that came to its bits or below; 0 if none did."""
    seconds = [
        row["seconds"] for row in rows
        if row["arm"].startswith("ours") and row["seed"] == peer["seed"] and row["test"] <= peer["test"]
    ]  # fmt: skip
    return peer["seconds"] / min(seconds) if seconds else 0.0


def floors(rows: list[Row]) -> dict[str, bool]:
    """By sentence, whether it holds in every seed."""
    held = {}
    for arm, floor in ((PEER, 2), (PLAIN, 3)):
        ratios = [times_faster(row, rows) for row in rows if row["arm"] == arm]
        told = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        held[f"{arm}: at least {floor} times sooner at its bits ({told})"] = min(ratios) >= floor
    first = {row["arm"]: row for row in rows if row["seed"] == 0}
    gains = {arm: first[arm]["test_before"] - first[arm]["test"] for arm in (MINUTE, WHOLE)}
    share = gains[MINUTE] / gains[WHOLE]
    drifts = [row["general"] / row["general_before"] - 1 for row in rows if row["arm"] == HALF]
    drift = statistics.median(drifts)
    held[f"{HALF}: general text at most 2% above what it was before ({drift:+.1%})"] = drift <= 0.02
    held[f"one minute gives at least half of the gain ({share:.0%})"] = share >= 0.5
    return held


if __name__ == "__main__":
    main()
