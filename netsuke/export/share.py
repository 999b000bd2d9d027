"""A pack to give away: without what quotes the documents, and with a word on what remains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import RecipeError
from ..store import hash_file
from ..texts.documents import read_rows, write_rows
from ..texts.scores import SCORES
from . import Pack, write_json

# Only what is known not to quote a document. A file that a later version adds stays at home until it is named here.
KEPT = (
    "model.gguf", "vocabulary.json", "card.md", "report.md", "report.json", "ledger.jsonl", "sbom.cdx.json",
    "task.json", "scores.json",
)  # fmt: skip
HOLDS = "The pack's own folder holds the "  # the examples of its prompts, as the card says it (pack/words.py)
NAMING = ("owner", "reason")  # of a row of the ledger; a reason quotes who decided and what was found where

REMAINS = """
## Shared

Left out: {left}. What remains and can still tell of the documents:

- the weights: the model may repeat passages that it learnt, word for word;
- the words that were kept (vocabulary.json, and the tokens in model.gguf): a rare word among them was probably in the
  documents;
- ledger.jsonl: the sha256 of each document, so whoever has a document can tell that it was used; its licence and the
  decision. Owners' names are left out, and so are the reasons, which name people and folders;
- the names of labels and the instructions (the system message) of its examples, if it was taught any: `ask` needs both;
- the number of documents and words in the report, which is a page by
  `netsuke report FOLDER --html FILE`.
"""


def folder(pack: Pack, out: Path) -> list[str]:
    """Write the pack without what quotes the documents; whoever calls signs it anew.

    Raises RecipeError where what is left cannot answer its task: the examples in its prompt are all that it has learnt.
    """
    out.mkdir()
    left = sorted({*pack.record["files"]} - {*KEPT})
    for name in KEPT:
        if name in pack.record["files"]:
            shutil.copyfile(pack.folder / name, out / name)
    _forget_owners(out)
    asked = _ask_bare(pack.name, out)
    remains = REMAINS.format(left=", ".join([*left, "owners' names"]))
    with (out / "card.md").open("a", encoding="utf-8") as card:
        card.write(remains)
    files = {path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size} for path in sorted(out.iterdir())}
    write_json(out / "netsuke.json", {**pack.record, "files": files, "left_out": left})
    points = [" ".join(point.split()) for point in remains.split("\n- ")[1:]]
    without = ", ".join([*left, "the names of owners"])
    head = [f"left out: {without}", *asked, "what remains and can still tell of the documents:"]
    return [*head, *(f"- {point}" for point in points)]


def _forget_owners(out: Path) -> None:
    """Take what names people out of the ledger and of the reports; there, owners that learnt apart get numbers."""
    rows = [{k: v for k, v in row.items() if k not in NAMING} for row in read_rows(out / "ledger.jsonl")]
    write_rows(out / "ledger.jsonl", rows)
    called: dict[str, str] = {}
    if (numbers := out / "report.json").exists():
        report = json.loads(numbers.read_text(encoding="utf-8"))
        report.get("went_in", {}).pop("owners", None)
        learning = report.get("learning", {})
        apart = [] if learning.get("models") else learning.get("parts", [])
        called = {part["name"]: f"owner {number}" for number, part in enumerate(apart, 1)}
        for row in [*apart, *report.get("voices", [])]:
            row["name"] = called.get(row["name"], row["name"])
        write_json(numbers, report)
    if (words := out / "report.md").exists():
        lines = words.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [_renamed(line, called) for line in lines if not line.startswith("- owners, ")]
        words.write_text("".join(kept), encoding="utf-8")


def _ask_bare(name: str, out: Path) -> list[str]:
    """Let the task be asked without the examples that stay at home, as it was settled on valid; what to say about it.

    Why rows were left out is taken from the task: that may quote their labels.
    """
    if not (place := out / "task.json").exists():
        return []
    task = json.loads(place.read_text(encoding="utf-8"))
    bare, asked = task.pop("bare", None), list[str]()
    task.pop("left_out", None)
    if task["way"]["shots"]:
        _require_learnt(name, task, bare)
        asked = [_bare_words(task)]
        task["way"] = bare
        for page in ("card.md", "report.md"):
            _say_asked(out / page, asked[0])
    write_json(place, task)
    if (numbers := out / "report.json").exists():
        report = json.loads(numbers.read_text(encoding="utf-8"))
        write_json(numbers, {**report, **({"task": task} if "task" in report else {})})
    return asked


def _require_learnt(name: str, task: Mapping[str, Any], bare: Mapping[str, Any] | None) -> None:
    """Raise RecipeError where a task that shows examples cannot be asked without, or nobody knows how."""
    if not task.get("tuned", True):
        raise RecipeError(
            f"{name} is the body before tuning: it knows its task by the examples in its prompt alone, and these quote "
            "the material, so a shared pack has none",
            hint=f"with more examples training pays: add some, then netsuke make {name}",
        )
    if bare is None:
        told = f"{name} was made by an older netsuke, which did not settle how it is asked without examples"
        raise RecipeError(told, hint=f"netsuke make {name}")


def _bare_words(task: Mapping[str, Any]) -> str:
    """What the scores of the card are of, and what asking without examples came to."""
    found = task["tried"]["tuned"]
    told = f"{SCORES[task['kind']][0].name} {found['score']:.1%}"
    told += "" if found["bits"] is None else f" and {found['bits']:.2f} bits a label"
    return (
        f"This pack is shared without the {task['examples']['train']} examples of its prompts (shots.jsonl), so it is "
        f"asked without any. What is measured of the task is of asking with them; without, on valid: {told}."
    )


def _say_asked(page: Path, words: str) -> None:
    """Say it in place of the line that says that the pack holds the examples."""
    if page.exists():
        lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
        said = [f"{words}\n" if line.startswith(HOLDS) else line for line in lines]
        page.write_text("".join(said), encoding="utf-8")


def _renamed(line: str, called: Mapping[str, str]) -> str:
    """A line of a table by its first cell."""
    first = next((name for name in called if line.startswith(f"| {name} |")), None)
    return line if first is None else f"| {called[first]} |{line.removeprefix(f'| {first} |')}"
