"""The whole loop on one page.

    curate -> render -> carve -> tune -> combine -> quantise -> answer -> check -> index -> pack

Serve and watch read packs. Each `execute.run` is a step: it runs unless it has been run with these very inputs. The
same page makes a pack (with a Local executor) and says what making one would do (with a Plan).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from . import __version__, answer, bases, carve, check, combine, curate, index, pack, render, tune
from .consent.ledger import Entry, Ledger
from .curate.enough import require_enough
from .curate.gather import gather
from .errors import GateError
from .nouns import Compute, Recipe, Ref, Run
from .outcome import (
    Checked,
    Learnt,
    Outcome,
    Start,
    Tasked,
    gates_of,
    joined,
    lineage,
    signed,
    since_last,
    summary_of,
)
from .step import Executor, Local, Made, Progress, Watch
from .store import Store
from .texts.documents import general_text, read_rows
from .tune import units
from .tune.pace import Pace
from .watch.rule import Params as Watching

SECTIONS = {
    "curate": curate.Params, "task": render.Params, "carve": carve.Params, "tune": tune.Params, "check": check.Params,
    "watch": Watching, "pack": pack.Choices,
}  # fmt: skip


def loop(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> Outcome:
    """Make a pack of a recipe that lies at `path`. `make` names it if the gates hold."""
    pack.require_parts(recipe.params["pack"], recipe.params["tune"].units)

    # curate and render: files to documents and lessons, split before anything looks at them; and the base
    start = begin(recipe, path, store, execute)

    # carve: the base, with fewer words, channels, layers
    carving = carving_of(recipe, recipe.budget_bytes, pace.compute)
    carved = execute.run(carve.carve, carving, model=start.base_model, **seen_by(carving, start))

    # tune and combine: the body, and what was learnt: of all at once, or of each owner alone
    learn = jointly if recipe.params["tune"].units == "joint" else by_owner
    learnt = learn(recipe, store, execute, start, carved, pace)
    return finish(recipe, store, execute, start, carved, learnt, pace.compute)


def jointly(
    recipe: Recipe, store: Store, execute: Executor, start: Start, carved: Made, pace: Pace
) -> Learnt:
    """Tune on all text at once. Minutes become tokens by the speed in the lock."""
    wanted, body, texts = recipe.params["tune"], carved.folder("model"), start.texts
    tuning = tune.settled(wanted, pace.compute, bool(start.kind))
    speed = pace.speed(tuning, carve.pruned(carved), **speed_of(start, carved))
    training = tune.training(tuning, recipe.minutes, speed, general_gate_of(recipe), recipe.seed, pace.compute)
    inputs = {"model": body if training else None, **tune.start_of(wanted, store), **carved_from(start, carved)}
    adapter = execute.run(tune.tune, training, **inputs, **texts)
    model = execute.run(combine.combine, None, model=body, adapter=adapter.ref)
    return Learnt(model, {"tune": adapter, "combine": model}, adapter["curve.json"], start.rendered["canaries.json"])


def by_owner(recipe: Recipe, store: Store, execute: Executor, start: Start, carved: Made, pace: Pace) -> Learnt:
    """Tune an adapter on each owner's text alone, and join them: who leaves changes no other's."""
    wanted, body, general = recipe.params["tune"], carved.folder("model"), start.texts["general"]
    units.require_apart(wanted)
    parts = execute.run(render.parts, None, data=start.data.ref)
    owners, rendered = units.units(recipe, store, parts.ref), []
    for unit in owners:
        rendering = render.of_part(start.rendering, start.kind, recipe.params["check"].canaries, unit.seed)
        part = parts.folder(unit.folder) if unit.folder else None
        label = f"render {unit.owner}"
        rendered.append(execute.run(render.render, rendering, label, model=start.base_model, data=part))
    tuning = tune.settled(wanted, pace.compute, bool(start.kind))
    speed = pace.speed(tuning, carve.pruned(carved), **speed_of(start, carved))
    # who has nothing but examples that teach nothing is left with nothing to learn; a plan may not know
    sizes = [store.size(ref) if (ref := one["train.jsonl"]) else 1 for one in rendered]
    taught = [pair for pair, size in zip(zip(owners, rendered, strict=True), sizes, strict=True) if size]
    share = pace.share(recipe.minutes, [one["train.jsonl"] for _, one in taught], speed, tuning.learning_rate)
    adapters = []
    for unit, one in taught:
        training = units.training(tuning, share, general_gate_of(recipe), unit.seed, pace.compute)
        texts = {"train": one["train.jsonl"], "valid": one["valid.jsonl"], "general": general}
        inputs = {"model": body if training else None, **carved_from(start, carved), **texts}
        adapters.append((unit.owner, execute.run(tune.tune, training, f"tune {unit.owner}", **inputs).ref))
    how = combine.How("task", pace.compute, search="scale", general_gate=general_gate_of(recipe))
    canaries = joined(store, [one["canaries.json"] for one in rendered])
    voiced = recipe.params["pack"].voices == "on"
    return join(store, execute, how, start, carved, adapters, canaries, voiced)


def join(
    store: Store,
    execute: Executor,
    how: combine.How,
    start: Start,
    carved: Made,
    learnt: Sequence[tuple[str, Ref | None]],
    canaries: Ref | None,
    voiced: bool,
) -> Learnt:
    """Several changes of one body, by name, as one: weighed, and merged in; where `voiced`, each beside it too."""
    body, parents = carved.folder("model"), combine.gathered(store, learnt)
    texts = {"valid": start.texts["valid"], "general": start.texts["general"]}
    weighed = execute.run(combine.weigh, how, model=body, parents=parents, choice=carved["choice.json"], **texts)
    weights = weighed["weights.json"]
    model = execute.run(combine.join, combine.joining(how), model=body, parents=parents, weights=weights)
    voices = execute.run(combine.voice, None, model=body, parents=parents, weights=weights) if voiced else None
    return Learnt(model, {"tune": weighed, "combine": model}, weighed["curve.json"], canaries, voices)


def finish(
    recipe: Recipe,
    store: Store,
    execute: Executor,
    start: Start,
    carved: Made,
    learnt: Learnt,
    compute: Compute,
) -> Outcome:
    """From a tuned model to a pack: quantise, answer, check, index, pack."""
    run, gates, budget_bytes, data, base = execute.run, recipe.gates, recipe.budget_bytes, start.data, start.base
    choice, texts = carved["choice.json"], start.texts

    # quantise: one file under the budget. answer: how it is asked its task, if examples teach one
    tuned, quantised, answering = answered(recipe, execute, start, carved, learnt, compute)
    model = quantised["model.gguf"]
    task = tasked(recipe, execute, start, model, answering, compute)

    # check: beside the base, on text that nothing above has seen; then both in stock llama.cpp. What ships untuned
    # has learnt none of the answers: without its examples they may lose what general text may
    domain_gate = gates.domain if tuned == learnt.model.ref else max(gates.domain, gates.general)
    bounds = check.Bounds(domain_gate, general_gate_of(recipe), budget_bytes, recipe.seed, compute)
    both, general_test = {"model": model, "base_file": start.base_file}, general_text(store, "test")
    every = {**both, "tuned_model": tuned, "base_model": start.base_model, "general": general_test}
    report = run(check.check, bounds, **every, test=start.rendered["test.jsonl"], train=texts["train"])
    checked = trusted(recipe, store, execute, start, model, tuned, learnt.canaries, compute)
    trial = run(check.trial, check.Trial(compute), **both, tuned_model=tuned, text=general_test)

    # index and pack
    names = (base.name, base.about.name, base.about.licence)
    about = pack.Params(recipe.name, *names, base.ref, __version__, base.notice)
    by = {"data": data, "render": start.rendered, "carve": carved, **learnt.by, "quantise": quantised, **task.by}
    story = lineage(store, **by, check=report, **checked.by)
    made = run(
        pack.pack, about, model=model, choice=choice, vocabulary=carved["vocabulary.json"],
        report=report["report.json"], documents=data["documents.jsonl"], summary=data["summary.json"],
        curve=learnt.curve, search=indexed(execute, start), **task.files, **checked.files,
        lineage=story, **learnt.beside(tuned),
    )  # fmt: skip
    return Outcome(made, report, trial, data, task, checked)


def carving_of(recipe: Recipe, budget_bytes: int, compute: Compute) -> carve.Carving:
    """How the base is carved: blind where each owner has an adapter, else who leaves would change all."""
    blind = recipe.params["tune"].units == "per-owner"
    return carve.carving(recipe.params["carve"], budget_bytes, general_gate_of(recipe), compute, blind)


def seen_by(carving: carve.Carving, start: Start) -> dict[str, Ref | None]:
    """The texts that carving looks at: nobody's where it is blind."""
    return dict.fromkeys(start.texts, start.texts["general"]) if carving.blind else start.texts


