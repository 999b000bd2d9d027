"""Merging what was learnt into a model folder: one adapter, one set of changed weights, or several of them as one.

What was learnt is a change of a body's matrices. It is formed a matrix at a time and in float32, so that ten adapters
take no more memory than one. Several are taken in the order of their names (Refs): the order given changes no byte.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from torch import Tensor

from ..engines import hf
from ..engines.adapter import PREFIX, scale_of
from ..errors import RecipeError
from .methods import METHODS, Dials

State = Mapping[str, Tensor]


class Change(Protocol):
    """What was learnt, as differences to a body's matrices."""

    @property
    def names(self) -> list[str]:
        """The matrices that it changes, in order."""

    def of(self, name: str) -> Tensor:
        """The difference to one of them, float32."""


class Adapter:
    """A low-rank change: scale · B A."""

    def __init__(self, folder: Path) -> None:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        self.scale: float = scale_of(config)
        self.pairs = hf.load_weights(folder / "adapter_model.safetensors")

    @property
    def names(self) -> list[str]:
        ends = [key for key in self.pairs if key.endswith("lora_B.weight")]
        return sorted(key.removeprefix(PREFIX).removesuffix("lora_B.weight") + "weight" for key in ends)

    def of(self, name: str) -> Tensor:
        stem = PREFIX + name.removesuffix("weight")
        a, b = (self.pairs[f"{stem}lora_{side}.weight"].float() for side in "AB")
        return self.scale * (b @ a)


@dataclass(frozen=True)
class Weights:
    """Whole matrices, as differences to the body's."""

    body: State
    changed: State

    @property
    def names(self) -> list[str]:
        return sorted(self.changed)

    def of(self, name: str) -> Tensor:
        if name not in self.body or self.body[name].shape != self.changed[name].shape:
            raise RecipeError(f"these weights are not of this body: {name}")
        return self.changed[name].float() - self.body[name].float()


def learnt(folder: Path, body: State) -> Change:
    """The change in a folder that `tune` wrote, or in a whole model's folder."""
    if (folder / "adapter_model.safetensors").exists():
        return Adapter(folder)
    file = folder / ("weights.safetensors" if (folder / "weights.safetensors").exists() else "model.safetensors")
    return Weights(body, hf.in_bfloat16(hf.load_weights(file)))


def mixed(
    changes: Mapping[str, Change], weights: Mapping[str, float], method: str = "linear", dials: Dials | None = None
) -> Iterator[tuple[str, Tensor]]:
    """(matrix, its one change) of the changes of several parents, by their Refs; one without a weight stays out.

    Raises RecipeError for weights that say nothing.
    """
    parents = tuple(ref for ref in sorted(changes) if weights.get(ref))
    if not parents:
        raise RecipeError("all weights are zero: nothing would be combined")
    given = [weights[ref] for ref in parents]
    if method != "task" and sum(given) <= 0:
        raise RecipeError(f"weights of {method} must come to more than zero", hint="use task to take something away")
    for name in sorted({name for ref in parents for name in changes[ref].names}):
        having = [ref for ref in parents if name in changes[ref].names]
        parts = {ref: changes[ref].of(name) for ref in having}
        if len({part.shape for part in parts.values()}) > 1:
            raise RecipeError(f"the parents are not of one body: {name} differs in shape")
        zero = next(iter(parts.values())) * 0
        here = replace(dials or Dials(), matrix=name, parents=parents)
        yield name, METHODS[method]([parts.get(ref, zero) for ref in parents], given, here)


def onto(body: State, changes: Iterator[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """(matrix, the body's with its change), in the body's own type. Raises RecipeError if it is not of this body."""
    for name, change in changes:
        if name not in body or body[name].shape != change.shape:
            raise RecipeError(f"the adapter does not fit the body at {name}")
        yield name, (body[name].float() + change).to(body[name].dtype)


def write(model: Path, adapter: Path, out: Path) -> None:
    """Write `model` with what one tuning learnt merged in. Raises RecipeError if that is not of this body."""
    weights = _copied(model, out)
    if (adapter / "weights.safetensors").exists():
        weights |= hf.in_bfloat16(hf.load_weights(adapter / "weights.safetensors"))
    else:
        only = Adapter(adapter)
        weights |= dict(onto(weights, ((name, only.of(name)) for name in only.names)))
    hf.save_weights(weights, out / "model.safetensors")


def write_mixed(
    model: Path, parents: Mapping[str, Path], weights: Mapping[str, float], method: str, dials: Dials, out: Path
) -> None:
    """Write `model` with the changes of several parents, by their Refs, merged in as one."""
    body = _copied(model, out)
    changes = {ref: learnt(folder, body) for ref, folder in parents.items()}
    hf.save_weights(body | dict(onto(body, mixed(changes, weights, method, dials))), out / "model.safetensors")


def _copied(model: Path, out: Path) -> dict[str, Tensor]:
    """The weights of a model folder that is copied to `out`."""
    shutil.copytree(model, out, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return hf.load_weights(model / "model.safetensors")
