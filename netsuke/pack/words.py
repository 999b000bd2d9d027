"""The model card and the report, in words a person reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..terminal import measured
from . import front, trust

LIMITS = """\
- It writes and completes in the manner of the material. It is not a source of facts: it invents names, numbers and
  quotations without noticing. Look facts up in the documents themselves.
- It may repeat passages of the material word for word. Do not share it wider than you would share the documents.
- What it answers to harmful requests was compared with its base by simple rules. It has no guard of its own.
- General text is English here; of other languages nothing was measured but your own documents.
"""

UNLISTED = "is not in task.labels"  # of a reason that names the label, as the rendering gives it
NAMES = {"domain": "your held-out documents, bits per byte", "general": "general text, bits per byte",
         "answers": "your held-out answers, bits per byte", "size": "size, MB"}  # fmt: skip



UNTUNED = """\
What was learnt is not in this model: with the examples in its prompt the body answers better as it was before. It was
learnt like this:"""
FOREIGN = """\
The base hardly knows the script of this material: it spells it out in twice as many tokens as English, or more. Expect
weak and slow writing, or make it from a base that was taught the language."""


def table(measures: list[dict[str, Any]]) -> str:
    """Base against ours, one row a measure, in Markdown."""
    lines = ["| | base | ours | change | 95% interval | n |", "|---|---:|---:|---:|---|---:|"]
    for row in measures:
        interval = _interval(row)
        lines.append(
            f"| {NAMES.get(row['name'], row['name'])} | {measured(row['base'], row['unit'])} "
            f"| {measured(row['ours'], row['unit'])} | {row['change']:+.1%} | {interval} | {row.get('n_texts', 1)} |"
        )
    return "\n".join(lines)


def _interval(row: dict[str, Any]) -> str:
    if "change_interval" not in row:
        return "exact"
    return "{:+.1%} to {:+.1%}".format(*row["change_interval"]) if row["change_interval"] else "too few texts"


def held_out(summary: Mapping[str, Any]) -> str:
    """What the held-out text is, in a sentence."""
    if summary.get("split_by") == "part":
        return "There were few documents, so each was cut into parts, and held-out text is parts of the same documents."
    return "Held-out documents were not seen by any other step."


def task(facts: dict[str, Any]) -> list[str]:
    """What the examples ask for, and how well it is answered, in Markdown; nothing without examples."""
    if "task" not in facts:
        return []
    task, scores = facts["task"], facts["scores"]
    examples = task["examples"]
    kinds = {"labels": f"One of {len(task['labels'])} labels: {', '.join(task['labels'][:30])}.",
             "extract": "A piece of the input.", "free": "Free text."}  # fmt: skip
    lines = [
        "## Task", "", kinds[task["kind"]], "",
        f"Learnt from {examples['train']} examples, chosen by {examples['valid']}, checked on {examples['test']}.", "",
        "| | score | value | 95% interval | n |", "|---|---|---:|---|---:|",
        *(f"| {row['who']} | {row['score']} | {row['value']:.1%} | {row['low']:.1%} to {row['high']:.1%} | {row['n']} |"
          for row in scores["scores"]), "",
    ]  # fmt: skip
    if len(task["tried"]) > 1:
        tried = "; ".join(_tried(name, **found) for name, found in task["tried"].items())
        shots = task["way"]["shots"]
        how = f"with {shots} examples in the prompt" if shots else "without examples in the prompt"
        which = "" if task.get("tuned", True) else " is the body as it was before tuning, and"
        why = ", as a right label costs the fewest bits then" if task["kind"] == "labels" else ""
        lines += [f"On valid, {tried}. So it{which} is asked {how}{why}.", ""]
    if "calibration_error" in scores:
        lines += [
            f"Confidence is off by {scores['calibration_error']:.1%} on average. Below {scores['abstain']:.0%} no "
            f"label is given: {scores['answered']:.0%} of the questions are answered.", "",
        ]  # fmt: skip
    if task["way"]["shots"]:
        shown = f"{examples['train']} examples that its prompts are made of (shots.jsonl)"
        lines += [f"The pack's own folder holds the {shown}; no other form does.", ""]
    notes = [f"- left out: {count} examples: {why}" for why, count in _reasons(task["left_out"]).items()]
    if task["cut_to_fit"]:
        notes.append(f"- cut to fit: the ends of {task['cut_to_fit']} long questions")
    notes += [f"- the labels {' and '.join(map(repr, some))} differ in capitals or spaces alone: they are learnt as "
              f"{len(some)}; write them alike if they are one" for some in _alike(task["labels"])]  # fmt: skip
    return [*lines, *notes, ""] if notes else lines


def _reasons(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many examples were left out, by reason; no label of theirs is told, for the card goes with a shared pack."""
    found = Counter[str]()
    for row in rows:
        found[f"the label {UNLISTED}" if UNLISTED in row["why"] else row["why"]] += row["count"]
    return found


