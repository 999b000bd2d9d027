"""One adapter for each owner, trained so that no other owner's coming or going moves a bit of it.

Its rows, seed, steps and looks at valid are its own. How long the owners' text is learnt is settled once, when the
minutes are divided, and written to the lock: a later build from that lock keeps it, however many owners are left.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..consent.agreements import same_name
from ..errors import RecipeError
from ..nouns import Compute, Recipe, Ref
from ..store import Store
from . import BYTES_A_TOKEN, EVALUATIONS, Params, Speed, Training, budget

MOST_TOKENS = 10**12  # the epochs bound a unit's steps, not its tokens


@dataclass(frozen=True)
class Unit:
    """Whose adapter, and the folder of their part of the dataset."""

    owner: str
    folder: str
    seed: int


@dataclass(frozen=True)
class Share:
    """How long each owner's text is learnt."""

    epochs: float
    valid_bytes: int  # of valid text in one look, at most


def seed_of(seed: int, owner: str) -> int:
    """An owner's own seed: of the recipe's and of who it is."""
    digest = hashlib.sha256(same_name(owner).encode()).digest()
    return (seed * 1_000_003 + int.from_bytes(digest[:4], "big")) % 2**31


def units(recipe: Recipe, store: Store, parts: Ref | None) -> list[Unit]:
    """The owners with something to learn from, by name; before that is known (a plan), all whom the recipe names."""
    if parts is None:
        owners = sorted({same_name(source.owner): source.owner for source in recipe.sources}.items())
        return [Unit(owner, "", seed_of(recipe.seed, owner)) for _, owner in owners]
    rows: list[dict[str, Any]] = json.loads((store.path(parts) / "parts.json").read_text(encoding="utf-8"))
    return [Unit(row["owner"], row["folder"], seed_of(recipe.seed, row["owner"])) for row in rows]


def require_apart(params: Params) -> None:
    """Raise RecipeError for settings that cannot be had an owner at a time."""
    if params.method != "lora":
        raise RecipeError(f"one adapter for each owner, and tune.method is {params.method!r}", hint='use "lora"')
    if params.start:
        raise RecipeError(
            "one adapter for each owner cannot go on from the one adapter of tune.start",
            hint='--set tune.start="", or --set tune.units=joint',
        )


def divided(minutes: float, train_bytes: Sequence[int], speed: Speed, learning_rate: float = 0.0) -> Share:
    """How long each is learnt, if owners with so much text share the minutes: the same number of epochs each."""
    tokens, valid_bytes = budget(minutes / len(train_bytes), speed, learning_rate)
    epochs = tokens * len(train_bytes) / max(1.0, sum(train_bytes) / BYTES_A_TOKEN)
    return Share(max(0.0001, round(epochs, 4)), valid_bytes)


def training(params: Params, share: Share | None, general_gate: float, seed: int, compute: Compute) -> Training | None:
    """The params of `tune` for one owner; None where a plan does not know the share."""
    if share is None:
        return None
    return Training.of(
        dataclasses.replace(params, max_epochs=min(params.max_epochs, share.epochs)),
        budget_tokens=MOST_TOKENS,
        valid_bytes=share.valid_bytes,
        evaluations=EVALUATIONS,
        general_gate=general_gate,
        seed=seed,
        compute=compute,
    )
