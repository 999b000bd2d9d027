"""The child that makes a model for the studio: what `netsuke make` does, told to a file instead of a terminal."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from .. import loop, recipe
from ..errors import NetsukeError
from ..front import foretold, targets, watching
from ..machine import wait_passively
from ..nouns import Recipe
from ..outcome import Outcome, report_of
from ..plan import Planned
from ..step import Progress
from ..store import Store

SECONDS = 0.5  # between two lines about one step


class Told:
    """The events file of a make: also the Watch of its steps."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")
        self.started = self.said = time.monotonic()
        self.step = ""

    def say(self, kind: str, **values: Any) -> None:
        row = {"at": round(time.monotonic() - self.started, 1), "kind": kind, **values}
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()

    def __call__(self, step: str, progress: Progress) -> None:
        step = "read" if step.startswith("read ") else step
        now = time.monotonic()
        if step == self.step and progress.fraction < 1 and now - self.said < SECONDS:
            return
        self.step, self.said = step, now
        self.say("step", step=step, fraction=round(progress.fraction, 4), text=progress.text, count=progress.count)

    def plan(self, lines: list[Planned], seconds: float) -> None:
        """The steps by name, a step that runs many times once, and how long it all will take."""
        steps: dict[str, bool] = {}
        for line in lines:
            name = "read" if line.step == "read" else line.label
            steps[name] = steps.get(name, True) and line.cached
        self.say("plan", seconds=round(seconds), steps=[{"step": n, "cached": c} for n, c in steps.items()])


def make(job: dict[str, Any], told: Told) -> None:
    """Make what a job asks for, and say how it ended; `again` is with the corrections that there are by now."""
    store = Store()
    wanted, path, _ = targets.find_recipe(job["target"], store, job["name"])
    given = {name: job[name] for name in ("mb", "minutes", "name")}
    wanted = targets.applied(wanted, path, store, given, {})
    if not job.get("again"):
        return _make(wanted, path, store, told)
    with watching.alone(wanted.name, store):
        watching.mark(wanted.name, store)
        _make(watching.with_corrections(wanted, store), path, store, told)


def _make(wanted: Recipe, path: Path, store: Store, told: Told) -> None:
    with recipe.written(wanted, path):
        told.plan(foretold.plan(wanted, path, store), 0)
        begun = foretold.begun(wanted, path, store, told)
        told.plan(begun.lines, begun.seconds)

        def checked(outcome: Outcome) -> None:
            told.say("checked", measures=report_of(store, outcome)["measures"])

        loop.make(wanted, path, store, told, pace=begun.pace, tell=checked)
    told.say("done", name=wanted.name)


def main(folder: Path, lock: int) -> int:
    """Run the job of a folder. Returns its exit code."""
    os.set_inheritable(lock, False)  # the lock ends with this process, not with a child of it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin with it ignored
    wait_passively()
    told = Told(folder / "events.jsonl")
    try:
        make(json.loads((folder / "job.json").read_text(encoding="utf-8")), told)
        return 0
    except NetsukeError as error:
        told.say("failed", what=str(error), hint=error.hint or "", exit=error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        told.say("stopped", what="You stopped it.", hint="Make it again: it goes on from the last whole step.")
        return 130
    except ModuleNotFoundError as error:
        told.say("failed", what=f"{error.name} is not installed", hint="pip install 'netsuke[make]'", exit=1)
        return 1
    except BaseException as error:
        told.say("failed", what=f"{type(error).__name__}: {error}", hint=f"{folder / 'log'} says more", exit=1)
        raise


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
