"""Several models of this home as one: what is wanted, whether it may be, and the same way to a pack as any other's.

What is wanted is a small file, combine.toml, so that a combination can be made again: from what its parents are by
then. It rests on all that they rest on: on a document that one of them forgets too.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import bases, combine, curate, loop, recipe, render, voices
from ..consent.ledger import Ledger, document_of, places_of
from ..disk import expanded, write_whole
from ..errors import ConsentError, RecipeError, StoreError
from ..nouns import Compute, Gates, Recipe, Ref, Run
from ..outcome import Outcome, gates_of
from ..pack import manifest
from ..plan import Plan, Planned
from ..rights import together
from ..step import Executor, Local, Made, Watch
from ..store import Store
from ..texts.documents import read_rows
from . import targets

FILE = "combine.toml"


@dataclass(frozen=True)
class Wanted:
    """[[combine]]: which models, and how."""

    name: str
    parents: tuple[str, ...]
    method: combine.MethodName = "linear"
    weights: tuple[float, ...] = ()  # one for each parent; none: all the same
    search: bool = False  # the weights on the parents' valid text
    mb: float = 0.0  # 0: as large as the largest parent may be
    density: float = 0.5  # of each change that is kept (ties, dare)
    seed: int = 0
    voices: bool = False  # an adapter of each parent beside the model


@dataclass(frozen=True)
class Parent:
    """A model of this home with the runs that it came by."""

    name: str
    store: Store
    record: dict[str, Any]

    @cached_property
    def content(self) -> dict[str, Any]:
        return manifest.read_from(self.store, self.record["ref"])

    def made(self, step: str) -> Made:
        """What a step of its lineage made. Raises StoreError where that is gone."""
        row = self.content["lineage"].get(step)
        run = self.store.find(Ref(row["key"])) if row else None
        if run is None:
            raise StoreError(
                f"what {step} made for {self.name} is not in this home", hint=f"make it here: netsuke make {self.name}"
            )
        return Made(self.store, run)

    @property
    def learnt(self) -> Ref:
        """What it learnt: an adapter or changed weights; of several joined ones, the whole model."""
        targets.require_tuned(self.name, self.store.path(self.record["ref"]))
        tuned, whole = self.made("tune"), self.made("combine")
        files = self.store.tree(tuned.ref or "")
        if "weights.json" not in files:
            return Ref(tuned.ref or "")
        weights = self.store.tree(whole.ref or "")["model.safetensors"]
        return self.store.add_tree({"model.safetensors": weights, "curve.json": files["curve.json"]})

    @cached_property
    def recipe(self) -> Recipe:
        """Its recipe, under its own name (another may have been made from that file with --name); of a combination,
        that of its parents together. Raises RecipeError where it is gone."""
        if "combined" not in self.record:
            return dataclasses.replace(recipe.load(Path(self.record["recipe"]), loop.SECTIONS), name=self.name)
        wanted = of_file(Path(self.record["recipe"]))
        return joined_recipe(wanted, [parent_of(name, self.store) for name in self.record["combined"]["order"]])

    @property
    def kind(self) -> str:
        """What kind of task it learnt; "" for none."""
        return str((self.content.get("task") or {}).get("kind", ""))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The files that it was made from, those that were let in."""
        rows = read_rows(self.store.path(self.made("data")["documents.jsonl"] or ""))
        return [row for row in rows if row["decision"] == "in"]


# -- what is wanted --------------------------------------------------------------------------------------
def place_of(name: str, store: Store) -> Path:
    """Where the file of a combination of this name lies."""
    return store.root / "recipes" / f"{name}.combined" / FILE


def of_file(path: Path) -> Wanted:
    """The combination that a file asks for. Raises RecipeError that names the key and the line."""
    rows = recipe.tables(path, "combine", Wanted)
    if len(rows) != 1:
        raise RecipeError(f"one [[combine]] is needed, and there are {len(rows)}", where=str(path))
    checked(rows[0])
    found: Wanted = rows[0]
    return found


def known(name: str, store: Store) -> Wanted | None:
    """The combination of this name, or None for another model or none."""
    record = targets.named_pack(name, store)
    return of_file(Path(record["recipe"])) if record and "combined" in record else None


def save(wanted: Wanted, path: Path) -> None:
    """Write the file of a combination, whole or not at all."""
    import tomlkit

    document, rows = tomlkit.document(), tomlkit.aot()
    document.add(tomlkit.comment("What this model was combined from; `netsuke make` with its name does it again."))
    rows.append(tomlkit.item({k: list(v) if isinstance(v, tuple) else v for k, v in asdict(wanted).items()}))
    document["combine"] = rows
    write_whole(path, tomlkit.dumps(document).encode())


