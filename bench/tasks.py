"""Tasks learnt from 50, 500 and 5,000 examples, beside the base with and without examples, and TF-IDF.

    python -m bench.tasks [--minutes 10] [--seeds 3] [--items 200] [--only TASK] [--counts 50 500] [--lock FILE]
                          [--plot FILE] [--quick] [--check]

Debian's package lists: sections (labels) and versions (an extraction), 50, 500 and 5,000 examples to learn from, beside
60 to choose by and those that are answered. Each row is a whole make, from the table to the checked pack. Prints a
table and one JSON line, and draws a picture where `--plot` says; `--check` ends with 1 where ours is below the base
with examples.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TASKS, COUNTS = ("sections", "versions"), (50, 500, 5000)
VALID = 60
PEER = "base, with examples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of tuning, for each make")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--items", type=int, default=200, help="held-out examples that are answered")
    parser.add_argument("--only", choices=TASKS)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="examples of each table")
    parser.add_argument("--lock", type=Path, help="a netsuke.lock to go by: the same lock trains as much anywhere")
    parser.add_argument("--plot", type=Path, help="an SVG to write")
    parser.add_argument("--quick", action="store_true", help="50 examples, one seed, half a minute, 30 items")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where ours is below the base with examples")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.seeds, options.items = 0.5, 1, 30
    counts = COUNTS[:1] if options.quick else options.counts
    rows = []
    with tempfile.TemporaryDirectory() as room:
        for task in [options.only] if options.only else TASKS:
            for count in counts:
                rows.append(measure(Path(room), task, count, options))
                if not options.json:
                    print(line(rows[-1]), flush=True)
    print(json.dumps({
        "bench": "tasks", "minutes": options.minutes, "seeds": options.seeds, "cores": os.cpu_count(),
        "load": os.getloadavg()[0], "rows": rows,
    }))  # fmt: skip
    if options.plot:
        options.plot.write_text(drawn(rows), encoding="utf-8")
    behind = [row for row in rows if row["scores"]["ours"] < row["scores"][PEER]]
    sys.exit(1 if options.check and behind else 0)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    scores = ", ".join(f"{who} {value:.1%}" for who, value in row["scores"].items())
    told = f"{row['task']} {row['examples']:5,} examples, {row['score']}: {scores}"
    return f"{told} (n = {row['n']}; {row['seconds']:.0f} s a make)"


COLOURS = {"ours": "#c2410c", PEER: "#0f766e", "base, no example": "#5eaaa3"}


def drawn(rows: list[dict[str, Any]]) -> str:
    """A picture: the score against the number of examples, a panel a task."""
    from netsuke.engines.plot import Panel, Series, svg

    panels = []
    for task in dict.fromkeys(row["task"] for row in rows):
        found = [row for row in rows if row["task"] == task]
        series = [
            Series(who, [(row["examples"], row["scores"][who]) for row in found], (), COLOURS.get(who, "#777777"), True)
            for who in found[0]["scores"]
        ]
        panels.append(Panel(f"{task}, n = {found[0]['n']}", "examples to learn from", found[0]["score"], series, True))
    return svg(panels)


def measure(room: Path, task: str, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """Medians over seeds of the first score of each who answered, each seed's values beside."""
    folder, items = room / f"{task}-{count}", options.items
    command = [sys.executable, ROOT / "examples/debian-packages", folder, "--task", task, "--count"]
    command.append(str(count + VALID + items))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if options.lock:
        shutil.copyfile(options.lock, folder / "netsuke.lock")
    started, found = time.perf_counter(), []
    for seed in range(options.seeds):
        found.append(made(room, folder / "netsuke.toml", options.minutes, seed, items, count))
    first = found[0][0]["score"]
    by_seed = [{row["who"]: row["value"] for row in rows if row["score"] == first} for rows in found]
    return {
        "task": task, "examples": count, "score": first, "n": found[0][0]["n"],
        "scores": {who: statistics.median(seed[who] for seed in by_seed) for who in by_seed[0]},
        "by_seed": by_seed, "seconds": (time.perf_counter() - started) / options.seeds,
    }  # fmt: skip


def made(room: Path, place: Path, minutes: float, seed: int, items: int, count: int) -> list[dict[str, Any]]:
    """The rows of scores.json of one make, whether it ships or not."""
    from netsuke import bases, loop, recipe
    from netsuke.bases.fetch import fetch
    from netsuke.errors import GateError
    from netsuke.outcome import scores_of
    from netsuke.store import Store

    store = Store(room / "home")
    wanted = dataclasses.replace(recipe.load(place, loop.SECTIONS), minutes=minutes, seed=seed)
    task = dataclasses.replace(wanted.params["task"], items=items)
    every = count + VALID + items
    curate = dataclasses.replace(wanted.params["curate"], test=items / every, valid=VALID / every)
    wanted = dataclasses.replace(wanted, params={**wanted.params, "task": task, "curate": curate})
    fetch(bases.find(wanted.base), store, lambda done, total: None)
    rows: list[dict[str, Any]] = []
    try:
        loop.make(wanted, place, store, lambda *_: None, tell=lambda o: rows.extend(scores_of(store, o)["scores"]))
    except GateError as error:
        print(f"does not ship: {error}", file=sys.stderr)
    return rows


if __name__ == "__main__":
    main()
