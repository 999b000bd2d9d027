"""report.json: what was measured, beside the base, with the gates' verdicts."""

from __future__ import annotations

from typing import Any

from ..engines.hf import bits_per_byte
from ..nouns import Gate, Measure
from . import Params, quality

PLACES = {"domain": "held-out documents", "answers": "held-out answers", "general": "general text"}


def build(params: Params, scores: dict[str, quality.Pair], sizes: dict[str, int]) -> dict[str, Any]:
    """The whole report as plain values: the same inputs give the same bytes."""
    rows = []
    for name, pair in scores.items():
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
    return {"measures": [_rounded(r) for r in rows], "gates": [g.__dict__ for g in gates(params, rows)]}


def gates(params: Params, rows: list[dict[str, Any]]) -> list[Gate]:
    """A verdict for each bound of the recipe."""
    by_name = {row["name"]: row for row in rows}
    found = []
    limits = {"domain": params.domain_gate, "answers": params.domain_gate, "general": params.general_gate}
    for name, limit in limits.items():
        if name not in by_name:
            continue
        change, place = by_name[name]["change"], PLACES[name]
        found.append(Gate(
            name, round(change, 6), limit, change <= limit,
            f"bits per byte on the {place}: {change:+.1%} against the base, at most {limit:+.1%} allowed",
        ))  # fmt: skip
    if params.budget_bytes:
        size = by_name["size"]["ours"]
        found.append(
            Gate(
                "size",
                size,
                params.budget_bytes,
                size <= params.budget_bytes,
                f"{size / 1e6:.2f} MB, at most {params.budget_bytes / 1e6:.2f} MB allowed",
            )
        )
    return found


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
