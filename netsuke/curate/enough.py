"""Whether there is enough to make a model of: something to learn from, and something else to be checked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import RecipeError
from ..terminal import count

NOTHING = (
    "put some text there, or name another folder: text, Markdown, HTML, PDF, Word, mail, source code and tables of "
    "examples are read, among others"
)
_HINTS = {
    "unreadable": "open these files in their program and save them anew, or export them as text",
    "unsupported type": "save them as text, Markdown, HTML, PDF or DOCX",
    "link": "copy the files into the folder, or add the folder that they are in as a source",
    "archive": "unpack the archives",
    "too large": "raise curate.max_mb, or split the files",
    "empty": "a document needs some sentences; scanned PDFs need a text layer: run OCR over them first",
    "exact duplicate": "these are copies of one text: add material that differs",
    "near duplicate": "these are versions of one text: add material that differs",
    "repeated paragraph": "the files repeat each other: add material that differs",
    "no such columns": "name the question's and the answer's as the file does: --columns QUESTION,ANSWER",
    "consent": 'set `licence` or `consent = "in"` on the source, if its owner agrees',
}
_OTHER = 'add more documents, or keep some of these with `[curate] keep = ["RULE"]`'


def require_enough(summary: Mapping[str, Any], min_train_chars: int) -> None:
    """Raise RecipeError, with the most frequent reasons, where a dataset's summary.json has too little text."""
    splits = summary["splits"]
    documents = sum(part["documents"] for part in splits.values())
    files = count(summary["files"], "file")
    if not summary["files"]:
        raise RecipeError("no file to read in the sources", hint=NOTHING)
    examples = summary["examples"]["splits"]
    if all(examples.values()):
        return  # a task, with or without documents: `render` says whether there are enough
    held = splits["test"]["documents"] and splits["valid"]["documents"]
    if any(examples.values()) and not held:
        raise _one_sided(examples)
    if not held:
        found = f"{files} found, {count(documents, 'distinct document')} left"
        what = f"{found}: at least 3 are needed, to learn from one and be checked on others"
    elif (chars := splits["train"]["characters"]) < min_train_chars:
        left = f"{chars:,} characters are left to learn from in {count(documents, 'document')}"
        what = f"{left}: at least {min_train_chars:,} are needed"
    else:
        return
    drops = sorted(summary["drops"].items(), key=lambda pair: (-pair[1]["count"], pair[0]))[:3]
    if drops:
        what += "; left out: " + ", ".join(f"{rule} ({drop['count']})" for rule, drop in drops)
    rules = [rule for rule, _ in drops]
    hint = next((_HINTS[rule] for rule in rules if rule in _HINTS), _OTHER if rules else "add more documents")
    raise RecipeError(what, hint=hint)


def _one_sided(examples: Mapping[str, int]) -> RecipeError:
    """That examples, beside too few documents, are not enough for every part."""
    empty = " and ".join(part for part, held in examples.items() if not held)
    found = f"{count(sum(examples.values()), 'example')} found, and none is left for {empty}"
    what = f"{found}: those that ask the same stay together, to learn from or to be checked on"
    return RecipeError(what, hint="add examples that ask something else; fifty are a start")
