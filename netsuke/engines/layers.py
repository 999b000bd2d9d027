"""A model layer by layer: what each layer's matrices see of a text, by the layers before it as they are by then.

Whoever changes a layer's weights between two steps of `walk` has the later layers see what the changed ones give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from .hf import Text, windows

# Matrices of a layer that share an input, named by the first.
GROUPS: dict[str, tuple[str, ...]] = {
    "self_attn.q_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attn.o_proj": ("self_attn.o_proj",),
    "mlp.gate_proj": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down_proj": ("mlp.down_proj",),
}


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
    """Ends a forward pass at the first layer."""


@torch.no_grad()
def walk(model: LlamaForCausalLM, texts: Sequence[Text], context: int = 512) -> Iterator[Seen]:
    """Each layer in turn with what it sees of `texts`. Cost: two forward passes."""
    inputs = [first_input(model, ids) for _, ids in windows(texts, context, batch_tokens=context)]
    for number, layer in enumerate(model.model.layers):
        moments: dict[str, Tensor] = {}
        hooks = [
            layer.get_submodule(name).register_forward_pre_hook(_adding(moments, name)) for name in GROUPS
        ]
        for hidden, others in inputs:
            layer(hidden, **others)
        for hook in hooks:
            hook.remove()
        tokens = sum(hidden.shape[0] * hidden.shape[1] for hidden, _ in inputs)
        yield Seen(number, layer, {name: total / tokens for name, total in moments.items()})
        inputs = [(layer(hidden, **others), others) for hidden, others in inputs]


def _adding(moments: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        rows = inputs[0].reshape(-1, inputs[0].shape[-1]).float()
        moments[name] = moments.get(name, 0) + rows.t() @ rows

    return hook


def first_input(model: LlamaForCausalLM, ids: Tensor) -> tuple[Tensor, dict[str, Any]]:
    """What the first layer is called with for these ids: the hidden state and the rest."""
    caught: list[tuple[Tensor, dict[str, Any]]] = []

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rest = dict(kwargs)
        caught.append((args[0] if args else rest.pop("hidden_states"), rest))
        raise Caught

    handle = model.model.layers[0].register_forward_pre_hook(hook, with_kwargs=True)
    try:
        model.model(ids[:, :-1].clamp(min=0), use_cache=False)
    except Caught:
        pass
    finally:
        handle.remove()
    return caught[0]
