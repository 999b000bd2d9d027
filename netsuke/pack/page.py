"""report.html: one page that holds everything it shows, for a browser on a phone or a desk. No script, no request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import trust, words

TEMPLATE = Path(__file__).with_name("report.html.j2")
OURS, BASE = "#c2410c", "#3b82f6"
AT_HOME = ("left_out", "bare")  # of a task: reasons quote labels; how it is asked where its examples stay at home
KEPT = ("splits", "split_by", "licences", "owners", "languages", "private", "widened")


def data(facts: Mapping[str, Any]) -> dict[str, Any]:
    """report.json: what the page shows, in numbers and names; it quotes neither the documents nor the model."""
    params, summary = facts["params"], facts["summary"]
    drops = {
        rule: {k: drop[k] for k in ("count", "bytes") if k in drop}
        for rule, drop in summary.get("drops", {}).items()
    }
    safety = {k: v for k, v in facts.get("safety", {}).items() if k != "failing"}
    return {
        "name": params.name, "netsuke": params.netsuke,
        "base": {"name": params.base, "title": params.base_title, "licence": params.base_licence},
        **facts["report"], "gates": words.all_gates(facts),
        "went_in": {**{k: summary[k] for k in KEPT if k in summary}, "drops": drops},
        "carving": facts["choice"], "learning": facts["curve"],
        **{name: facts[name] for name in ("scores", "memory", "honesty", "voices") if name in facts},
        **({"task": {k: v for k, v in facts["task"].items() if k not in AT_HOME}} if "task" in facts else {}),
        **({"safety": safety} if safety else {}),
    }  # fmt: skip


def quotes(facts: Mapping[str, Any]) -> dict[str, Any]:
    """quotes.json: what quotes the documents or the model, and so belongs in a private pack alone."""
    found = {"samples": facts["samples"]["rows"]} if "samples" in facts else {}
    return {**found, **({"failing": facts["safety"]["failing"]} if "safety" in facts else {})}


def html(
    report: Mapping[str, Any],
    quoted: Mapping[str, Any] | None = None,
    beside: Mapping[str, Any] | None = None,
) -> str:
    """The page of a report.json; without `quoted` it quotes nothing.

    `beside`: what is no part of a pack, because it depends on the machine or on what was there before: "trial" (rows of
    speed and cost), "since" (the last pack of that name), "frontier" (an SVG of sizes and stock presets), "value" (an
    SVG of what the material was worth).
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    beside = dict(beside or {})
    pictures = {name: Markup(svg) for name, svg in _pictures(report).items()}
    for name, title in (("frontier", "size against quality"), ("value", "what the material was worth")):
        if drawn := beside.get(name):
            pictures[name] = Markup(inline(drawn, name, title))
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["squeeze"] = lambda text: re.sub(r"\n\s*\n", "\n", text).strip("\n")
    template = page.from_string(TEMPLATE.read_text(encoding="utf-8"))
    limits = [re.sub(r"\s+", " ", line).strip() for line in words.LIMITS.split("\n- ")]
    return template.render(
        report=report, quoted=quoted or {}, pictures=pictures, trial=_costs(beside.get("trial", ())),
        since=beside.get("since", ()), names=words.NAMES, limits=[line.removeprefix("- ") for line in limits],
        worse=words.worse(report["measures"], report.get("safety"), report.get("scores")), told=_told(report),
        failed=[gate for gate in report["gates"] if not gate["passed"]], held_out=words.held_out(report["went_in"]),
        foreign=words.FOREIGN if report["carving"].get("foreign") else "", documents=_documents(report["went_in"]),
    )  # fmt: skip


def _told(report: Mapping[str, Any]) -> dict[str, list[str]]:
    """The sentences of each part that was checked."""
    told = {
        name: speak(report[name])
        for name, speak in (("memory", trust.memory), ("honesty", trust.honesty))
        if name in report
    }
    if "membership" in report:
        told.setdefault("memory", []).extend(trust.membership(report["membership"]))
    if "voices" in report:
        told["voices"] = words.voices(report["voices"], report["learning"]["parts"])
    if "safety" in report:
        told["safety"] = [trust.safety(report["safety"])[-1]]
    return told


def _documents(went_in: Mapping[str, Any]) -> int:
    return sum(part["documents"] for part in went_in.get("splits", {}).values())


def _costs(trial: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, int]]:
    """(what, base, ours, n) of what the trial measured."""
    by_name, rows = {row["name"]: row for row in trial}, []
    shown = {"prompt": ("prompt, tokens per second", 1.0, 0), "generation": ("generation, tokens per second", 1.0, 0),
             "first token": ("first token behind 256, seconds", 1.0, 2), "memory": ("most memory, MB", 1e-6, 0),
             "energy": ("energy, joules per token", 1.0, 2)}  # fmt: skip
    for part, (title, scale, digits) in shown.items():
        both = [by_name.get(f"{part} {who}") for who in ("base", "ours")]
        values = ["not measured" if row is None else f"{row['value'] * scale:,.{digits}f}" for row in both]
        if trial:
            rows.append((title, values[0], values[1], both[1]["n"] if both[1] else 0))
    return rows


def _pictures(report: Mapping[str, Any]) -> dict[str, str]:
    """Inline SVGs by name; what there is no data for is left out."""
    from ..engines import plot

    drawn = {"size": ("size against quality", [_size(report)])}
    if history := report["learning"].get("history"):
        line = plot.Series("while it learnt", [(p["tokens"], p["valid"]) for p in history], colour=OURS, line=True)
        panel = plot.Panel("", "tokens learnt from", "bits per byte on valid", [line])
        drawn["learning"] = ("learning curve", [panel])
    if curve := report.get("honesty", {}).get("risk_coverage"):
        line = plot.Series("ours", [(100 * share, 100 * risk) for share, risk in curve], colour=OURS, line=True)
        panel = plot.Panel("", "surest sentences, %", "tokens not as the author's, %", [line])
        drawn["risk"] = ("risk against coverage", [panel])
    return {name: inline(plot.svg(panels), name, title) for name, (title, panels) in drawn.items()}


def _size(report: Mapping[str, Any]) -> Any:
    """Base and ours by megabytes and bits per byte."""
    from ..engines import plot

    by_name = {row["name"]: row for row in report["measures"]}
    own = by_name.get("domain") or by_name["answers"]
    size, series = by_name["size"], []
    for who, colour in (("base", BASE), ("ours", OURS)):
        points = [(size[who] / 1e6, own[who])]
        series.append(plot.Series(f"{who}, your held-out text", points, [who], colour))
        if general := by_name.get("general"):
            points = [(size[who] / 1e6, general[who])]
            series.append(plot.Series(f"{who}, general text", points, [""], colour, hollow=True))
    return plot.Panel("", "MB", "bits per byte (lower is better)", series)


def inline(svg: str, name: str, title: str) -> str:
    """An SVG of plot.svg as a part of a page: in the page's ink, with names of its own, and nothing outside of it."""
    from ..engines.plot import INK

    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1).strip()
