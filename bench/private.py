"""Private things: planted ones that are found, false ones in real texts without any, and the speed.

    python -m bench.private [--each 30] [--seed 0] [--quick] [--json] [--check]

Planted: values with valid checksums by faker, in ten countries, in prose, tables,
code and mails (bench/planted.py);
recall counts a value that a find covers whole,
precision a find that meets a value of its type. Real: the general
texts,
pydoc's topics, Python's library and Debian's documents: what is found there other than e-mail addresses,
which are real ones. Speed: processor seconds. Prints tables and one JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import pydoc_data.topics
import random
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.curate import sentences
from bench.planted import KINDS, Planted, texts
from netsuke import private
from netsuke.curate import COUNTRIES

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    "recall": 0.95,
    "precision": 0.97,
    "prose": 15.0,
    "code": 8.0,
    "false per MB": 1.0,
    "line seconds": 5.0,
}
DEBIAN = Path("/usr/share/doc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=30, help="texts of each form and country")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a third of the texts, 5 MB of each real corpus")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no tables")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    found = planted(options.each // 3 if options.quick else options.each, options.seed)
    result = {
        "bench": "private", "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2),
        "planted": found, "real": real(5.0 if options.quick else 1000.0), "mb_per_second": speed(),
        "first call seconds": first_call(), "line seconds": lines(),
    }  # fmt: skip
    missed = [] if not options.check else misses(result)
    if not options.json:
        show(result)
        print(*missed, sep="\n")
    print(json.dumps(result | {"missed": missed}))
    sys.exit(1 if missed else 0)


# -- what is found -----------------------------------------------------------------------------------------
def planted(each: int, seed: int) -> dict[str, Any]:
    """{type: {"n", "recall", "precision"}}, and the recall of each form of text."""
    count, whole, finds, true = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for form, _, text in texts(each, sentences(), seed):
        found = private.find(text.text, COUNTRIES)
        for start, end, kind in text.things:
            covered = any(first <= start and end <= last for first, last, _ in found)
            for key in (kind, form):
                count[key] += 1
                whole[key] += covered
        for find in found:
            finds[find[2]] += 1
            true[find[2]] += _meets(find, text)
    rows: dict[str, Any] = {
        kind: {"n": count[kind], "recall": round(whole[kind] / count[kind], 4),
               "precision": round(true[kind] / max(1, finds[kind]), 4)} for kind in KINDS
    }  # fmt: skip
    forms = {form: round(whole[form] / count[form], 4) for form in ("prose", "table", "code", "mail")}
    return {"types": rows, "forms": forms}


def _meets(find: private.Find, text: Planted) -> bool:
    start, end, kind = find
    return any(first < end and start < last and kind == its_kind for first, last, its_kind in text.things)


def real(most_mb: float) -> dict[str, Any]:
    """{corpus: {"mb", "finds per MB": {type: number}}}."""
    general = sorted((ROOT / "netsuke/general").rglob("*.txt"))
    corpora: dict[str, Callable[[], Iterator[str]]] = {
        "general": lambda: (path.read_text(encoding="utf-8") for path in general),
        "pydoc": lambda: iter(pydoc_data.topics.topics.values()),
        "Python": lambda: _files(Path(os.__file__).parent, "*.py"),
        "Debian": lambda: _files(DEBIAN, "*"),
    }
    rows: dict[str, Any] = {}
    for name, read in corpora.items():
        size, finds = 0, Counter[str]()
        for text in read():
            if size < most_mb * 1e6:
                size += len(text.encode("utf-8", "replace"))
                finds.update(kind for _, _, kind in private.find(text, COUNTRIES))
        if size:
            per_mb = {kind: round(finds[kind] / size * 1e6, 3) for kind in KINDS if finds[kind]}
            rows[name] = {"mb": round(size / 1e6, 2), "finds per MB": per_mb}
    return rows


def _files(folder: Path, pattern: str) -> Iterator[str]:
    """The texts of a folder, each once; no PostScript, whose numbers are drawings."""
    seen = set()
    for path in sorted(folder.rglob(pattern)):
        if path.is_symlink() or not path.is_file() or "site-packages" in path.parts:
            continue
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        if b"\0" not in data[:4096] and not data.startswith((b"%!PS", b"%PDF")) and data not in seen:
            seen.add(data)
            yield data.decode("utf-8", "replace")


# -- speed -------------------------------------------------------------------------------------------------
def speed() -> dict[str, float]:
    """MB a second of one core, the best of three: prose, code, and mails full of private things."""
    general = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "netsuke/general").rglob("*.txt"))]
    prose = [*general * 20, *pydoc_data.topics.topics.values()]
    code = [text for _, text in zip(range(150), _files(Path(os.__file__).parent, "*.py"), strict=False)]
    mails = [text.text for form, _, text in texts(20, sentences()) if form == "mail"]
    rates = {}
    for name, material in {"prose": prose, "code": code, "mails": mails}.items():
        size = sum(len(text.encode("utf-8", "replace")) for text in material)
        rates[name] = round(size / min(_seconds(material) for _ in range(3)) / 1e6, 1)
    return rates


def _seconds(material: list[str]) -> float:
    """Seconds of processor time to search these texts."""
    started = time.process_time()
    for text in material:
        private.find(text, COUNTRIES)
    return time.process_time() - started


def first_call() -> float:
    """Seconds of the first call that needs every library, in a new process."""
    code = (
        "import time; from netsuke import private; from netsuke.curate import COUNTRIES; started = time.perf_counter();"
        "text = 'tel 030 1234567, DE89370400440532013000, cpf 39053344705, token: ghp_' + 'a1' * 18;"
        "private.find(text, COUNTRIES); print(time.perf_counter() - started)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return round(float(done.stdout), 2)


def lines() -> dict[str, float]:
    """Seconds for one line of 1 MB, of each kind that could take a pattern long."""
    pick, base64 = random.Random(0), string.ascii_letters + string.digits + "+/"
    units = [
        "1", "a", "@", "a@", "a@b.", "-", ".", "1.", " ", "'\"`(", "password=", 'password="', "api_key",
        "://a:b@", "eyJ",
        "-----BEGIN PRIVATE KEY-----", "AKIA0", "ghp_0", "2001:", "1 ", "12 34 ", "030 1234567, ", "+49 30 ",
        "00 ",
        "DE89 ", "1234567\t", "ann@foo.org, ", "Bearer ", "[EMAIL_1]", "\u0661", "\u6f22\u5b57\uff0c", "\x01",
    ]  # fmt: skip
    made = {unit: unit * (1_000_000 // len(unit)) for unit in units}
    made["Base64"] = "".join(pick.choices(base64, k=1_000_000))
    made["digits"] = "".join(pick.choices(string.digits, k=1_000_000))
    return {name: round(_seconds([line]), 2) for name, line in made.items()}


# -- what is told ------------------------------------------------------------------------------------------
def show(result: dict[str, Any]) -> None:
    for kind, row in result["planted"]["types"].items():
        print(f"{kind:8} {row['n']:6,} planted  recall {row['recall']:.4f}  precision {row['precision']:.4f}")
    print(
        "recall   " + "  ".join(f"{form} {recall:.4f}" for form, recall in result["planted"]["forms"].items())
    )
    for name, row in result["real"].items():
        per_mb = "  ".join(f"{kind} {rate}" for kind, rate in row["finds per MB"].items()) or "nothing"
        print(f"{name:8} {row['mb']:7.2f} MB  found per MB: {per_mb}")
    print("MB/s     " + "  ".join(f"{name} {rate:.1f}" for name, rate in result["mb_per_second"].items()))
    slowest = sorted(result["line seconds"].items(), key=lambda item: -item[1])[:5]
    print(f"first call {result['first call seconds']} s; 1 MB lines, the slowest: {dict(slowest)}")


def misses(result: dict[str, Any]) -> list[str]:
    """The floors that are missed. Python's tests are full of public IP addresses: they count for no floor."""
    missed = []
    for kind, row in result["planted"]["types"].items():
        missed += [
            f"{kind}: {name} {row[name]}" for name in ("recall", "precision") if row[name] < FLOORS[name]
        ]
    for name, row in result["real"].items():
        allowed = ("EMAIL", "IP") if name in ("Python", "Debian") else ()
        rate = sum(rate for kind, rate in row["finds per MB"].items() if kind not in allowed)
        missed += [f"{name}: {rate:.2f} false finds per MB"] if rate > FLOORS["false per MB"] else []
    rates = result["mb_per_second"]
    missed += [f"{name}: {rates[name]} MB/s" for name in ("prose", "code") if rates[name] < FLOORS[name]]
    slow = {name: took for name, took in result["line seconds"].items() if took > FLOORS["line seconds"]}
    return missed + [f"a line of {name!r} took {took} s" for name, took in slow.items()]


if __name__ == "__main__":
    main()
