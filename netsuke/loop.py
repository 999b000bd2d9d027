"""The whole loop on one page.

    curate -> render -> carve -> tune -> combine -> quantise -> answer -> check -> index -> pack

Serve and watch read packs. Each `execute.run` is a step: it runs unless it has been run with these very inputs. The
same page makes a pack (with a Local executor) and says what making one would do (with a Plan).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import __version__, answer, bases, carve, check, combine, curate, index, pack, render, signing, tune
from .curate import croissant
from .curate.enough import require_enough
from .curate.gather import gather
from .documents import general_text, read_rows
from .errors import GateError
from .ledger import Entry, Ledger
from .nouns import Compute, Recipe, Ref, Run
from .step import Executor, Local, Made, Progress, Watch
from .store import Store, canonical
from .tune.pace import Pace
from .watch.rule import Params as Watching

SECTIONS = {
    "curate": curate.Params, "task": render.Params, "carve": carve.Params, "tune": tune.Params, "check": check.Params,
    "watch": Watching,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a make came to."""

    pack: Made
    report: Made
    trial: Made
    data: Made
    task: Tasked
    checked: Checked


def loop(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> Outcome:
    """Make a pack of a recipe that lies at `path`. `make` names it if the gates hold."""
    run, params, gates, budget_bytes = execute.run, recipe.params, recipe.gates, recipe.budget_bytes
    compute, seed, general_gate = pace.compute, recipe.seed, general_gate_of(recipe)
    general_test = general_text(store, "test")

    # curate and render: files to documents and lessons, split before anything looks at them; and the base
    start = begin(recipe, path, store, execute)
    data, base, texts = start.data, start.base, start.texts

    # carve: the base, with fewer words, channels, layers
    carving = carve.sections(params["carve"], budget_bytes, general_gate, compute)
    carved = run(carve.carve, carving, model=start.base_model, **texts)
    body, choice = carved.folder("model"), carved["choice.json"]

    # tune: minutes become tokens by the speed in the lock
    carved_from = {"base": start.base_model, "choice": choice, "vocabulary": carved["vocabulary.json"]}
    material = {"train": texts["train"], "valid": texts["valid"]}
    tuning = tune.settled(params["tune"], compute)
    speed = pace.speed(tuning, carve.pruned(carved), model=body, **material, **carved_from)
    training = tune.sections(tuning, recipe.minutes, speed, general_gate, seed, compute)
    inputs = {"model": body if training else None, **tune.start_of(params["tune"], store), **carved_from, **texts}
    adapter = run(tune.tune, training, **inputs)

    # combine and quantise: one file under the budget
    tuned = run(combine.combine, None, model=body, adapter=adapter.ref)
    quantising = carve.Quantising(recipe.name, budget_bytes, compute, start.infills)
    model = run(carve.quantise, quantising, model=tuned.ref, choice=choice, **texts)["model.gguf"]

    # answer: how the file is asked its task, if examples teach one; then the check of that
    task = tasked(recipe, execute, start, model, compute)

    # check: beside the base, on text that nothing above has seen; then both in stock llama.cpp
    bounds = check.Bounds(gates.domain, general_gate, budget_bytes, seed, compute)
    both = {"model": model, "base_file": start.base_file}
    every = {**both, "tuned_model": tuned.ref, "base_model": start.base_model, "general": general_test}
    report = run(check.check, bounds, **every, test=start.rendered["test.jsonl"], train=texts["train"])
    checked = trusted(recipe, store, execute, start, both, tuned.ref, compute)
    trial = run(check.trial, check.Trial(compute), **both, tuned_model=tuned.ref, text=general_test)

    # index and pack
    names = (base.name, base.about.name, base.about.licence)
    about = pack.Params(recipe.name, *names, base.ref, __version__, base.notice)
    made = run(
        pack.pack, about, model=model, choice=choice, vocabulary=carved["vocabulary.json"],
        report=report["report.json"], documents=data["documents.jsonl"], summary=data["summary.json"],
        curve=adapter["curve.json"], search=indexed(execute, start), **task.files, **checked.files,
        lineage=lineage(store, data=data, carve=carved, tune=adapter, combine=tuned, check=report),
    )  # fmt: skip
    return Outcome(made, report, trial, data, task, checked)


def indexed(execute: Executor, start: Start) -> Ref | None:
    """The documents as a database to be searched and quoted, those that are held out among them."""
    parts = {part: start.data[f"{part}.jsonl"] for part in ("train", "valid", "test")}
    likeness = {"general": start.texts["general"], "model": start.base_model}
    return execute.run(index.index, index.params(), **parts, **likeness)["search.db"]


@dataclass(frozen=True)
class Tasked:
    """How the file is asked the task that the examples teach, and how well it answers; nothing without examples."""

    answering: Made | None = None
    scores: Made | None = None

    @property
    def files(self) -> dict[str, Ref | None]:
        """What of it goes into the pack."""
        if not (self.answering and self.scores):
            return {}
        return {
            "task": self.answering["task.json"],
            "shots": self.answering["shots.jsonl"],
            "scores": self.scores["scores.json"],
        }


def tasked(recipe: Recipe, execute: Executor, start: Start, model: Ref | None, compute: Compute) -> Tasked:
    """Settle on valid how the file is asked, and score it on test beside what the base can do."""
    if not start.has_task:
        return Tasked()
    task, rendered = recipe.params["task"], start.rendered.ref
    asking = answer.Params(task.abstain, task.shots, task.items, compute)
    answering = execute.run(answer.answer, asking, model=model, rendered=rendered)
    examining = check.Examining(task.items, task.shots, recipe.seed, compute)
    both = {"model": model, "base_file": start.base_file}
    scores = execute.run(check.examine, examining, **both, answer=answering.ref, rendered=rendered)
    return Tasked(answering, scores)


@dataclass(frozen=True)
class Checked:
    """Whether the model can be trusted: what it gives away, how sure it is, what it answers to probes."""

    memory: Made
    honesty: Made
    safety: Made
    samples: Made

    @property
    def files(self) -> dict[str, Ref | None]:
        """What of it goes into the pack."""
        return {name: getattr(self, name)[f"{name}.json"] for name in ("memory", "honesty", "safety", "samples")}


def trusted(
    recipe: Recipe,
    store: Store,
    execute: Executor,
    start: Start,
    both: dict[str, Ref | None],
    tuned_model: Ref | None,
    compute: Compute,
) -> Checked:
    """What the finished file gives away, how sure it is of what it says, and what it answers to probes."""
    run, gates, test = execute.run, recipe.gates, start.rendered["test.jsonl"]
    kept = any(source.private == "keep" for source in recipe.sources)
    countries = recipe.params["curate"].countries
    asking = check.recalling(recipe.params["check"], gates, countries, kept, recipe.seed, compute)
    tuned = {"model": both["model"], "tuned_model": tuned_model}
    material = {"train": start.texts["train"], "test": test, "canaries": start.rendered["canaries.json"]}
    memory = run(check.recall, asking, **tuned, base_file=both["base_file"], **material)
    calibrating = check.Calibrating(gates.confidence, recipe.seed, compute)
    honesty = run(check.calibrate, calibrating, **tuned, valid=start.texts["valid"], test=test)
    probing, probes = check.Probing(compute), store.add_bytes(check.PROBES.read_bytes())
    said = {
        who: run(check.probe, probing, f"probe {who}", model=file, probes=probes)["answers.json"]
        for who, file in (("base", both["base_file"]), ("ours", both["model"]))
    }
    safety = run(check.judge, check.Judging(gates.safety), **said, probes=probes)
    samples = run(check.show, probing, **both, test=test)
    return Checked(memory, honesty, safety, samples)


@dataclass(frozen=True)
class Start:
    """What everything rests on: the dataset, the base, and the texts that may be looked at."""

    data: Made
    rendered: Made
    base: bases.Opened
    base_model: Ref | None
    base_file: Ref | None
    texts: dict[str, Ref | None]

    @property
    def infills(self) -> bool:
        """Whether filling in the middle is taught."""
        return self.rendered.value("pieces with a hole") > 0

    @property
    def has_task(self) -> bool:
        """Whether there are examples; yes while that is not known."""
        return self.rendered.run is None or self.rendered.value("lessons") > 0


def begin(recipe: Recipe, path: Path, store: Store, execute: Executor) -> Start:
    """Files to documents and lessons, split before anything looks at them; and the base, unpacked."""
    data = documents(recipe, path, store, execute)
    if data.run:
        require_enough(summary_of(store, data), recipe.params["curate"].min_train_chars)
    base = bases.resolve(recipe, store, path.parent)
    opened = execute.run(bases.unpack, base.about, base=base.ref)
    model = opened.folder("model")
    rendering = render.sections(
        recipe.params["task"], recipe.params["tune"].window_tokens, recipe.params["check"].canaries, recipe.seed
    )
    rendered = execute.run(render.render, rendering, model=model, data=data.ref)
    texts = {part: rendered[f"{part}.jsonl"] for part in ("train", "valid")}
    texts["general"] = general_text(store, "valid")
    return Start(data, rendered, base, model, opened["base.gguf"], texts)


def general_gate_of(recipe: Recipe) -> float:
    """What the general text may cost: the gate, or no bound where general language does not count."""
    return carve.FREE if recipe.params["carve"].general == "off" else recipe.gates.general


def untuned(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> tuple[Made, Made]:
    """(what was carved, its file) without any training."""
    start = begin(recipe, path, store, execute)
    wanted = carve.sections(
        recipe.params["carve"], recipe.budget_bytes, general_gate_of(recipe), pace.compute
    )
    carved = execute.run(carve.carve, wanted, model=start.base_model, **start.texts)
    quantising = carve.Quantising(recipe.name, recipe.budget_bytes, pace.compute)
    inputs = {"model": carved.folder("model"), "choice": carved["choice.json"]}
    return carved, execute.run(carve.quantise, quantising, **inputs, **start.texts)


def frontier(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> Made:
    """What each size costs, measured: frontier.json and frontier.svg."""
    start = begin(recipe, path, store, execute)
    wanted = carve.sections(recipe.params["carve"], 0, general_gate_of(recipe), pace.compute)
    return execute.run(carve.frontier, wanted, model=start.base_model, **start.texts)


def documents(recipe: Recipe, path: Path, store: Store, execute: Executor) -> Made:
    """The dataset of a recipe that lies at `path`."""
    files = gather(recipe, path, store, execute)
    return execute.run(curate.curate, recipe.params["curate"], files=files)


def lineage(store: Store, **steps: Made) -> Ref | None:
    """Ref of a JSON file with the key and output of each run, or None in a plan that does not know them."""
    rows = {
        name: {"key": made.run.key, "output": made.run.output} for name, made in steps.items() if made.run
    }
    return store.add_bytes(canonical(rows)) if len(rows) == len(steps) else None


def pace_of(recipe_path: Path, store: Store, watch: Watch, relock: bool = False) -> Pace:
    """How fast this machine is, from the lock beside the recipe; what is not in it is measured and written."""
    return Pace(recipe_path.with_suffix(".lock"), store, lambda text: watch("pace", Progress(0.0, text)), relock)


def make(
    recipe: Recipe,
    recipe_path: Path,
    store: Store,
    watch: Watch,
    *,
    pace: Pace | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
    executor: Callable[[Store, Watch], Local] = Local,
) -> Outcome:
    """Make, check and name a pack. Raises GateError, after `tell`, if it is worse than the gates allow."""
    local = executor(store, watch)
    pace = pace or pace_of(recipe_path, store, watch)
    with store.lock("gc", exclusive=False):
        outcome = loop(recipe, recipe_path, store, local, pace)
        record(recipe, store, outcome.data)
        tell(outcome)
        failed = [gate["sentence"] for gate in gates_of(store, outcome) if not gate["passed"]]
        if failed:
            raise GateError(
                "; ".join(failed),
                where=recipe.name,
                hint="give it more material or --minutes, or set the gate in [gates]; the old pack stays",
            )
        name_pack(store, recipe.name, recipe_path, outcome, [*local.reused, *local.ran])
    return outcome


def name_pack(store: Store, name: str, recipe_path: Path, outcome: Outcome, runs: list[Run]) -> None:
    """Let the name point at the new pack; what it was tried with, and the runs to keep, stand beside it."""
    assert outcome.pack.run and outcome.trial.run
    rows = list(read_rows(store.path(outcome.data["documents.jsonl"] or "")))
    used = {row["file"] for row in rows if row["decision"] == "in"}
    refused = {row["file"] for row in rows} - used
    signature = signed(store, name, outcome.pack.run.output)
    store.name("packs", name, {
        "ref": outcome.pack.run.output, "also": [outcome.trial.run.output, signature], "recipe": str(recipe_path),
        "signature": signature, "since": since_last(store, name, outcome),
        "runs": [run.key for run in runs if run.inputs.get("file") not in refused],
        "trial": [asdict(m) for m in outcome.trial.run.measures],
    })  # fmt: skip


def signed(store: Store, name: str, ref: Ref) -> Ref:
    """Ref of a signature of a pack by the home's own key: the one that the name has already, else a new one."""
    keys, old = signing.own_keys(store.root), store.named("packs", name) or {}
    known = old.get("signature") if old.get("ref") == ref else None
    if known and store.has(known) and signing.signed_by(store.path(known)) == keys.fingerprint:
        return Ref(known)
    return store.add_bytes(signing.signature(store.path(ref), keys))


def since_last(store: Store, name: str, outcome: Outcome) -> list[dict[str, Any]]:
    """What changed since the last pack of a name; none without one. It is shown and kept beside the name, never in a
    pack: the same inputs give the same pack, whatever was there before."""
    last = store.named("packs", name)
    if last is None or outcome.pack.ref is None:
        return []
    if last["ref"] == outcome.pack.ref:
        return list(last.get("since", []))
    report = store.tree(last["ref"]).get("report.json")
    if report is None:
        return []
    from .check.report import since

    return since(json.loads(store.path(report).read_text()), report_of(store, outcome))


def record(recipe: Recipe, store: Store, data: Made) -> int:
    """Write the decision about each document to the ledger; how many rows were new."""
    rows = read_rows(store.path(data["documents.jsonl"] or ""))
    places = [source.named for source in recipe.sources]
    entries = [replace(Entry.of(row), path=f"{recipe.name}/{places[row['source']](row['path'])}") for row in rows]
    return Ledger(store.root / "ledger.db").record(entries)


def export(name: str, data: Made, store: Store, folder: Path) -> None:
    """Copy a dataset to a folder, with its Croissant card."""
    files = store.tree(data.ref or "")
    for file, ref in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.path(ref), folder / file)
    sizes = {file: (ref, store.size(ref)) for file, ref in files.items()}
    card = croissant.card(name, summary_of(store, data), sizes)
    (folder / "croissant.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def summary_of(store: Store, data: Made) -> dict[str, Any]:
    """summary.json of a dataset."""
    content: dict[str, Any] = json.loads(store.path(data["summary.json"] or "").read_text())
    return content


def report_of(store: Store, outcome: Outcome) -> dict[str, Any]:
    """report.json of an outcome."""
    content: dict[str, Any] = json.loads(store.path(outcome.report["report.json"] or "").read_text())
    return content


def scores_of(store: Store, outcome: Outcome) -> dict[str, Any]:
    """scores.json of an outcome; without a task, no scores and no gates."""
    ref = outcome.task.files.get("scores")
    return json.loads(store.path(ref).read_text()) if ref else {"scores": [], "gates": []}


def gates_of(store: Store, outcome: Outcome) -> list[dict[str, Any]]:
    """The verdicts of all gates."""
    parts = [outcome.checked.files[name] for name in ("memory", "honesty", "safety")]
    more = [gate for ref in parts if ref for gate in json.loads(store.path(ref).read_text())["gates"]]
    return [*report_of(store, outcome)["gates"], *scores_of(store, outcome)["gates"], *more]


__all__ = ["SECTIONS", "Outcome", "loop", "make", "report_of"]
