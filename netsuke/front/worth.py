"""What the material of a made model was worth to it: the steps of value, joined with tune where adapters are missing.

Everything comes from the runs that the pack's lineage names, so that it is this very model that is valued.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from .. import carve, combine, tune, value
from ..consent.ledger import Ledger, document_of, places_of
from ..errors import ConsentError, NetsukeError, RecipeError, StoreError
from ..nouns import Compute, Ref, Run, Source
from ..pack import manifest
from ..plan import Plan, Planned
from ..recipe import load_lock
from ..step import Executor, Made
from ..store import Store
from ..terminal import cut
from ..texts.documents import BARE_LESSONS, general_text, read_rows
from ..value import shapley
from . import combining, targets

LEAST_BYTES, MOST_BYTES = 1_500, 32_000  # of valid text that a coalition is scored on, at least and at most
DOCUMENT_BYTES = 64_000  # of all documents, where influence is taken from
LEAST_MIRROR, MOST_MIRROR = 1_000, 8_000  # tokens of valid text that are learnt, to see what that does elsewhere
MIRROR_WINDOW = 256  # of fewer tokens than in training: valid is short, and a few steps teach little
MIRROR_EPOCHS = 4.0  # most passes over it, however few the model itself may take
MIRROR = "tune on valid"


@dataclass(frozen=True)
class Model:
    """A made model, with the runs that it came from."""

    name: str
    store: Store
    record: dict[str, Any]
    tuned: tuple[Run, ...]  # of `tune`: one, or one an owner
    weighed: Run | None  # of `weigh`, where each owner has an adapter
    documents: Ref  # documents.jsonl
    rendered: Ref

    @cached_property
    def training(self) -> tune.Training:
        """How it was trained. Raises StoreError as `training_of` does."""
        return training_of(self.name, self.tuned[0])

    @property
    def body(self) -> dict[str, Ref]:
        """The body, and what it was carved out of: inputs of `tune`."""
        return {name: Ref(self.tuned[0].inputs[name]) for name in ("model", "choice", "base", "vocabulary")}

    def text(self, part: str) -> Ref:
        """What it learnt from ("train"), or was chosen by ("valid")."""
        return Ref(self.store.tree(self.rendered)[f"{part}.jsonl"])

    @property
    def tokens(self) -> int:
        """How many it was trained on."""
        every = (m.value for run in self.tuned for m in run.measures if m.name == "training tokens")
        return round(sum(every))

    @property
    def seconds(self) -> float:
        """How long that took."""
        return sum(run.seconds for run in self.tuned)

    @property
    def learning_rate(self) -> float:
        """The peak that it was trained with."""
        curve = json.loads((self.store.path(self.tuned[0].output) / "curve.json").read_text(encoding="utf-8"))
        return float(curve["learning_rate"])


def find(name: str, store: Store) -> Model:
    """The model of a name, with what it came from.

    Raises StoreError where something of that is not here, RecipeError where it has no valid text or its recipe has
    other sources by now, ConsentError where some of its documents were withdrawn.
    """
    folder = targets.pack_folder(name, store)
    record = targets.named_pack(name, store)
    if record is None:
        raise StoreError(f"{name} is a pack and not a model that was made here", hint="netsuke list names those")
    targets.require_tuned(name, folder)
    lineage = manifest.read(folder)["lineage"]
    learnt, data = (store.find(Ref(lineage[step]["key"])) if step in lineage else None for step in ("tune", "data"))
    rendered = rendered_of(store, learnt, data)
    if not (learnt and data and rendered):
        raise StoreError(f"what {name} was made from is not in this home", hint=f"make it here: netsuke make {name}")
    weighed = learnt if learnt.step == "weigh" else None
    tuned = tuned_of(store, weighed) if weighed else (learnt,)
    if not tuned or not all(store.has(ref) for run in tuned for ref in (run.output, run.inputs["model"])):
        raise StoreError(f"the adapters of {name} are not in this home", hint=f"make it here: netsuke make {name}")
    if not store.size(store.tree(rendered)["valid.jsonl"]):
        raise RecipeError("it has no valid text, by which worth is measured", where=name,
                          hint="raise curate.valid, or give it more documents, and make it again")  # fmt: skip
    documents = Ref(store.tree(data.output)["documents.jsonl"])
    found = Model(name, store, record, tuned, weighed, documents, rendered)
    training_of(name, tuned[0])
    require_consent(found)
    return found


def training_of(name: str, run: Run) -> tune.Training:
    """How a model was trained. Raises StoreError if that was in a way that this program no longer knows."""
    try:
        return tune.Training(**{**run.params, "compute": Compute(**run.params["compute"])})
    except TypeError:
        raise StoreError(f"{name} was made by an older netsuke", hint=f"netsuke make {name}") from None


def rendered_of(store: Store, learnt: Run | None, data: Run | None) -> Ref | None:
    """The rendered dataset that a model learnt from, or None."""
    for run in store.runs() if learnt and data else ():
        if run.step == "render" and data and run.inputs.get("data") == data.output and store.has(run.output):
            files = store.tree(run.output)
            wanted = learnt.inputs if learnt else {}
            texts = {part: files[f"{part}.jsonl"] for part in ("train", "valid")}
            same = all(ref == wanted.get(part, ref) for part, ref in texts.items())
            if same and BARE_LESSONS in files:  # an older netsuke wrote none
                return run.output
    return None


def tuned_of(store: Store, weighed: Run) -> tuple[Run, ...]:
    """The trainings of a model whose owners have an adapter each, in the order of its parents."""
    made = {run.output: run for run in store.runs() if run.step == "tune"}
    refs = [row["ref"] for row in parents_of(store, weighed)]
    return tuple(made[ref] for ref in refs if ref in made)


def parents_of(store: Store, weighed: Run) -> list[dict[str, Any]]:
    """[{"name", "ref"}] of the adapters that were weighed."""
    rows: list[dict[str, Any]] = json.loads((store.path(weighed.inputs["parents"]) / combine.PARENTS).read_bytes())
    return rows


def require_consent(model: Model) -> None:
    """Raise ConsentError if anything that it learnt from was withdrawn since.

    Raises RecipeError where its recipe has other sources by now: then nobody could tell whose is whose.
    """
    ledger, sources = Ledger.of(model.store.root), sources_of(model)
    standing, rows = ledger.standing(), list(read_rows(model.store.path(model.documents)))
    places = [f"{model.name}/{row['path']}" for row in rows]  # where the recipe is gone
    if sources:
        places = places_of(model.name, sources, rows, ledger)
    gone = [row["path"] for row, place in zip(rows, places, strict=True) if row["split"] != "dropped"
            and standing.of(row["owner"], place, document_of(row)).decision == "out"]  # fmt: skip
    if gone:
        told = f"{gone[0]} was" if len(gone) == 1 else f"{gone[0]} and {len(gone) - 1} more were"
        raise ConsentError(f"{told} withdrawn since it was made", where=model.name,
                           hint=f"`netsuke make {model.name}` makes it without; then value that")  # fmt: skip


def sources_of(model: Model) -> tuple[Source, ...]:
    """The sources of its recipe, of a combination those of its parents; none where that is gone."""
    with contextlib.suppress(NetsukeError):
        return combining.parent_of(model.name, model.store).recipe.sources
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
        usual = max(1.0, model.tokens / max(0.1, model.seconds))
        return cls(usual, 2 * usual)

    def scored(self, seconds: float, times: int) -> int:
        """Bytes of valid text that can be scored so many times in so many seconds, within bounds."""
        return min(MOST_BYTES, max(LEAST_BYTES, int(seconds * self.score * tune.BYTES_A_TOKEN / times)))


def divided(model: Model, by: value.By, execute: Executor) -> tuple[Made, list[dict[str, Any]]]:
    """(the text by owner or source, the units; a plan may know none). Raises RecipeError where nobody's was learnt."""
    names = tuple(source.path for source in sources_of(model))
    made = execute.run(value.divide, value.Dividing(by, names), rendered=model.rendered, documents=model.documents)
    ref = made["units.json"]
    units: list[dict[str, Any]] = json.loads(model.store.path(ref).read_text(encoding="utf-8")) if ref else []
    if ref and not units:
        raise RecipeError("it learnt from no document or example", where=model.name)
    return made, units


