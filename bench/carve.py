"""Ours against llama.cpp's Q4_K_M of the same base: bytes, bits per byte on held-out and general text, tokens a second.

    python -m bench.carve [--minutes 1] [--seeds 3] [--bigger] [--quick] [--json] [--check]

The peer has the owner's importance matrix, and is measured untuned and tuned (the same minutes, rank and documents as
ours). Ours come at 75% of its bytes, and for the domain alone at 67%. `--bigger` accepts Gemma's terms, fetches Gemma 3
270M and carves it to the bytes of the first of ours too: the best model at so many megabytes, untuned and after as many
minutes. Prints a table and one JSON line; `--check` ends with 1 where a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PEER = "Q4_K_M"
FIRST, BIGGER, BIGGER_BASE = "ours 75%", "bigger, 75%", "gemma3-270m"
ARMS: dict[str, tuple[float, dict[str, Any]]] = {  # share of the peer's bytes, settings of [carve]
    FIRST: (0.75, {}),
    "ours 67%, domain": (0.67, {"general": "off"}),
    BIGGER: (0.75, {}),
}


@dataclass(frozen=True)
class Bench:
    """The loop's inputs, ready, and what runs its steps."""

    local: Any
    store: Any
    base: str
    train: str
    valid: str
    test: str
    general_valid: str
    general_test: str
    room: Path

    def path(self, ref: str) -> Path:
        found: Path = self.store.path(ref)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="of tuning, for each arm and seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--bigger", action="store_true", help="a bigger base at the same bytes too (Gemma's terms)")
    parser.add_argument("--quick", action="store_true", help="one seed, half a minute")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    minutes, seeds = (0.5, 1) if options.quick else (options.minutes, options.seeds)
    with tempfile.TemporaryDirectory() as room:
        rows = measure(prepare(Path(room)), options.bigger, minutes, seeds)
    verdicts = floors(rows)
    if not options.json:
        for row in rows:
            print(f"{row['arm']:22} {row['mb']:6.1f} MB  test {row['test']:.4f}  general {row['general']:.4f}  "
                  f"{row['tokens_per_second']:5.0f} tokens/s  n = {row['n']}")  # fmt: skip
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    print(json.dumps({
        "bench": "carve", "minutes": minutes, "seeds": seeds, "cores": os.cpu_count(), "load": os.getloadavg()[0],
        "rows": rows, "floors": verdicts,
    }))  # fmt: skip
    sys.exit(1 if options.check and not all(verdicts.values()) else 0)


def prepare(room: Path) -> Bench:
    """The Python documents, read and split, and the default base unpacked."""
    from netsuke import bases, loop, recipe
    from netsuke.bases.fetch import fetch
    from netsuke.step import Local
    from netsuke.store import Store
    from netsuke.texts.documents import general_text

    folder = room / "python-docs"
    subprocess.run(
        [sys.executable, ROOT / "examples/python-docs", folder], check=True, stdout=subprocess.DEVNULL
    )
    wanted, store = recipe.load(folder / "netsuke.toml", loop.SECTIONS), Store(room / "home")
    fetch(bases.find(wanted.base), store, lambda done, total: None)
    local = Local(store)
    data = loop.documents(wanted, folder / "netsuke.toml", store, local)
    base = bases.resolve(wanted, store, folder)
    opened = local.run(bases.unpack, base.about, base=base.ref)
    parts = (data[f"{part}.jsonl"] or "" for part in ("train", "valid", "test"))
    general = (general_text(store, part) for part in ("valid", "test"))
    return Bench(local, store, opened.folder("model") or "", *parts, *general, room)


def bigger(bench: Bench) -> Bench:
    """The same with the bigger base."""
    from netsuke import bases
    from netsuke.bases.fetch import fetch

    base = bases.find(BIGGER_BASE)
    ref = fetch(base, bench.store, lambda done, total: None, accepted=True)
    opened = bench.local.run(bases.unpack, bases.About(base.title, base.licence), base=ref)
    return replace(bench, base=opened.folder("model") or "")