def checked(wanted: Wanted) -> None:
    """Raise RecipeError for what cannot be meant."""
    recipe.check_name(wanted.name, "--out")
    names = wanted.parents
    if len(names) < 2:
        raise RecipeError("two models at least are needed to combine", hint="netsuke combine A B --out NAME")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RecipeError(f"{twice!r} is named twice", hint="give it a larger weight instead")
    if wanted.name in names:
        raise RecipeError(f"{wanted.name!r} would be made from itself", hint="give the result another name")
    if wanted.weights and len(wanted.weights) != len(names):
        raise RecipeError(f"{len(wanted.weights)} weights for {len(names)} models", hint="give one for each, in order")
    if not sum(map(abs, wanted.weights)) <= voices.HEAVIEST:
        hint = f"together at most {voices.HEAVIEST:,.0f}"
        raise RecipeError(f"weights must be finite numbers: {', '.join(map(str, wanted.weights))}", hint=hint)
    if wanted.weights and not any(wanted.weights):
        raise RecipeError("all weights are zero: nothing would be combined")
    if wanted.method != "task" and (wanted.weights and sum(wanted.weights) <= 0):
        raise RecipeError(f"weights of {wanted.method} must come to more than zero", hint="--method task subtracts")
    if wanted.method == "ties" and any(weight < 0 for weight in wanted.weights):  # its signs are those of the changes
        raise RecipeError("weights of ties must not be below zero", hint="--method task subtracts")
    if wanted.method == "slerp" and len(names) != 2:
        raise RecipeError(f"slerp goes between two models, and there are {len(names)}", hint="--method linear")
    if not 0 < wanted.density <= 1:
        raise RecipeError(f"a density is between 0 and 1, not {wanted.density:g}")
    if not 0 <= wanted.mb < math.inf:
        raise RecipeError(f"a size is a number of megabytes, not {wanted.mb:g}")


# -- whether it may be -----------------------------------------------------------------------------------
def parent_of(name: str, store: Store) -> Parent:
    """A model of this home. Raises StoreError that lists those that are here."""
    record = targets.named_pack(name, store)
    if record is None:
        raise targets.no_model(name, store)
    return Parent(name, store, record)


def require_no_circle(wanted: Wanted, store: Store) -> None:
    """Raise RecipeError where a parent was itself combined, at any remove, from a model of the new one's name."""
    done = set[str]()

    def walk(way: tuple[str, ...], parents: Sequence[str]) -> None:
        for name in parents:
            if name in way:
                told = ", which is combined from ".join([*way[way.index(name) :], name])
                raise RecipeError(f"{name!r} would be made from itself: {told}", hint="give the result another name")
            if name not in done and (record := targets.named_pack(name, store)):
                walk((*way, name), record.get("combined", {}).get("order", ()))
                done.add(name)

    walk((wanted.name,), wanted.parents)


def require_different(parents: Sequence[Parent]) -> None:
    """Raise RecipeError for two parents that learnt the very same: one weight would count for both."""
    known: dict[Ref, Parent] = {}
    for parent in parents:
        if (other := known.setdefault(parent.learnt, parent)) is not parent:
            hint = f"leave out {parent.name} and give {other.name} a larger weight"
            raise RecipeError(f"{other.name} and {parent.name} learnt the very same, byte for byte", hint=hint)


def require_one_body(parents: Sequence[Parent]) -> None:
    """Raise RecipeError where these are not models of one body."""
    first, *others = parents
    whole = "make both with --set carve.words=all, or with --set tune.units=per-owner and the same --mb"
    for other in others:
        pair = f"{first.name} and {other.name}"
        if first.content["base"]["sha256"] != other.content["base"]["sha256"]:
            names = (one.content["base"]["name"] for one in (first, other))
            raise RecipeError(f"{pair} were carved from different bases: {' and '.join(names)}")
        carved = [one.made("carve") for one in (first, other)]
        if len({one["vocabulary.json"] for one in carved}) > 1:
            raise RecipeError(f"{pair} keep different words of their base", hint=whole)
        if len({one.folder("model") for one in carved}) > 1:
            raise RecipeError(f"{pair} have different bodies: other layers, or other channels", hint=whole)