def valued(
    model: Model, by: value.By, execute: Executor, parts: Made, units: Sequence[Mapping[str, Any]], pace: Pace
) -> tuple[Made, dict[str, float]]:
    """(what `worth` made, the seconds that each step may take by its label)."""
    seconds, compute = dict[str, float](), model.training.compute
    names = tuple(unit["name"] for unit in units)
    orders = tuple(shapley.drawn(len(names), value.MOST_COALITIONS, 0)) if len(names) > value.MOST_EXACT else ()
    coalitions = len(shapley.coalitions(len(names), orders or None))
    parents, weights = combined(model, by, parts, units, execute, pace, seconds)
    limit = pace.scored(max(60.0, model.seconds), coalitions)
    playing = value.Playing(names, compute, limit, "task", weights or {}, orders)
    seconds["play"] = 10 + coalitions * limit / tune.BYTES_A_TOKEN / pace.score
    known = parents if weights is not None else None
    game = execute.run(value.play, playing, model=model.body["model"], parents=known, valid=model.text("valid"))
    told = looked(model, parts, units, execute, pace, seconds)["influence.json"]
    weighing = value.Weighing(by, orders, model.training.seed)
    return execute.run(
        value.worth, weighing, units=parts["units.json"], documents=model.documents, train=parts["train.jsonl"],
        valid=model.text("valid"), game=game["game.json"], influence=told,
    ), seconds  # fmt: skip


