"""Minutes become a number of tokens by a speed that is measured once and written to netsuke.lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..machine import cores, free_threads
from ..nouns import Ref
from ..recipe import Lock, load_lock, save_lock
from ..store import Store
from . import Params, Speed, tune

LOOK_SECONDS = 1.5  # a lock lasts, so a passing moment must not decide it


@dataclass
class Pace:
    """The lock of a recipe, read or to be measured. With `measures` False nothing is measured or written."""

    path: Path
    store: Store
    note: Callable[[str], None]
    relock: bool = False
    measures: bool = True

    def __post_init__(self) -> None:
        self.lock: Lock | None = None if self.relock else load_lock(self.path)
        if self.lock is None and self.measures:
            self._fix_threads()
        self.threads = self.lock.threads if self.lock else cores()

    def _fix_threads(self) -> None:
        """Write a lock that holds the number of threads alone, so that a killed make goes on with the same."""
        threads = free_threads(LOOK_SECONDS)
        if threads < cores():
            self.note(f"using {threads} of {cores()} cores: the rest are busy; --relock when they are free")
        self.lock = Lock("", threads, "", 0.0, 0.0, {})
        save_lock(self.lock, self.path)

    def speed(
        self, params: Params, base: Ref, body: Ref | None, train: Ref | None, valid: Ref | None
    ) -> Speed | None:
        """The speed in the lock; else measured on the carved body and written; None if a plan cannot know it."""
        training = f"{params.method} r{params.rank} {params.window_tokens}x{params.windows_per_step}"
        if self.lock and self.lock.base == base and self.lock.training == training:
            return Speed(self.lock.train_tokens_per_second, self.lock.score_tokens_per_second)
        if not self.measures or not (body and train and valid):
            return None
        from . import speed

        self.note("measuring how fast this machine trains this model")
        found = speed.measure(
            params, self.store.path(body), self.store.path(train), self.store.path(valid), self.threads
        )
        self.lock = Lock(
            base,
            self.threads,
            training,
            found.train_tokens_per_second,
            found.score_tokens_per_second,
            tune.library_versions(),
        )
        save_lock(self.lock, self.path)
        return found
