"""LoRA against full training, and learning rates, at equal minutes on the same carved base and documents.

    python -m bench.tune [--minutes 2] [--seeds 1] [--quick] [--check]

Prints a table and one JSON line. Peer: full training of the body, with its own learning rate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from . import carve as carve_bench

SETTINGS = {
    "lora 3e-3": {"method": "lora", "learning_rate": 3e-3},
    "lora 1e-3": {"method": "lora", "learning_rate": 1e-3},
    "full 5e-5": {"method": "full", "learning_rate": 5e-5},
    "full 2e-4": {"method": "full", "learning_rate": 2e-4},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", action="append", help="one of the settings; may be given more than once")
    parser.add_argument("--quick", action="store_true", help="half a minute each")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 if full training beats the default")
    options = parser.parse_args()
    minutes = 0.5 if options.quick else options.minutes
    with tempfile.TemporaryDirectory() as room:
        inputs = prepare(Path(room))
        rows = []
        for seed in range(options.seeds):
            for name in options.only or SETTINGS:
                rows.append({"setting": name, "seed": seed} | measure(SETTINGS[name], minutes, seed, inputs))
                if not options.json:
                    row = rows[-1]
                    print(f"{name:10} seed {seed}  {row['seconds']:5.0f} s  {row['tokens']:7,} tokens  "
                          f"{row['tokens_per_second']:5.0f}/s  valid {row['before']:.4f} -> {row['valid']:.4f}  "
                          f"general {row['general']:.4f}  load {row['load']:.1f}", flush=True)  # fmt: skip
    print(json.dumps({"bench": "tune", "minutes": minutes, "cores": os.cpu_count(), "rows": rows}))
    best = min(rows, key=lambda row: row["valid"])["setting"]
    sys.exit(1 if options.check and best.startswith("full") else 0)


def prepare(room: Path) -> dict[str, Path]:
    """The carved model, the base, and the texts of the Python documents, as the loop makes them."""
    from netsuke import carve
    from netsuke.nouns import Gates

    bench, compute = carve_bench.prepare(room), carve_bench.computing()
    carving = carve.sections(carve.Params(), 80_000_000, Gates().general, compute)
    carved = bench.local.run(carve.carve, carving, model=bench.base, train=bench.train, valid=bench.valid,
                             general=bench.general_valid)  # fmt: skip
    refs = {
        "model": carved.folder("model"), "base": bench.base, "choice": carved["choice.json"],
        "vocabulary": carved["vocabulary.json"], "train": bench.train, "valid": bench.valid,
        "general": bench.general_valid,
    }  # fmt: skip
    return {name: bench.path(ref or "") for name, ref in refs.items()}


def measure(setting: dict[str, Any], minutes: float, seed: int, inputs: dict[str, Path]) -> dict[str, Any]:
    """What one setting came to after these minutes, its speed measured first as the loop does."""
    from netsuke import tune
    from netsuke.documents import read_texts
    from netsuke.engines import hf
    from netsuke.tune import speed
    from netsuke.tune.train import Job

    compute, params = carve_bench.computing(), tune.Params(**setting)
    needed = {name: path for name, path in inputs.items() if name != "general"}
    pace = speed.measure(params, compute, **needed)
    training = tune.sections(params, minutes, pace, 0.1, seed, compute)
    assert training
    model, train, valid, general = (inputs[name] for name in ("model", "train", "valid", "general"))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(training, model, train, valid, Path(scratch))
        whole = hf.open_texts(model, read_texts(valid))
        before = hf.bits_per_byte(hf.score(job.model.eval(), whole))
        for _ in job.run():
            pass
        seconds = time.perf_counter() - started
        job.with_scale(1.0)
        job.model.eval()
        return {
            "seconds": round(seconds, 1), "tokens": job.tokens_done, "before": round(before, 4),
            "tokens_per_second": pace.train_tokens_per_second, "load": round(os.getloadavg()[0], 2),
            "valid": round(hf.bits_per_byte(hf.score(job.model, whole)), 4), "n_texts": len(whole),
            "general": round(hf.bits_per_byte(hf.score(job.model, hf.open_texts(model, read_texts(general)))), 4),
        }  # fmt: skip


if __name__ == "__main__":
    main()