def carved_from(start: Start, carved: Made) -> dict[str, Ref | None]:
    """What was carved, and out of what: inputs of `tune`."""
    return {"base": start.base_model, "choice": carved["choice.json"], "vocabulary": carved["vocabulary.json"]}


def speed_of(start: Start, carved: Made) -> dict[str, Ref | None]:
    """What the speed is measured on."""
    material = {part: start.texts[part] for part in ("train", "valid")}
    return {"model": carved.folder("model"), **material, **carved_from(start, carved)}


def indexed(execute: Executor, start: Start) -> Ref | None:
    """The documents as a database to be searched and quoted, those that are held out among them."""
    parts = {part: start.data[f"{part}.jsonl"] for part in ("train", "valid", "test")}
    likeness = {"general": start.texts["general"], "model": start.base_model}
    return execute.run(index.index, index.params(), **parts, **likeness)["search.db"]


def answered(
    recipe: Recipe, execute: Executor, start: Start, carved: Made, learnt: Learnt, compute: Compute
) -> tuple[Ref | None, Made, Made | None]:
    """(the model, its file, how that is asked), settled on valid. The untuned body is one of few examples' choices."""
    run, task, tuned = execute.run, recipe.params["task"], learnt.model.ref
    quantising = carve.Quantising(recipe.name, recipe.budget_bytes, compute, start.infills)
    texts = {"choice": carved["choice.json"], **start.texts}
    quantised = run(carve.quantise, quantising, model=tuned, **texts)
    if not start.has_task:
        return tuned, quantised, None
    asking = answer.Params(task.abstain, task.shots, task.items, compute)
    inputs = {"model": quantised["model.gguf"], "rendered": start.rendered.ref}
    if not (start.is_handful(answer.FEW) and task.shots):
        return tuned, quantised, run(answer.answer, asking, **inputs)
    body = carved.folder("model")
    untuned = run(carve.quantise, quantising, "quantise untuned", model=body, **texts)
    answering = run(answer.answer, asking, **inputs, untuned=untuned["model.gguf"])
    return (body, untuned, answering) if answering.value(answer.UNTUNED) else (tuned, quantised, answering)


