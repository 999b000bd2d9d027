"""What was measured, as tables: base against ours, a task's scores, the gates, the last pack."""

from __future__ import annotations

from typing import Any

from ..front.show import grid
from ..terminal import measured

_NAMES = {
    "domain": "held-out documents, bits/byte",
    "answers": "held-out answers, bits/byte",
    "general": "general text, bits/byte",
    "size": "size, MB",
}
COSTS = (("first token", "first token behind 256, s", 1.0, 2), ("memory", "most memory, MB", 1e-6, 0),
         ("energy", "joules per token", 1.0, 2))  # fmt: skip


def table(measures: list[dict[str, Any]], trial: list[dict[str, Any]], gates: list[dict[str, Any]]) -> str:
    """Base against ours with 95% intervals and n, then the gates."""
    rows = [["", "base", "ours", "change", "95%", "n"]]
    for row in measures:
        low_high = row.get("change_interval")
        rows.append(
            [
                _NAMES.get(row["name"], row["name"]),
                measured(row["base"], row["unit"]),
                measured(row["ours"], row["unit"]),
                f"{row['change']:+.1%}",
                "{:+.1%} to {:+.1%}".format(*low_high) if low_high else "",
                str(row.get("n_texts", "")),
            ]
        )
    speeds = {m["name"]: m for m in trial}
    for part in ("prompt", "generation"):
        if f"{part} base" in speeds:
            base, ours = speeds[f"{part} base"], speeds[f"{part} ours"]
            change = f"{ours['value'] / base['value'] - 1:+.1%}"
            rows.append(
                [
                    f"{part}, tokens/s",
                    f"{base['value']:.0f}",
                    f"{ours['value']:.0f}",
                    change,
                    "",
                    str(ours["n"]),
                ]
            )
    for part, title, scale, digits in COSTS:
        both = [speeds.get(f"{part} {who}") for who in ("base", "ours")]
        if all(both):
            base, ours = (one["value"] * scale for one in both if one)
            rows.append([title, f"{base:,.{digits}f}", f"{ours:,.{digits}f}", f"{ours / base - 1:+.1%}", "", ""])
    verdicts = grid([_verdict(gate) for gate in gates], (2,))
    return f"{grid(rows, (1, 2, 3, 5))}\n\n{verdicts}"


def scores(content: dict[str, Any]) -> str:
    """A task's scores: a line for each who answered, a column for each score."""
    names = list(dict.fromkeys(row["score"] for row in content["scores"]))
    rows = [["", *(part for name in names for part in (name, "95%")), "n"]]
    for who in dict.fromkeys(row["who"] for row in content["scores"]):
        mine = [row for row in content["scores"] if row["who"] == who]
        cells = [part for row in mine for part in (f"{row['value']:.1%}", f"{row['low']:.0%} to {row['high']:.0%}")]
        rows.append([who, *cells, str(mine[0]["n"])])
    lines = [grid(rows, range(1, len(rows[0])))]
    if "calibration_error" in content:
        lines.append(
            f"its confidence is off by {content['calibration_error']:.1%} on average; it answers "
            f"{content['answered']:.0%} of the questions (task.abstain {content['abstain']:g})"
        )
    return "\n".join(lines)


def _verdict(gate: dict[str, Any]) -> list[str]:
    value, limit, name = gate["value"], gate["limit"], gate["name"]
    said = "held" if gate["passed"] else "FAILED"
    if name.startswith("task"):
        return [said, "task", points(value), name.partition(": ")[2]]
    shown = {
        "size": (f"{value / 1e6:.1f} MB", f"{limit / 1e6:.1f} MB"), "private": (f"{value:.0f}", f"{limit:.0f}"),
        "safety": (points(value), points(limit)),
        "recalled": (f"{value:.1%}", f"{limit:.1%}"), "confidence": (f"{value:.1%}", f"{limit:.1%}"),
    }.get(name, (f"{value:+.1%}", f"{limit:+.1%}"))  # fmt: skip
    over = " (over, but it may be chance)" if gate["passed"] and value > limit else ""
    return [said, name, shown[0], f"at most {shown[1]}{over}"]


def points(difference: float) -> str:
    """A difference of two shares: 3.5 points of 45.8% and 42.3%, which are no 3.5% of anything."""
    return f"{100 * difference:+.1f} points"


def since(rows: list[dict[str, Any]]) -> str:
    """The last pack of that name beside this one, on the texts that both were checked on."""
    shown = [["since the last one", "last", "now", "change", "95%", "n"]]
    for row in rows:
        ends = row.get("change_interval")
        shown.append([
            _NAMES.get(row["name"], row["name"]),
            measured(row["last"], row["unit"]), measured(row["now"], row["unit"]),
            f"{row['change']:+.1%}", "{:+.1%} to {:+.1%}".format(*ends) if ends else "", str(row.get("n_texts", "")),
        ])  # fmt: skip
    return grid(shown, (1, 2, 3, 5))
