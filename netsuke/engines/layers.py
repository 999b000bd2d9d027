"""A model layer by layer: what each layer's matrices see of a text, by the layers before it as they are by then.

Whoever changes a layer's weights between two steps of `walk` has the later layers see what the changed ones give.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .hf import Network, Text, windows

# Matrices of a layer that share an input, named by the first.
GROUPS: dict[str, tuple[str, ...]] = {
    "self_attn.q_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attn.o_proj": ("self_attn.o_proj",),
    "mlp.gate_proj": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down_proj": ("mlp.down_proj",),
}
LAST = [*GROUPS][-1]  # the one that a layer comes to in the end


@dataclass
class Seen:
    """One layer, and by group the second moment [C, C] (float32, mean of x x') of what its matrices get."""

    number: int
    layer: nn.Module
    moments: dict[str, Tensor]

    def linear(self, name: str) -> nn.Linear:
        found = self.layer.get_submodule(name)
        assert isinstance(found, nn.Linear)
        return found


class Caught(Exception):
    """Ends a layer's pass where nothing more is looked at."""


@torch.no_grad()
def walk(model: Network, texts: Sequence[Text], context: int = 512) -> Iterator[Seen]:
    """Each layer in turn with what it sees of `texts`. Cost: not quite two forward passes."""
    batches = [ids for _, ids in windows(texts, context, batch_tokens=context)]
    inputs, filled = [first_input(model, ids) for ids in batches], [ids[:, 1:] >= 0 for ids in batches]
    tokens = sum(int(real.sum()) for real in filled)
    for number, layer in enumerate(model.model.layers):
        moments: dict[str, Tensor] = {}
        for (hidden, others), real in zip(inputs, filled, strict=True):
            parts = [(name, layer.get_submodule(name)) for name in GROUPS]
            hooks = [part.register_forward_pre_hook(_adding(moments, name, real)) for name, part in parts]
            with contextlib.suppress(Caught):
                layer(hidden, **others[number])
            for hook in hooks:
                hook.remove()
        yield Seen(number, layer, {name: total / tokens for name, total in moments.items()})
        inputs = [(layer(hidden, **others[number]), others) for hidden, others in inputs]


def _adding(
    moments: dict[str, Tensor], name: str, real: Tensor
) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Adds what a group of matrices is given at the places that have a token to foretell."""

    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0][real].float()
        moments[name] = moments.get(name, 0) + rows.t() @ rows
        if name == LAST:
            raise Caught

    return hook


class _Asked(nn.Module):
    """Stands for a layer, and keeps what it is called with."""

    others: dict[str, Any]

    def forward(self, hidden_states: Tensor, **others: Any) -> Tensor:
        self.others = others
        return hidden_states


def first_input(model: Network, ids: Tensor) -> tuple[Tensor, list[dict[str, Any]]]:
    """What the layers are called with for these ids: the first one's hidden state, and by layer the rest."""
    seen: list[Tensor] = []
    layers, asked = model.model.layers, [_Asked() for _ in model.model.layers]
    handle = asked[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        model.model.layers = nn.ModuleList(asked)
        model.model(ids[:, :-1].clamp(min=0), use_cache=False)
    finally:
        model.model.layers = layers
        handle.remove()
    return seen[0], [one.others for one in asked]
