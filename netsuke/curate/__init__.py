"""curate: files in; train, valid and test by document, and a list of what was left out and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import RecipeError
from ..nouns import Measure
from ..step import Progress, Work, step
from ..store import canonical
from . import clean, split
from .read import find_files, read_file

__all__ = ["Params", "ReadParams", "curate", "find_files", "read"]


@dataclass(frozen=True)
class ReadParams:
    """How one file is read."""

    suffix: str = field(
        default=".txt", metadata={"help": "the file's type: its name's ending, lower case", "unit": ""}
    )
    max_mb: float = field(default=20.0, metadata={"help": "largest file that is read", "unit": "MB"})


@dataclass(frozen=True)
class Params:
    """[curate]: what is kept, and how much of it is held out."""

    max_mb: float = field(default=20.0, metadata={"help": "largest file that is read", "unit": "MB"})
    min_chars: int = field(
        default=40, metadata={"help": "a document with less text than this is empty", "unit": "characters"}
    )
    min_paragraph_chars: int = field(
        default=80,
        metadata={
            "help": "a paragraph of this length or more is kept only where it comes first",
            "unit": "characters",
        },
    )
    max_line_chars: int = field(
        default=200_000, metadata={"help": "a document with a longer line is no text", "unit": "characters"}
    )
    test: float = field(
        default=0.15, metadata={"help": "share of the documents held out for the check", "unit": "fraction"}
    )
    valid: float = field(
        default=0.08,
        metadata={"help": "share of the documents held out for choices while training", "unit": "fraction"},
    )
    min_documents: int = field(
        default=10,
        metadata={"help": "with fewer documents, long ones are cut into parts first", "unit": "documents"},
    )
    max_share: float = field(
        default=0.5,
        metadata={
            "help": "the same if one document holds more than this share of the text",
            "unit": "fraction",
        },
    )
    part_chars: int = field(
        default=4_000, metadata={"help": "length of such a part, about", "unit": "characters"}
    )
    min_train_chars: int = field(
        default=1_000, metadata={"help": "with less to learn from, nothing is made", "unit": "characters"}
    )


@step(version=1, libraries=("kreuzberg", "pypdf"))
def read(params: ReadParams, out: Path, file: Path) -> Work:
    """text.json: {"text", "reader", "title"} of a file, or {"drop": {"rule", "detail", "bytes"}}."""
    yield Progress(0.0, f"read a {params.suffix or 'plain'} file")
    result = read_file(file, params.suffix, params.max_mb)
    (out / "text.json").write_bytes(canonical(result) + b"\n")
    return [Measure("text read", len(result.get("text", "").encode()), "bytes")]


@step(version=1, libraries=("rensa",))
def curate(params: Params, out: Path, files: Path) -> Work:
    """train, valid, test, documents, drops (.jsonl) and summary.json, from what files/index.json lists.

    Raises RecipeError if there is no file, or too little text to learn from and hold out.
    """
    yield Progress(0.0, "read the texts")
    rows, items, drops = clean.load(files)
    if not rows:
        raise RecipeError("no file to read in the sources", hint="check `path` in the recipe's sources")
    yield Progress(0.1, "normalise")
    items = clean.normalised(items, params, drops)
    yield Progress(0.3, "duplicates and repeated paragraphs")
    whole = clean.without_repeated_paragraphs(clean.without_duplicates(items, drops), params, drops)
    split_by, kept = split.documents(whole, params, drops)
    yield Progress(0.5, "near-duplicates")
    groups = split.near_duplicates([item.text for item in kept])
    split.require_groups(groups, len(rows), drops)
    splits = split.split(kept, groups, params)
    split.require_train(kept, splits, params, drops)
    yield Progress(0.9, "write")
    return split.write(out, rows, whole, kept, splits, drops, split_by)
