"""The whole loop on the real base and the real documents: seconds of each step, beside what was foretold, memory, and
what a change costs.

    python -m bench.loop [--quick] [--check]

Prints one JSON line. Peer: nobody does the whole chain; the line is compared with its own floors (--check).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BASE = "smollm2-135m-instruct"
MOST_MEMORY_GB, MOST_IDLE_SECONDS, MOST_WRONG = 6.0, 2.0, 0.2
FORETOLD = re.compile(r"about ([\d.]+) (s|min|h) and [\d.]+ GB of disk")
UNITS = {"s": 1, "min": 60, "h": 3600}


def netsuke(home: Path, *words: str) -> tuple[float, float, str, float | None]:
    """(seconds, peak memory in GB of the process and its children, stdout, seconds that it foretold) of one command."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench.peak", *words],
        cwd=ROOT, env={**os.environ, "NETSUKE_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    print(done.stderr, file=sys.stderr, flush=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.exit(f"netsuke {' '.join(words)} ended with {done.returncode}")
    said = FORETOLD.search(done.stderr)
    expected = float(said[1]) * UNITS[said[2]] if said else None
    return seconds, float(lines[-1].split()[-1]), "\n".join(lines[:-1]), expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute of tuning instead of five")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    parser.add_argument("--json", action="store_true", help="one line of JSON (always)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        line = measure(Path(room), 0.5 if options.quick else 5.0)
    print(json.dumps(line))
    missed = (
        line["peak_memory_gb"] > MOST_MEMORY_GB or line["seconds_nothing_changed"] > MOST_IDLE_SECONDS
        or abs(line["seconds_foretold"] / line["seconds_whole"] - 1) > MOST_WRONG
    )  # fmt: skip
    sys.exit(1 if options.check and missed else 0)


def measure(room: Path, minutes: float) -> dict[str, Any]:
    home, folder = room / "home", room / "python-docs"
    subprocess.run(
        [sys.executable, ROOT / "examples/python-docs", folder], check=True, stdout=subprocess.DEVNULL
    )
    netsuke(home, "bases", "fetch", BASE)
    words = ("make", str(folder), "--mb", "80", "--minutes", str(minutes), "--json")
    whole, memory, output, expected = netsuke(home, *words)
    report = json.loads(output)
    from netsuke.store import Store

    steps: dict[str, float] = {}
    for run in Store(home).runs():
        steps[run.step] = round(steps.get(run.step, 0.0) + run.seconds, 1)
    idle, *_ = netsuke(home, *words)
    changed = folder / sorted(p.name for p in folder.glob("*.rst"))[0]
    changed.write_text(
        changed.read_text(encoding="utf-8") + "\nOne more sentence, which was not here before this very day.\n"
    )
    again, *_ = netsuke(home, *words)
    return {
        "bench": "loop", "minutes": minutes, "seconds_whole": round(whole, 1), "seconds_foretold": expected,
        "seconds_by_step": steps,
        "peak_memory_gb": round(memory, 2), "seconds_nothing_changed": round(idle, 2),
        "seconds_one_document_changed": round(again, 1), "load": os.getloadavg()[0], "cores": os.cpu_count(),
        "measures": {m["name"]: {k: m[k] for k in ("base", "ours", "change")} for m in report["measures"]},
        "tokens_per_second": {m["name"]: m["value"] for m in report["trial"]}, "n": 1, "seed": 0,
    }  # fmt: skip


if __name__ == "__main__":
    main()
