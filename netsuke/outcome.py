"""What a make comes to, part by part, and what can be read from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import bases, render, signing
from .curate import croissant
from .errors import StoreError
from .nouns import Ref
from .step import Made
from .store import Store, canonical
from .texts.documents import read_rows


@dataclass(frozen=True)
class Start:
    """What everything rests on: the dataset, the base, and the texts that may be looked at."""

    data: Made
    rendered: Made
    base: bases.Opened
    base_model: Ref | None
    base_file: Ref | None
    texts: dict[str, Ref | None]
    rendering: render.Rendering

    @property
    def infills(self) -> bool:
        """Whether filling in the middle is taught."""
        return self.rendered.value("pieces with a hole") > 0

    @property
    def kind(self) -> str:
        """What kind of task the examples teach; "" for none, or while that is not known."""
        if self.rendered.run is None:
            return ""
        return str(_json(self.rendered.store, self.rendered["task.json"])["kind"])

    @property
    def has_task(self) -> bool:
        """Whether there are examples; yes while that is not known."""
        return self.rendered.run is None or self.rendered.value("lessons") > 0

    def is_handful(self, most: int) -> bool:
        """Whether all there is to learn from are so many examples; no while that is not known."""
        if self.rendered.run is None or not self.has_task:
            return False
        store, (task, train) = self.rendered.store, (self.rendered[name] for name in ("task.json", "train.jsonl"))
        few = _json(store, task)["examples"]["train"] <= most
        return few and all("answer" in row for row in read_rows(store.path(train or "")))


@dataclass(frozen=True)
class Learnt:
    """The tuned model, by which runs it came (for the lineage), how it learnt, planted codes, each one's adapter."""

    model: Made
    by: dict[str, Made]
    curve: Ref | None
    canaries: Ref | None
    voices: Made | None = None

    def beside(self, model: Ref | None) -> dict[str, Ref | None]:
        """What of it goes into the pack beside the model that ships: no voices where that is the untuned body."""
        return {"voices": self.voices.ref} if self.voices and model == self.model.ref else {}


@dataclass(frozen=True)
class Tasked:
    """How the file is asked the task that the examples teach, and how well it answers; nothing without examples."""

    answering: Made | None = None
    scores: Made | None = None

    @property
    def by(self) -> dict[str, Made]:
        """By which runs it came, for the lineage."""
        return {"answer": self.answering, "examine": self.scores} if self.answering and self.scores else {}

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


@dataclass(frozen=True)
class Checked:
    """Whether the model can be trusted: what it gives away, how sure it is, what it answers to probes."""

    memory: Made
    honesty: Made
    safety: Made
    samples: Made

    @property
    def by(self) -> dict[str, Made]:
        """By which runs it came, for the lineage; `show` has no settings."""
        return {"recall": self.memory, "calibrate": self.honesty, "judge": self.safety}

    @property
    def files(self) -> dict[str, Ref | None]:
        """What of it goes into the pack."""
        return {name: getattr(self, name)[f"{name}.json"] for name in ("memory", "honesty", "safety", "samples")}


@dataclass(frozen=True)
class Outcome:
    """What a make came to."""

    pack: Made
    report: Made
    trial: Made
    data: Made
    task: Tasked
    checked: Checked


def lineage(store: Store, **steps: Made) -> Ref | None:
    """Ref of a JSON file with the key and output of each run, or None in a plan that does not know them."""
    rows = {
        name: {"key": made.run.key, "output": made.run.output} for name, made in steps.items() if made.run
    }
    return store.add_bytes(canonical(rows)) if len(rows) == len(steps) else None


def joined(store: Store, lists: Sequence[Ref | None]) -> Ref | None:
    """Ref of a JSON list of what these lists hold, in their order; None where one is not known."""
    if not all(lists):
        return None
    rows = [row for ref in lists for row in _json(store, ref)]
    return store.add_bytes(json.dumps(rows, indent=1).encode() + b"\n")


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
    try:
        report = store.path(store.tree(last["ref"])["report.json"])
    except (StoreError, KeyError):  # damaged, set aside, or of a pack without one: no reason to make none again
        return []
    from .check.report import since

    return since(json.loads(report.read_text(encoding="utf-8")), report_of(store, outcome))


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
    return _json(store, data["summary.json"])


def report_of(store: Store, outcome: Outcome) -> dict[str, Any]:
    """report.json of an outcome."""
    return _json(store, outcome.report["report.json"])


def scores_of(store: Store, outcome: Outcome) -> dict[str, Any]:
    """scores.json of an outcome; without a task, no scores and no gates."""
    ref = outcome.task.files.get("scores")
    return _json(store, ref) if ref else {"scores": [], "gates": []}


def gates_of(store: Store, outcome: Outcome) -> list[dict[str, Any]]:
    """The verdicts of all gates."""
    parts = [outcome.checked.files[name] for name in ("memory", "honesty", "safety")]
    more = [gate for ref in parts if ref for gate in _json(store, ref)["gates"]]
    return [*report_of(store, outcome)["gates"], *scores_of(store, outcome)["gates"], *more]


def _json(store: Store, ref: Ref | None) -> Any:
    """What a file of the store holds. Raises StoreError where there is none."""
    return json.loads(store.path(ref or "").read_text(encoding="utf-8"))