def _tried(name: str, score: float, bits: float | None) -> str:
    """What a way of asking came to on valid."""
    return f"{name}: {score:.1%}" + ("" if bits is None else f" and {bits:.2f} bits a label")


def _alike(labels: Sequence[str]) -> list[list[str]]:
    """The labels that capitals or spaces alone tell from others, those together that would be one."""
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault("".join(label.split()).casefold(), []).append(label)
    return [some for some in groups.values() if len(some) > 1]


def card(facts: dict[str, Any]) -> str:
    """card.md: a Hugging Face model card."""
    params, rows = facts["params"], facts["rows"]
    used = [r for r in rows if "train" in r["split"]]
    licences = sorted({r["licence"] for r in used})
    return "\n".join([
        *front.lines(facts), "", f"# {params.name}", "",
        f"A pocket-sized language model carved by Netsuke {params.netsuke} out of {params.base_title} "
        f"({params.base_licence}) from {len(used)} documents.", "",
        f"Licences of the material: {', '.join(licences) or 'none'}. The licence above is the base's; what the owner "
        "grants for the material is not stated here.", "",
        *([f"{params.notice}. This model was changed from it, as said above; those terms go with it.", ""]
          if params.notice else []),
        "## Measured", "", table(facts["report"]["measures"]), "",
        f"{held_out(facts['summary'])} Lower bits per byte are better.", "",
        *task(facts), *trust.sections(facts), "## Limits", "", LIMITS,
    ])  # fmt: skip


def report(facts: dict[str, Any]) -> str:
    """report.md: what went in, what came out, what got worse."""
    summary, choice, curve = facts["summary"], facts["choice"], facts["curve"]
    gates = all_gates(facts)
    told = [f"- {'held' if g['passed'] else 'FAILED'}: {g['sentence']}" for g in gates]
    return "\n".join([
        f"# {facts['params'].name}: report", "", "## Result", "", table(facts["report"]["measures"]), "",
        *task(facts), *trust.sections(facts), "## Gates", "", *told, "", "## What got worse", "",
        *[f"- {line}" for line in worse(facts["report"]["measures"], facts.get("safety"), facts.get("scores"))], "",
        "## What went in", "", *_splits(summary), "", *_facts(summary), "",
        "What was left out, and why:", "", *_drops(summary), "",
        "## Carving", "", *([FOREIGN, ""] if choice["foreign"] else []),
        *([f"All layers stayed: {choice['not_carved']}.", ""] if choice["not_carved"] else []),
        f"{choice['tokens']:,} words kept, their rows in {choice['embedding']}; {choice['channels']:,} channels a "
        f"layer, {len(choice['dropped'])} layers left out. On the way down, before tuning:", "",
        "| words | rows in | channels | layers out | MB | general text | valid documents | |",
        "|---:|---|---:|---:|---:|---:|---:|---|",
        *map(_considered, choice["considered"]), "",
        "## Learning", "", *([] if facts.get("task", {}).get("tuned", True) else [UNTUNED, ""]),
        *(_apart(curve) if "parts" in curve else _course(curve)), "",
        *_voices(facts), "## Limits", "", LIMITS,
    ])  # fmt: skip


def worse(
    measures: Sequence[Mapping[str, Any]], safety: Mapping[str, Any] | None, scores: Mapping[str, Any] | None
) -> list[str]:
    """What got worse against the base, a line each; or that nothing did."""
    lines = [f"{NAMES.get(row['name'], row['name'])}: {row['change']:+.1%}" for row in measures if row["change"] > 0]
    rows = scores["scores"] if scores else ()
    ours = {row["score"]: row["value"] for row in rows if row["who"] == "ours"}
    for row in rows:
        if row["who"].startswith("base") and ours[row["score"]] < row["value"]:
            lines.append(f"{row['score']} {ours[row['score']]:.1%}, {row['who']}: {row['value']:.1%}")
    for row in safety["categories"] if safety else ():
        if row["ours"] > row["base"]:
            change = f"{row['base']} to {row['ours']} of {row['probes']}"
            lines.append(f"failing answers to probes, {row['category']}: {change}")
    return lines or ["nothing that was measured"]


