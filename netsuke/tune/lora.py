"""What is trained: low-rank adapters of every linear layer of the body, or the body itself.

`attach` prepares a model and returns the tensors to train, by name, in the model's own dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engines.adapter import PREFIX
from ..engines.hf import Network
from ..errors import RecipeError
from ..texts.documents import write_json

ALPHA_PER_RANK = 2  # alpha = 2 r, so that the update is 2 B A


class LowRank(torch.autograd.Function):
    """y = x (W + s B A)', with the sum formed once a step and gradients for A and B alone.

    One matrix product forward and one backward, as for the frozen layer: the branch beside it, which peft computes,
    costs a third more. x [..., C], W [R, C], A [r, C], B [R, r].
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        x: Tensor,
        weight: Tensor,
        a: Tensor,
        b: Tensor,
        scale: float,
    ) -> Tensor:
        merged = torch.addmm(weight, b, a, alpha=scale)
        ctx.save_for_backward(x, merged, a, b)
        ctx.scale = scale  # type: ignore[attr-defined]
        return F.linear(x, merged)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, merged, a, b = ctx.saved_tensors  # type: ignore[attr-defined]
        flat_grad, flat_x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
        scale = ctx.scale  # type: ignore[attr-defined]
        grad_b = flat_grad.t() @ (flat_x @ a.t()) * scale
        grad_a = (flat_grad @ b).t() @ flat_x * scale
        return (flat_grad @ merged).view(x.shape), None, grad_a, grad_b, None


class LowRankLinear(nn.Module):
    """A frozen linear layer with an adapter."""

    def __init__(self, linear: nn.Linear, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = linear.weight
        bound = 1 / math.sqrt(linear.in_features)
        start = torch.empty(rank, linear.in_features).uniform_(-bound, bound, generator=generator)
        self.lora_A = nn.Parameter(start.to(linear.weight.dtype))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, rank, dtype=linear.weight.dtype))

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = LowRank.apply(x, self.weight, self.lora_A, self.lora_B, float(ALPHA_PER_RANK))
        return mixed


def attach_lora(model: Network, rank: int, seed: int) -> dict[str, nn.Parameter]:
    """Give every linear layer of the body an adapter."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.model.layers:
        for block in (layer.self_attn, layer.mlp):
            for name, child in list(block.named_children()):
                if isinstance(child, nn.Linear):
                    setattr(block, name, LowRankLinear(child, rank, generator))
    return {name: p for name, p in model.named_parameters() if "lora_" in name}


def attach_full(model: Network, rank: int, seed: int) -> dict[str, nn.Parameter]:
    """Train the body's own matrices and norms; the embedding stays."""
    live = {n: p for n, p in model.named_parameters() if ".layers." in n or n == "model.norm.weight"}
    for parameter in live.values():
        parameter.requires_grad_(True)
    return live


METHODS: dict[str, Callable[[Network, int, int], dict[str, nn.Parameter]]] = {
    "lora": attach_lora,  # arXiv 2106.09685
    "full": attach_full,
}


def go_on_from(adapter: Path, live: dict[str, nn.Parameter]) -> None:
    """Set the tensors to train to those of an adapter. Raises RecipeError if it is of another shape."""
    from ..engines.hf import load_weights

    file = adapter / "adapter_model.safetensors"
    found = load_weights(file) if file.exists() else {}
    named = {key.removeprefix(PREFIX).removesuffix(".weight"): w for key, w in found.items()}
    if {name: w.shape for name, w in named.items()} != {name: p.shape for name, p in live.items()}:
        raise RecipeError(
            "the adapter of tune.start does not fit: another rank, or another body",
            hint="set tune.rank as it was and leave channels and layers as they were, or start afresh: "
            '--set tune.start=""',
        )
    with torch.no_grad():
        for name, parameter in live.items():
            parameter.copy_(named[name])


def write_adapter(weights: dict[str, Tensor], rank: int, scale: float, folder: Path) -> None:
    """Write an adapter as a peft folder; `scale` is folded into B, so that alpha / r stays 2."""
    from ..engines.hf import save_weights

    named = {}
    for name, weight in weights.items():
        weight = weight * scale if name.endswith("lora_B") else weight
        named[f"{PREFIX}{name}.weight"] = weight
    save_weights(named, folder / "adapter_model.safetensors")
    targets = sorted({name.rsplit(".", 2)[-2] for name in weights})
    write_json(folder / "adapter_config.json", {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": ALPHA_PER_RANK * rank,
        "lora_dropout": 0.0, "bias": "none", "target_modules": targets, "base_model_name_or_path": "",
        "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "modules_to_save": None,
        "inference_mode": True, "init_lora_weights": True,
    })  # fmt: skip