def computing() -> Any:
    """All cores, in the type that is fastest here."""
    from netsuke.engines import device
    from netsuke.machine import cores
    from netsuke.nouns import Compute

    return Compute(cores(), device.fastest_float(cores())[0])


def measure(first: Bench, with_bigger: bool, minutes: float, seeds: int) -> list[dict[str, Any]]:
    """A row for the peer untuned, the peer tuned and each of ours: medians over seeds, each seed's values beside."""
    from netsuke.engines import hf

    compute, room, bench = computing(), first.room, first
    hf.use(compute)
    on = {arm: first for arm in ARMS if arm != BIGGER} | ({BIGGER: bigger(first)} if with_bigger else {})
    untuned = room / "peer.gguf"
    peer_file(bench, bench.path(bench.base), untuned)
    found: dict[str, list[dict[str, float]]] = {"peer": [scores(bench, untuned, bench.path(bench.base))]}
    files = {"peer": untuned, "peer tuned": untuned}  # tuning does not change its speed
    carved = {arm: carve_arm(on[arm], compute, untuned.stat().st_size, arm) for arm in on}
    for arm in (FIRST, BIGGER) if with_bigger else ():
        body = carved[arm][0].folder("model")
        files[f"{arm}, untuned"] = quantised(on[arm], compute, body, *carved[arm])
        found[f"{arm}, untuned"] = [scores(on[arm], files[f"{arm}, untuned"], bench.path(body))]
    for seed in range(seeds):
        model = tuned(bench, compute, minutes, seed, None)
        peer_file(bench, bench.path(model), room / "tuned.gguf")
        found.setdefault("peer tuned", []).append(scores(bench, room / "tuned.gguf", bench.path(model)))
        for arm, (made, budget) in carved.items():
            model = tuned(on[arm], compute, minutes, seed, made)
            files[arm] = quantised(on[arm], compute, model, made, budget)
            found.setdefault(arm, []).append(scores(on[arm], files[arm], bench.path(model)))
        print(f"seed {seed}:", {arm: row[-1] for arm, row in found.items()}, file=sys.stderr, flush=True)
    speeds = rates(files, bench.path(bench.general_test), compute.threads)
    return [
        {
            "arm": arm, "mb": round(files[arm].stat().st_size / 1e6, 2), "n": len(row),
            "test": round(statistics.median(s["test"] for s in row), 4),
            "general": round(statistics.median(s["general"] for s in row), 4),
            "tokens_per_second": round(speeds[arm], 1), "seeds": row,
            "carve_seconds": round(carved[arm][0].run.seconds) if arm in carved else None,
        }
        for arm, row in found.items()
    ]  # fmt: skip


def peer_file(bench: Bench, model: Path, path: Path) -> None:
    """Write a model in the preset's mix, with the importance matrix of the owner's text."""
    from netsuke.engines import gguf, hf
    from netsuke.engines.presets import preset
    from netsuke.texts.documents import read_texts, sample

    network = hf.load_model(model)
    texts = hf.open_texts(model, sample(read_texts(bench.path(bench.train)), 48_000))
    choose = preset(PEER, network.config.num_hidden_layers)
    gguf.write(model, path, choose, hf.input_energy(network, texts), "peer")


def carve_arm(bench: Bench, compute: Any, peer_bytes: int, arm: str) -> tuple[Any, int]:
    """(what the carve step made, the budget) of one of ours."""
    from netsuke import carve
    from netsuke.nouns import Gates

    share, settings = ARMS[arm]
    # the bigger base is measured beside the first, not held to its own general text
    gate = carve.FREE if settings.get("general") == "off" or arm == BIGGER else Gates().general
    budget = int(share * peer_bytes)
    params = carve.carving(carve.Params(**settings), budget, gate, compute)
    made = bench.local.run(carve.carve, params, model=bench.base, train=bench.train, valid=bench.valid,
                           general=bench.general_valid)  # fmt: skip
    print(arm, [f"{m.name} {m.value:.4f}" for m in made.run.measures], file=sys.stderr, flush=True)
    return made, budget


