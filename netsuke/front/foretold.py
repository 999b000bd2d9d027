"""What a make would run, how long it would take and how much disk: said before it starts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .. import bases, loop, tune
from ..disk import expanded
from ..nouns import Recipe
from ..plan import Plan, Planned
from ..recipe import Lock
from ..step import Local, Watch
from ..store import Store
from ..tune.pace import Pace

REFERENCE_GFLOPS = 400.0  # of two cores with AVX-512 and bfloat16, which `typical` is for
REFERENCE_TOKENS = 320.0  # that they train in a second, of a base of 100 MB
FIXED = 0.48  # of a step's time that does not depend on that: makes at 400 and at 117 GFLOP/s differ 2.25 times
READING = {"read", "curate"}
TABLES = {".csv", ".tsv", ".json", ".jsonl", ".ndjson"}  # what examples may lie in
LEARNT = {"lora": 1.8, "full": 40.0}  # two checkpoints in float32 with Adam's means, in sizes of the base


def plan(
    recipe: Recipe, recipe_path: Path, store: Store, relock: bool = False, *, first: bool = False
) -> list[Planned]:
    """What a make would run, and why; nothing is run and nothing is measured. `first`: it was never made."""
    planner = Plan(store, first=first)
    pace = Pace(recipe_path.with_suffix(".lock"), store, lambda text: None, relock, measures=False)
    loop.loop(recipe, recipe_path, store, planner, pace)
    return planner.lines


class Foretold(NamedTuple):
    """A make that may begin: what it will run, how fast this machine is, its seconds and bytes of disk."""

    lines: list[Planned]
    pace: Pace
    seconds: float
    bytes: int


def begun(
    recipe: Recipe,
    recipe_path: Path,
    store: Store,
    watch: Watch,
    *,
    relock: bool = False,
    executor: Callable[[Store, Watch], Local] = Local,
) -> Foretold:
    """What a make would run once its documents are read, as they are here: then the machine is measured.

    So what is wrong with them is said in a moment. Raises RecipeError for it, StoreError where there is no room.
    """
    lines = plan(recipe, recipe_path, store, relock)
    if not all(line.cached for line in lines if line.step in READING):
        with store.lock("gc", exclusive=False):
            loop.read(recipe, recipe_path, store, executor(store, watch))
        lines = plan(recipe, recipe_path, store, relock)
    pace = loop.pace_of(recipe_path, store, watch, relock)
    seconds, size = estimate(lines, recipe, recipe_path.parent, store, pace.fixed())
    store.require_space(size, f"making {recipe.name}")
    return Foretold(lines, pace, seconds, size)


def estimate(
    lines: list[Planned], recipe: Recipe, folder: Path, store: Store, lock: Lock | None
) -> tuple[float, int]:
    """(seconds, bytes of disk) that the steps of a plan will take: as the last time, else by base and machine."""
    base = store.size(bases.resolve(recipe, store, folder).ref) / 1e8
    slower = FIXED + (1 - FIXED) * REFERENCE_GFLOPS / lock.gflops if lock and lock.gflops else 1.0
    typical = {"unpack": 5, "carve": 110, "combine": 1, "weigh": 40, "join": 2, "quantise": 80, "answer": 30,
               "check": 55, "examine": 120, "recall": 20, "calibrate": 15, "probe": 25, "judge": 1, "show": 4,
               "trial": 12, "index": 6, "pack": 3}  # fmt: skip
    weights = {"unpack": 3.7, "carve": 2.7, "combine": 2.7, "join": 2.7, "quantise": 0.8,
               "tune": LEARNT.get(recipe.params["tune"].method, 1.8)}
    took = usual(recipe.name, store)
    absent = set() if may_have_examples(recipe, folder) else {"answer", "examine"}
    tuning = min(recipe.minutes * 60, learning(lines, recipe.params["tune"], store, lock, max(base, 0.1)))
    seconds, size, tunings = 0.0, 0.0, sum(line.step == "tune" for line in lines)  # each owner's has its part
    for line in lines:
        if not line.cached and line.step not in absent:
            size += weights.get(line.step, 0.0) * base * 1e8
            seconds_of_it = took.get(line.step, typical.get(line.step, 0.1) * slower * max(base, 0.1))
            seconds += tuning / tunings if line.step == "tune" else seconds_of_it
    return seconds, int(size)


def usual(name: str, store: Store) -> dict[str, float]:
    """Seconds of each step: as the model's own makes took it, else the last one in this home; of files the median."""
    own = {*(store.named("packs", name) or {}).get("runs", ())}
    runs = sorted(store.runs(), key=lambda run: run.key in own)
    files = [run.seconds for run in runs if run.step == "read"]
    return {run.step: run.seconds for run in runs} | ({"read": statistics.median(files)} if files else {})


def learning(lines: list[Planned], params: tune.Params, store: Store, lock: Lock | None, base: float) -> float:
    """Seconds that the passes over documents and examples take, after which a training ends of itself. Infinite where
    that cannot be known yet; `base` is the base's size in units of 100 MB."""
    read = next((line.output for line in lines if line.step == "curate"), None)
    expected = REFERENCE_TOKENS / base * (lock.gflops / REFERENCE_GFLOPS if lock and lock.gflops else 1.0)
    speed = lock.train_tokens_per_second if lock else 0.0
    if not read or (lock and lock.device != "cpu" and not speed):
        return math.inf
    files = store.tree(read)
    documents, examples = (store.size(files[name]) for name in ("train.jsonl", "examples/train.jsonl"))
    tokens = (documents + examples) / tune.BYTES_A_TOKEN * tune.passes(params, examples > 0)
    return 10 + tokens / (speed or expected) / 0.9  # a tenth is looks at valid


ONCE = {"read", "unpack"}  # what is there of the others' files and of the base is not made again
TRAINED = {"carve", "tune"}  # what rests on everybody where all are learnt at once


def forgetting(record: Mapping[str, Any], store: Store) -> dict[str, float]:
    """Seconds to forget one owner of a model, as its own steps took: where all are learnt at once ("joint"), and with
    an adapter for each owner ("per-owner"). Empty where its runs are gone."""
    runs = [run for key in record.get("runs", ()) if (run := store.find(key))]
    again = [run for run in runs if run.step not in ONCE]
    if not any(run.step == "tune" for run in again):
        return {}
    whole = sum(run.seconds for run in again) - sum(run.seconds for run in again if run.step == "probe") / 2
    return {"joint": round(whole, 1),
            "per-owner": round(whole - sum(run.seconds for run in again if run.step in TRAINED), 1)}  # fmt: skip


def may_have_examples(recipe: Recipe, folder: Path) -> bool:
    """Whether any source looks as if it held examples; only reading it will tell."""
    places = [folder / expanded(source.path) for source in recipe.sources]
    tables = (path for place in places for path in [place, *place.rglob("*")] if path.suffix.lower() in TABLES)
    return any(source.profile == "examples" for source in recipe.sources) or any(tables)
