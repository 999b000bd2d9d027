"""The text pipeline against datatrove's same filters and MinHash, on one core; what near-duplicates are found.

    python -m bench.curate [--mb 4] [--runs 3] [--quick] [--json] [--check]

Each run is a process of its own on one core with one thread; the peer runs its own classes on the same texts in the
same session, in turns. Also: the near-duplicates of planted copies, and how a folder of many files is read.
`bench.private`, `bench.rules` and `bench.licences` hold the figures of those rooms. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pydoc_data.topics
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"mb_per_second": 5.0, "ratio": 5.0, "recall": 0.92, "precision": 0.98}
WORDS_A_DOCUMENT = 1000


# -- material --------------------------------------------------------------------------------------------
def sentences() -> list[str]:
    """Real sentences: Python's language reference and the general texts of this project."""
    texts = [*pydoc_data.topics.topics.values()]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "netsuke/general").rglob("*.txt"))]
    found = (" ".join(s.split()) for text in texts for s in re.split(r"(?<=[.!?])\s+", text))
    return [s for s in found if 6 <= len(s.split()) <= 40]


def documents(mb: float, seed: int = 0) -> list[str]:
    """About `mb` of documents of real sentences, each document another draw, in paragraphs."""
    pool, pick, made, size = sentences(), random.Random(seed), [], 0
    while size < mb * 1e6:
        text = ""
        while text.count(" ") < WORDS_A_DOCUMENT:
            text += " ".join(pick.choices(pool, k=5)) + "\n\n"
        made.append(text)
        size += len(text.encode())
    return made


# -- speed -----------------------------------------------------------------------------------------------
def ours(texts: list[str]) -> dict[str, Any]:
    """Seconds of each part of our pipeline, and how many documents stay."""
    from netsuke import private
    from netsuke.curate import COUNTRIES, duplicates, language, lines, rules
    from netsuke.curate.items import Drops, Item

    parts = {
        "normalise": lambda text: lines.normalise(text)[0],
        "language": language.of,
        "rules": lambda text: rules.failures(text, "en", layout=True),
        "private things": lambda text: private.find(text, COUNTRIES),
        "MinHash": duplicates.signature,
    }
    for text in texts[:20]:
        for part in parts.values():
            part(text)  # libraries loaded, tables built, as in a child that reads
    gc.freeze()  # as curate.worker does
    seconds, results = {}, {}
    for name, part in parts.items():
        seconds[name], results[name] = timed(lambda part=part: [part(text) for text in texts])
    items = [
        Item(f"{n}", 0, "me", "MIT", text, signature=signature)
        for n, (text, signature) in enumerate(zip(texts, results["MinHash"], strict=True))
    ]
    drops = Drops()
    seconds["near-duplicates"], (kept, _) = timed(
        lambda: duplicates.without_near_copies(duplicates.without_copies(items, drops)[0], 0.8, drops)
    )
    return {"seconds": seconds, "kept": sum(not found for found in results["rules"]), "distinct": len(kept)}


def datatrove(texts: list[str]) -> dict[str, Any]:
    """The same of datatrove: Gopher, FineWeb and C4 filters, its PII formatter, and MinHash in its four stages."""
    os.environ["DATATROVE_COLORIZE_LOGS"] = "0"
    from datatrove.data import Document
    from datatrove.pipeline import dedup, filters, formatters
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    logger.remove()
    stages = {
        "Gopher repetition": filters.GopherRepetitionFilter(),
        "Gopher quality": filters.GopherQualityFilter(),
        "C4": filters.C4QualityFilter(filter_no_terminal_punct=False),
        "FineWeb": filters.FineWebQualityFilter(),
    }
    made = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
    seconds, kept = {}, set(range(len(made)))
    for name, stage in stages.items():
        stage.filter(made[0])
        seconds[name], verdicts = timed(lambda stage=stage: [stage.filter(document) for document in made])
        kept &= {n for n, verdict in enumerate(verdicts) if verdict is True}
    formatter = formatters.PIIFormatter()
    seconds["private things"], _ = timed(lambda: [formatter.format(text) for text in texts])
    config = dedup.MinhashConfig(
        hash_config=HashConfig(precision=64), n_grams=5, num_buckets=14, hashes_per_bucket=8
    )
    with tempfile.TemporaryDirectory() as room:
        signatures, buckets, removed = (f"{room}/{name}" for name in ("signatures", "buckets", "removed"))
        seconds["MinHash"], _ = timed(
            lambda: list(dedup.MinhashDedupSignature(signatures, config=config).run(iter(made), 0, 1) or ())
        )

        def pair() -> None:
            for bucket in range(14):
                list(
                    dedup.MinhashDedupBuckets(signatures, buckets, config=config).run(None, bucket, 14) or ()
                )
            list(dedup.MinhashDedupCluster(buckets, removed, config=config).run(None, 0, 1) or ())

        seconds["near-duplicates"], _ = timed(pair)
        left = list(dedup.MinhashDedupFilter(removed).run(iter(made), 0, 1))
    return {"seconds": seconds, "kept": len(kept), "distinct": len(left)}


def timed(work: Any) -> tuple[float, Any]:
    """(seconds of processor time, result)."""
    started = time.process_time()
    result = work()
    return round(time.process_time() - started, 4), result


SIDES = {"ours": ours, "datatrove": datatrove}


