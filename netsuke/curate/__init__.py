"""curate: files in; train, valid and test by document, and a list of what was left out and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import RecipeError
from ..nouns import Measure, knob
from ..step import Progress, Work, step
from ..store import canonical
from . import clean, split
from .read import find_files, read_file

__all__ = ["Params", "ReadParams", "curate", "find_files", "read"]


@dataclass(frozen=True)
class ReadParams:
    """How one file is read."""

    suffix: str = ".txt"  # the file's type: its name's ending, lower case
    max_mb: float = 20.0


@dataclass(frozen=True)
class Params:
    """[curate]: what is kept, and how much of it is held out."""

    max_mb: float = knob(20.0, "largest file that is read", "MB", 0.001, 10_000)
    min_chars: int = knob(40, "a document with less text than this is empty", "characters", 1, 1_000_000)
    min_paragraph_chars: int = knob(
        80, "a paragraph of this length or more is kept only where it comes first", "characters", 1, 1_000_000
    )
    max_line_chars: int = knob(200_000, "a document with a longer line is no text", "characters", 100, 10**9)
    test: float = knob(0.15, "share of the documents held out for the check", "fraction", 0, 0.5)
    valid: float = knob(
        0.08, "share of the documents held out for choices while training", "fraction", 0, 0.4
    )
    min_documents: int = knob(
        10, "with fewer documents, long ones are cut into parts first", "documents", 0, 1_000_000
    )
    max_share: float = knob(
        0.5, "the same if one document holds more than this share of the text", "fraction", 0, 1
    )
    part_chars: int = knob(4_000, "length of such a part, about", "characters", 200, 1_000_000)
    min_train_chars: int = knob(1_000, "with less to learn from, nothing is made", "characters", 1, 10**9)


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