def require_licences(parents: Sequence[Parent]) -> None:
    """Raise ConsentError for the first two licences of different parents that exclude each other."""
    licences = [{row["licence"] for row in parent.rows} for parent in parents]
    for at, parent in enumerate(parents):
        for before in range(at):
            if found := together.excluded(licences[before], licences[at]):
                one, other, why = found
                raise ConsentError(
                    f"{one} of {parents[before].name} and {other} of {parent.name} exclude each other: {why}",
                    hint="leave one of them out, or ask its owner for another licence",
                )


def require_consent(parents: Sequence[Parent], store: Store) -> None:
    """Raise ConsentError for documents of a parent that somebody has said no to since it was made.

    Raises RecipeError for a parent whose recipe has other sources by now.
    """
    ledger = Ledger.of(store.root)
    standing = ledger.standing()
    for parent in parents:
        rows = parent.rows
        places = places_of(parent.name, parent.recipe.sources, rows, ledger)
        gone = [place for row, place in zip(rows, places, strict=True)
                if standing.of(row["owner"], place, document_of(row)).decision == "out"]  # fmt: skip
        if gone:
            more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
            raise ConsentError(
                f"{parent.name} rests on {gone[0]}{more}, which may not be used any more",
                hint=f"make it again first: netsuke make {parent.name}",
            )


def require_voices(parents: Sequence[Parent], store: Store) -> None:
    """Raise RecipeError where no model learnt an adapter: then there is none that could be a voice."""
    if not any("adapter_model.safetensors" in store.tree(parent.learnt) for parent in parents):
        names = " and ".join(parent.name for parent in parents)
        raise RecipeError(
            f"{names} were changed as a whole (tune.method full, or combined before): none of them is an adapter",
            hint="leave out --voices, or make one of them with tune.method lora",
        )


# -- and the way to a pack -------------------------------------------------------------------------------
def joined_recipe(wanted: Wanted, parents: Sequence[Parent]) -> Recipe:
    """A recipe for what follows combining, whatever the order of the parents: one's by name, with all sources, the
    stricter of each gate, and the closest look."""
    recipes = [parent.recipe for parent in parents]
    first, place = min(((one, Path(parent.record["recipe"])) for one, parent in zip(recipes, parents, strict=True)),
                       key=lambda pair: pair[0].name)  # fmt: skip
    names = [field.name for field in dataclasses.fields(Gates)]
    gates = Gates(**{name: min(getattr(one.gates, name) for one in recipes) for name in names})
    mb = wanted.mb or (0.0 if any(not one.mb for one in recipes) else max(one.mb for one in recipes))
    sources = tuple(source for one in recipes for source in one.sources)
    base = place.parent / expanded(first.base)
    return dataclasses.replace(
        first, name=wanted.name, base=str(base) if base.exists() else first.base, sources=sources, mb=mb,
        seed=wanted.seed, gates=gates, params=joined_params(first, recipes),
    )  # fmt: skip


