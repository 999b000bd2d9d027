"""Searching 100,000 passages of this machine's documents: how long it takes, what it finds, what it leaves unanswered.

    python -m bench.search [--passages 100000] [--quick] [--json] [--check]

Documents: manual pages, /usr/share/doc, Python's own reference. Questions: what a manual page says that it is for, and
headings, each cut out of its document. Half of the documents' questions choose (the vectors' share, the support that
is needed), the other half is reported on: nDCG@10 of BM25 alone (the peer), of vectors alone, of reciprocal rank
fusion, and of ours; median and p95 of a whole answer; whether each quote is what the file says; and what is answered
that should not be: questions of manual pages that are not there. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench import pages

BASE = "smollm2-135m-instruct"
P95_MS, WRONG = 50.0, 0.05
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.8)  # of the vectors, to choose from
FOREIGN = "gcloud"  # manual pages that are kept out, and asked for


@dataclass(frozen=True)
class Put:
    """A question, its document, and the passages that answer it."""

    text: str
    document: int
    right: frozenset[int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=1000, help="of each half")
    parser.add_argument("--quick", action="store_true", help="10,000 passages, 200 questions of each half")
    parser.add_argument("--json", action="store_true", help="one line of JSON and no table")
    parser.add_argument("--check", action="store_true", help="exit 1 where a floor is missed")
    given = parser.parse_args()
    size, asked = (10_000, 200) if given.quick else (given.passages, given.questions)
    with tempfile.TemporaryDirectory() as room:
        found = measure(Path(room), size, asked)
    verdicts = floors(found)
    if not given.json:
        for part in ("built", "milliseconds", "ndcg", "quotes", "abstention"):
            print(part, json.dumps(found[part]))
        print(*(f"{'held  ' if held else 'MISSED'} {name}" for name, held in verdicts.items()), sep="\n")
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    print(json.dumps({"bench": "search", **machine, **found, "floors": verdicts}))
    sys.exit(1 if given.check and not all(verdicts.values()) else 0)


def floors(found: dict[str, Any]) -> dict[str, bool]:
    """Whether each floor is held."""
    return {
        f"p95 of an answer is at most {P95_MS:.0f} ms": found["milliseconds"]["p95"] <= P95_MS,
        "ours ranks no worse than BM25 alone": found["ndcg"]["ours"] >= found["ndcg"]["bm25"],
        "every quote is what its file says": found["quotes"]["verbatim"] == found["quotes"]["n"],
        f"at most {WRONG:.0%} of what is answered is foreign": found["abstention"]["wrong"] <= WRONG,
    }


def measure(room: Path, size: int, asked: int) -> dict[str, Any]:
    from netsuke.index import settle
    from netsuke.search.find import Index

    documents, strangers = material(size)
    started, path = time.perf_counter(), room / "search.db"
    passages = built(path, documents)
    facts = {"documents": len(documents), "passages": passages, "seconds": round(time.perf_counter() - started, 1),
             "megabytes": round(path.stat().st_size / 1e6, 1)}  # fmt: skip
    index = Index(path)
    choose, report = halves(index, documents, asked)
    share = max(SHARES, key=lambda s: statistics.mean(ndcg(ours(index, put.text, s), put.right) for put in choose))
    valid = sorted((Path(settle.__file__).parents[1] / "general/valid").glob("*.txt"))
    general = [path.read_text(encoding="utf-8") for path in valid]
    own = [(put.document, pages.Asked(put.text, 0, 0)) for put in choose[: settle.MOST]]
    support = settle.settled(settle.tried(index, own, settle.strangers(general, own)))
    index.about["support"] = support
    return {
        "built": facts, "milliseconds": timed(index, report), "ndcg": ranked(index, report, share),
        "quotes": verbatim(index, report, documents), "abstention": abstained(index, report, strangers, support),
    }  # fmt: skip


def material(size: int) -> tuple[list[pages.Page], list[str]]:
    """(documents of about so many passages, those with questions first; questions that none of them answers)."""
    from netsuke.index.passages import passages

    every = list(chain(pages.python(), pages.readmes(), pages.manuals()))
    strangers = [one.question for page in every if page.path.startswith(FOREIGN) for one in page.questions]
    every = [page for page in every if not page.path.startswith(FOREIGN)]
    random.Random(0).shuffle(every)
    every.sort(key=lambda page: not page.questions)
    kept, count = [], 0
    for page in every:
        if count >= size:
            break
        count += len(passages(page.text))
        kept.append(page)
    return kept, random.Random(0).sample(strangers, min(500, len(strangers)))


def built(path: Path, documents: Sequence[pages.Page]) -> int:
    """How many passages there are of them in the database that is written."""
    from netsuke import bases
    from netsuke.bases.fetch import fetch
    from netsuke.engines import embedding
    from netsuke.index import build
    from netsuke.step import Local
    from netsuke.store import Store

    store, about = Store(), bases.find(BASE)
    if not store.named("bases", BASE):
        fetch(about, store, lambda done, total: None)
    ref = (store.named("bases", BASE) or {})["ref"]
    unpacked = Local(store).run(bases.unpack, about, base=ref)
    model = store.path(unpacked.folder("model") or "")
    rows = ({"path": page.path, "source": 0, "text": page.text, "profile": "prose", "places": [[1, 1]], "pages": []}
            for page in documents)  # fmt: skip
    made = build.build(path, rows, lambda words: embedding.word_rows(model, words), embedding.whole_words(model))
    made.tell("support", {"threshold": 0.0})
    made.finish()
    return len(made.bags)


def halves(index: Any, documents: Sequence[pages.Page], most: int) -> tuple[list[Put], list[Put]]:
    """Questions of documents whose name's hash is even, and of the others."""
    where: dict[int, list[tuple[int, int, int]]] = {}
    for number, document, begin, stop in index.rows("SELECT id, document, begin, stop FROM passages"):
        where.setdefault(document, []).append((number, begin, stop))
    parts: tuple[list[Put], list[Put]] = ([], [])
    for document, page in enumerate(documents, 1):
        part = parts[hashlib.sha256(page.path.encode()).digest()[0] % 2]
        for one in page.questions:
            right = frozenset(n for n, a, b in where.get(document, ()) if a < one.end and b > one.begin)
            if right:
                part.append(Put(one.question, document, right))
    for part in parts:
        random.Random(0).shuffle(part)
    return parts[0][:most], parts[1][:most]


