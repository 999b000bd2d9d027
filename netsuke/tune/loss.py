"""The language-model loss, with the head's gradient formed while its logits are at hand."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 256


class _HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of hidden [N, C] through a frozen head [V, C]; targets [N], -1 counts for nothing.

    Logits are formed once, a chunk at a time, and their gradient leaves through the head at once: no [N, V] float32 is
    kept. After: Liger-Kernel's fused linear cross-entropy (BSD-2).
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, hidden: Tensor, head: Tensor, targets: Tensor
    ) -> Tensor:
        wanted = targets >= 0
        count = wanted.sum().clamp(min=1)
        grads, total = [], hidden.new_zeros((), dtype=torch.float32)
        for rows, ids, use in zip(
            hidden.split(CHUNK), targets.split(CHUNK), wanted.split(CHUNK), strict=True
        ):
            log_p = torch.log_softmax((rows @ head.t()).float(), -1)
            picked = ids.clamp(min=0)[:, None]
            total = total - (log_p.gather(1, picked)[:, 0] * use).sum()
            probabilities = log_p.exp_()
            probabilities.scatter_add_(1, picked, -torch.ones_like(picked, dtype=torch.float32))
            probabilities *= (use / count)[:, None]
            grads.append(probabilities.to(hidden.dtype) @ head)
        ctx.save_for_backward(torch.cat(grads))
        return total / count

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return kept * grad.to(kept.dtype), None, None


def head_loss(hidden: Tensor, head: Tensor, targets: Tensor) -> Tensor:
    """Mean natural-log loss of the targets that are not -1."""
    loss: Tensor = _HeadLoss.apply(hidden, head, targets)
    return loss
