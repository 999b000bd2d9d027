"""When to train again: the rule of a recipe, in a grammar of one line.

    rule = term {("and" | "or") term}      "and" binds closer
    term = name (">=" | ">" | "<=" | "<") number

What is not known yet (too few thumbs, too few prompts) makes its term false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import RecipeError
from ..nouns import knob

NAMES = {
    "corrections": "corrections given since the last training",
    "down_share": "share of thumbs down since the last training, from ten on",
    "drift_p": "the p of the last block of prompts",
    "days": "days since the last training",
}
_COMPARED = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_TERM = re.compile(rf"\s*({'|'.join(NAMES)})\s*(>=|>|<=|<)\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*")
_JOIN = re.compile(r"(and|or)\b")


@dataclass(frozen=True)
class Term:
    """One comparison."""

    name: str
    sign: str
    number: float

    def holds(self, values: Mapping[str, float | None]) -> bool:
        """Whether it is so; not where its value is not known."""
        value = values.get(self.name)
        return value is not None and bool(_COMPARED[self.sign](value, self.number))

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.number:g}"


@dataclass(frozen=True)
class Rule:
    """Any of these, each of which is all of some terms; none of them: never."""

    ways: tuple[tuple[Term, ...], ...] = ()

    @property
    def names(self) -> set[str]:
        """The names that it asks for."""
        return {term.name for way in self.ways for term in way}

    def reasons(self, values: Mapping[str, float | None]) -> list[str]:
        """The ways in which it holds, in words; none where it does not."""
        return [" and ".join(map(str, way)) for way in self.ways if all(term.holds(values) for term in way)]


def parsed(text: str) -> Rule:
    """The rule that a text says; an empty one says never. Raises RecipeError that names what is allowed."""
    if not text.strip():
        return Rule()
    ways, at, joined = list[list[Term]](), 0, "or"
    while True:
        found = _TERM.match(text, at)
        if found is None:
            raise _wrong(text, at)
        term = Term(found[1], found[2], float(found[3]))
        if joined == "or":
            ways.append([term])
        else:
            ways[-1].append(term)
        at = found.end()
        if at == len(text):
            return Rule(tuple(map(tuple, ways)))
        join = _JOIN.match(text, at)
        if join is None or not text[at - 1].isspace():
            raise _wrong(text, at)
        joined, at = join[1], join.end()


def _wrong(text: str, at: int) -> RecipeError:
    rest = text[at:].strip()[:40]
    what = f"retrain_when cannot be read at {rest!r}" if rest else "retrain_when ends too early"
    hint = f"NAME >= NUMBER (or >, <=, <), joined by and, or; names: {', '.join(NAMES)}"
    return RecipeError(what, where="[watch]", hint=hint)


@dataclass(frozen=True)
class Params:
    """[watch]: when a served model is trained again by itself."""

    retrain_when: str = knob(
        "", 'a rule, as "corrections >= 20 or days >= 30"; "": never. Names: corrections, down_share, drift_p, days'
    )

    def __post_init__(self) -> None:
        parsed(self.retrain_when)

    @property
    def rule(self) -> Rule:
        return parsed(self.retrain_when)