def tasked(
    recipe: Recipe, execute: Executor, start: Start, model: Ref | None, answering: Made | None, compute: Compute
) -> Tasked:
    """The task's scores on test, beside what the base can do."""
    if answering is None:
        return Tasked()
    task = recipe.params["task"]
    examining = check.Examining(task.items, task.shots, recipe.seed, compute)
    inputs = {"model": model, "base_file": start.base_file, "rendered": start.rendered.ref}
    return Tasked(answering, execute.run(check.examine, examining, **inputs, answer=answering.ref))


def trusted(
    recipe: Recipe,
    store: Store,
    execute: Executor,
    start: Start,
    model: Ref | None,
    tuned_model: Ref | None,
    canaries: Ref | None,
    compute: Compute,
) -> Checked:
    """What the finished file gives away, how sure it is of what it says, and what it answers to probes."""
    run, gates, test = execute.run, recipe.gates, start.rendered["test.jsonl"]
    kept = any(source.private == "keep" for source in recipe.sources)
    countries = recipe.params["curate"].countries
    asking = check.recalling(recipe.params["check"], gates, countries, kept, recipe.seed, compute)
    tuned, both = {"model": model, "tuned_model": tuned_model}, {"model": model, "base_file": start.base_file}
    material = {"train": start.texts["train"], "test": test, "canaries": canaries}
    memory = run(check.recall, asking, **tuned, base_file=start.base_file, **material)
    calibrating = check.Calibrating(gates.confidence, recipe.seed, compute)
    honesty = run(check.calibrate, calibrating, **tuned, valid=start.texts["valid"], test=test)
    probing, probes = check.Probing(compute), store.add_bytes(check.PROBES.read_bytes())
    said = {
        who: run(check.probe, probing, f"probe {who}", model=file, probes=probes)["answers.json"]
        for who, file in (("base", start.base_file), ("ours", model))
    }
    safety = run(check.judge, check.Judging(gates.safety), **said, probes=probes)
    samples = run(check.show, probing, **both, test=test)
    return Checked(memory, honesty, safety, samples)


