"""curate: files in; train, valid and test by document, examples, and a reason for everything that was left out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .. import private
from ..nouns import Measure, Profile, knob
from ..step import Progress, Work, step
from . import codes, duplicates, refuse, repeats, split
from .codes import COUNTRIES
from .items import Drops
from .load import load
from .mask import masked
from .read import read_file
from .write import Dataset, write

__all__ = ["COUNTRIES", "Params", "ReadParams", "Uniting", "curate", "read", "unite"]


@dataclass(frozen=True)
class ReadParams:
    """How one file is read."""

    suffix: str = ".txt"  # the file's type: its name's ending, lower case
    max_mb: float = 20.0
    profile: Profile = "auto"
    countries: tuple[str, ...] = COUNTRIES
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Params:
    """[curate]: what is kept, and how much of it is held out."""

    max_mb: float = knob(20.0, "largest file that is read", "MB", 0.001, 10_000)
    keep: tuple[str, ...] = knob((), "rules, or globs of paths, that leave nothing out (consent aside)")
    licences: tuple[str, ...] = knob((), "SPDX ids that are allowed besides the open ones")
    languages: tuple[str, ...] = knob((), "ISO 639-1 codes of the languages that stay; none: all")
    countries: tuple[str, ...] = knob(
        COUNTRIES, "ISO 3166 codes of the countries whose phone numbers and identity numbers are looked for"
    )
    near_duplicate: float = knob(
        0.8, "documents that share this much of their runs of five words are one", "Jaccard", 0.7, 1
    )
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "languages", codes.languages(self.languages))
        object.__setattr__(self, "countries", codes.countries(self.countries))


@dataclass(frozen=True)
class Uniting:
    """Whose datasets become one, in this order, and how many sources each has."""

    names: tuple[str, ...]
    sources: tuple[int, ...]


@step(version=9, libraries=("kreuzberg", "pypdf", "py3langid", "rensa", *private.LIBRARIES))
def read(params: ReadParams, out: Path, file: Path) -> Work:
    """text.json: all that can be known from one file alone (see examine), or {"drop": {"rule", "detail", "bytes"}}."""
    yield Progress(0.0, f"read a {params.suffix or 'plain'} file")
    options = {"profile": params.profile, "countries": params.countries, "columns": params.columns}
    read_file(file, params.suffix, params.max_mb, out / "text.json", options)
    told = json.loads((out / "text.json").read_bytes())
    no = any(signal["value"] == "no" for signal in told.get("signals", ()))
    return [Measure("text read", len(told.get("text", "").encode()), "bytes"), Measure("says no", no, "")]


@step(version=7, libraries=("rensa", *private.LIBRARIES))
def curate(params: Params, out: Path, files: Path) -> Work:
    """train, valid, test (.jsonl, and in examples/), documents, drops (.jsonl), summary.json, of files/index.json."""
    yield Progress(0.0, "read the texts")
    drops = Drops(params.keep)
    loaded = load(files, params.licences, drops)
    yield Progress(0.2, "rules")
    items = refuse.wanted(loaded.items, params, drops)
    yield Progress(0.3, "duplicates")
    items, copies = duplicates.without_copies(items, drops)
    items, near = duplicates.without_near_copies(items, params.near_duplicate, drops)
    yield Progress(0.5, "private things")
    items, examples = masked(items, loaded.examples, params.countries)
    yield Progress(0.6, "repeated lines and paragraphs")
    items = repeats.without_frames(items, drops)
    items = repeats.without_repeated_paragraphs(items, params.min_paragraph_chars, drops)
    items = refuse.with_text(items, params, drops)
    split_by, items = split.documents(items, params, drops)
    items = refuse.with_text(items, params, drops)
    yield Progress(0.7, "what is held out")
    items = split.split(items, duplicates.groups(items), params)
    examples = split.split_examples(examples, params)
    yield Progress(0.8, "what train and held-out text share")
    items = refuse.with_text(split.without_leaks(items, examples, drops), params, drops)
    examples = split.examples_without_leaks(items, examples, drops)
    yield Progress(0.9, "write")
    both = {key: [*copies.get(key, ()), *near.get(key, ())] for key in {**copies, **near}}
    return write(out, Dataset(loaded.rows, drops, items, split_by, both, examples, params.licences))


@step(version=2)
def unite(params: Uniting, out: Path, datasets: Path) -> Work:
    """The datasets of several models, in folders 0, 1, …, as one: with all files of `curate`."""
    from . import united

    yield Progress(0.1, "what one holds out and another learnt")
    folders = [datasets / str(number) for number in range(len(params.names))]
    return united.write(list(zip(params.names, params.sources, folders, strict=True)), out)