def combined(
    model: Model, by: value.By, parts: Made, units: Sequence[Mapping[str, Any]], execute: Executor, pace: Pace,
    seconds: dict[str, float],
) -> tuple[Ref | None, dict[str, float] | None]:  # fmt: skip
    """(the units' adapters, what each counts): the model's own where it has one an owner, else trained for this.

    A model that was combined from others has theirs, which are no owner's, whatever they are called.
    """
    if model.weighed and by == "owner" and "combined" not in model.record:
        rows = json.loads((model.store.path(model.weighed.output) / "weights.json").read_bytes())["parents"]
        own = {row["name"]: float(row["weight"]) for row in rows}
        if {unit["name"] for unit in units} <= own.keys():
            return Ref(model.weighed.inputs["parents"]), own
    adapters = adapters_of(model, parts, units, execute, pace, seconds)
    parents = combine.gathered(model.store, adapters)
    return parents, weights_of(model, parents, len(units), execute, pace, seconds)


def adapters_of(
    model: Model, parts: Made, units: Sequence[Mapping[str, Any]], execute: Executor, pace: Pace,
    seconds: dict[str, float],
) -> list[tuple[str, Ref | None]]:  # fmt: skip
    """An adapter a unit, each trained on its text alone by its share of the budget; of one unit the model's own."""
    total = sum(unit["bytes"] for unit in units)
    if len(units) == 1 and len(model.tuned) == 1 and model.training.method == "lora":
        return [(units[0]["name"], model.tuned[0].output)]
    found: list[tuple[str, Ref | None]] = []
    for number, unit in enumerate(units):
        tokens = round(model.tokens * unit["bytes"] / total)
        label = f"tune {cut(unit['name'], 24)}"
        seconds[label] = 10 + tokens / pace.train
        text = parts[f"train-{number}.jsonl"]
        made = execute.run(tune.tune, alone(model, tokens), label, **model.body, train=text, **nothing(model.store))
        found.append((unit["name"], made.ref))
    return found


def alone(model: Model, tokens: int) -> tune.Training:
    """The model's own training for so many tokens of one unit's text, with nothing that looks at others'."""
    training = model.training
    step = training.window_tokens * training.windows_per_step
    rate = model.learning_rate if training.method == "lora" else 0.0  # a whole body's is too low: the usual one
    return dataclasses.replace(
        training, method="lora", learning_rate=rate, budget_tokens=max(step, tokens), start="",
        evaluations=1, patience=1000, general_gate=carve.FREE,
    )  # fmt: skip


