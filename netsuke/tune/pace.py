"""Minutes become a number of tokens by a speed that is measured once and written to netsuke.lock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..machine import cores, free_threads
from ..nouns import Compute, Ref
from ..recipe import Lock, load_lock, save_lock
from ..store import Store
from . import Params, Speed, tune
from .units import Share, divided

LOOK_SECONDS = 1.5  # a lock lasts, so a passing moment must not decide it


@dataclass
class Pace:
    """The lock of a recipe, read, or measured once it is asked for. With `measures` False nothing is, or written."""

    path: Path
    store: Store
    note: Callable[[str], None]
    relock: bool = False
    measures: bool = True

    def __post_init__(self) -> None:
        self.lock: Lock | None = None if self.relock else load_lock(self.path)

    @property
    def compute(self) -> Compute:
        """What this machine computes with."""
        lock = self.fixed()
        return Compute(lock.threads, lock.float_type, lock.device) if lock else Compute(cores())

    def fixed(self) -> Lock | None:
        """The lock; one that holds this alone is written first, so that a killed make goes on with the same."""
        if self.lock is None and self.measures:
            self.lock = self._measured()
            save_lock(self.lock, self.path)
        return self.lock

    def _measured(self) -> Lock:
        from ..engines import device

        threads = free_threads(LOOK_SECONDS)
        if threads < cores():
            self.note(f"using {threads} of {cores()} cores: the rest are busy; --relock when they are free")
        float_type, gflops = device.fastest_float(threads)
        if float_type != Compute.float_type:
            self.note(f"computing in {float_type}: this processor has no fast bfloat16")
        place = device.accelerator()
        if place != Compute.device:
            self.note(f"training on the {place} device")
        return Lock("", threads, "", 0.0, 0.0, {}, float_type, place, gflops)

    def speed(self, params: Params, pruned: str, **inputs: Ref | None) -> Speed | None:
        """The speed in the lock; else measured on the carved body and written; None if a plan cannot know it.

        `pruned` names the body's shape where it is not the base's; `inputs` are those of speed.measure.
        """
        step = f"{params.window_tokens}x{params.windows_per_step}{f'/{params.shards}' if params.shards > 1 else ''}"
        untaught = "untaught" if pruned and not params.distil else ""  # no teacher to wait for
        training = " ".join(filter(None, (params.method, f"r{params.rank}", step, pruned, untaught)))
        base = inputs["base"] or ""
        if self.lock and self.lock.base == base and self.lock.training == training:
            return Speed(self.lock.train_tokens_per_second, self.lock.score_tokens_per_second)
        if not self.measures or not all(inputs.values()):
            return None
        from . import speed

        self.note("measuring how fast this machine trains this model")
        paths = {name: self.store.path(ref or "") for name, ref in inputs.items()}
        found = speed.measure(params, self.compute, **paths)
        self.lock = Lock(
            base,
            self.compute.threads,
            training,
            found.train_tokens_per_second,
            found.score_tokens_per_second,
            tune.library_versions(),
            self.compute.float_type,
            self.compute.device,
            self.lock.gflops if self.lock else 0.0,
        )
        save_lock(self.lock, self.path)
        return found

    def share(
        self, minutes: float, train: Sequence[Ref | None], speed: Speed | None, learning_rate: float = 0.0
    ) -> Share | None:
        """How long each owner's text is learnt: what the lock says of these minutes, else divided now and written.

        None where a plan cannot know it. Who comes later is learnt as long; who leaves changes nothing for the others.
        """
        if self.lock and self.lock.unit_epochs and self.lock.unit_minutes == minutes:
            return Share(self.lock.unit_epochs, self.lock.unit_valid_bytes)
        if not (self.lock and self.measures and speed and train and all(train)):
            return None
        found = divided(minutes, [self.store.size(ref or "") for ref in train], speed, learning_rate)
        self.lock = replace(
            self.lock, unit_minutes=minutes, unit_epochs=found.epochs, unit_valid_bytes=found.valid_bytes
        )
        save_lock(self.lock, self.path)
        return found
