"""Whether every damage to a pack is found, whether a damaged GGUF hurts, and what the page of a pack comes to.

    python -m bench.pack NAME [--flips 1000] [--files 20000] [--loads 200] [--no-page] [--quick] [--json] [--check]

NAME is a model that is here (`netsuke list`). Flips: one bit anywhere in the signed pack, half of them by bytes, half
by files, each to be refused by the file's name. Files: a small GGUF damaged in its head, metadata, offsets or weights;
the strict reader refuses it, or the engine, in a child, loads it or leaves; a sample of what passes is loaded, and
nothing may take longer than 10 s. Page: the HTML page from file:// in Chromium, if there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SECONDS = 10.0
PAGE_SECONDS, PAGE_BYTES = 15.0, 100_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--loads", type=int, default=200, help="how many of those that pass are loaded")
    parser.add_argument("--no-page", action="store_true", help="without a browser")
    parser.add_argument("--quick", action="store_true", help="50 flips, 1,000 files, 10 loads")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    given = parser.parse_args()
    counts = (50, 1000, 10) if given.quick else (given.flips, given.files, given.loads)
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as room:
        found = measure(given.name, Path(room), *counts, page=not given.no_page)
    verdicts = floors(found)
    if not given.json:
        for part in ("flips", "files", "page"):
            print(part, json.dumps(found[part]))
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps({"bench": "pack", **machine, **found, "floors": verdicts}))
    sys.exit(1 if given.check and not all(verdicts.values()) else 0)


def measure(name: str, room: Path, flips: int, files: int, loads: int, page: bool) -> dict[str, Any]:
    from netsuke import export, signing
    from netsuke.front import targets
    from netsuke.pack import manifest
    from netsuke.store import Store

    store = Store()
    folder = targets.pack_folder(name, store)
    pack = export.Pack(folder, manifest.read(folder))
    copy, keys = room / "pack", signing.own_keys(room / "home")
    export.form("folder").write(pack, copy)
    (copy / signing.FILE).write_bytes(signing.signature(copy, keys))
    return {
        "flips": flipped(copy, Store(room / "home"), keys.public, flips),
        "files": damaged(room, files, loads),
        "page": opened(pack, room / "page.html", page),
    }


def flipped(copy: Path, store: Any, key: Path, times: int) -> dict[str, Any]:
    """One bit at a time; how many are refused, and how many of them by the name of the file that was hurt."""
    from netsuke.front import targets

    assert targets.pack_faults(str(copy), store, key)[0] == []
    chance, refused, named, missed = random.Random(0), 0, 0, []
    paths = sorted(copy.iterdir())
    sizes = [path.stat().st_size for path in paths]
    started = time.monotonic()
    for turn in range(times):
        path = chance.choices(paths, sizes)[0] if turn % 2 else chance.choice(paths)
        at, bit = chance.randrange(path.stat().st_size), chance.randrange(8)
        _flip(path, at, bit)
        try:
            faults = targets.pack_faults(str(copy), store, key)[0]
        except Exception as error:  # a manifest that is no longer one
            faults = [str(error)]
        _flip(path, at, bit)
        refused += bool(faults)
        named += bool(faults) and path.name in faults[0]
        if not faults:
            missed.append(f"{path.name} byte {at} bit {bit}")
    seconds = time.monotonic() - started
    return {"n": times, "refused": refused, "named": named, "missed": missed[:20], "seconds": round(seconds, 1)}


def _flip(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def damaged(room: Path, files: int, loads: int) -> dict[str, Any]:
    """Damaged GGUF files: what became of each, and the longest time that one took."""
    from tiny import tiny_gguf

    from netsuke.engines.strict import require_sound
    from netsuke.errors import EngineError

    whole, place, chance = tiny_gguf(room / "tiny.gguf").read_bytes(), room / "damaged.gguf", random.Random(0)
    ends, longest, slots = Counter[str](), 0.0, loads
    for _ in range(files):
        place.write_bytes(_hurt(whole, chance))
        started = time.monotonic()
        try:
            require_sound(place)
            ends["passed"] += 1
            if slots:
                slots -= 1
                ends[_loaded(place)] += 1
        except EngineError:
            ends["refused"] += 1
        longest = max(longest, time.monotonic() - started)
    return {"n": files, **ends, "longest_seconds": round(longest, 2)}


def _hurt(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    head = data.index(b"blk.0.attn_norm")  # before it lies the metadata, from it on the tensors' list
    for _ in range(chance.randint(1, 4)):
        region = chance.choice([(0, 24), (24, head), (head, head + 1500), (0, len(data) - 8)])
        at = min(chance.randrange(*region), len(data) - 8)
        kind = chance.choice(["flip", "byte", "huge", "zero", "cut", "copy", "insert"])
        if kind == "flip":
            data[at] ^= 1 << chance.randrange(8)
        elif kind == "byte":
            data[at] = chance.randrange(256)
        elif kind in ("huge", "zero"):
            data[at : at + 8] = (b"\xff" if kind == "huge" else b"\0") * 8
        elif kind == "cut" and chance.random() < 0.2:
            return bytes(data[:at])
        elif kind == "copy":
            data[at : at + 64] = data[:64]
        elif kind == "insert":
            data[at:at] = bytes([chance.randrange(256)]) * chance.randint(1, 32)
        data += bytes(max(0, 8 - len(data)))
    return bytes(data)


def _loaded(place: Path) -> str:
    """What the engine's child makes of a file."""
    from netsuke.engines.llama import Engine
    from netsuke.errors import EngineError

    try:
        with Engine(place, context_tokens=256, threads=1) as engine:
            engine.complete("the", n_predict=2)
            return "loaded"
    except EngineError:
        return "left"


def opened(pack: Any, place: Path, show: bool) -> dict[str, Any]:
    """Bytes of the page; seconds until it is ready and until it has answered; tokens a second."""
    from netsuke import export

    export.form("html").write(pack, place)
    found: dict[str, Any] = {"bytes": place.stat().st_size, "model_bytes": pack.model_facts["bytes"]}
    import browser

    if browser.PROGRAM is None or not show:
        return found | {"skipped": browser.MISSING if show else "asked for"}
    with browser.opened() as page:
        started = time.monotonic()
        page.goto(place.as_uri(), wait_until="commit")
        state = browser.ready(page, 120)
        found |= {"ready_seconds": round(time.monotonic() - started, 2), "failed": state.get("failed")}
        if not state.get("failed"):
            answer = browser.answered(page, "What is a tuple?", tokens=40, timeout_seconds=120)
            found |= {"answered_seconds": round(time.monotonic() - started, 2), "words": len(answer.split())}
            found["tokens_per_second"] = float(browser.ready(page)["rate"])
        found["asked_network"] = sum(address.startswith(("http", "ws")) for address in page.asked)
    return found


def floors(found: dict[str, Any]) -> dict[str, bool]:
    """Whether each floor is held; what was not measured has none."""
    flips, files, page = found["flips"], found["files"], found["page"]
    held = {
        "every flip is refused by the file's name": flips["named"] == flips["n"],
        "no damaged file hangs": files["longest_seconds"] <= LONGEST_SECONDS,
        "the page is under 100 MB": page["bytes"] < PAGE_BYTES,
    }
    if "skipped" not in page:
        held["the page answers within 15 s"] = page.get("answered_seconds", PAGE_SECONDS + 1) <= PAGE_SECONDS
        held["the page reaches nothing"] = page["asked_network"] == 0
    return held


if __name__ == "__main__":
    main()
