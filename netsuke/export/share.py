"""A pack to give away: without what quotes the documents, and with a word on what remains."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from ..documents import read_rows, write_rows
from ..store import hash_file
from . import Pack, write_json

# Only what is known not to quote a document. A file that a later version adds stays at home until it is named here.
KEPT = (
    "model.gguf", "vocabulary.json", "card.md", "report.md", "report.json", "ledger.jsonl", "sbom.cdx.json",
    "task.json", "scores.json",
)  # fmt: skip

REMAINS = """
## Shared

Left out: {left}. What remains and can still tell of the documents:

- the weights: the model may repeat passages that it learnt, word for word;
- the words that were kept (vocabulary.json, and the tokens in model.gguf): a rare word among them was probably in the
  documents;
- ledger.jsonl: the sha256 of each document, so whoever has a document can tell that it was used; its licence and the
  decision. Owners' names are left out;
- the names of labels, if it was taught any, and the number of documents and words in the report, which is a page by
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
    """Take the owners' names out of the ledger and of the reports."""
    rows = [{k: v for k, v in row.items() if k != "owner"} for row in read_rows(out / "ledger.jsonl")]
    write_rows(out / "ledger.jsonl", rows)
    if (words := out / "report.md").exists():
        lines = words.read_text(encoding="utf-8").splitlines(keepends=True)
        words.write_text("".join(line for line in lines if not line.startswith("- owners, ")), encoding="utf-8")
    if (numbers := out / "report.json").exists():
        report = json.loads(numbers.read_text(encoding="utf-8"))
        report.get("went_in", {}).pop("owners", None)
        write_json(numbers, report)
