"""What a make would run, and why: which input, setting, version or library is another than last time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .nouns import Ref, Run
from .step import Job, Made, Step, plain
from .store import Store, canonical

NEVER_MADE = "not made yet"


@dataclass(frozen=True)
class Planned:
    """One line of a plan: a step, whether it is there, and why it would run."""

    step: str
    label: str
    cached: bool
    why: str
    output: Ref | None = None


class Plan:
    """Runs nothing; says what would run and which input changed. `first`: of what was never made, nothing changed."""

    def __init__(self, store: Store, *, first: bool = False) -> None:
        self.store, self.first = store, first
        self.lines: list[Planned] = []

    @cached_property
    def _past(self) -> list[Run]:
        return list(self.store.runs())

    @cached_property
    def _by_inputs(self) -> dict[tuple[str, bytes], Run]:
        """The latest run of each step with the same inputs."""
        return {(run.step, canonical(run.inputs)): run for run in self._past}

    def map(self, step: Step, jobs: Sequence[Job]) -> list[Made]:
        """A line for each job. What of an input changed is not searched for: one that no run had is new or changed."""
        made = []
        for job in jobs:
            run = self.store.find(step.key(job.params, job.inputs))
            why = "" if run else self._why_one(step, job)
            self.lines.append(Planned(step.name, job.label, run is not None, why))
            made.append(Made(self.store, run))
        return made

    def _why_one(self, step: Step, job: Job) -> str:
        if self.first:
            return NEVER_MADE
        last = self._by_inputs.get((step.name, canonical(job.inputs)))
        return self._since(last, step, job.params, job.inputs) if last else "new or changed"

    def run(self, step: Step, params: Any, label: str | None = None, **inputs: Ref | None) -> Made:
        title = label or step.name
        if unknown := [name for name, ref in inputs.items() if ref is None]:
            more = ", …" if len(unknown) > 3 else ""
            self.lines.append(Planned(step.name, title, False, f"waits for {', '.join(unknown[:3])}{more}"))
            return Made(self.store, None)
        known = {name: ref for name, ref in inputs.items() if ref is not None}
        run = self.store.find(step.key(params, known))
        why = "" if run else self._why(step, params, known)
        self.lines.append(Planned(step.name, title, run is not None, why, run.output if run else None))
        return Made(self.store, run)

    def _why(self, step: Step, params: Any, inputs: Mapping[str, Ref]) -> str:
        """The difference from the most similar earlier run of this step."""
        past = [r for r in self._past if r.step == step.name]
        if self.first or not past:
            return NEVER_MADE if self.first else "never run"
        if step.key(params, inputs) in [r.key for r in past]:
            return "its output is gone"

        def shared(run: Run) -> int:
            return sum(run.inputs.get(name) == ref for name, ref in inputs.items())

        return self._since(max(reversed(past), key=shared), step, params, inputs)  # the latest of the most similar

    def _since(self, last: Run, step: Step, params: Any, inputs: Mapping[str, Ref]) -> str:
        """Each difference from the run `last`, with ; between them."""
        names = [n for n in {**last.inputs, **inputs} if last.inputs.get(n) != inputs.get(n)]
        reasons = [_input(n, last.inputs.get(n), inputs.get(n), self.store) for n in names]
        if last.version != step.version:
            reasons.append(f"the step changed (version {last.version} to {step.version})")
        reasons += _differences(last.params, plain(params))
        reasons += _differences(last.libraries, step.library_versions())
        return "; ".join(reasons) or "its output is gone"


def _input(name: str, before: Ref | None, now: Ref | None, store: Store) -> str:
    if not (before and now and store.is_tree(before) and store.is_tree(now)):
        return f"{name} changed"
    old, new = store.tree(before), store.tree(now)
    parts = [
        (sorted(new.keys() - old.keys()), "added"),
        (sorted(old.keys() - new.keys()), "gone"),
        (sorted(k for k in old.keys() & new.keys() if old[k] != new[k]), "changed"),
    ]
    told = [f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''} {what}" for names, what in parts if names]
    return f"{name}: {'; '.join(told)}" if told else f"{name} changed"


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    def told(values: Mapping[str, Any], name: str) -> str:
        return repr(values[name]) if name in values else "not there"

    names = [n for n in {**before, **now} if told(before, n) != told(now, n)]
    return [f"{n} was {told(before, n)}, is {told(now, n)}" for n in names]
