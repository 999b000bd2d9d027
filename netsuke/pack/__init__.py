"""Pack: one self-contained folder, whole by construction, that says what it is and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import RecipeError
from ..nouns import knob
from ..step import Progress, Work, step


@dataclass(frozen=True)
class Choices:
    """[pack]"""

    voices: Literal["off", "on"] = knob(
        "off", "with tune.units per-owner, pack each owner's adapter too, which requests can make louder or softer"
    )


@dataclass(frozen=True)
class Params:
    """What the pack is called and where it comes from."""

    name: str
    base: str
    base_title: str
    base_licence: str
    base_sha256: str
    netsuke: str  # version
    notice: str = ""  # that the base's terms want with every model made from it


@step(version=11, libraries=("gguf", "cyclonedx-python-lib", "jinja2", "matplotlib"))
def pack(
    params: Params,
    out: Path,
    model: Path,
    vocabulary: Path,
    report: Path,
    documents: Path,
    summary: Path,
    curve: Path,
    choice: Path,
    lineage: Path,
    task: Path | None = None,
    shots: Path | None = None,
    scores: Path | None = None,
    memory: Path | None = None,
    honesty: Path | None = None,
    safety: Path | None = None,
    samples: Path | None = None,
    search: Path | None = None,
    voices: Path | None = None,
) -> Work:
    """Write model.gguf, netsuke.json, card.md, report.*, ledger.jsonl, vocabulary.json and sbom.cdx.json.

    quotes.json quotes the documents and the model, search.db holds the documents. Of a task also
    task.json, scores.json and shots.jsonl; of several parents, where asked, voices.json and voice-N.gguf.
    """
    from . import manifest

    yield Progress(0.1, "writing")
    told = {"task": task, "shots": shots, "scores": scores, "memory": memory, "honesty": honesty,
            "safety": safety, "samples": samples}  # fmt: skip
    parts = manifest.Parts(model, vocabulary, report, documents, summary, curve, choice, lineage, search, voices)
    manifest.write(params, out, parts, {name: path for name, path in told.items() if path})
    return []


def require_parts(choices: Choices, units: str) -> None:
    """Raise RecipeError for voices of a model that learns all text at once: there is nothing to tell apart."""
    if choices.voices == "on" and units != "per-owner":
        raise RecipeError(
            f"pack.voices is on, and all text is learnt at once (tune.units is {units!r}): there is one voice",
            hint="--set tune.units=per-owner, or --set pack.voices=off",
        )