def tuned(bench: Bench, compute: Any, minutes: float, seed: int, made: Any) -> str:
    """Ref of the model folder after these minutes of tuning, of what `made` carved, or of the base."""
    from netsuke import combine, tune
    from netsuke.carve import FREE
    from netsuke.tune import speed

    whole = {"vocabulary": {"floor": 0, "kept": "all"},
             "choice": {"pruned": False, "base": {"general": 9.0}, "rounding": {"general": 1.0}}}  # fmt: skip
    inputs = {"model": made.folder("model") if made else bench.base, "base": bench.base,
              "train": bench.train, "valid": bench.valid}  # fmt: skip
    for name, content in whole.items():
        ref = made[f"{name}.json"] if made else bench.store.add_bytes(json.dumps(content).encode())
        inputs[name] = ref
    params = tune.settled(tune.Params(), compute)
    pace = speed.measure(params, compute, **{name: bench.path(ref) for name, ref in inputs.items()})
    gate = made.run.params["general_gate"] if made else FREE
    training = tune.training(params, minutes, pace, gate, seed, compute)
    started = time.perf_counter()
    adapter = bench.local.run(tune.tune, training, **inputs, general=bench.general_valid)
    print(f"tuned {adapter.value('training tokens'):.0f} tokens in {time.perf_counter() - started:.0f} s",
          file=sys.stderr, flush=True)  # fmt: skip
    merged = bench.local.run(combine.combine, None, model=inputs["model"], adapter=adapter.ref)
    return merged.ref or ""


def quantised(bench: Bench, compute: Any, model: str, made: Any, budget: int) -> Path:
    """Our file of a tuned model."""
    from netsuke import carve

    params = carve.Quantising("ours", budget, compute)
    file = bench.local.run(carve.quantise, params, model=model, choice=made["choice.json"],
                           train=bench.train, valid=bench.valid, general=bench.general_valid)  # fmt: skip
    return bench.path(file["model.gguf"])


def scores(bench: Bench, file: Path, folder: Path) -> dict[str, float]:
    """Bits per byte on the held-out documents and on the general test text, from the file."""
    from netsuke.engines import gguf, hf
    from netsuke.texts.documents import read_texts

    model = hf.model_of(folder, gguf.state_dict(file, hf.compute_type()))
    texts = {"test": bench.test, "general": bench.general_test}
    return {
        name: hf.bits_per_byte(hf.score(model, hf.open_texts(folder, read_texts(bench.path(ref)))))
        for name, ref in texts.items()
    }


def rates(files: dict[str, Path], text: Path, threads: int) -> dict[str, float]:
    """Tokens a second of generation in stock llama.cpp: medians of five rounds, the files in turn."""
    from netsuke.engines.llama import Engine
    from netsuke.texts.documents import read_texts

    sample = "\n\n".join(read_texts(text))[:20_000]
    found: dict[str, list[float]] = {arm: [] for arm in files}
    for number in range(5):
        for arm, file in files.items():
            with Engine(file, threads=threads) as engine:
                found[arm].append(engine.rates(sample[number * 1500 :])[1])
    return {arm: statistics.median(values) for arm, values in found.items()}


def floors(rows: list[dict[str, Any]]) -> dict[str, bool]:
    """By sentence, whether it holds."""
    by = {row["arm"]: row for row in rows}
    peer, best = by["peer"], by["peer tuned"]
    held = {}
    for arm, share, speed in ((FIRST, 0.75, 1.1), ("ours 67%, domain", 0.67, 1.2)):
        ours = by[arm]
        held[f"{arm}: at most {share:.0%} of the peer's bytes"] = ours["mb"] <= share * peer["mb"] + 0.01
        held[f"{arm}: test at most 3% above the tuned peer ({ours['test'] / best['test'] - 1:+.1%})"] = (
            ours["test"] <= 1.03 * best["test"]
        )
        held[
            f"{arm}: at least {speed} times its tokens/s ({ours['tokens_per_second'] / peer['tokens_per_second']:.2f})"
        ] = ours["tokens_per_second"] >= speed * peer["tokens_per_second"]
    general = by[FIRST]["general"] / peer["general"] - 1
    held[f"ours 75%: general at most 10% above the untuned peer ({general:+.1%})"] = general <= 0.10
    return held


if __name__ == "__main__":
    main()