def in_a_process(side: str, mb: float, seed: int) -> dict[str, Any]:
    """One side in a process of its own: one core, one thread."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-m", "bench.curate", "--side", side, "--mb", str(mb), "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | threads, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


# -- what is found ---------------------------------------------------------------------------------------
def planted(seed: int) -> tuple[list[str], list[int]]:
    """Documents and copies of them with up to 3% of their words changed; and the number of each one's original."""
    pick, originals = random.Random(seed), documents(1.5, seed)
    vocabulary = " ".join(originals[:20]).split()
    texts, families = [], []
    for number, text in enumerate(originals):
        copies = [text]
        for _ in range(pick.choice([0, 0, 1, 2])):
            words = text.split(" ")
            for _ in range(pick.randrange(1, max(2, int(len(words) * 0.03)))):
                words[pick.randrange(len(words))] = pick.choice(vocabulary)
            copies.append(" ".join(words))
        families += [number] * len(copies)
        texts += copies
    return texts, families


def same_family(families: list[int]) -> Iterator[tuple[int, int]]:
    for a in range(len(families)):
        for b in range(a + 1, len(families)):
            if families[a] != families[b]:
                break
            yield a, b


def near_duplicates(seed: int) -> dict[str, Any]:
    """Recall over the copies of Jaccard 0.8 or more by exact count; precision: found pairs that are copies."""
    from netsuke.curate.duplicates import Near, runs
    from netsuke.curate.items import Item

    texts, families = planted(seed)
    near = Near([Item(str(n), 0, "me", "MIT", text) for n, text in enumerate(texts)])
    found = {(n, c) for n in range(len(texts)) for c in near.alike(n, near.candidates(n), 0.8) if n < c}
    sets = [set(runs(text)) for text in texts]
    truth = {
        (a, b) for a, b in same_family(families) if len(sets[a] & sets[b]) >= 0.8 * len(sets[a] | sets[b])
    }
    right = sum(families[a] == families[b] for a, b in found)
    return {"documents": len(texts), "pairs": len(truth), "recall": len(found & truth) / len(truth),
            "precision": right / len(found)}  # fmt: skip


def many_files(count: int) -> dict[str, Any]:
    """A folder of many short files through `netsuke curate`: seconds and peak memory, new, again, and one changed."""
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room) / "many"
        for number, text in enumerate(documents(count * 2.5e-3)[:count]):
            place = folder / f"{number // 100:03}"
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number}.txt").write_text(text, encoding="utf-8")
        found = {}
        for name in ("new", "again", "one changed"):
            if name == "one changed":
                (folder / "000/0.txt").write_text("Another text altogether, " * 20, encoding="utf-8")
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "bench.peak", "curate", str(folder), "--json"], cwd=ROOT, text=True,
                env=os.environ | {"NETSUKE_HOME": f"{room}/home"}, capture_output=True,
            )  # fmt: skip
            if done.returncode:
                sys.exit(done.stderr[-2000:])
            found[name] = {"seconds": round(time.perf_counter() - started, 1),
                           "peak_gb": float(done.stdout.split()[-1])}  # fmt: skip
    return {"files": count} | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="2 MB, one run, 2,000 files")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps(SIDES[options.side](documents(options.mb, options.seed))))
        return
    if options.quick:
        options.mb, options.runs, options.files = 2.0, 1, 2_000
    report(options)


def report(options: argparse.Namespace) -> None:
    runs = [
        {side: in_a_process(side, options.mb, seed) for side in SIDES}
        | {"load": round(os.getloadavg()[0], 2)}
        for seed in range(options.runs)
    ]
    size = sum(len(text.encode()) for text in documents(options.mb)) / 1e6
    speed = {side: [size / sum(run[side]["seconds"].values()) for run in runs] for side in SIDES}
    ratios = [a / b for a, b in zip(speed["ours"], speed["datatrove"], strict=True)]
    found = [near_duplicates(seed) for seed in range(options.runs)]
    result = {
        "bench": "curate", "mb": round(size, 2), "runs": runs,
        "mb_per_second": statistics.median(speed["ours"]),
        "peer_mb_per_second": statistics.median(speed["datatrove"]),
        "ratio": statistics.median(ratios),
        "recall": min(row["recall"] for row in found), "precision": min(row["precision"] for row in found),
        "pairs": sum(row["pairs"] for row in found), "many": many_files(options.files),
    }  # fmt: skip
    if not options.json:
        for side in SIDES:
            for part in runs[0][side]["seconds"]:
                rate = statistics.median(size / max(run[side]["seconds"][part], 1e-9) for run in runs)
                print(f"{side:10} {part:18} {rate:8.1f} MB/s")
            print(f"{side:10} {'together':18} {statistics.median(speed[side]):8.2f} MB/s"
                  f"   (n {len(runs)}: {min(speed[side]):.2f} to {max(speed[side]):.2f})")  # fmt: skip
        print(f"ratio {result['ratio']:.1f} ({min(ratios):.1f} to {max(ratios):.1f})")
        print(
            f"near-duplicates of Jaccard 0.8 or more: recall {result['recall']:.3f}, "
            f"precision {result['precision']:.3f}, the least of {len(found)} seeds, {result['pairs']} pairs"
        )
        for name in ("new", "again", "one changed"):
            row = result["many"][name]
            print(
                f"{options.files:,} files, {name}: {row['seconds']} s, a process has {row['peak_gb']:.2f} GB at most"
            )
    print(json.dumps(result))
    missed = [name for name, floor in FLOORS.items() if result[name] < floor]
    if options.check and missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