def all_gates(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdicts of every check."""
    parts = (facts[name] for name in ("report", "scores", "memory", "honesty", "safety") if name in facts)
    return [gate for part in parts for gate in part.get("gates", ())]


def _course(curve: dict[str, Any]) -> list[str]:
    """How one training went."""
    looks = [f"| {p['step']} | {p['tokens']:,} | {p['valid']:.4f} |" for p in curve["history"]]
    return [_learning(curve), "", "| step | tokens | valid, bits per byte |", "|---:|---:|---:|", *looks]


def _apart(curve: dict[str, Any]) -> list[str]:
    """How each part was learnt, and what each counts in the whole."""
    counts = f"Each one's weight was the best of {len(curve['tried'])} tried on valid." if curve["tried"] else ""
    whose = "models" if curve.get("models") else "owners"
    told = {
        "owners": "Each owner's text was learnt apart, with its own rows, seed and number of steps, and the adapters "
        f"were joined ({curve['method']}). Forgetting one owner trains nobody again: the adapters are weighed and "
        "joined, rounded, checked and packed.",
        "models": f"Models of one body were combined ({curve['method']}).",
    }[whose]
    rows = [
        f"| {part['name']} | {part['steps']} | {part['epochs']:.2f} | {part['scale']:g} | {part['weight']:g} |"
        for part in curve["parts"]
    ]
    return [f"{told} {counts}".strip(), "", "| of | steps | epochs | adapter scale | weight |",
            "|---|---:|---:|---:|---:|", *rows]  # fmt: skip


def voices(rows: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the voices are and what they add to the pack, a sentence each."""
    count, size = len(rows), sum(row["bytes"] for row in rows) / 1e6
    told = [
        f"Beside the model {'lies 1 adapter' if count == 1 else f'lie {count} adapters'}, {size:.1f} MB together, "
        "which no size dial counts. A request may make each louder or softer (`voices`, 0 to 2). What was "
        "measured holds for all at 1, which is the model alone."
    ]
    named = {row["name"] for row in rows}
    if without := [part["name"] for part in parts if part["weight"] and part["name"] not in named]:
        told.append(f"Changed as a whole, and so without a voice: {', '.join(without)}.")
    return told


def _voices(facts: Mapping[str, Any]) -> list[str]:
    """The voices in Markdown; nothing for a pack without."""
    if "voices" not in facts:
        return []
    rows = [f"| {row['name']} | {row['weight']:g} | {row['bytes'] / 1e6:.1f} |" for row in facts["voices"]]
    told = " ".join(voices(facts["voices"], facts["curve"]["parts"]))
    return ["## Voices", "", told, "", "| of | counts in the model | MB |", "|---|---:|---:|", *rows, ""]


def _learning(curve: dict[str, Any]) -> str:
    """How long it was trained, at which rate and why at that one, and what it began with."""
    told = [
        f"{curve['steps']} steps, {curve['epochs']:.2f} passes over the training text, learning rate "
        f"{curve['learning_rate']:g}, adapter scale {curve['scale']:g}."
    ]
    if curve["trials"]:
        bits = ", ".join(f"{rate:g}: {found:.4f}" for rate, found in curve["trials"])
        told.append(f"The rate was tried for a few steps each (valid, bits per byte): {bits}.")
    if curve.get("start"):
        told.append(f"Began with the adapter {curve['start'][:12]}.")
    return " ".join(told)


def _considered(choice: dict[str, Any]) -> str:
    cells = [f"{choice['tokens']:,}", choice["embedding"], f"{choice['channels']:,}", str(len(choice["dropped"])),
             f"{choice['bytes'] / 1e6:.1f}",
             f"{choice['cost']['general']:.4f}", f"{choice['cost']['domain']:.4f}",
             "measured" if choice["measured"] else "expected"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _splits(summary: dict[str, Any]) -> list[str]:
    rows = ["| part | documents | kB |", "|---|---:|---:|"]
    for name, part in summary.get("splits", {}).items():
        rows.append(f"| {name} | {part['documents']} | {part['bytes'] / 1000:.1f} |")
    if summary.get("split_by") == "part":
        rows += [
            "",
            "There were few documents, so each was cut into parts and held-out text is parts of documents.",
        ]
    return rows


def _facts(summary: dict[str, Any]) -> list[str]:
    """Licences, owners, languages and private things, a line each."""
    counted = {
        name: ", ".join(f"{value} ({count['files']})" for value, count in summary.get(name, {}).items())
        for name in ("licences", "owners", "languages")
    }
    private = ", ".join(f"{kind} ({count})" for kind, count in summary.get("private", {}).items())
    facts = [f"- {name}, by files: {told}" for name, told in counted.items() if told]
    if private:
        facts.append(f"- private things found, and treated as the recipe says: {private}")
    if summary.get("widened"):
        facts.append(
            f"- licences that the recipe allows besides the open ones: {', '.join(summary['widened'])}"
        )
    return facts


def _drops(summary: dict[str, Any]) -> list[str]:
    drops = summary.get("drops", {})
    if not drops:
        return ["- nothing"]
    return [
        f"- {rule}: {d['count']} ({d.get('bytes', 0) / 1000:.1f} kB)" for rule, d in sorted(drops.items())
    ]
