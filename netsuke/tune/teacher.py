"""The base before it was pruned, in the words that were kept: what a pruned model is healed with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..engines import hf
from .loss import Taught


@dataclass(frozen=True)
class Teacher:
    """A model whose ids are the pupil's, and how much of the target is its own."""

    model: hf.Network
    share: float

    @torch.no_grad()
    def taught(self, ids: Tensor, bias: Tensor, wanted: Tensor) -> Taught:
        """What it thinks of windows [B, T], in the places [B, T] that are wanted."""
        hidden = self.model.model(ids, attention_mask=bias, use_cache=False).last_hidden_state
        return Taught(hidden[wanted], self.model.lm_head.weight, self.share)


def teacher(choice: Path, base: Path, vocabulary: Path, share: float) -> Teacher | None:
    """The teacher of a carved model; None where nothing but words was carved, or the share is 0.

    Its head is cut to the words kept, so that its distribution is over them alone; the training text has no others.
    """
    if not share or not json.loads(choice.read_text(encoding="utf-8"))["pruned"]:
        return None
    weights = hf.load_weights(base / "model.safetensors")
    kept = json.loads(vocabulary.read_text(encoding="utf-8"))["kept"]
    if kept != "all":
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            if name in weights:
                weights[name] = weights[name][kept]
    weights = {name: weight.to(hf.compute_type()) for name, weight in weights.items()}
    return Teacher(hf.model_of(base, weights), share)
