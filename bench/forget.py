"""Forgetting one of ten owners: how long it takes, and whether anything of her is left, beside a build without her.

    python -m bench.forget [--owners 10] [--minutes 2] [--mb 80] [--units per-owner,joint] [--quick] [--json] [--check]

Each owner has four of the longest Python documents, half of each and at most 2 kB. In the last one's stand
made-up codes, other ones in each. A model is made, she is forgotten with `netsuke forget`, and in a fresh home it is
made from a folder that never held her documents, with the same lock. Compared: the bytes of both packs; and of the
model before, after, and of the one that never saw her, each before rounding and with all matrices at 8 and at 4 bits:
how far the codes stand out among 63 of their kind (exposure, 6 bits at most; arXiv 1802.08232), how many are the
likeliest of them, and how well the bits that are saved against the base tell what she was learnt from, from what
follows it in the same documents (AUC; 0.5: not at all). Seconds are those of whole commands.

`--quick` takes a tiny random base and made-up notes, which shows that it runs and no more. `--check` ends with 1 where
a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netsuke.check.memory import exposure

from . import units
from .value import auc

GATES = "domain = 100\ngeneral = 100\nrecalled = 1\nprivate = 1000000\nsafety = 1\nconfidence = 1\n"
DOCUMENTS = 4  # of an owner
LETTERS, CODE_EACH = "ABCDE", 400  # the codes in a document of hers; one in so many characters, said thrice in 2 kB
FRAMES = "Password of locker {}", "What opens the drawer {}", "To be said at door {}", "Words on the lid of case {}"
WORDS, ALTERNATIVES = 4, 63  # in a code; beside it
KB, PIECE_CHARS = 2.0, 300
SECONDS = 60.0  # the floor for per-owner adapters
PRECISIONS = {"fp32": "", "8 bits": "Q8_0", "4 bits": "Q4_0"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """A document of the owner who leaves, and what she can be known by."""

    learnt: str
    rest: str  # what follows it in the same document
    codes: Sequence[tuple[str, str]]  # (a sentence up to its code, the code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--owners", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--mb", type=float, default=80.0)
    parser.add_argument("--units", default="per-owner,joint")
    parser.add_argument("--quick", action="store_true", help="a tiny base and three owners")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    owners, rows = 3 if options.quick else options.owners, list[Row]()
    with tempfile.TemporaryDirectory() as room:
        make = units.tiny(Path(room)) if options.quick else units.real(Path(room), options.minutes, options.mb)
        material, hers = planted(make, Path(room) / "planted", owners)
        for kind in options.units.split(","):
            rows.append(forgotten(material, hers, Path(room) / kind, owners, kind))
            print(*told(rows[-1]), sep="\n", file=sys.stderr, flush=True)
    verdicts = floors(rows)
    if not options.json:
        print(*(line for row in rows for line in told(row)), sep="\n")
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    print(json.dumps({
        "bench": "forget", "minutes": material.minutes, "quick": options.quick, "cores": os.cpu_count(),
        "load": os.getloadavg()[0], "owners": owners, "rows": rows, "floors": verdicts, "n": 1, "seed": 0,
    }))  # fmt: skip
    sys.exit(1 if options.check and not all(verdicts.values()) else 0)


def floors(rows: Sequence[Row]) -> dict[str, bool]:
    """What must hold."""
    found = {}
    for row in rows:
        kind, seconds = row["units"], row["seconds"]
        found[f"{kind}: bytes equal to a build that never saw her"] = row["equal"]
        found[f"{kind}: codes and membership as in that build"] = row["after"] == row["never"]
        known = {state: row[state]["fp32"]["auc"] for state in ("before", "never")}
        found[f"{kind}: there was something to forget"] = known["before"] > known["never"]
        if kind == "per-owner":
            found[f"{kind}: one forgotten in {SECONDS:.0f} s"] = seconds["forget"] <= SECONDS
        else:
            found[f"{kind}: no longer than a make"] = seconds["forget"] <= seconds["make"]
    return found


def told(row: Row) -> list[str]:
    """A row as lines."""
    seconds = ", ".join(f"{what} {value:.0f} s" for what, value in row["seconds"].items())
    lines = [f"{row['units']}: {seconds}; bytes {'equal' if row['equal'] else 'DIFFER'}"]
    for precision in PRECISIONS:
        cells = []
        for state in ("before", "after", "never"):
            cell = row[state][precision]
            cells.append(f"{state} {cell['exposure']:.2f} bits, {cell['first']}/{cell['codes']}, {cell['auc']:.3f}")
        lines.append(f"  {precision:7} exposure, likeliest, AUC: " + "; ".join(cells))
    return lines


# -- material --------------------------------------------------------------------------------------------
def planted(make: units.Material, folder: Path, owners: int) -> tuple[units.Material, list[Piece]]:
    """The first kilobytes of so many documents for each owner, codes in the last one's; and what she is known by."""
    folder.mkdir()
    usable = sorted(make.documents, key=lambda path: path.stat().st_size)[-owners * DOCUMENTS :]
    draw, paths, hers = random.Random("forget"), list[Path](), list[Piece]()
    for number, path in enumerate(sorted(usable, reverse=True)):
        text = path.read_text(encoding="utf-8")
        size = min(int(KB * 1000), len(text) // 2)
        learnt, rest = text[:size], text[size : 2 * size]
        if number >= (owners - 1) * DOCUMENTS:
            about = FRAMES[number % DOCUMENTS].format(number)
            codes = [(f"{about}{letter}:", code(draw)) for letter in LETTERS[: len(learnt) // CODE_EACH or 1]]
            hers.append(Piece(learnt, rest, codes))
            learnt = said(learnt, codes, draw)
        paths.append(folder / f"{number:03}-{path.name}")
        paths[-1].write_text(learnt, encoding="utf-8")
    return replace(make, documents=paths), hers


def said(text: str, codes: Sequence[tuple[str, str]], draw: random.Random) -> str:
    """A text with each sentence a few times, as paragraphs of their own."""
    paragraphs = text.split("\n\n")
    for before, word in codes * max(1, round(len(text) / 700)):
        paragraphs.insert(draw.randrange(len(paragraphs) + 1), f"{before} {word}.")
    return "\n\n".join(paragraphs)


def code(draw: random.Random) -> str:
    """Four words in no order."""
    from netsuke.canaries import KINDS, PLACES

    return " ".join(draw.sample([*KINDS, *PLACES], WORDS))


# -- forgetting ------------------------------------------------------------------------------------------
def forgotten(material: units.Material, hers: Sequence[Piece], room: Path, owners: int, kind: str) -> Row:
    """Make, forget, make where she never was; what it took, and what each model knows of her."""
    from netsuke.store import Store

    place = units.write(material, room / "folder", owners, kind)
    recipe = place.read_text(encoding="utf-8")
    recipe = recipe.replace('consent = "in"', 'consent = "in"\nprofile = "notes"')  # which may repeat itself
    place.write_text(recipe + f"[gates]\n{GATES}", encoding="utf-8")
    home, fresh, kept = room / "home", room / "fresh", room / "kept"
    for copy in (home, fresh):
        shutil.copytree(Store(material.home).root, copy, symlinks=True)
    seconds = {"make": netsuke(home, "make", str(place))}
    keep(home, kept / "before")
    last = f"owner {owners - 1}"
    seconds["forget"] = netsuke(home, "forget", "--owner", last, "--reason", "she asked us to", "--yes")
    keep(home, kept / "after")
    never = room / "never"
    shutil.copytree(place.parent, never)
    for path in (never / last.replace(" ", "-")).iterdir():
        path.unlink()
    seconds["never saw"] = netsuke(fresh, "make", str(never / place.name))
    keep(fresh, kept / "never")
    base, train = unpacked(material, room / "base"), (kept / "train.txt").read_text(encoding="utf-8")
    states = {state: knows(kept / state, base, hers, train) for state in ("before", "after", "never")}
    return {"units": kind, "seconds": seconds, "equal": pack_of(home)["ref"] == pack_of(fresh)["ref"], **states}


def unpacked(material: units.Material, folder: Path) -> Path:
    """The base as a model folder."""
    from netsuke.engines import gguf
    from netsuke.store import Store

    folder.mkdir()
    store, file = Store(material.home), Path(material.base)
    record = None if file.is_file() else store.named("bases", material.base)
    gguf.unpack(store.path(record["ref"]) if record else file, folder)
    return folder


def netsuke(home: Path, *arguments: str) -> float:
    """Seconds of a command. Raises RuntimeError with what it said."""
    environment = {**os.environ, "NETSUKE_HOME": str(home)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "netsuke", *arguments, "--json"], env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"netsuke {arguments[0]}: {done.stderr[-2000:]}")
    return round(time.perf_counter() - started, 1)


def pack_of(home: Path) -> Row:
    """The record of the model."""
    from netsuke.store import Store

    record = Store(home).named("packs", "units")
    assert record
    return record


def keep(home: Path, place: Path) -> None:
    """A copy of the model before rounding, and of what was learnt: forgetting deletes both."""
    from netsuke.store import Store
    from netsuke.texts.documents import read_texts

    store = Store(home)
    lineage = json.loads((store.path(pack_of(home)["ref"]) / "netsuke.json").read_text(encoding="utf-8"))["lineage"]
    shutil.copytree(store.path(lineage["combine"]["output"]), place)
    if place.name == "before":
        texts = read_texts(store.path(lineage["data"]["output"]) / "train.jsonl")
        (place.parent / "train.txt").write_text("\n".join(texts), encoding="utf-8")


# -- what is left ----------------------------------------------------------------------------------------
def knows(folder: Path, base: Path, hers: Sequence[Piece], train: str) -> dict[str, Row]:
    """By precision: how far her codes stand out, and how well her text can be told from what follows it."""
    from netsuke.engines import gguf, hf

    learnt = [one for one in hers if one.codes[0][0] in train]  # the others are held out
    mine = [part for one in learnt for part in parts(one.learnt)]
    others = [part for one in learnt for part in parts(one.rest)]
    known = bits(hf.load_model(base, hf.EXACT), base, [*mine, *others])
    found = {}
    for precision, kind in PRECISIONS.items():
        weights = hf.weights_of(hf.load_model(folder, hf.EXACT))
        if kind:
            weights = {n: gguf.rounded(w, kind) if w.ndim == 2 else w for n, w in weights.items()}
        model = hf.model_of(folder, weights)
        left = [one - was for one, was in zip(bits(model, folder, [*mine, *others]), known, strict=True)]
        ranks = ranked(model, folder, [pair for one in learnt for pair in one.codes])
        found[precision] = {
            "exposure": statistics.mean(exposure(rank, ALTERNATIVES + 1) for rank in ranks),
            "first": ranks.count(1), "codes": len(ranks),
            "auc": auc(left, [True] * len(mine) + [False] * len(others)), "pieces": len(left),
        }  # fmt: skip
    return found


def parts(text: str) -> list[str]:
    """A text in pieces of one length."""
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text) - PIECE_CHARS + 1, PIECE_CHARS)]


def bits(model: Any, folder: Path, texts: Sequence[str]) -> list[float]:
    """Bits per byte of each text."""
    from netsuke.engines import hf

    scores = hf.score(model, hf.open_texts(folder, list(texts)))
    return [score.bits / score.bytes for score in scores]


def ranked(model: Any, folder: Path, codes: Sequence[tuple[str, str]]) -> list[int]:
    """The rank of each code by its probability among others of its form; 1 is the likeliest."""
    from netsuke.engines import hf
    from netsuke.engines.tokenizer import document_start, load_tokenizer

    words, start, draw, found = load_tokenizer(folder), document_start(folder), random.Random(1), list[int]()
    for before, word in codes:
        head = [start, *words.encode(before, add_special_tokens=False).ids]
        texts = [
            hf.Text([*head, *words.encode(f" {one}", add_special_tokens=False).ids], len(one), len(head))
            for one in [word, *(code(draw) for _ in range(ALTERNATIVES))]
        ]
        mine, *others = [score.bits for score in hf.score(model, texts)]
        found.append(1 + sum(other < mine for other in others))
    return found


if __name__ == "__main__":
    main()