# -- what is found ---------------------------------------------------------------------------------------
def ndcg(order: Sequence[int], right: frozenset[int]) -> float:
    gain = sum(1 / math.log2(rank + 2) for rank, number in enumerate(order[:10]) if number in right)
    return gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(right))))


def ours(index: Any, text: str, share: float) -> list[int]:
    return [hit.passage for hit in index.search(index.question(text), 10, share)]


def rank_fusion(index: Any, text: str) -> list[int]:
    """Reciprocal rank fusion with k = 60 of both orders, 100 of each."""
    question, score = index.question(text), Counter[int]()
    for order in (index.lexical(question), index.similar(question, 100)):
        for rank, (number, _) in enumerate(order, 1):
            score[number] += 1 / (60 + rank)  # type: ignore[assignment]
    return sorted(score, key=lambda number: (-score[number], number))[:10]


def ranked(index: Any, report: Sequence[Put], share: float) -> dict[str, Any]:
    """nDCG@10 of each, with the 95% interval of ours against BM25 over the questions."""
    each = {
        "bm25": [ndcg([n for n, _ in index.lexical(index.question(put.text), 10)], put.right) for put in report],
        "vectors": [ndcg([n for n, _ in index.similar(index.question(put.text), 10)], put.right) for put in report],
        "rank fusion": [ndcg(rank_fusion(index, put.text), put.right) for put in report],
        "ours": [ndcg(ours(index, put.text, share), put.right) for put in report],
    }
    better = np.array(each["ours"]) - np.array(each["bm25"])
    means = np.random.default_rng(0).choice(better, (2000, len(better))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    found: dict[str, Any] = {name: round(statistics.mean(values), 4) for name, values in each.items()}
    return found | {"share": share, "better_by": [round(low, 4), round(high, 4)], "n": len(report)}


def timed(index: Any, report: Sequence[Put]) -> dict[str, Any]:
    """Milliseconds of a whole answer, quotes and all."""
    from netsuke.search import answer

    for put in report[:5]:
        answer(index, put.text)
    spent = []
    for put in report:
        started = time.perf_counter()
        answer(index, put.text)
        spent.append(1e3 * (time.perf_counter() - started))
    return {"median": round(statistics.median(spent), 1), "p95": round(statistics.quantiles(spent, n=20)[-1], 1),
            "most": round(max(spent), 1), "n": len(spent)}  # fmt: skip


def verbatim(index: Any, report: Sequence[Put], documents: Sequence[pages.Page]) -> dict[str, int]:
    """Of all quotes shown, how many are the bytes of the document that was put in, at the place that is told."""
    from netsuke.search import answer

    texts = {page.path: page.text for page in documents}
    shown = [quote for put in report for quote in answer(index, put.text).row["quotes"]]
    same = sum(texts[one["file"]][one["begin"] : one["end"]].encode() == one["quote"].encode() for one in shown)
    return {"n": len(shown), "verbatim": same}


def abstained(index: Any, report: Sequence[Put], strangers: Sequence[str], support: dict[str, Any]) -> dict[str, Any]:
    """What is answered: of questions with an answer, of foreign ones, and of those whose document is left out."""
    from netsuke.index import settle

    asked = [(put.document, pages.Asked(put.text, 0, 0)) for put in report]
    trials = settle.tried(index, asked, strangers)
    wrong, coverage, own = settle.measured(trials, support["threshold"])
    left_out = [settle.best(index, put.text, without=put.document) for put in report]
    taken = sum(one is not None and one.support >= support["threshold"] for one in left_out)
    return {"threshold": support["threshold"], "wrong": round(wrong, 4), "coverage": round(coverage, 4),
            "from_its_own_document": round(own, 4), "answered_without_its_document": round(taken / len(report), 4),
            "foreign": len(strangers), "n": len(report), "settled_on": support["questions"]}  # fmt: skip


if __name__ == "__main__":
    main()
