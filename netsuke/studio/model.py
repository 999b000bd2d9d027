"""A model's own page: what it came to beside its base, how it learnt, what got worse, and those made before it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ..errors import StoreError
from ..pack import trust, words
from ..terminal import count, measured
from . import drawing, shelf

if TYPE_CHECKING:
    from .app import House

SAMPLE_CHARS = 360
_WHO = {"base": "base", "ours": "yours"}
# The report holds its own style and pictures, and no script; it is shut off from the pages around it.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


async def page(house: House, request: Request) -> Response:
    model = shelf.find(request.path_params["name"], house.store)
    values = await asyncio.to_thread(told, model)
    return house.pages.page(request, "model.html", name=model.name, tab="model", model=model, **values)


def told(model: shelf.Model) -> dict[str, Any]:
    """What the page shows, from the pack and from what stands beside its name."""
    content, report = model.content, model.report
    gates = report.get("gates") or content.get("gates", [])
    before = list(shelf.past(model.name, model.store))
    return {
        "rows": [row(one) for one in content["measures"]],
        "gates": gates, "failed": [gate for gate in gates if not gate["passed"]],
        "worse": words.worse(content["measures"], report.get("safety"), report.get("scores")),
        "went_in": " and ".join(went_in(content, report)),
        "curve": learning(model.curve, model.held_out), "sizes": sizes(model, frontier(model)),
        "samples": [{who: short(text) for who, text in row.items()}
                    for row in model.part("quotes.json").get("samples", [])[:3]],
        "memory": trust.memory(report["memory"]) if "memory" in report else [],
        "honesty": trust.honesty(report["honesty"]) if "honesty" in report else [],
        "worth": worth(valued(model)),
        "before": [_past(when, ref, old, model) for when, ref, old in reversed(before)],
        "course": course(before), "has_report": "report.html" in content["files"],
    }  # fmt: skip


def went_in(content: Mapping[str, Any], report: Mapping[str, Any]) -> list[str]:
    """What it was made from, as "14 documents" and "60 examples"; none of what is not known."""
    documents = sum(part["documents"] for part in content.get("documents", {}).values())
    examples = sum(report.get("task", {}).get("examples", {}).values())
    return [count(number, noun) for number, noun in ((documents, "document"), (examples, "example")) if number]


def short(text: str) -> str:
    """The front of a sample, without empty lines."""
    text = re.sub(r"\n\s*\n", "\n", text).strip("\n")
    return text if len(text) <= SAMPLE_CHARS else f"{text[:SAMPLE_CHARS].rstrip()} …"


def row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A measure as the table shows it."""
    interval = row.get("change_interval")
    return {
        "name": words.NAMES.get(row["name"], row["name"]),
        "base": measured(row["base"], row["unit"]), "ours": measured(row["ours"], row["unit"]),
        "change": row["change"], "interval": interval, "n": row.get("n_texts", ""),
    }  # fmt: skip


def _past(when: datetime, ref: str, content: Mapping[str, Any], model: shelf.Model) -> dict[str, Any]:
    own = shelf.own(content["measures"])
    general = next((row["change"] for row in content["measures"] if row["name"] == "general"), None)
    return {"when": when, "now": ref == model.ref, "bytes": content["files"]["model.gguf"]["bytes"],
            "own": own and own["change"], "general": general}  # fmt: skip


def learning(history: Sequence[Mapping[str, float]], held_out: str) -> str:
    """The learning curve."""
    points = [(row["tokens"], row["valid"]) for row in history]
    return drawing.chart(
        f"bits per byte on {held_out} kept aside, while it learnt", "tokens learnt from", "bits per byte",
        [drawing.Line("valid", points)],
    )  # fmt: skip


def course(before: Sequence[tuple[datetime, str, Mapping[str, Any]]]) -> str:
    """The packs of a name one after the other, where several were measured: bits per byte on what was held out."""
    found = [own["ours"] for _, _, content in before if (own := shelf.own(content["measures"]))]
    line = drawing.Line("ours", [(n + 1, value) for n, value in enumerate(found)])
    if len(found) < 2:
        return ""
    return drawing.chart("packs of this name", "pack", "bits per byte", [line], whole=True)


def frontier(model: shelf.Model) -> list[dict[str, Any]]:
    """What each size costs before tuning, where `netsuke carve --frontier` measured it on this very text."""
    carved = model.store.find(key) if (key := model.content["lineage"].get("carve", {}).get("key")) else None
    for run in reversed(list(model.store.runs())) if carved else ():
        same = run.step == "frontier" and run.inputs.get("train") == carved.inputs.get("train") if carved else False
        if same and model.store.has(run.output):
            rows: list[dict[str, Any]] = json.loads(
                model.store.path(model.store.tree(run.output)["frontier.json"]).read_bytes()
            )
            return rows
    return []


def valued(model: shelf.Model) -> dict[str, Any]:
    """value.json, where `netsuke value` has worked it out for this very model."""
    from ..front import worth

    ref = worth.latest(model.name, model.store)
    return dict(json.loads((model.store.path(ref) / "value.json").read_bytes())) if ref else {}


def worth(content: Mapping[str, Any]) -> str:
    """What each owner or source gave, and what it was worth."""
    units = [unit for unit in content.get("units", ()) if unit["shapley"] is not None]
    points = [(unit["bytes"] / 1e3, unit["shapley"]) for unit in units]
    line = drawing.Line("worth", points, dots=True, labels=[unit["name"] for unit in units])
    return drawing.chart(f"what each {content.get('by')} was worth", "kB of text", "bits per byte saved", [line])


def sizes(model: shelf.Model, traced: Sequence[Mapping[str, Any]]) -> str:
    """Size against quality: base and ours; and what other sizes cost before tuning, where that was measured."""
    own = model.own
    size = next((row for row in model.content["measures"] if row["name"] == "size"), None)
    if not (own and size):
        return ""
    lines = []
    ours = [row for row in traced if row["name"] == "ours"]
    if ours:
        points = sorted((row["bytes"] / 1e6, row["cost"]["domain"]) for row in ours)
        lines.append(drawing.Line("other sizes, before tuning", points, "soft"))
    for who in ("base", "ours"):
        lines.append(drawing.Line(who, [(size[who] / 1e6, own[who])], who, dots=True, labels=[_WHO[who]]))
    return drawing.chart("size against quality", "MB", f"bits per byte on held-out {model.held_out}", lines)


async def report(house: House, request: Request) -> Response:
    """The whole report, as the pack holds it."""
    model = shelf.find(request.path_params["name"], house.store)
    files = house.store.tree(model.ref)
    if "report.html" not in files:
        hint = f"netsuke make {model.name}"
        raise StoreError("this pack holds no report.html: an older netsuke made it", hint=hint)
    text = await asyncio.to_thread(house.store.path(files["report.html"]).read_text, "utf-8")
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


ROUTES = [("GET", "/m/{name}", page), ("GET", "/m/{name}/report", report)]
