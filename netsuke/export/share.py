"""A pack to give away: without what quotes the documents, and with a word on what remains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..store import hash_file
from ..texts.documents import read_rows, write_rows
from . import Pack, write_json

# Only what is known not to quote a document. A file that a later version adds stays at home until it is named here.
KEPT = (
    "model.gguf", "vocabulary.json", "card.md", "report.md", "report.json", "ledger.jsonl", "sbom.cdx.json",
    "task.json", "scores.json",
)  # fmt: skip
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
    """Write the pack without what quotes the documents; whoever calls signs it anew."""
    out.mkdir()
    left = sorted({*pack.record["files"]} - {*KEPT})
    for name in KEPT:
        if name in pack.record["files"]:
            shutil.copyfile(pack.folder / name, out / name)
    _forget_owners(out)
    _forget_rows(out)
    remains = REMAINS.format(left=", ".join([*left, "owners' names"]))
    with (out / "card.md").open("a", encoding="utf-8") as card:
        card.write(remains)
    files = {path.name: {"sha256": hash_file(path), "bytes": path.stat().st_size} for path in sorted(out.iterdir())}
    write_json(out / "netsuke.json", {**pack.record, "files": files, "left_out": left})
    points = [" ".join(point.split()) for point in remains.split("\n- ")[1:]]
    without = ", ".join([*left, "the names of owners"])
    head = [f"left out: {without}", "what remains and can still tell of the documents:"]
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


def _forget_rows(out: Path) -> None:
    """Take out of the task why rows were left out: that may quote their labels."""
    if (place := out / "task.json").exists():
        task = json.loads(place.read_text(encoding="utf-8"))
        write_json(place, {name: value for name, value in task.items() if name != "left_out"})


def _renamed(line: str, called: Mapping[str, str]) -> str:
    """A line of a table by its first cell."""
    first = next((name for name in called if line.startswith(f"| {name} |")), None)
    return line if first is None else f"| {called[first]} |{line.removeprefix(f'| {first} |')}"