def joined_params(first: Recipe, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """The sections of the first, in what is still to come as strict as any: general language counts where it counts
    for one, as much is looked at and shown as one wants. Nothing is learnt any more, so no code is planted."""

    def most(section: str, name: str) -> Any:
        return max(getattr(one.params[section], name) for one in recipes)

    general = "off" if all(one.params["carve"].general == "off" for one in recipes) else "gate"
    by_name = sorted(recipes, key=lambda one: one.name)
    countries = dict.fromkeys(country for one in by_name for country in one.params["curate"].countries)
    changes: dict[str, dict[str, Any]] = {
        "curate": {"countries": tuple(countries)},
        "task": {name: most("task", name) for name in ("abstain", "shots", "infill", "manners", "items")},
        "carve": {"general": general},
        "tune": {"window_tokens": most("tune", "window_tokens")},
        "check": {name: most("check", name) for name in ("pieces", "samples")} | {"canaries": 0},
    }
    return {**first.params, **{name: dataclasses.replace(first.params[name], **new) for name, new in changes.items()}}


def run(wanted: Wanted, store: Store, execute: Executor) -> tuple[Recipe, Outcome, list[Parent]]:
    """(recipe, what it came to, the parents in the order that counts). Raises RecipeError, ConsentError, StoreError."""
    checked(wanted)
    given = dict(zip(wanted.parents, wanted.weights, strict=False))
    named = [parent_of(name, store) for name in wanted.parents]
    require_no_circle(wanted, store)
    require_one_body(named)
    require_different(named)
    require_licences(named)
    require_consent(named, store)
    if wanted.voices:
        require_voices(named, store)
    parents = sorted(named, key=lambda parent: parent.learnt)
    joint, first = joined_recipe(wanted, parents), min(parents, key=lambda parent: parent.name)
    numbered = {f"{n}/{file}": ref for n, parent in enumerate(parents)
                for file, ref in store.tree(parent.made("data").ref or "").items()}  # fmt: skip
    uniting = curate.Uniting(tuple(p.recipe.name for p in parents), tuple(len(p.recipe.sources) for p in parents))
    data = execute.run(curate.unite, uniting, datasets=store.add_tree(numbered))
    if data.run and not data.value("test text"):
        raise RecipeError("no document is held out of all of these models: nothing could be checked")
    start = loop.started(_base(first), _rendering(joint, parents), store, execute, data)
    carved = first.made("carve")
    compute = Compute(**carved.run.params["compute"]) if carved.run else Compute(1)
    how = combine.How(
        wanted.method, compute, given, "each" if wanted.search else "none", wanted.density, wanted.seed,
        loop.general_gate_of(joint),
    )  # fmt: skip
    learnt = [(parent.name, parent.learnt) for parent in parents]
    joined = loop.join(store, execute, how, start, carved, learnt, start.rendered["canaries.json"], wanted.voices)
    return joint, loop.finish(joint, store, execute, start, carved, joined, compute), parents


def _base(parent: Parent) -> bases.Opened:
    """The base of a model, as it was called when that was made."""
    told = parent.content["base"]
    runs = parent.store.runs()
    made = next((one for one in runs if one.step == "pack" and one.output == parent.record["ref"]), None)
    notice = made.params.get("notice", "") if made else ""
    return bases.Opened(Ref(told["sha256"]), told["name"], bases.About(told["title"], told["licence"]), notice)


def _rendering(joint: Recipe, parents: Sequence[Parent]) -> render.Rendering:
    """How the datasets of all are rendered: their task, where those that have one agree what kind it is."""
    kinds = {parent.kind for parent in parents} - {""}
    rendering = render.rendering(joint.params["task"], joint.params["tune"].window_tokens)
    kind: Any = kinds.pop() if len(kinds) == 1 else "none"
    return dataclasses.replace(rendering, kind=kind, labels=())


def whole(wanted: Wanted, store: Store) -> Recipe:
    """The recipe for what follows combining."""
    return joined_recipe(wanted, [parent_of(name, store) for name in wanted.parents])


def plan(wanted: Wanted, store: Store) -> list[Planned]:
    """What combining again would run, and why; nothing is run."""
    planner = Plan(store)
    run(wanted, store, planner)
    return planner.lines


def make(
    wanted: Wanted,
    store: Store,
    watch: Watch,
    *,
    tell: Callable[[Outcome], None] = lambda outcome: None,
    executor: Callable[[Store, Watch], Local] = Local,
) -> Outcome:
    """Combine, check and name a pack. Raises GateError, after `tell`, if it is worse than the gates allow.

    Its record says what it was combined from ("combined"), beside where the file that asks for it lies ("recipe").
    """
    checked(wanted)
    other = store.named("packs", wanted.name)
    if other and "combined" not in other:
        raise RecipeError(
            f"a model named {wanted.name!r} was made from {other['recipe']}", hint="name this one otherwise with --out"
        )
    local = executor(store, watch)
    with store.lock("gc", exclusive=False):
        joint, outcome, parents = run(wanted, store, local)
        tell(outcome)
        path = place_of(wanted.name, store)
        runs: list[Run] = [*local.reused, *local.ran]
        earlier = {Ref(key): found for p in parents for key in p.record.get("runs", ()) if (found := store.find(key))}
        mine = {run.key for run in runs}
        runs += [found for key, found in earlier.items() if key not in mine]
        combined = {
            "method": wanted.method, "order": [parent.name for parent in parents],
            "parents": [{"name": p.name, "ref": p.record["ref"]} for p in parents],
            "weights": json.loads(store.path(outcome_weights(store, outcome)).read_text(encoding="utf-8"))["parents"],
        }  # fmt: skip
        if all(gate["passed"] for gate in gates_of(store, outcome)):
            save(wanted, path)  # else the file stays that of the pack that stays
        loop.ship(joint, path, store, outcome, runs, combined=combined)
    return outcome


def outcome_weights(store: Store, outcome: Outcome) -> Ref:
    """Ref of weights.json of a combination."""
    lineage = manifest.read_from(store, outcome.pack.ref or "")["lineage"]
    return store.tree(lineage["tune"]["output"])["weights.json"]