def nothing(store: Store) -> dict[str, Ref]:
    """No valid text to stop by, and little general text: these adapters have no gate of their own."""
    return {"valid": store.add_bytes(b""), "general": little(store)}


def little(store: Store) -> Ref:
    """The shortest of the general texts: these adapters are weighed together, so each by itself has no gate."""
    files = store.tree(general_text(store, "valid"))
    return store.add_tree({name: files[name] for name in sorted(files, key=lambda n: (store.size(files[n]), n))[:1]})


def weights_of(
    model: Model, parents: Ref | None, count: int, execute: Executor, pace: Pace, seconds: dict[str, float]
) -> dict[str, float] | None:
    """What each adapter counts in a combination, the same in every coalition; None in a plan that does not know."""
    training = model.training
    if count == 1:
        return {}
    how = combine.How("task", training.compute, search="scale", general_gate=carve.FREE)
    seconds["weigh"] = 15 + 6 * how.valid_bytes / tune.BYTES_A_TOKEN / pace.score
    made = execute.run(
        combine.weigh, how, model=model.body["model"], parents=parents, choice=model.body["choice"],
        valid=model.text("valid"), general=little(model.store),
    )  # fmt: skip
    ref = made["weights.json"]
    if ref is None:
        return None
    return {row["name"]: row["weight"] for row in json.loads(model.store.path(ref).read_bytes())["parents"]}


def looked(
    model: Model, parts: Made, units: Sequence[Mapping[str, Any]], execute: Executor, pace: Pace,
    seconds: dict[str, float],
) -> Made:  # fmt: skip
    """The influence of each document, by an adapter that learns the valid text."""
    valid = model.text("valid")
    tokens = mirror_tokens(model.store.size(valid))
    seconds[MIRROR] = 10 + tokens / pace.train
    own = alone(model, tokens)
    small = dataclasses.replace(
        own, window_tokens=min(own.window_tokens, MIRROR_WINDOW), windows_per_step=own.shards, budget_tokens=tokens,
        max_epochs=MIRROR_EPOCHS,
    )  # fmt: skip
    mirror = execute.run(tune.tune, small, MIRROR, **model.body, train=valid, **nothing(model.store))
    size = min(DOCUMENT_BYTES, sum(unit["bytes"] for unit in units))
    seconds["influence"] = 10 + 2 * size / tune.BYTES_A_TOKEN / pace.score
    return execute.run(
        value.influence, value.Looking(model.training.compute, DOCUMENT_BYTES), model=model.body["model"],
        mirror=mirror.ref, units=parts["units.json"], train=parts["train.jsonl"], valid=valid,
    )  # fmt: skip


def mirror_tokens(valid_bytes: int) -> int:
    """How many tokens of the valid text are learnt: it twice, within bounds."""
    return min(MOST_MIRROR, max(LEAST_MIRROR, round(2 * valid_bytes / tune.BYTES_A_TOKEN)))


def expected(lines: Sequence[Planned], seconds: Mapping[str, float]) -> float:
    """Seconds that the steps of a plan will take that are not there yet."""
    return sum(seconds.get(line.label, 1.0) for line in lines if not line.cached)


def latest(name: str, store: Store) -> Ref | None:
    """What `worth` last made of this very model, or None: value.json, value.csv and value.svg."""
    try:
        model = find(name, store)
        pace, planner, known = Pace.of(model), Plan(store), set[Ref | None]()
        for by in get_args(value.By):
            parts, units = divided(model, by, planner)
            known |= {valued(model, by, planner, parts, units, pace)[0].ref} if units else set()
    except NetsukeError:  # withdrawn, or not all here: nothing to show
        return None
    made = [run.output for run in store.runs() if run.step == "worth" and run.output in known]
    return next((ref for ref in reversed(made) if store.has(ref)), None)