def begin(recipe: Recipe, path: Path, store: Store, execute: Executor) -> Start:
    """Files to documents and lessons, split before anything looks at them; and the base, unpacked."""
    data = read(recipe, path, store, execute)
    tuning = recipe.params["tune"]
    canaries = recipe.params["check"].canaries if tuning.units == "joint" else 0  # else each owner's part has its own
    rendering = render.rendering(recipe.params["task"], tuning.window_tokens, canaries, recipe.seed)
    return started(bases.resolve(recipe, store, path.parent), rendering, store, execute, data)


def read(recipe: Recipe, path: Path, store: Store, execute: Executor) -> Made:
    """The dataset of a recipe, in the ledger. Raises RecipeError where it is too little to learn from or check on."""
    data = documents(recipe, path, store, execute)
    if data.run:
        if isinstance(execute, Local):  # a plan writes nothing
            record(recipe, store, data)  # so what was read can be forgotten, whatever becomes of the make
        require_enough(summary_of(store, data), recipe.params["curate"].min_train_chars)
    return data


def started(base: bases.Opened, rendering: render.Rendering, store: Store, execute: Executor, data: Made) -> Start:
    """The start from a dataset that is there."""
    opened = execute.run(bases.unpack, base.about, base=base.ref)
    model = opened.folder("model")
    rendered = execute.run(render.render, rendering, model=model, data=data.ref)
    texts = {part: rendered[f"{part}.jsonl"] for part in ("train", "valid")}
    texts["general"] = general_text(store, "valid")
    return Start(data, rendered, base, model, opened["base.gguf"], texts, rendering)


def general_gate_of(recipe: Recipe) -> float:
    """What the general text may cost: the gate, or no bound where general language does not count."""
    return carve.FREE if recipe.params["carve"].general == "off" else recipe.gates.general


def untuned(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> tuple[Made, Made]:
    """(what was carved, its file) without any training."""
    start = begin(recipe, path, store, execute)
    carving = carving_of(recipe, recipe.budget_bytes, pace.compute)
    carved = execute.run(carve.carve, carving, model=start.base_model, **seen_by(carving, start))
    quantising = carve.Quantising(recipe.name, recipe.budget_bytes, pace.compute)
    inputs = {"model": carved.folder("model"), "choice": carved["choice.json"]}
    return carved, execute.run(carve.quantise, quantising, **inputs, **start.texts)


def frontier(recipe: Recipe, path: Path, store: Store, execute: Executor, pace: Pace) -> Made:
    """What each size costs, measured: frontier.json and frontier.svg."""
    start = begin(recipe, path, store, execute)
    carving = carving_of(recipe, 0, pace.compute)
    return execute.run(carve.frontier, carving, model=start.base_model, **seen_by(carving, start))


def documents(recipe: Recipe, path: Path, store: Store, execute: Executor) -> Made:
    """The dataset of a recipe that lies at `path`."""
    files = gather(recipe, path, store, execute)
    return execute.run(curate.curate, recipe.params["curate"], files=files)


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
        tell(outcome)
        ship(recipe, recipe_path, store, outcome, [*local.reused, *local.ran])
    return outcome


def ship(
    recipe: Recipe, recipe_path: Path, store: Store, outcome: Outcome, runs: list[Run], **more: object
) -> None:
    """Name a pack whose gates hold, `more` beside it. Raises GateError: then the old one stays."""
    failed = [gate["sentence"] for gate in gates_of(store, outcome) if not gate["passed"]]
    if failed:
        raise GateError(
            "; ".join(failed),
            where=recipe.name,
            hint="give it more material or --minutes, or set the gate in [gates]; the old pack stays",
        )
    name_pack(store, recipe.name, recipe_path, outcome, runs, **more)


def name_pack(
    store: Store, name: str, recipe_path: Path, outcome: Outcome, runs: list[Run], **more: object
) -> None:
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
        "trial": [asdict(m) for m in outcome.trial.run.measures], **more,
    })  # fmt: skip


def record(recipe: Recipe, store: Store, data: Made) -> int:
    """Write the decision about each document to the ledger; how many rows were new."""
    rows = read_rows(store.path(data["documents.jsonl"] or ""))
    places = [source.named for source in recipe.sources]
    entries = [replace(Entry.of(row), path=f"{recipe.name}/{places[row['source']](row['path'])}") for row in rows]
    return Ledger.of(store.root).record(entries)
