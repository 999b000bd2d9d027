"""@step: a function from a folder of inputs to a folder of outputs, cached by what it was given.

    key = sha256(step name, version, canonical params, Refs of the inputs, versions of its libraries)

A key that has a Run is not run again. A step writes only into its empty folder, takes its seed from params, and
reads no clock, network or environment; so the same key gives the same bytes, wherever it is run.
"""

from __future__ import annotations

import inspect
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Protocol

from .disk import emptied
from .errors import explained
from .machine import cores
from .nouns import Measure, Ref, Run
from .store import Store, canonical, key_of


@dataclass(frozen=True)
class Progress:
    """How far a step is (0 to 1) and what it is at."""

    fraction: float
    text: str = ""
    count: int = 0  # of `unit` done, for a rate
    unit: str = ""


Work = Generator[Progress, None, list[Measure]]
Watch = Callable[[str, Progress], None]


@dataclass(frozen=True)
class Step:
    """A step's function with what goes into its key besides params and inputs."""

    name: str
    version: int
    libraries: tuple[str, ...]
    function: Callable[..., Work]

    @property
    def resumes(self) -> bool:
        """Whether it takes a `scratch` folder that outlives a killed run."""
        return "scratch" in inspect.signature(self.function).parameters

    def library_versions(self) -> dict[str, str]:
        """The version of each library that it declares, as installed."""
        return {name: _installed(name) for name in self.libraries}

    def key(self, params: Any, inputs: Mapping[str, Ref]) -> Ref:
        """The cache key of this step with these params and inputs."""
        return key_of(self.name, self.version, plain(params), inputs, self.library_versions())


@cache
def _installed(library: str) -> str:
    return version_of(library)


def step(*, version: int, libraries: tuple[str, ...] = ()) -> Callable[[Callable[..., Work]], Step]:
    """Make a Step of a function `(params, out, [scratch,] **inputs)` that yields Progress and returns Measures."""

    def wrap(function: Callable[..., Work]) -> Step:
        return Step(function.__name__, version, libraries, function)

    return wrap


def in_words(measure: Measure) -> str:
    """A measure as a person reads it."""
    if measure.unit == "bytes":
        return f"{measure.name} {measure.value / 1e6:.1f} MB"
    whole = float(measure.value).is_integer() or measure.value >= 100
    return f"{measure.name} {measure.value:,.{0 if whole else 4}f}"


def plain(params: Any) -> dict[str, Any]:
    """A Params dataclass as the plain values that a record holds: a tuple is a list, a key is a text."""
    return {} if params is None else dict(json.loads(canonical(asdict(params))))


@dataclass(frozen=True)
class Job:
    """One of many small runs of a step."""

    label: str
    params: Any
    inputs: Mapping[str, Ref]


Result = tuple[list[Measure], float]  # what a step measured, and the seconds it took


@dataclass(frozen=True)
class Task:
    """A job that is ready to run: its inputs laid out, its output folder empty."""

    step: Step
    params: Any
    out: Path
    inputs: Mapping[str, Path]

    def work(self) -> Result:
        """Run it to its end."""
        started = time.monotonic()
        work = self.step.function(self.params, self.out, **self.inputs)
        while True:
            try:
                next(work)
            except StopIteration as stop:
                return list(stop.value or ()), time.monotonic() - started


@dataclass(frozen=True)
class Made:
    """What a step made, or (Run None) what it would make: then every file in it is unknown too."""

    store: Store
    run: Run | None

    def __getitem__(self, name: str) -> Ref | None:
        """Ref of one file of the output."""
        return self.store.tree(self.run.output)[name] if self.run else None

    @property
    def ref(self) -> Ref | None:
        return self.run.output if self.run else None

    def folder(self, name: str) -> Ref | None:
        """Ref of a folder inside the output."""
        if not self.run:
            return None
        prefix = f"{name}/"
        entries = self.store.tree(self.run.output).items()
        return self.store.add_tree({n.removeprefix(prefix): r for n, r in entries if n.startswith(prefix)})

    def value(self, name: str, default: float = 0.0) -> float:
        """A measure of the run, by name."""
        return next((m.value for m in self.run.measures if m.name == name), default) if self.run else default


class Executor(Protocol):
    """Runs steps, or only says what it would run. An input that is None is not known yet (in a plan)."""

    def run(self, step: Step, params: Any, label: str | None = None, **inputs: Ref | None) -> Made: ...

    def map(self, step: Step, jobs: Sequence[Job]) -> list[Made]: ...


CHUNK = 256  # small runs that are synced to the disk together


