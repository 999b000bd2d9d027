"""The loss over the vocabulary, without keeping all logits: from the text, or from a teacher as well."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 256


@dataclass(frozen=True)
class Taught:
    """What a teacher thinks of the same places: its last hidden state [N, C'] behind its own head [V, C']."""

    hidden: Tensor
    head: Tensor
    share: float  # of the target that is the teacher's; the rest is the text's


class _HeadLoss(torch.autograd.Function):
    """Mean cross-entropy of hidden [N, C] through a frozen head [V, C]; targets [N].

    Logits are formed once, a chunk at a time, and their gradient leaves through the head at once: no [N, V] float32 is
    kept. After: Liger-Kernel's fused linear cross-entropy (BSD-2). With a teacher the target is a mixture of the text's
    token and the teacher's distribution at temperature 1, which is what distillation (arXiv 1503.02531) and the text
    loss add up to.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden: Tensor,
        head: Tensor,
        targets: Tensor,
        taught: Taught | None,
    ) -> Tensor:
        count = max(1, len(targets))
        text_share = 1.0 - (taught.share if taught else 0.0)
        grads, total = [], hidden.new_zeros((), dtype=torch.float32)
        for at in range(0, len(hidden), CHUNK):
            here = slice(at, at + CHUNK)
            log_p = torch.log_softmax((hidden[here] @ head.t()).float(), -1)
            target = _soft(taught, here) if taught else torch.zeros_like(log_p)
            picked = targets[here][:, None]
            target.scatter_add_(1, picked, torch.full_like(picked, text_share, dtype=torch.float32))
            total = total - (log_p * target).sum()
            gradient = log_p.exp_().sub_(target).div_(count)
            grads.append(gradient.to(hidden.dtype) @ head)
        ctx.save_for_backward(torch.cat(grads) if grads else torch.zeros_like(hidden))
        return total / count

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (kept,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return kept * grad.to(kept.dtype), None, None, None


def _soft(taught: Taught, here: slice) -> Tensor:
    """[n, V] the teacher's part of the target."""
    return torch.softmax((taught.hidden[here] @ taught.head.t()).float(), -1).mul_(taught.share)


def head_loss(hidden: Tensor, head: Tensor, targets: Tensor, taught: Taught | None = None) -> Tensor:
    """Mean natural-log loss of the targets, against the text's tokens and, if given, a teacher."""
    loss: Tensor = _HeadLoss.apply(hidden, head, targets, taught)
    return loss
