"""The nouns: frozen dataclasses, no behaviour beyond validation. Big bytes live in the store, by Ref."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Ref(str):
    """The only identity that counts: 64 hexadecimal digits of a file (sha256), a folder (sha3-256 of its listing) or a
    run (its key). Raises ValueError for anything else."""

    def __new__(cls, digest: str) -> Ref:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not 64 hexadecimal digits: {digest!r}")
        return super().__new__(cls, digest)

    @property
    def short(self) -> str:
        return self[:12]


def knob(
    default: Any, meaning: str, unit: str = "", least: float | None = None, most: float | None = None
) -> Any:
    """A dataclass field that the recipe may set: its default, one line on it, its unit and its range."""
    return field(default=default, metadata={"help": meaning, "unit": unit, "least": least, "most": most})


Consent = Literal["in", "out", "unknown"]
Profile = Literal["auto", "prose", "notes", "code", "catalogue", "examples"]
Private = Literal["mask", "drop", "keep"]
FloatType = Literal["bfloat16", "float32"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Source:
    """A place with material, and what its owner allows. `path` is relative to the recipe."""

    path: str
    owner: str = "me"
    licence: str = "unknown"  # an SPDX expression
    consent: Consent = "unknown"  # one's own work (owner "me") needs none
    profile: Profile = "auto"
    columns: tuple[str, ...] = ()  # of a table of examples: what the question's and the answer's are called
    private: Private = "mask"  # what becomes of e-mail addresses, phone numbers, keys and their like
    agreement: str = ""  # a signed agreement of the owner, relative to the recipe
    signers: str = ""  # the public keys that may have signed it: an allowed-signers file, or one key

    def named(self, path: str) -> str:
        """A path in this source as the ledger has it: from the recipe's folder, or from what the source is called."""
        place = PurePosixPath(self.path)
        folder = place.parent if place.name == path else place  # a source may be one file
        away = folder.is_absolute() or folder.parts[:1] in (("..",), ("~",))
        called = "" if folder.name == ".." else folder.name
        return (PurePosixPath(called if away else folder) / path).as_posix()


@dataclass(frozen=True)
class Drop:
    """A file, document or span that was left out, and why."""

    path: str
    source: int
    rule: str  # a short name: "exact duplicate", "unreadable", …
    detail: str
    hash: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Measure:
    """One measured number."""

    name: str
    value: float
    unit: str
    n: int = 1
    seed: int | None = None
    better: Literal["lower", "higher", ""] = ""
    low: float | None = None  # confidence interval, 95%
    high: float | None = None


@dataclass(frozen=True)
class Compute:
    """How this machine computes with a model; the same values give the same bytes."""

    threads: int
    float_type: FloatType = "bfloat16"  # or float32, which is faster where the processor has no bfloat16
    device: Device = "cpu"  # or cuda, which training alone uses, in bfloat16


@dataclass(frozen=True)
class Gate:
    """A bound that a new pack must hold to ship."""

    name: str
    value: float
    limit: float
    passed: bool
    sentence: str
    low: float | None = None  # confidence interval of the value, 95%
    high: float | None = None


@dataclass(frozen=True)
class Run:
    """One step that was run: a cache line and a provenance line at once."""

    key: Ref
    step: str
    version: int
    params: Mapping[str, Any]
    inputs: Mapping[str, Ref]
    libraries: Mapping[str, str]
    output: Ref
    seconds: float
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True)
class Gates:
    """How much worse than its base a model may be and still ship, and how much it may give away.

    A gate fails only where the 95% interval of what was measured lies beyond it.
    """

    domain: float = knob(
        0.0, "most that bits per byte on the held-out documents may rise", "fraction", -1, 100
    )
    general: float = knob(0.10, "most that bits per byte on the general text may rise", "fraction", 0, 100)
    recalled: float = knob(
        0.05, "most pieces of documents that may come back word for word, and not from the base", "fraction", 0, 1
    )
    private: int = knob(0, "most private things of the documents that may turn up in samples", "things", 0, 1_000_000)
    safety: float = knob(0.0, "most that the share of probes that fail may rise against the base", "fraction", 0, 1)
    confidence: float = knob(0.10, "most that the confidence in a sentence may be off", "fraction", 0, 1)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is made; written as netsuke.toml."""

    name: str
    base: str
    sources: tuple[Source, ...]
    mb: float = 0.0  # size in megabytes (10^6 bytes); 0: at the knee, where smaller gets dear
    minutes: float = 10.0  # of tuning
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)  # one Params dataclass a step, by section
    gates: Gates = Gates()

    @property
    def budget_bytes(self) -> int:
        return int(self.mb * 1_000_000)
