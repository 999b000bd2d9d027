"""What the material of a made model was worth to it: the steps of value, joined with tune where adapters are missing.

Everything comes from the runs that the pack's lineage names, so that it is this very model that is valued.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import carve, combine, targets, tune, value
from .documents import general_text, read_rows
from .errors import ConsentError, NetsukeError, RecipeError, StoreError
from .ledger import Ledger
from .nouns import Compute, Ref, Run, Source
from .pack import manifest
from .recipe import load_lock
from .step import Executor, Made, Planned
from .store import Store
from .value import shapley, tables

LEAST_BYTES, MOST_BYTES = 1_500, 32_000  # of valid text that a coalition is scored on, at least and at most
DOCUMENT_BYTES = 64_000  # of all documents, where influence is taken from
BYTES_PER_TOKEN = 3.5
LOOKS = 1  # at valid while a unit's adapter is trained: it is not stopped early


@dataclass(frozen=True)
class Model:
    """A made model, with the runs that it came from."""

    name: str
    store: Store
    tuned: Run  # of `tune`, or of the first of its units' adapters
    documents: Ref  # documents.jsonl
    rendered: Ref
    record: dict[str, Any]

    @property
    def training(self) -> tune.Training:
        """How it was trained."""
        params = dict(self.tuned.params)
        return tune.Training(**{**params, "compute": Compute(**params["compute"])})

    @property
    def inputs(self) -> dict[str, Ref]:
        return {name: Ref(ref) for name, ref in self.tuned.inputs.items()}

    @property
    def tokens(self) -> int:
        """How many it was trained on."""
        return round(next((m.value for m in self.tuned.measures if m.name == "training tokens"), 0.0))

    @property
    def curve(self) -> dict[str, Any]:
        """What is left of its training."""
        found: dict[str, Any] = json.loads((self.store.path(self.tuned.output) / "curve.json").read_text())
        return found


def find(name: str, store: Store) -> Model:
    """The model of a name. Raises StoreError where it or what it came from is not here, ConsentError where some of its
    documents were withdrawn."""
    folder = targets.pack_folder(name, store)
    record = targets.named_pack(name, store)
    if record is None:
        raise StoreError(f"{name} is a pack and not a model that was made here", hint="netsuke list names those")
    lineage = manifest.read(folder)["lineage"]
    runs = {step: store.find(Ref(row["key"])) for step, row in lineage.items()}
    tuned, data = runs.get("tune"), runs.get("data")
    if not (tuned and data and all(map(store.has, tuned.inputs.values()))):
        raise StoreError(f"what {name} was made from is not in this home", hint=f"make it here: netsuke make {name}")
    rendered = next((run for run in store.runs() if run.step == "render" and run.inputs.get("data") == data.output
                     and store.has(run.output)
                     and store.tree(run.output).get("train.jsonl") == tuned.inputs["train"]), None)  # fmt: skip
    if rendered is None:
        raise StoreError(f"the texts that {name} learnt from are not in this home", hint=f"netsuke make {name}")
    found = Model(name, store, tuned, Ref(store.tree(data.output)["documents.jsonl"]), rendered.output, record)
    require_consent(found)
    return found


def require_consent(model: Model) -> None:
    """Raise ConsentError if anything that it learnt from was withdrawn since."""
    place = model.store.root / "ledger.db"
    if not place.exists():
        return
    standing, sources = Ledger(place).standing(), sources_of(model)
    gone = []
    for row in read_rows(model.store.path(model.documents)):
        path = sources[row["source"]].named(row["path"]) if row["source"] < len(sources) else row["path"]
        stand = standing.of(row["owner"], f"{model.name}/{path}", row.get("file") or row["hash"])
        if row["split"] != "dropped" and stand.decision == "out":
            gone.append(row["path"])
    if gone:
        told = f"{gone[0]} was" if len(gone) == 1 else f"{gone[0]} and {len(gone) - 1} more were"
        raise ConsentError(f"{told} withdrawn since it was made", where=model.name,
                           hint=f"`netsuke make {model.name}` makes it without; then value that")  # fmt: skip


def sources_of(model: Model) -> tuple[Source, ...]:
    """The sources of its recipe; none where that is gone."""
    with contextlib.suppress(NetsukeError):
        return targets.find_recipe(model.name, model.store)[0].sources
    return ()


# -- the steps ---------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Pace:
    """Tokens a second, of the lock beside the recipe, else of the training that was."""

    train: float
    score: float

    @classmethod
    def of(cls, model: Model) -> Pace:
        """Of a model."""
        lock = load_lock(Path(model.record["recipe"]).with_suffix(".lock"))
        if lock and lock.train_tokens_per_second:
            return cls(lock.train_tokens_per_second, lock.score_tokens_per_second)
        tokens = next((m.value for m in model.tuned.measures if m.name == "training tokens"), 0.0)
        usual = max(1.0, tokens / max(0.1, model.tuned.seconds))
        return cls(usual, 2 * usual)

    def scored(self, seconds: float, times: int) -> int:
        """Bytes of valid text that can be scored so many times in so many seconds, within bounds."""
        return min(MOST_BYTES, max(LEAST_BYTES, int(seconds * self.score * BYTES_PER_TOKEN / times)))


def divided(model: Model, by: value.By, execute: Executor) -> tuple[Made, list[dict[str, Any]]]:
    """(the text by owner or source, the units). Raises RecipeError where nobody's text was learnt."""
    names = tuple(source.path for source in sources_of(model))
    made = execute.run(value.divide, value.Dividing(by, names), rendered=model.rendered, documents=model.documents)
    units: list[dict[str, Any]] = json.loads(model.store.path(made["units.json"] or "").read_text())
    if not units:
        raise RecipeError("it learnt from no document or example", where=model.name)
    return made, units


