"""The combining game: what the combination of some adapters needs for the valid text, for every coalition asked for."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import disk
from ..engines import hf
from ..engines.adapter import PREFIX, scale_of
from ..errors import RecipeError
from ..step import Progress
from ..texts.documents import read_rows, read_texts, sample

Sides = tuple[Tensor, Tensor]  # B with its scale [R, r], A [r, C]


def sides_of(adapter: Path) -> dict[str, Sides]:
    """An adapter's two sides by the name of the weight that they are added to; its scale is folded into B."""
    settings = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    pairs, scale = hf.load_weights(adapter / "adapter_model.safetensors"), scale_of(settings)
    found = {}
    for key in [key for key in pairs if key.endswith("lora_B.weight")]:
        name = key.removeprefix(PREFIX).removesuffix("lora_B.weight") + "weight"
        found[name] = (pairs[key].float() * scale, pairs[key.replace("lora_B", "lora_A")].float())
    return found


class Mixture:
    """A body whose weights can be set to any combination of some adapters."""

    def __init__(self, folder: Path, adapters: Sequence[Path]) -> None:
        self.model = hf.load_model(folder)
        self.sides = [sides_of(path) for path in adapters]
        named = dict(self.model.named_parameters())
        self.start = {name: named[name].detach().clone() for name in dict.fromkeys(n for s in self.sides for n in s)}
        self.live = {name: named[name] for name in self.start}

    @torch.no_grad()
    def set(self, weights: Sequence[float]) -> None:
        """W + sum of w B A, formed in float32 in the adapters' order."""
        for name, start in self.start.items():
            mine = [(w, sides[name]) for w, sides in zip(weights, self.sides, strict=True) if w and name in sides]
            if not mine:
                self.live[name].copy_(start)
                continue
            left = torch.cat([w * b for w, (b, _) in mine], 1)
            right = torch.cat([a for _, (_, a) in mine], 0)
            if left.shape[0] != start.shape[0] or right.shape[1] != start.shape[1]:
                raise RecipeError(f"the adapters do not fit the body at {name}")
            self.live[name].copy_(torch.addmm(start.float(), left, right))


@dataclass(frozen=True)
class Held:
    """The valid texts that coalitions are scored on."""

    texts: list[hf.Text]
    keys: list[str]

    @classmethod
    def of(cls, folder: Path, valid: Path, limit_bytes: int) -> Held:
        """A share of the front of each text, of about so many bytes together. Raises RecipeError without any."""
        found = sample(read_texts(valid), limit_bytes)
        if not found:
            raise RecipeError("there is no valid text, by which worth is measured",
                              hint="raise curate.valid, or give it more documents, and make it again")  # fmt: skip
        opened = hf.open_texts(folder, found, answers=True)
        return cls(opened, ["answer" if text.lesson else "document" for text in opened])


def play(
    mixture: Mixture, held: Held, asked: Mapping[int, Sequence[float]], scratch: Path
) -> Generator[Progress, None, dict[int, list[float]]]:
    """Yields progress; returns {coalition: bits of each text}. `asked` holds the weights of the adapters in each.

    What is scored is kept in `scratch`, so that a killed run goes on.
    """
    kept = scratch / "scored.jsonl"
    found: dict[int, list[float]] = {}
    if kept.exists():
        whole = kept.read_bytes()
        kept.write_bytes(whole[: whole.rfind(b"\n") + 1])  # the last line may be half a line
        found = {row["coalition"]: row["bits"] for row in read_rows(kept)}
    for number, (coalition, weights) in enumerate(asked.items()):
        yield Progress(0.02 + 0.96 * number / len(asked), f"coalition {number + 1} of {len(asked)}")
        if coalition in found:
            continue
        mixture.set(weights)
        found[coalition] = [score.bits for score in hf.score(mixture.model, held.texts, whole=True)]
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"coalition": coalition, "bits": found[coalition]}) + "\n")
    disk.sync(kept)
    return {coalition: found[coalition] for coalition in asked}
