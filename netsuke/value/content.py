"""value.json: everything that is known of what each unit and each document was worth, in numbers; it quotes no text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..texts.documents import file_of, read_texts
from ..texts.ranked import mid_ranks
from . import Weighing, likeness, rules, shapley

Row = dict[str, Any]
FEWEST = 3  # valid texts: an interval from fewer would say that chance has no part in it


def content(
    params: Weighing,
    units: Sequence[Row],
    documents: Sequence[Row],
    train: Path,
    valid: Path,
    game: Mapping[str, Any] | None,
    influence: Sequence[Row] | None,
) -> Row:
    """What value.json holds. Without a game units have no worth, without influence documents have none."""
    texts, held = read_texts(train), read_texts(valid)
    rows = _pieces(units, influence)
    near = likeness.nearest([texts[row["row"]] for row in rows], held)
    for number, row in enumerate(rows):
        row["covers"] = near.count(number)
    copies = likeness.copies(documents)
    played = _played(params, game) if game else {}
    return {
        "by": params.by, "saved": played.get("saved"), "exact": not params.orders, "orders": len(params.orders),
        "seed": params.seed, "valid_texts": len(held), "resampled": played.get("resampled"),
        "units": [_unit(number, unit, rows, copies, documents, played) for number, unit in enumerate(units)],
        "documents": rows, "copies": copies,
    }  # fmt: skip


def _played(params: Weighing, game: Mapping[str, Any]) -> Row:
    """Shapley values, leave-one-out and what all saved together, with intervals over the valid texts."""
    players = len(game["names"])
    picks = rules.resamples(len(game["texts"]), params.seed)
    worth, again = rules.saved(game), rules.saved(game, picks)
    every = shapley.whole(players)
    if params.orders:
        values, errors = shapley.sampled(players, worth, params.orders)
        drawn, _ = shapley.sampled(players, again, params.orders)
    else:
        values, errors = shapley.exact(players, worth), None
        drawn = shapley.exact(players, again)
    n = len(game["texts"])
    total = {"value": float(worth[every]), **_ends(again[every], n), "n": n,
             "bytes": sum(text["bytes"] for text in game["texts"])}  # fmt: skip
    return {
        "saved": total, "shapley": values.tolist(), "ends": [_ends(row, n) for row in drawn],
        "errors": errors.tolist() if errors is not None else None,
        "without": (-shapley.without(players, worth)).tolist(),  # how the worth changes when it leaves
        "alone": [float(worth[1 << player]) if 1 << player in worth else None for player in range(players)],
        "resampled": np.round(drawn, 9).tolist() if n >= FEWEST else None,
    }  # fmt: skip


def _ends(drawn: np.ndarray, texts: int) -> dict[str, float | None]:
    if texts < FEWEST:
        return {"low": None, "high": None}
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"low": float(low), "high": float(high)}


def _unit(
    number: int, unit: Row, rows: Sequence[Row], copies: Sequence[Row], documents: Sequence[Row], played: Row
) -> Row:
    """One unit: what it is, what it was worth, and on what right it was used."""
    mine = [row for row in rows if row["unit"] == unit["name"]]
    files = {(piece["source"], file_of(piece["path"])) for piece in unit["pieces"]}
    known = [row for row in documents if (row["source"], row["path"]) in files]
    sums = [row["influence"] for row in mine if row["influence"] is not None]
    found = {
        "name": unit["name"], "of": list(unit["of"]), "texts": len(mine), "bytes": unit["bytes"],
        "influence": sum(sums) if sums else None, "covers": sum(row["covers"] for row in mine),
        "licences": dict(sorted(Counter(row["licence"] for row in known).items())),
        "consent": dict(sorted(Counter(row["reason"] for row in known).items())),
        "stands_for": sum((copy["of_source"], copy["of"]) in files for copy in copies),
    }  # fmt: skip
    if not played:
        return {**found, "shapley": None, "low": None, "high": None, "error": None, "without": None, "alone": None}
    errors = played["errors"]
    return {
        **found, "shapley": played["shapley"][number], **played["ends"][number],
        "error": errors[number] if errors else None, "without": played["without"][number],
        "alone": played["alone"][number],
    }  # fmt: skip


def _pieces(units: Sequence[Row], influence: Sequence[Row] | None) -> list[Row]:
    """A row a document or example, the most helpful first."""
    told = {row["row"]: row for row in influence or ()}
    nothing = {"influence": None, "loss": None, "doubt": None, "bm25": None, "read": None}
    rows = [
        {**{key: piece[key] for key in ("row", "path", "line", "source", "owner", "licence", "bytes")},
         "unit": unit["name"], **{key: told.get(piece["row"], nothing)[key] for key in nothing}}
        for unit in units for piece in unit["pieces"]
    ]  # fmt: skip
    total = sum(row["influence"] or 0.0 for row in rows)
    for row in rows:
        row["share"] = row["influence"] / total if row["influence"] is not None and total > 0 else None
    return sorted(rows, key=lambda row: (-(row["influence"] or 0.0), row["row"]))


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties by their mean rank; None where a side is all the same, or for fewer than 3."""
    if len(one) < 3:
        return None
    a, b = (np.asarray(mid_ranks(some)) for some in (one, other))
    if a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])
