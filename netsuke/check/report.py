"""report.json: what was measured, beside the base, with the gates' verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engines import hf
from ..engines.hf import bits_per_byte
from ..nouns import Gate, Measure
from . import Bounds, gates, quality

PLACES = {"domain": "held-out documents", "answers": "held-out answers", "general": "general text"}


def build(params: Bounds, scores: dict[str, quality.Pair], sizes: dict[str, int]) -> dict[str, Any]:
    """The whole report as plain values: the same inputs give the same bytes."""
    rows = []
    for name, pair in scores.items():
        if name not in PLACES:
            continue
        base, ours = bits_per_byte(pair.base), bits_per_byte(pair.ours)
        rows.append({
            "name": name, "unit": "bits per byte", "better": "lower", "base": base, "ours": ours,
            "change": ours / base - 1, "change_interval": quality.change_interval(pair, params.seed),
            "base_interval": quality.interval(pair.base, params.seed),
            "ours_interval": quality.interval(pair.ours, params.seed),
            "n_texts": len(pair.base), "n_bytes": sum(s.bytes for s in pair.base), "seed": params.seed,
        })  # fmt: skip
    rows.append(
        {
            "name": "size",
            "unit": "bytes",
            "better": "lower",
            "base": sizes["base"],
            "ours": sizes["ours"],
            "change": sizes["ours"] / sizes["base"] - 1,
        }
    )
    content = {
        "measures": [_rounded(r) for r in rows], "gates": [g.__dict__ for g in verdicts(params, rows)],
        "texts": {name: _texts(pair) for name, pair in scores.items() if name in PLACES},
    }  # fmt: skip
    if "seen" in scores and "unseen" in scores:
        apart = quality.told_apart(scores["seen"], scores["unseen"], params.seed)
        content["membership"] = _rounded(apart)
    return content


def _texts(pair: quality.Pair) -> list[dict[str, Any]]:
    """Each text's bits, so that a later pack can be compared with this one on the texts that both have."""
    each = zip(pair.keys, pair.base, pair.ours, strict=True)
    return [
        {"text": key, "bytes": base.bytes, "base": round(base.bits, 3), "ours": round(ours.bits, 3)}
        for key, base, ours in each
    ]


def verdicts(params: Bounds, rows: list[dict[str, Any]]) -> list[Gate]:
    """A verdict for each bound of the recipe."""
    by_name = {row["name"]: row for row in rows}
    limits = {"domain": params.domain_gate, "answers": params.domain_gate, "general": params.general_gate}
    found = []
    for name, limit in limits.items():
        if row := by_name.get(name):
            what = f"bits per byte on the {PLACES[name]}, against the base"
            found.append(gates.at_most(name, what, row["change"], limit, row["change_interval"]))
    if params.budget_bytes:
        found.append(gates.size_at_most(by_name["size"]["ours"], params.budget_bytes))
    return found


def since(last: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How the measures changed since an earlier report, on the texts that both have."""
    rows = []
    for name, texts in now["texts"].items():
        before = {row["text"]: row["ours"] for row in last.get("texts", {}).get(name, ())}
        common = [row for row in texts if row["text"] in before]
        if not common:
            continue
        pair = quality.Pair(
            [hf.Score(before[row["text"]], row["bytes"], 0) for row in common],
            [hf.Score(row["ours"], row["bytes"], 0) for row in common],
        )
        old, new = bits_per_byte(pair.base), bits_per_byte(pair.ours)
        rows.append(_rounded({
            "name": name, "unit": "bits per byte", "last": old, "now": new, "change": new / old - 1,
            "change_interval": quality.change_interval(pair, 0), "n_texts": len(common),
        }))  # fmt: skip
    was, is_now = ({row["name"]: row["ours"] for row in one["measures"]}.get("size") for one in (last, now))
    if was and is_now:
        rows.append({"name": "size", "unit": "bytes", "last": was, "now": is_now,
                     "change": round(is_now / was - 1, 6)})  # fmt: skip
    return rows


def measures(content: dict[str, Any]) -> list[Measure]:
    """The report's rows of our model as Measures."""
    found = []
    for row in content["measures"]:
        low, high = row.get("ours_interval") or (None, None)
        n, seed = row.get("n_texts", 1), row.get("seed")
        found.append(Measure(row["name"], row["ours"], row["unit"], n, seed, row["better"], low, high))
    return found


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    def short(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 6)
        return [short(v) for v in value] if isinstance(value, tuple) else value

    return {key: short(value) for key, value in row.items()}
