"""What words alone say of a document and the valid text: BM25, which is nearest to which, what is nearly a copy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..search.words import STOP, Stems, terms
from ..texts.nearest import Nearest

K1, B = 1.2, 0.75  # Robertson and Walker's usual ones


def bm25(documents: Sequence[str], queries: Sequence[str]) -> list[float]:
    """The mean BM25 of each document for the queries (their distinct telling words): the baseline without a model.

    S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework (2009), with the logarithm that is never below 0.
    """
    stems = Stems()
    try:
        bags = [Counter(terms(text, stems)) for text in documents]
        stops = {*stems.of(STOP)}
        asked = [{*terms(text, stems)} - stops for text in queries]
    finally:
        stems.close()
    having = Counter(term for bag in bags for term in bag)
    rarity = {t: math.log(1 + (len(bags) - n + 0.5) / (n + 0.5)) for t, n in having.items()}
    usual = sum(bag.total() for bag in bags) / max(1, len(bags)) or 1.0
    wanted = Counter(term for query in asked for term in query)  # one pass over a document answers all queries
    found = []
    for bag in bags:
        longer = K1 * (1 - B + B * bag.total() / usual)
        parts = (wanted[t] * rarity[t] * n * (K1 + 1) / (n + longer) for t, n in bag.items() if t in wanted)
        found.append(math.fsum(parts) / max(1, len(queries)))
    return found


def nearest(documents: Sequence[str], held: Sequence[str]) -> list[int]:
    """For each held-out text the number of the document most like it by rare words; -1 where none shares a word."""
    near, found = Nearest(documents), list[int]()
    for text in held:
        scores = near.scores(text)
        most = max(scores, default=0.0)
        found.append(scores.index(most) if most else -1)
    return found


def copies(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Files of other sources that were left out because one stands for them, with "of", "of_source", "of_owner"."""
    return [
        {**{key: copy[key] for key in ("path", "source", "owner")},
         "of": row["path"], "of_source": row["source"], "of_owner": row["owner"]}
        for row in documents
        for copy in row.get("stands_for", ()) if copy["source"] != row["source"]
    ]  # fmt: skip
