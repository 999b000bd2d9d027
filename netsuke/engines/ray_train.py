"""One step in shards on several workers at once, under Ray Train.

Each worker calls the same step on the same inputs in torch's process group; the first one writes. The workers of a
cluster need the home folder on a disk that they share. A worker that dies takes the others with it; all begin again
from the last checkpoint.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..disk import emptied
from ..errors import EngineError, NetsukeError, StoreError
from ..nouns import Measure
from ..step import Progress, Step, Work
from .ray import NEWS_SECONDS

RESTARTS = 3  # of all workers, after one of them died


def in_shards(step: Step, params: Any, out: Path, scratch: Path, inputs: dict[str, Path]) -> Work:
    """The work of a step on `params.shards` workers. Raises EngineError where they keep dying.

    What breaks it off, Ctrl-C say, ends the workers, and with them our Ray.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.util.queue import Queue

    logging.getLogger("ray.train").setLevel(logging.ERROR)
    news = Queue(actor_options={"num_cpus": 0})
    given = {"step": step.name, "module": step.function.__module__, "params": params, "out": out, "scratch": scratch,
             "inputs": inputs, "news": news}  # fmt: skip
    on_gpu = params.compute.device == "cuda"
    trainer = TorchTrainer(
        _worker,
        train_loop_config=given,
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=params.shards, use_gpu=on_gpu, resources_per_worker={"CPU": 1, "GPU": int(on_gpu)}
        ),
        run_config=RunConfig(
            storage_path=str(scratch / "ray"), failure_config=FailureConfig(max_failures=RESTARTS)
        ),
    )
    running = _aside(trainer.fit)
    try:
        measures: list[Measure] = yield from _heard(running, news)
    except BaseException:
        if not running.done():
            ray.shutdown()
        raise
    return measures


def _aside(work: Callable[[], Any]) -> Future[Any]:
    """What comes of work, in a thread that nobody waits for: that of a pool is waited for, even by an exit."""
    future: Future[Any] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=do, name="shards", daemon=True).start()
    return future


def _heard(running: Future[Any], news: Any) -> Work:
    """What the first worker tells, until all have ended."""
    from ray.util.queue import Empty

    measures: list[Measure] | None = None
    failure: NetsukeError | None = None
    while not running.done() or not news.empty():
        try:
            told = news.get(timeout=NEWS_SECONDS)
        except Empty:
            continue
        if isinstance(told, Progress):
            yield told
        elif isinstance(told, NetsukeError):
            failure = told
        else:
            measures = told
    if error := running.exception():
        raise failure or EngineError(
            f"the workers do not get through: {error}", hint="leave out --on ray, or see Ray's own logs"
        ) from error
    if measures is None:
        raise EngineError("the workers ended without a word", hint="leave out --on ray, or see Ray's own logs")
    return measures


def _worker(given: dict[str, Any]) -> None:
    """What each worker does; the first one tells."""
    from ray.train import get_context

    step: Step = getattr(import_module(given["module"]), given["step"])
    leads, news = get_context().get_world_rank() == 0, given["news"]
    try:
        if missing := [str(path) for path in given["inputs"].values() if not path.exists()]:
            raise StoreError(
                "this worker does not see the home folder", where=missing[0],
                hint="let $NETSUKE_HOME be on a disk that all nodes share",
            )  # fmt: skip
        with TemporaryDirectory(prefix="netsuke-") as spare:
            out = emptied(given["out"]) if leads else Path(spare)
            work = step.function(given["params"], out, scratch=given["scratch"], **given["inputs"])
            while True:
                try:
                    progress = next(work)
                except StopIteration as stop:
                    if leads:
                        news.put(stop.value)
                    return
                if leads:
                    news.put(progress)
    except NetsukeError as error:
        news.put(error)
        raise
