"""Fewer channels in every layer's feed-forward part, and fewer layers.

Channels: those go whose loss changes the layer's answer least once the others make up for them, a few at a time, and
what is left of the down projection is the least-squares fit to what the whole one gave (after FASP, arXiv 2501.09412,
and optimal brain surgeon). Every layer keeps the same number, since Llama's shape has one width for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..engines.hf import Network, Text
from ..engines.layers import Seen, walk

CHANNELS = 256  # go or stay together, so that every type's blocks fit the down projection
AT_ONCE = 64  # channels dropped between two looks at the rest
DAMPING = 0.01  # of the mean second moment


def narrow(model: Network, texts: Sequence[Text], width: int) -> Iterator[int]:
    """Leave `width` channels in each layer's feed-forward part, in place. Yields the number of each layer done."""
    for seen in walk(model, texts):
        _narrow_layer(seen, width)
        yield seen.number
    model.config.intermediate_size = width


def _narrow_layer(seen: Seen, width: int) -> None:
    down = seen.linear("mlp.down_proj")
    kept, fitted = fewer_columns(down.weight.float(), seen.moments["mlp.down_proj"], width)
    _replace(down, fitted)
    for name in ("mlp.gate_proj", "mlp.up_proj"):
        linear = seen.linear(name)
        _replace(linear, linear.weight[kept])


def _replace(linear: nn.Linear, weight: Tensor) -> None:
    linear.weight.data = weight.to(linear.weight.dtype).contiguous()
    linear.out_features, linear.in_features = weight.shape


def fewer_columns(weight: Tensor, moment: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(numbers of the columns kept, ascending; [R, count] their weights) for inputs of this second moment [C, C].

    The error of dropping column j, the rest refitted, is |w_j|^2 / (M^-1)_jj.
    """
    full = moment.double()
    full = full + torch.eye(len(full), dtype=torch.double) * max(DAMPING * float(full.diag().mean()), 1e-9)
    wanted = weight.double() @ full
    kept = torch.arange(len(full))
    while True:
        inverse = torch.linalg.inv(full[kept][:, kept])
        fitted = wanted[:, kept] @ inverse
        if len(kept) <= count:
            return kept, fitted.float()
        loss = fitted.square().sum(0) / inverse.diag()
        order = loss.argsort(descending=True)
        kept = kept[order[: max(count, len(kept) - AT_ONCE)].sort().values]


def without(model: Network, layers: Sequence[int]) -> nn.ModuleList:
    """The model's layers but these."""
    return nn.ModuleList([layer for n, layer in enumerate(model.model.layers) if n not in layers])


@torch.no_grad()
def influence(model: Network, ids: Tensor) -> list[float]:
    """By layer, 1 - cosine between what goes in and what comes out, mean over tokens (ShortGPT, arXiv 2403.03853)."""
    found: list[float] = []

    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(1 - float(torch.cosine_similarity(inputs[0].float(), output.float(), dim=-1).mean()))

    handles = [layer.register_forward_hook(hook) for layer in model.model.layers]
    try:
        model.model(ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return found
