"""Seconds of the whole check of a real model, by step, with nothing cached.

    python -m bench.check [NAME] [--quick] [--check]

Takes NAME, a model of this home (`netsuke list`), or makes one from real documents. Every step of the check runs anew
on its files, in a store of its own. Prints one JSON line. No peer does all of this; the floor is its own (--check).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from netsuke.nouns import Ref
from netsuke.step import Local
from netsuke.store import Store

ROOT = Path(__file__).resolve().parent.parent
BASE = "smollm2-135m-instruct"
MOST_SECONDS = 240.0
STEPS = ("check", "recall", "calibrate", "probe", "judge", "show", "trial")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="a model of this home; else one is made")
    parser.add_argument("--quick", action="store_true", help="half a minute of tuning instead of five, if one is made")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    parser.add_argument("--json", action="store_true", help="one line of JSON (always)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        store = Store() if options.name else Store(Path(room) / "home")
        name = options.name or made(store.root, Path(room) / "python-docs", 0.5 if options.quick else 5.0)
        line = measure(store, name, Store(Path(room) / "again"))
    print(json.dumps(line))
    sys.exit(1 if options.check and line["seconds_whole"] > MOST_SECONDS else 0)


def made(home: Path, folder: Path, minutes: float) -> str:
    """The name of a model of real documents that is made for this."""
    quiet: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": ROOT}
    quiet["env"] = {**os.environ, "NETSUKE_HOME": str(home)}
    subprocess.run([sys.executable, ROOT / "examples/python-docs", folder], **quiet)
    netsuke = [sys.executable, "-m", "netsuke"]
    subprocess.run([*netsuke, "bases", "fetch", BASE], **quiet)
    subprocess.run([*netsuke, "make", str(folder), "--mb", "80", "--minutes", str(minutes)], **quiet)
    return folder.name


def measure(store: Store, name: str, fresh: Store) -> dict[str, Any]:
    """Run the steps of a model's check again in a fresh store, on copies of their inputs."""
    from netsuke import check

    record = store.named("packs", name)
    if record is None:
        sys.exit(f"no model {name!r} in this home")
    wanted = {*record["runs"]}
    runs = [run for run in store.runs() if run.key in wanted and run.step in STEPS]
    local, seconds, peak = Local(fresh), dict[str, float](), dict[str, Any]()
    for run in sorted(runs, key=lambda run: STEPS.index(run.step)):
        step = getattr(check, run.step)
        inputs: dict[str, Ref | None] = {what: moved(store, fresh, ref) for what, ref in run.inputs.items()}
        if run.version != step.version:
            sys.exit(f"{name} was checked by another version of {run.step}: `netsuke make {name}` first")
        done = local.run(step, again(step, run.params), **inputs).run
        if done is None:
            continue
        seconds[run.step] = round(seconds.get(run.step, 0.0) + done.seconds, 1)
        peak |= {measure.name: round(measure.value, 4) for measure in done.measures}
    return {
        "bench": "check", "model": name, "seconds_whole": round(sum(seconds.values()), 1), "seconds_by_step": seconds,
        "measures": peak, "load": os.getloadavg()[0], "cores": os.cpu_count(), "n": 1,
    }  # fmt: skip


def moved(store: Store, fresh: Store, ref: Ref) -> Ref:
    """The same file or folder in another store."""
    path = store.path(ref)
    return fresh.add_folder(path, move=False) if path.is_dir() else fresh.add_file(path)


def again(step: Any, plain: Any) -> Any:
    """A step's params from what its run has recorded."""
    import dataclasses
    import typing

    from netsuke.nouns import Compute

    kind = typing.get_type_hints(step.function, vars(sys.modules[step.function.__module__]))["params"]
    assert dataclasses.is_dataclass(kind)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
    if "compute" in values:
        values["compute"] = Compute(**values["compute"])
    return kind(**values)  # type: ignore[operator]


if __name__ == "__main__":
    main()
