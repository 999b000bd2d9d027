"""Makes that were started in the studio: each is a child process with a folder of its own in the home.

    makes/ID/job.json       what was asked for
    makes/ID/events.jsonl   what it said: a line a step, a few a second at most
    makes/ID/alive          locked for as long as it lives, whoever looks

Neither closing the page nor stopping the studio ends a make; whoever comes back reads the same files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError, StoreError
from ..machine import child_environment

_ID = re.compile(r"[0-9]{14}-[0-9a-f]{6}")
_LOSS = re.compile(r"loss ([0-9.]+), valid ([0-9.]+) bits per byte")


@dataclass(frozen=True)
class Make:
    """One make, as its folder tells it."""

    id: str
    folder: Path

    @property
    def job(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "job.json").read_text(encoding="utf-8"))
        return found

    @property
    def alive(self) -> bool:
        """Whether its process lives, and so holds its lock."""
        with (self.folder / "alive").open("a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def events(self, start: int = 0) -> tuple[list[dict[str, Any]], int]:
        """(whole events behind byte `start`, where the next one begins)."""
        with contextlib.suppress(FileNotFoundError), (self.folder / "events.jsonl").open("rb") as file:
            file.seek(start)
            whole = file.read().rpartition(b"\n")[0]
            if whole:
                return [json.loads(line) for line in whole.split(b"\n")], start + len(whole) + 1
        return [], start

    def stop(self) -> None:
        """End it as Ctrl-C does; the next make of the same folder goes on from there."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int((self.folder / "pid").read_text(encoding="utf-8")), signal.SIGINT)


class Makes:
    """All makes of a home."""

    def __init__(self, home: Path) -> None:
        self.home, self.room = home, home / "makes"

    def start(self, job: dict[str, Any]) -> Make:
        """A new make. Raises RecipeError while another runs: two cores train one model at a time."""
        if running := next((make for make in self.every() if make.alive), None):
            raise RecipeError(
                f"a make of {running.job['shown']} is running", hint="wait until it ends, or stop it on its page"
            )
        make_id = f"{time.strftime('%Y%m%d%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
        folder = self.room / make_id
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job, indent=1), encoding="utf-8")
        with (folder / "alive").open("a", encoding="utf-8") as lock, (folder / "log").open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the child inherits it, and holds it for as long as it lives
            command = [sys.executable, "-P", "-m", "netsuke.studio.maker", str(folder), str(lock.fileno())]
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     env=child_environment(NETSUKE_HOME=str(self.home)),
                                     pass_fds=[lock.fileno()], start_new_session=True)  # fmt: skip
        (folder / "pid").write_text(str(child.pid), encoding="utf-8")
        threading.Thread(target=child.wait, daemon=True).start()  # takes leave of it when it ends
        return Make(make_id, folder)

    def find(self, make_id: str) -> Make:
        """The make of this id. Raises StoreError."""
        folder = self.room / make_id
        if not _ID.fullmatch(make_id) or not (folder / "job.json").is_file():
            raise StoreError("there is no such make", hint="the first page shows those there are")
        return Make(make_id, folder)

    def every(self) -> Iterator[Make]:
        """Newest first."""
        names = sorted(os.listdir(self.room), reverse=True) if self.room.is_dir() else []
        yield from (Make(n, self.room / n) for n in names if _ID.fullmatch(n) and (self.room / n / "job.json").exists())


def state_of(make: Make, events: list[dict[str, Any]]) -> dict[str, Any]:
    """What a page shows of a make: its steps with their states, its losses, how far it is and how it ended."""
    steps: dict[str, dict[str, Any]] = {}
    state: dict[str, Any] = {"seconds": 0.0, "foretold": 0.0, "step": "", "fraction": 0.0, "text": "", "points": [],
                             "checked": None}  # fmt: skip
    for event in events:
        state["seconds"] = event["at"]
        if event["kind"] == "plan":
            state["foretold"] = event["seconds"]
            run = {name: row for name, row in steps.items() if row["state"] in ("runs", "done")}  # the documents' own
            steps = {row["step"]: {**row, "state": "there" if row["cached"] else "waits"} for row in event["steps"]}
            steps |= run
        elif event["kind"] == "step":
            row = steps.setdefault(event["step"], {"step": event["step"], "cached": False, "state": "waits"})
            _pass(steps, event["step"])
            row |= {"state": "done" if event["fraction"] >= 1 else "runs", "text": event["text"],
                    "fraction": event["fraction"]}  # fmt: skip
            state |= {name: event[name] for name in ("step", "fraction", "text")}
            if (found := _LOSS.search(event["text"])) and event["count"]:
                state["points"].append((event["count"], float(found[1]), float(found[2])))
        elif event["kind"] == "checked":
            state["checked"] = event
        else:
            state["end"] = event
    if state.get("end", {}).get("kind") == "done":
        _pass(steps)
        steps = {name: row for name, row in steps.items() if row["state"] != "waits"}  # not of this make, it turned out
    if "end" not in state and not make.alive and not _spoke_since(make, len(events)):
        state["end"] = {"kind": "stopped", "what": "It was stopped before its end.",
                        "hint": "Make it again: it goes on from the last step that was whole."}  # fmt: skip
    state["steps"] = list(steps.values())
    return state


def _pass(steps: Mapping[str, dict[str, Any]], now: str = "") -> None:
    """Those that ran are done when another runs; not every step says its own end."""
    for name, row in steps.items():
        if row["state"] == "runs" and name != now:
            row["state"] = "done"


def _spoke_since(make: Make, known: int) -> bool:
    """Whether it said more than the events that are known: it may have ended while they were looked at."""
    return len(make.events()[0]) > known
