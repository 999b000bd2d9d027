"""One adapter for each owner against one for all, at the same number of tokens.

    python -m bench.units [--owners 2,5,10] [--minutes 5] [--mb 80] [--quick] [--json] [--check]

The owners are blocks of the Python documents in the order of their names, so each has topics of their own. `joint` is
what a make does by default; `joint, same body` is the same on the body that per-owner adapters need, which is carved
without a look at anyone's text: the rest of the gap is what joining costs. Bits per byte on the documents held out, in
the model before rounding, under the gates that a make has by default.

`--quick` takes a tiny random base and made-up notes, which shows that it runs and no more. `--check` ends with 1 where
a floor is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GAP_AT, GAP = 5, 0.03  # the floor, and at how many owners
Row = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """Documents, the base to carve, and the dials."""

    documents: Sequence[Path]
    base: str
    minutes: float
    mb: float
    home: Path  # with the base in it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owners", default="2,5,10")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--mb", type=float, default=80.0)
    parser.add_argument("--quick", action="store_true", help="a tiny base: two and three owners")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    counts = [2, 3] if options.quick else [int(part) for part in options.owners.split(",")]
    with tempfile.TemporaryDirectory() as room:
        material = tiny(Path(room)) if options.quick else real(Path(room), options.minutes, options.mb)
        rows = quality(material, Path(room), counts)
    verdicts = floors(rows)
    if not options.json:
        print(*map(told, rows), sep="\n")
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    print(json.dumps({
        "bench": "units", "minutes": material.minutes, "quick": options.quick, "cores": os.cpu_count(),
        "load": os.getloadavg()[0], "rows": rows, "floors": verdicts, "n": 1, "seed": 0,
    }))  # fmt: skip
    sys.exit(1 if options.check and not all(verdicts.values()) else 0)


def told(row: Row) -> str:
    weight = f"  weight {row['weight']:.3f} of {row['owners']}" if row["weight"] else ""
    return (
        f"{row['arm']:20} test {row['test']:.4f} bits per byte ({row['gap']:+.1%} against joint)  general "
        f"{row['general']:.4f}  {row['tokens']:8,.0f} tokens  {row['seconds']:5.0f} s of tuning{weight}  n = {row['n']}"
    )


def floors(rows: Sequence[Row]) -> dict[str, bool]:
    """What must hold."""
    gaps = {row["owners"]: row["gap"] for row in rows if row["weight"]}
    at = GAP_AT if GAP_AT in gaps else max(gaps)
    return {f"per-owner within {GAP:.0%} of joint at {at} owners": gaps[at] <= GAP}


# -- material --------------------------------------------------------------------------------------------
def real(room: Path, minutes: float, mb: float) -> Material:
    """The Python documents and the default base."""
    from netsuke import bases
    from netsuke.bases.fetch import fetch
    from netsuke.recipe import DEFAULT_BASE
    from netsuke.store import Store

    folder = room / "python-docs"
    subprocess.run([sys.executable, ROOT / "examples/python-docs", folder], check=True, stdout=subprocess.DEVNULL)
    fetch(bases.find(DEFAULT_BASE), Store(room / "home"), lambda done, total: None)
    documents = sorted(path for path in folder.rglob("*") if path.suffix in (".rst", ".txt", ".md"))
    return Material(documents, DEFAULT_BASE, minutes, mb, room / "home")


def tiny(room: Path) -> Material:
    """A random base of two layers and notes that nobody wrote."""
    sys.path.insert(0, str(ROOT / "tests"))
    from material import document
    from tiny import tiny_gguf

    folder = room / "documents"
    folder.mkdir()
    for number in range(36):
        (folder / f"note-{number:03}.md").write_text(document(number), encoding="utf-8")
    return Material(sorted(folder.iterdir()), str(tiny_gguf(room / "tiny.gguf")), 0.05, 0.0, room / "home")


def write(material: Material, folder: Path, owners: int, units: str) -> Path:
    """A folder for each owner with a block of the documents, and the recipe."""
    block, sources = -(-len(material.documents) // owners), []
    for number in range(owners):
        place = folder / f"owner-{number}"
        place.mkdir(parents=True)
        for path in material.documents[number * block : (number + 1) * block]:
            shutil.copyfile(path, place / path.name)
        sources.append(source(number))
    dials = f'name = "units"\nbase = "{material.base}"\nmb = {material.mb}\nminutes = {material.minutes}\n'
    (folder / "netsuke.toml").write_text(dials + "".join(sources) + f'[tune]\nunits = "{units}"\n', encoding="utf-8")
    return folder / "netsuke.toml"


def source(number: int) -> str:
    return f'[[sources]]\npath = "owner-{number}"\nowner = "owner {number}"\nlicence = "PSF-2.0"\nconsent = "in"\n'


# -- quality ---------------------------------------------------------------------------------------------
def quality(material: Material, room: Path, counts: Sequence[int]) -> list[Row]:
    """A row for each arm; all learn as many tokens as the first one did."""
    arms: dict[str, tuple[int, str]] = {"joint": (1, "joint"), "joint, same body": (1, "joint")}
    arms |= {f"per-owner, {count}": (count, "per-owner") for count in counts}
    rows: list[Row] = []
    for arm, (owners, units) in arms.items():
        place = write(material, room / arm.replace(", ", "-"), owners, units)
        if rows:
            shutil.copyfile(room / "joint" / "netsuke.lock", place.with_suffix(".lock"))
        row = trained(place, material, arm, rows[0]["epochs"] if rows else 0.0)
        row["gap"] = row["test"] / rows[0]["test"] - 1 if rows else 0.0
        rows.append(row | {"owners": owners})
        print(told(rows[-1]), file=sys.stderr, flush=True)
    return rows


def trained(place: Path, material: Material, arm: str, epochs: float) -> Row:
    """What the loop comes to before rounding; each owner's text is learnt for so many epochs."""
    from netsuke import carve, loop, recipe
    from netsuke.engines import hf
    from netsuke.step import Local
    from netsuke.store import Store
    from netsuke.texts.documents import general_text, read_texts

    wanted, store = recipe.load(place, loop.SECTIONS), Store(material.home)
    local, pace = Local(store), loop.pace_of(place, store, lambda title, progress: None)
    start, apart = loop.begin(wanted, place, store, local), arm != "joint"
    if epochs and pace.lock:
        pace.lock = dataclasses.replace(
            pace.lock, unit_minutes=wanted.minutes, unit_epochs=round(epochs, 4), unit_valid_bytes=4_000
        )
        recipe.save_lock(pace.lock, place.with_suffix(".lock"))
    carving = dataclasses.replace(loop.carving_of(wanted, wanted.budget_bytes, pace.compute), blind=apart)
    carved = local.run(carve.carve, carving, model=start.base_model, **loop.seen_by(carving, start))
    learn = loop.by_owner if wanted.params["tune"].units == "per-owner" else loop.jointly
    learnt = learn(wanted, store, local, start, carved, pace)
    tuned = [run for run in [*local.ran, *local.reused] if run.step == "tune"]
    hf.use(pace.compute)
    folder = store.path(learnt.model.ref or "")
    model = hf.load_model(folder).eval()
    test = hf.open_texts(folder, read_texts(store.path(start.rendered["test.jsonl"] or "")))
    general = hf.open_texts(folder, read_texts(store.path(general_text(store, "test"))))
    weights = store.tree(learnt.by["tune"].ref or "").get("weights.json")
    found = json.loads(store.path(weights).read_text(encoding="utf-8"))["parents"] if weights else [{"weight": 0.0}]
    return {
        "arm": arm, "epochs": json.loads(store.path(learnt.curve or "").read_text(encoding="utf-8"))["epochs"],
        "test": hf.bits_per_byte(hf.score(model, test)),
        "general": hf.bits_per_byte(hf.score(model, general)), "n": len(test), "weight": found[0]["weight"],
        "tokens": sum(m.value for run in tuned for m in run.measures if m.name == "training tokens"),
        "seconds": round(sum(run.seconds for run in tuned), 1),
    }  # fmt: skip


if __name__ == "__main__":
    main()
