"""What each was worth, in tables: 80 columns for a terminal, and a CSV whose cells are no formulas."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..terminal import cell, cut
from . import money
from .content import correlation

Row = Mapping[str, Any]
SHOWN = 5  # documents at either end
DOUBT_BITS = 1.0  # an answer half as likely as the same one is elsewhere
COLUMNS = (
    "kind", "name", "unit", "path", "line", "owner", "licence", "texts", "bytes", "shapley", "low", "high", "error",
    "without", "alone", "influence", "share", "loss", "doubt", "bm25", "covers", "stands_for", "payment", "currency",
)  # fmt: skip


def as_csv(content: Row, paid: Sequence[str] = (), currency: str = "") -> str:
    """A row a unit, then a row a document; with what each unit is paid, if a sum was divided."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for number, unit in enumerate(content["units"]):
        more = {"payment": paid[number], "currency": currency} if paid else {}
        licences = " AND ".join(unit["licences"])
        writer.writerow(_cells({"kind": "unit", **unit, "unit": unit["name"], "licence": licences, **more}))
    for row in content["documents"]:
        writer.writerow(_cells({"kind": "example" if row["line"] else "document", "name": row["path"], **row}))
    return text.getvalue()


def _cells(row: Row) -> dict[str, Any]:
    """Texts that no table takes for a formula; numbers and what is missing as they are."""
    return {name: cell(value) for name, value in row.items() if name in COLUMNS and value is not None}


def units(content: Row) -> list[list[str]]:
    """The table of the units, the best first; its first row is the head."""
    most = content["valid_texts"]
    rows = [[content["by"], "texts", "kB", "Shapley", "95%", "without", "near", "copies"]]
    for unit in sorted(content["units"], key=lambda unit: (-(unit["shapley"] or 0.0), unit["name"])):
        known = unit["shapley"] is not None
        rows.append([
            cut(unit["name"], 22), str(unit["texts"]), f"{unit['bytes'] / 1e3:.1f}",
            f"{unit['shapley']:+.4f}" if known else "",
            f"{unit['low']:+.3f} {unit['high']:+.3f}" if unit["low"] is not None else "",
            f"{unit['without']:+.4f}" if known else "", f"{unit['covers']}/{most}", str(unit["stands_for"] or ""),
        ])  # fmt: skip
    return rows


def documents(content: Row) -> list[list[str]]:
    """The table of the most and the least helpful documents; its first row is the head."""
    rows = [row for row in content["documents"] if row["influence"] is not None]
    likely = {row["row"]: place for place, row in enumerate(sorted(rows, key=lambda row: -row["bm25"]), 1)}
    shown = [["document", content["by"], "kB", "share", "bits/B", "BM25"]]
    ends = rows if len(rows) <= 2 * SHOWN else [*rows[:SHOWN], None, *rows[-SHOWN:]]
    for row in ends:
        if row is None:
            shown.append(["…", "", "", "", "", ""])
            continue
        share = f"{row['share']:+.1%}" if row["share"] is not None else f"{row['influence']:+.3g}"
        shown.append([cut(_place(row), 30, left=True), cut(row["unit"], 16), f"{row['bytes'] / 1e3:.1f}", share,
                      f"{row['loss']:.3f}", f"{likely[row['row']]}."])  # fmt: skip
    return shown


def doubted(content: Row) -> list[list[str]]:
    """The table of the examples whose answers fit them least; its first row is the head."""
    rows = sorted((row for row in content["documents"] if (row["doubt"] or 0.0) > DOUBT_BITS),
                  key=lambda row: -row["doubt"])  # fmt: skip
    shown = [[cut(_place(row), 44, left=True), cut(row["unit"], 16), f"{row['doubt']:+.1f}"] for row in rows[:SHOWN]]
    return [["is its answer right?", content["by"], "bits more"], *shown]


def _place(row: Row) -> str:
    """Where a document or an example lies."""
    return f"{row['path']}:{row['line']}" if row["line"] else str(row["path"])


def sentences(content: Row) -> list[str]:
    """What the tables leave out, in sentences."""
    told, saved = [], content["saved"]
    if saved:
        ends = f" (95%: {saved['low']:+.4f} to {saved['high']:+.4f})" if saved["low"] is not None else ""
        told.append(f"All together saved {saved['value']:+.4f} bits per byte{ends} on {saved['n']} valid texts, "
                    f"{saved['bytes']:,} bytes of them; test was not read.")  # fmt: skip
        if not content["exact"]:
            errors = max(unit["error"] for unit in content["units"])
            told.append(f"Estimated from {content['orders']} of the orders they may come in (seed {content['seed']}); "
                        f"standard error at most {errors:.4f}.")  # fmt: skip
    told += [f"{unit['name']}: {', '.join(unit['of'])}." for unit in content["units"] if len(unit["of"]) > 1]
    rows = [row for row in content["documents"] if row["influence"] is not None]
    agree = correlation([row["influence"] for row in rows], [row["bm25"] for row in rows])
    if agree is not None:
        told.append(f"Influence and BM25 agree to {agree:+.2f} (Spearman, {len(rows)} texts).")
    pairs = Counter((copy["owner"], copy["of_owner"]) for copy in content["copies"])
    told += [
        f"{n} {'file' if n == 1 else 'files'} of {owner} left out as copies of {of}'s: "
        "they come back if those go, and have no part in what those were worth."
        for (owner, of), n in sorted(pairs.items())
    ]
    return told


def rights(content: Row) -> list[str]:
    """On what right each unit's text was used, a line each."""
    told = []
    for unit in content["units"]:
        why = "; ".join(f"{reason} ({n})" for reason, n in unit["consent"].items())
        told.append(f"{cut(unit['name'], 24)}: {', '.join(unit['licences']) or 'no licence'}. {why}")
    return told


def divided(content: Row, sum_: money.Sum) -> dict[str, Any]:
    """Who is paid what of a sum, by Shapley: {"rule", "payments": [{"name", "units", "told", "low", "high"}]}.

    Raises RecipeError where nobody was worth anything.
    """
    import numpy as np

    values = np.array([unit["shapley"] for unit in content["units"]])
    paid = money.payments(sum_.units, money.shares(values).tolist())
    ends: list[tuple[float | None, float | None]] = [(None, None)] * len(paid)
    if content["resampled"] is not None:
        drawn = money.shares(np.array(content["resampled"])) * sum_.units
        low, high = np.percentile(drawn, [2.5, 97.5], axis=1)
        ends = list(zip(low.tolist(), high.tolist(), strict=True))
    rows = [
        {"name": unit["name"], "of": unit["of"], "shapley": unit["shapley"], "units": units_,
         "amount": sum_.amount(units_), "low": None if low is None else sum_.amount(low),
         "high": None if high is None else sum_.amount(high)}
        for unit, units_, (low, high) in zip(content["units"], paid, ends, strict=True)
    ]  # fmt: skip
    return {"sum": sum_.amount(sum_.units), "currency": sum_.currency, "rule": RULE, "payments": rows}


RULE = "worth nothing or less: paid nothing; the others in proportion to their Shapley values"


def payments(split: Row) -> list[list[str]]:
    """The table of a divided sum; its first row is the head."""
    rows = [["paid to", split["currency"], "95%", ""]]
    for row in split["payments"]:
        ends = f"{row['low']} to {row['high']}" if row["low"] is not None else ""
        note = "worth less than nothing" if row["shapley"] < 0 else ""
        rows.append([cut(row["name"], 24), row["amount"], ends, note])
    return [*rows, ["together", split["sum"], "", ""]]