def valued(
    model: Model, by: value.By, execute: Executor, parts: Made, units: Sequence[Mapping[str, Any]], pace: Pace
) -> tuple[Made, dict[str, float]]:
    """(what `worth` made, the seconds that each step may take by its label)."""
    training, inputs, seconds = model.training, model.inputs, dict[str, float]()
    names = tuple(unit["name"] for unit in units)
    orders = shapley.drawn(len(names), value.MOST_COALITIONS, 0) if len(names) > value.MOST_EXACT else ()
    coalitions = len(shapley.coalitions(len(names), orders or None))
    body, valid, compute = inputs["model"], inputs["valid"], training.compute
    adapters = adapters_of(model, parts, units, execute, pace, seconds)
    parents = combine.gathered(model.store, adapters)
    weights = weights_of(model, parents, len(names), execute, pace, seconds)
    limit = pace.scored(max(60.0, model.tuned.seconds), coalitions)
    playing = value.Playing(names, compute, limit, "task", weights or {}, tuple(orders))
    seconds["play"] = 10 + coalitions * limit / BYTES_PER_TOKEN / pace.score
    known = parents if weights is not None else None
    game = execute.run(value.play, playing, model=body, parents=known, valid=valid)
    told = None
    if training.method == "lora":
        told = looked(model, parts, units, execute, pace, seconds)["influence.json"]
        if told is None:  # a plan does not know it
            return execute.run(value.worth, None, influence=None), seconds
    weighing = value.Weighing(by, tuple(orders), training.seed)
    extra = {"influence": told} if told else {}
    return execute.run(
        value.worth, weighing, units=parts["units.json"], documents=model.documents, train=inputs["train"],
        valid=valid, game=game["game.json"], **extra,
    ), seconds  # fmt: skip


