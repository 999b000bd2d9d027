"""What changed from one pack to another: data, settings, measures, size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..store import Store
from ..terminal import measured
from ..texts.documents import read_rows
from . import manifest


def compare(before: Path, after: Path, store: Store) -> dict[str, Any]:
    """{"base", "documents", "settings", "measures", "bytes", "template", "files"}: each what was and what is.

    Settings are told where both packs were made in this home; without that `settings` is None. `compared` are the steps
    whose settings they are: an older pack names fewer.
    """
    old, new = manifest.read(before), manifest.read(after)
    return {
        "base": _pair(old["base"]["name"], new["base"]["name"]),
        "documents": _documents(old, new, _learnt_from(before), _learnt_from(after)),
        "settings": _settings(old, new, store), "compared": _steps(old, new),
        "measures": _measures(old["measures"], new["measures"]),
        "bytes": _pair(*(record["files"]["model.gguf"]["bytes"] for record in (old, new))),
        "template": _pair(*(record.get("chat_template_sha256") for record in (old, new))),
        "files": {
            "added": sorted({*new["files"]} - {*old["files"]}), "gone": sorted({*old["files"]} - {*new["files"]}),
            "changed": sorted(name for name in {*old["files"]} & {*new["files"]}
                              if old["files"][name]["sha256"] != new["files"][name]["sha256"]),
        },
    }  # fmt: skip


def _pair(before: Any, after: Any) -> dict[str, Any]:
    return {"before": before, "after": after, "same": before == after}


def _learnt_from(folder: Path) -> dict[str, dict[str, Any]]:
    """The rows of the files that went into a pack, by their hashes; what rules left out did not."""
    rows = read_rows(folder / "ledger.jsonl")
    return {row["hash"]: row for row in rows if row["decision"] == "in" and row["split"] != "dropped"}


def _documents(
    before: Mapping[str, Any], after: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]
) -> dict[str, Any]:
    """How many documents there were, as the reports count them (a file may be cut into several); which of the files
    came and went, by their hashes, and whose licence changed."""
    counts = [sum(part["documents"] for part in record.get("documents", {}).values()) for record in (before, after)]
    both = old.keys() & new.keys()
    return {
        "before": counts[0], "after": counts[1], "files before": len(old), "files after": len(new),
        "came": len(new.keys() - old.keys()), "went": len(old.keys() - new.keys()),
        "moved": sum(old[one]["split"] != new[one]["split"] for one in both),
        "licence changed": sum(old[one]["licence"] != new[one]["licence"] for one in both),
    }  # fmt: skip


def _settings(old: Mapping[str, Any], new: Mapping[str, Any], store: Store) -> list[dict[str, Any]] | None:
    """The settings that differ of the steps that both name; None where there are none, or a run is not in this home."""
    found, steps = [], _steps(old, new)
    for step in steps:
        runs = [store.find(record["lineage"][step]["key"]) for record in (old, new)]
        if None in runs:
            return None
        params, others = (_flat(run.params) for run in runs if run)
        for name in sorted({*params} | {*others}):
            if params.get(name) != others.get(name):
                found.append({"setting": f"{step}.{name}", "before": params.get(name), "after": others.get(name)})
    return found if steps else None


def _steps(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted({*old["lineage"]} & {*new["lineage"]})


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in params.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _measures(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    before = {row["name"]: row for row in old}
    return [
        {"name": row["name"], "unit": row["unit"], "before": before[row["name"]]["ours"], "after": row["ours"],
         "change": row["ours"] / before[row["name"]]["ours"] - 1}
        for row in new if row["name"] in before and before[row["name"]]["ours"]
    ]  # fmt: skip


INDENT = 11  # columns before what is told of a row


def words(found: Mapping[str, Any]) -> str:
    """What `compare` found, for a person."""
    documents, lines = found["documents"], []
    if not found["base"]["same"]:
        lines.append(f"base       {found['base']['before']} -> {found['base']['after']}")
    lines += [
        f"documents  {documents['before']} -> {documents['after']}",
        f"files      {documents['files before']} -> {documents['files after']}: {documents['came']} came, "
        f"{documents['went']} went, {documents['moved']} moved between the parts",
    ]
    if (settings := found["settings"]) is None:
        lines.append("settings   not known: the packs were not both made here")
    else:
        lines.append(f"settings   {len(settings) or 'none'} changed, of {', '.join(found['compared'])}")
    for row in settings or ():
        lines.append(f"setting    {row['setting']}: {json.dumps(row['before'])} -> {json.dumps(row['after'])}")
    for row in found["measures"]:
        unit = "MB" if row["unit"] == "bytes" else row["unit"]
        before, after = (measured(row[when], row["unit"]) for when in ("before", "after"))
        lines.append(f"{row['name']:10} {before} -> {after} {unit} ({row['change']:+.1%})")
    if not found["template"]["same"]:
        lines.append("template   CHANGED: the chat template is another one")
    for what, names in found["files"].items():
        if names:
            lines.append(f"{what:10} {', '.join(names)}")
    return "\n".join(lines)