class Local:
    """Runs steps in this process, one after the other; many small ones side by side."""

    def __init__(self, store: Store, watch: Watch | None = None) -> None:
        self.store, self.watch = store, watch or (lambda name, progress: None)
        self.ran: list[Run] = []
        self.reused: list[Run] = []

    def run(self, step: Step, params: Any, label: str | None = None, **inputs: Ref | None) -> Made:
        known = {name: ref for name, ref in inputs.items() if ref is not None}
        key = step.key(params, known)
        if run := self.store.find(key):
            self.reused.append(run)
            return Made(self.store, run)
        title = label or step.name
        with self._alone(key, title):
            if run := self.store.find(key):  # the other one has made it meanwhile
                self.reused.append(run)
                return Made(self.store, run)
            run = self._work(step, key, params, known, title)
        self.store.forget_lock(key)
        self.ran.append(run)
        return Made(self.store, run)

    def map(self, step: Step, jobs: Sequence[Job]) -> list[Made]:
        """`run` for each of many small jobs, side by side; each has a Run of its own."""
        keys = [step.key(job.params, job.inputs) for job in jobs]
        runs, made = self._known(keys), dict[Ref, Run]()
        if not runs.keys() >= {*keys}:
            with self._alone(f"many-{step.name}", step.name):
                runs = self._known(keys)  # the other one has made some meanwhile
                made = self._many(step, {k: j for k, j in zip(keys, jobs, strict=True) if k not in runs})
        self.reused += runs.values()
        self.ran += made.values()
        runs |= made
        return [Made(self.store, runs[key]) for key in keys]

    def _alone(self, lock: str, title: str) -> AbstractContextManager[None]:
        note = Progress(0.0, "another netsuke is at it: waiting")
        return self.store.lock(lock, wait_note=lambda: self.watch(title, note))

    def _known(self, keys: Iterable[Ref]) -> dict[Ref, Run]:
        return {key: run for key in dict.fromkeys(keys) if (run := self.store.find(key))}

    def _many(self, step: Step, todo: Mapping[Ref, Job]) -> dict[Ref, Run]:
        made: dict[Ref, Run] = {}
        self.watch(step.name, Progress(0.0))
        with explained(f"run {step.name}", self.store.root):
            for start in range(0, len(todo), CHUNK):
                chunk = dict(list(todo.items())[start : start + CHUNK])
                made |= self._chunk(step, chunk, len(made), len(todo))
        self.watch(step.name, Progress(1.0, f"{len(made):,} file{'s' * (len(made) != 1)}"))
        return made

    def _chunk(self, step: Step, jobs: Mapping[Ref, Job], done: int, total: int) -> dict[Ref, Run]:
        """Run these side by side; then their outputs, and last their Runs, come into the store together."""
        folders = {key: self.store.scratch(key) for key in jobs}
        try:
            tasks = {}
            for key, job in jobs.items():
                out = emptied(folders[key] / "out")
                paths = {name: self.store.path(ref) for name, ref in job.inputs.items()}
                tasks[key] = Task(step, job.params, out, paths)
            results = {}
            for key, result in self.side_by_side(tasks):
                results[key] = result
                count = done + len(results)
                told = Progress(min(count / total, 0.99), f"{count:,} of {total:,}", count, "files")
                self.watch(step.name, told)
            with self.store.together():
                outputs = {key: self.store.add_folder(tasks[key].out, move=True) for key in jobs}
            made = {}
            with self.store.together():
                for key, job in jobs.items():
                    measures, seconds = results[key]
                    made[key] = _run_of(step, key, job.params, job.inputs, outputs[key], seconds, measures)
                    self.store.record(made[key])
        finally:
            for folder in folders.values():
                shutil.rmtree(folder, ignore_errors=True)
        return made

    def side_by_side(self, tasks: Mapping[Ref, Task]) -> Iterator[tuple[Ref, Result]]:
        """Each task's measures and seconds as it ends; here by threads, since the work is in child processes."""
        pool = ThreadPoolExecutor(cores())
        try:
            running = {pool.submit(task.work): key for key, task in tasks.items()}
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _work(self, step: Step, key: Ref, params: Any, inputs: Mapping[str, Ref], title: str) -> Run:
        """Run into an empty folder, move the files into the store, write the Run last."""
        scratch = self.store.scratch(key)
        out, keep = scratch / "out", scratch / "scratch"
        started = time.monotonic()
        with explained(f"run {title}", self.store.root):
            emptied(out)
            keep.mkdir(exist_ok=True)
            extra = {"scratch": keep} if step.resumes else {}
            try:
                paths = {name: self.store.path(ref) for name, ref in inputs.items()}
                measures = self._drive(self.begin(step, params, out, **extra, **paths), title)
                output = self.store.add_folder(out, move=True)
            finally:  # half an output is of no use, and its place may be what is missing
                shutil.rmtree(out, ignore_errors=True)
            run = _run_of(step, key, params, inputs, output, time.monotonic() - started, measures)
            self.store.record(run)
            shutil.rmtree(scratch, ignore_errors=True)
        return run

    def begin(self, step: Step, params: Any, out: Path, **paths: Path) -> Work:
        """The work of a step, ready to be driven."""
        return step.function(params, out, **paths)

    def _drive(self, work: Work, title: str) -> list[Measure]:
        self.watch(title, Progress(0.0))
        while True:
            try:
                progress = next(work)
                self.watch(title, replace(progress, fraction=min(progress.fraction, 0.99)))
            except StopIteration as stop:
                measures = list(stop.value or ())
                self.watch(title, Progress(1.0, ", ".join(map(in_words, measures[:2]))))
                return measures


def _run_of(
    step: Step,
    key: Ref,
    params: Any,
    inputs: Mapping[str, Ref],
    output: Ref,
    seconds: float,
    measures: Iterable[Measure],
) -> Run:
    libraries = step.library_versions()
    return Run(
        key,
        step.name,
        step.version,
        plain(params),
        inputs,
        libraries,
        output,
        round(seconds, 3),
        tuple(measures),
    )
