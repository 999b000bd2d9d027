"""Whether the model can be trusted, in words: what it gives away, how sure it is, what it answers to probes."""

from __future__ import annotations

from typing import Any


def memory(facts: dict[str, Any]) -> list[str]:
    """What comes back of the material, a sentence a line."""
    found, samples = facts["extraction"], facts["samples"]
    if not found["pieces"]:
        return ["No document was long enough to ask a piece of it back.", *_planted(facts)]
    held = found["held_out"]
    return [
        f"Given {found['given_tokens']} tokens of a document it learnt from, the next {found['asked_tokens']} came "
        f"back word for word {found['returned']} times of {found['pieces']} ({found['documents']} documents). The "
        f"base gave {found['returned_by_base']} of them back as well, so {found['learnt_here']} were learnt here: "
        f"{found['share']:.1%} (95%: {found['low']:.1%} to {found['high']:.1%}).",
        f"The longest run that came back has {found['longest_run_tokens']} of {found['asked_tokens']} tokens; of "
        f"held-out documents, which it never saw, {held['longest_run_tokens']} ({held['pieces']} pieces).",
        _private(samples),
        *_planted(facts),
    ]


def _planted(facts: dict[str, Any]) -> list[str]:
    """What became of planted codes; nothing where none were asked for."""
    rows = facts.get("canaries")
    if rows == []:
        return ["No codes were planted, although the recipe asks for some: it learnt from no document to hold them."]
    lines = []
    for row in rows or ():
        said = f"said {row['repeats']} times" if row["repeats"] else "never said"
        lines.append(
            f"Planted codes {said}: {row['returned']} of {row['codes']} came back, "
            f"exposure {row['exposure_bits']:.1f} of {row['most_bits']:.1f} bits."
        )
    return lines


def _private(samples: dict[str, Any]) -> str:
    found = ", ".join(f"{kind} ({count})" for kind, count in samples["found"].items()) or "none"
    leaked = ", ".join(sorted({row["kind"] for row in samples["leaked"]}))
    said = f"{len(samples['leaked'])} of them stand in the documents ({leaked})" if leaked else "none of them"
    if not samples["found"]:
        return f"In {samples['samples']} samples of its writing there was nothing that looks private."
    end = "" if leaked else " stands in the documents"
    return f"In {samples['samples']} samples of its writing these look private: {found}; {said}{end}."


def membership(facts: dict[str, Any]) -> list[str]:
    """How well one can tell what was learnt from, a sentence."""
    return [
        f"From how much better it reads a text than its base does, one can tell a document it learnt from with an "
        f"area under the curve of {facts['auc']:.2f} (95%: {facts['low']:.2f} to {facts['high']:.2f}; 0.5 is a coin; "
        f"{facts['n_seen']} and {facts['n_unseen']} texts). A sanity check, no promise."
    ]


def honesty(facts: dict[str, Any]) -> list[str]:
    """How far the confidence can be trusted, a sentence a line."""
    if "calibration_error" not in facts:
        return [f"Not measured: {facts['why']}."]
    error, kept, whole = (facts[name] for name in ("calibration_error", "risk_at_80", "risk_at_100"))
    return [
        "A sentence is right to the share of its tokens that the model would have written as the author did, each "
        "after the author's own words before it. Its confidence is that share as foretold.",
        f"The confidence is off by {error['value']:.1%} on average{_ends(error)}; it was "
        f"{facts['uncalibrated_error']:.1%} before calibration on valid. {facts['sentences']} held-out sentences.",
        f"In the surest 80% of the sentences {kept['value']:.1%} of the tokens are not the author's{_ends(kept)}, "
        f"in all of them {whole['value']:.1%}{_ends(whole)}.",
    ]


def _ends(value: dict[str, Any]) -> str:
    return "" if value["low"] is None else f" (95%: {value['low']:.1%} to {value['high']:.1%})"


def _points(value: dict[str, Any]) -> str:
    """A difference of two shares, which is no share of anything."""
    change, low, high = (100 * value[name] for name in ("change", "low", "high"))
    return f"{change:+.1f} points, 95%: {low:+.1f} to {high:+.1f}"


def safety(facts: dict[str, Any]) -> list[str]:
    """What failed, as a Markdown table with a sentence behind it."""
    rows = facts["categories"]
    return [
        "| probes | n | base failed | ours failed |", "|---|---:|---:|---:|",
        *(f"| {row['category']} | {row['probes']} | {row['base']} | {row['ours']} |" for row in rows),
        f"| all | {facts['probes']} | {facts['failed']['base']} | {facts['failed']['ours']} |", "",
        f"{facts['worse']} answers failed in ours alone, {facts['better']} in the base alone "
        f"({_points(facts)}). The first {facts['answer_tokens']} tokens are judged by "
        "rules that see words and no meaning: a model this small is not safe; the question is whether it got worse.",
    ]  # fmt: skip


def sections(facts: dict[str, Any], level: str = "##") -> list[str]:
    """All of that in Markdown; nothing of what was not checked."""
    lines: list[str] = []
    parts = {"memory": ("What it gives away", memory), "honesty": ("How sure it is", honesty),
             "safety": ("Probes", safety)}  # fmt: skip
    for name, (title, words) in parts.items():
        if name in facts:
            said = words(facts[name])
            said = said if name == "safety" else [f"- {line}" for line in said]
            if name == "memory" and "membership" in facts["report"]:
                said += [f"- {line}" for line in membership(facts["report"]["membership"])]
            lines += [f"{level} {title}", "", *said, ""]
    return lines
