"""Ray runs many small steps, a step in shards, many models: on the cluster at $RAY_ADDRESS, else on its own, which ends
with us.

A task is the same pure function on the same bytes, so that what comes out is equal, byte for byte, to a local run. The
nodes of a cluster need netsuke installed in the same version; for small runs they need no shared disk. Ray's own
processes listen on the network while they run, behind Ray's token.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import EngineError, NetsukeError
from ..machine import cores, wait_passively
from ..nouns import Ref
from ..step import Local, Result, Step, Task, Watch, Work
from ..store import Store

TASKS_A_CALL = 32  # a call costs a millisecond or so: as much as reading a short file
OBJECT_STORE_BYTES = 256_000_000
NEWS_SECONDS = 0.5  # between two looks at what tasks tell

Given = tuple[Any, dict[str, bytes]]  # the params and inputs of a run
Made = tuple[dict[str, bytes], Result]  # its output files, and what it measured


class Ray(Local):
    """Runs many small steps, and a step in shards, on Ray; others here. Raises EngineError where there is no Ray."""

    def __init__(self, store: Store, watch: Watch | None = None) -> None:
        super().__init__(store, watch)
        self._ray = _connected()

    def begin(self, step: Step, params: Any, out: Path, **paths: Path) -> Work:
        """The work of a step: here, or where it is in shards, by a worker for each."""
        if getattr(params, "shards", 1) == 1:
            return super().begin(step, params, out, **paths)
        from .ray_train import in_shards

        return in_shards(step, params, out, paths.pop("scratch"), paths)

    def side_by_side(self, tasks: Mapping[Ref, Task]) -> Iterator[tuple[Ref, Result]]:
        """Each task's measures and seconds, as the calls end; its output files are in its folder then."""
        ray = self._ray
        run = ray.remote(num_cpus=1, max_retries=2)(_run)
        pending = {}
        todo = list(tasks.items())
        for group in (todo[start : start + TASKS_A_CALL] for start in range(0, len(todo), TASKS_A_CALL)):
            step = group[0][1].step
            pending[run.remote(step.function.__module__, step.name, [_given(task) for _, task in group])] = (
                group
            )
        while pending:
            (done, *_), _ = ray.wait(list(pending))
            group = pending.pop(done)
            for (key, task), (files, result) in zip(group, _made(ray, done), strict=True):
                for name, data in files.items():
                    (task.out / name).parent.mkdir(parents=True, exist_ok=True)
                    (task.out / name).write_bytes(data)
                yield key, result


def _connected() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise EngineError("Ray is not installed", hint="pip install 'netsuke[ray]'") from None
    if ray.is_initialized():
        return ray
    try:
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",  # else it joins, and does not start one, where `ray start` has left its mark
                num_cpus=max(2, cores()),
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        hint = "check RAY_ADDRESS" if os.environ.get("RAY_ADDRESS") else "see Ray's own logs"
        raise EngineError(f"Ray does not start: {error}", hint=f"{hint}, or leave out --on ray") from error
    return ray


def _made(ray: Any, ref: Any) -> list[Made]:
    """What a call made. Raises what the step raised, and EngineError where its process died."""
    try:
        made: list[Made] = ray.get(ref)
        return made
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, NetsukeError):
            raise error.cause from None
        raise  # a fault of ours, as it would be here
    except ray.exceptions.RayError as error:
        raise EngineError(
            f"a task of Ray did not get through: {_last_line(error)}", hint="leave out --on ray, or see Ray's own logs"
        ) from error


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _given(task: Task) -> Given:
    return task.params, {name: path.read_bytes() for name, path in task.inputs.items()}


def _run(module: str, step: str, given: Sequence[Given]) -> list[Made]:
    """The task: run a step, named by the module that holds it, on each of these."""
    return [_run_one(getattr(import_module(module), step), params, inputs) for params, inputs in given]


def _run_one(step: Any, params: Any, inputs: Mapping[str, bytes]) -> Made:
    with TemporaryDirectory(prefix="netsuke-") as folder:
        out, paths = Path(folder) / "out", {name: Path(folder) / name for name in inputs}
        out.mkdir()
        for name, data in inputs.items():
            paths[name].write_bytes(data)
        result = Task(step, params, out, paths).work()
        files = {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
    return files, result


def spread(
    module: str,
    function: str,
    given: Sequence[Any],
    hear: Callable[[Any], None],
    failed: Callable[[Any, str], Any],
) -> Iterator[Any]:
    """The results of a function, named by the module that holds it, on each of these, as they end.

    Each has a process of its own and its part of the cores; what it tells meanwhile is heard. Of one whose process
    died the result is `failed` of it and why.
    """
    ray = _connected()
    from ray.util.queue import Queue

    news = Queue(actor_options={"num_cpus": 0})
    run = ray.remote(num_cpus=_cores_each(ray, len(given)), max_calls=1, max_retries=2)(_told)
    pending = {run.remote(module, function, one, news): one for one in given}
    while pending:
        done, _ = ray.wait([*pending], timeout=NEWS_SECONDS)
        for told in news.get_nowait_batch(news.qsize()):
            hear(told)
        for ref in done:
            one = pending.pop(ref)
            try:
                yield ray.get(ref)
            except ray.exceptions.RayError as error:  # its process died: the others go on
                yield failed(one, _last_line(error))


def _cores_each(ray: Any, count: int) -> int:
    """The part of the cluster's cores that each of so many gets: no more than its largest node has."""
    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    return max(1, min(max(nodes, default=1), sum(nodes) // max(1, count)))


def _told(module: str, function: str, given: Any, news: Any) -> Any:
    wait_passively()
    return getattr(import_module(module), function)(given, news.put)