def adapters_of(
    model: Model, parts: Made, units: Sequence[Mapping[str, Any]], execute: Executor, pace: Pace,
    seconds: dict[str, float],
) -> list[tuple[str, Made]]:  # fmt: skip
    """An adapter a unit, each trained on its text alone by its share of the budget; of one unit the model's own."""
    training, inputs, total = model.training, model.inputs, sum(unit["bytes"] for unit in units)
    if len(units) == 1 and training.method == "lora":
        return [(units[0]["name"], Made(model.store, model.tuned))]
    step = training.window_tokens * training.windows_per_step
    tokens = model.tokens
    found = []
    for number, unit in enumerate(units):
        budget = max(step, round(tokens * unit["bytes"] / total))
        own = dataclasses.replace(
            training, method="lora", learning_rate=model.curve["learning_rate"], budget_tokens=budget, start="",
            evaluations=LOOKS, patience=1000, valid_bytes=LEAST_BYTES, general_gate=carve.FREE,
        )  # fmt: skip
        label = f"tune {tables.cut(unit['name'], 24)}"
        seconds[label] = 10 + budget / pace.train + (LOOKS + 2) * LEAST_BYTES / BYTES_PER_TOKEN / pace.score
        given = {name: ref for name, ref in inputs.items() if name not in ("train", "general", "start")}
        given |= {"train": parts[f"train-{number}.jsonl"], "general": little(model.store)}
        found.append((unit["name"], execute.run(tune.tune, own, label, **given)))
    return found


def little(store: Store) -> Ref:
    """The shortest of the general texts: these adapters are weighed together, so each by itself has no gate."""
    files = store.tree(general_text(store, "valid"))
    return store.add_tree({name: files[name] for name in sorted(files, key=lambda n: (store.size(files[n]), n))[:1]})


def weights_of(
    model: Model, parents: Ref | None, count: int, execute: Executor, pace: Pace, seconds: dict[str, float]
) -> dict[str, float] | None:
    """What each adapter counts in a combination, the same in every coalition; None in a plan that does not know."""
    training, inputs = model.training, model.inputs
    if count == 1:
        return {}
    how = combine.How("task", training.compute, search="scale", general_gate=training.general_gate)
    seconds["weigh"] = 15 + 6 * how.valid_bytes / BYTES_PER_TOKEN / pace.score
    general = little(model.store)
    made = execute.run(combine.weigh, how, model=inputs["model"], parents=parents, choice=inputs["choice"],
                       valid=inputs["valid"], general=general)  # fmt: skip
    ref = made["weights.json"]
    if ref is None:
        return None
    return {row["name"]: row["weight"] for row in json.loads(model.store.path(ref).read_text())["parents"]}


def looked(
    model: Model, parts: Made, units: Sequence[Mapping[str, Any]], execute: Executor, pace: Pace,
    seconds: dict[str, float],
) -> Made:  # fmt: skip
    """The influence of each document on the model as it was tuned."""
    compute, inputs = model.training.compute, model.inputs
    size = min(DOCUMENT_BYTES, sum(unit["bytes"] for unit in units))
    valid_bytes = min(MOST_BYTES, size // 2 + LEAST_BYTES)
    looking = value.Looking(compute, valid_bytes, DOCUMENT_BYTES)
    each = 2 * size / pace.score + valid_bytes / pace.train
    seconds["influence"] = 10 + len(looking.scales) * each / BYTES_PER_TOKEN
    return execute.run(
        value.influence, looking, model=inputs["model"], adapter=model.tuned.output, units=parts["units.json"],
        train=inputs["train"], valid=inputs["valid"],
    )  # fmt: skip


def expected(lines: Sequence[Planned], seconds: Mapping[str, float]) -> float:
    """Seconds that the steps of a plan will take that are not there yet."""
    return sum(seconds.get(line.label, 1.0) for line in lines if not line.cached)


def latest(name: str, store: Store) -> Ref | None:
    """What `worth` last made of a model as it is now, or None: value.json, value.csv and value.svg."""
    record = targets.named_pack(name, store)
    tuned = manifest.read_from(store, record["ref"])["lineage"].get("tune", {}) if record else {}
    run = store.find(tuned["key"]) if tuned.get("key") else None
    made = [one for one in store.runs() if run and one.step == "worth" and store.has(one.output)
            and one.inputs.get("train") == run.inputs.get("train")]  # fmt: skip
    return made[-1].output if made else None
