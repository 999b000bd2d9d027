"""Rounding a layer's matrices to a GGUF type so that what they give changes least, rather than what they are.

One column after the other is rounded, and its error is put right in the columns still to come, as far as what the
matrix sees lets them (GPTQ, arXiv 2210.17323). The scale of each block of 32 is chosen for the columns as they are by
then. Half of what plain rounding with an importance matrix costs in the domain (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines import gguf
from ..engines.hf import Network, Text
from ..engines.layers import GROUPS, walk

BLOCK = 32
TRIED = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05)  # of the scale that puts the largest column on the end of the grid
DAMPING = 0.01  # of the mean second moment, so that columns that are hardly seen stay where they are

Encoded = dict[str, np.ndarray]  # rows as bytes of their GGUF type, by Hugging Face name


@dataclass(frozen=True)
class Rounded:
    """A matrix in a GGUF type: its bytes [R, bytes a row], and what they say [R, C] in float32."""

    data: np.ndarray
    weight: Tensor


def body(
    model: Network, texts: Sequence[Text], type_of: Callable[[str, tuple[int, ...]], str]
) -> Iterator[tuple[str, Rounded]]:
    """Round every matrix of the layers, in place, each for what it sees behind those that are rounded already."""
    for seen in walk(model, texts):
        for first, names in GROUPS.items():
            for name in names:
                linear, full = seen.linear(name), f"model.layers.{seen.number}.{name}.weight"
                kind = type_of(full, tuple(linear.weight.shape))
                rounded = matrix(linear.weight, seen.moments[first], kind)
                linear.weight.data = rounded.weight.to(linear.weight.dtype)
                yield full, rounded


def matrix(weight: Tensor, moment: Tensor, kind: str) -> Rounded:
    """`weight` [R, C] in a GGUF type, for inputs of this second moment [C, C]."""
    if kind not in gguf.GRIDS:
        data = gguf.quantise(weight.float().numpy(), kind, moment.diag().numpy())
        return Rounded(data, torch.from_numpy(gguf.dequantised(data, gguf.type_of(kind))))
    grid = torch.tensor(gguf.GRIDS[kind], dtype=torch.float32)
    between = (grid[1:] + grid[:-1]) / 2
    rest, factor = weight.t().float().contiguous(), _inverse_factor(moment)  # a column's weights lie side by side
    codes = torch.empty(rest.shape, dtype=torch.uint8)
    scales = torch.empty(len(rest) // BLOCK, rest.shape[1])
    for at in range(0, len(rest), BLOCK):
        here = slice(at, at + BLOCK)
        block, inner = rest[here], factor[here, here]
        scale = _scales(block.t().contiguous(), inner.diag().square().reciprocal(), grid)
        safe = torch.where(scale == 0, torch.ones_like(scale), scale)
        errors = torch.empty_like(block)
        for column in range(BLOCK):
            code = torch.bucketize(block[column] / safe, between)
            errors[column] = (block[column] - scale * grid[code]) / inner[column, column]
            block[column + 1 :] -= inner[column, column + 1 :, None] * errors[column]
            codes[at + column] = code
        rest[at + BLOCK :] -= factor[here, at + BLOCK :].t() @ errors
        scales[at // BLOCK] = scale
    codes, scales = codes.t().contiguous(), scales.t().contiguous()
    said = (grid[codes.long()].view(len(codes), -1, BLOCK) * scales[..., None]).view(codes.shape)
    return Rounded(gguf.packed(codes.numpy(), scales.numpy(), kind), said)


def _inverse_factor(moment: Tensor) -> Tensor:
    """Upper Cholesky factor [C, C] of the inverse of a damped second moment."""
    full = moment.double()
    full = full + torch.eye(len(full), dtype=torch.double) * max(DAMPING * float(full.diag().mean()), 1e-9)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(full))
    return torch.linalg.cholesky(inverse, upper=True).float()


def _scales(block: Tensor, importance: Tensor, grid: Tensor) -> Tensor:
    """[R] scales (float16's values) for these columns [R, 32], the best of a few by weighted error.

    Each is tried from the end of the grid that the largest column is put on, then fitted to the codes it leads to.
    """
    largest = block.gather(1, block.abs().argmax(1, keepdim=True)) / grid[0]
    tried = largest * torch.tensor(TRIED)[:, None, None]  # [tried, R, 1]
    codes = torch.bucketize(block / torch.where(tried == 0, 1.0, tried), (grid[1:] + grid[:-1]) / 2)
    said = grid[codes]
    weighted = said * importance
    fitted = (weighted * block).sum(-1) / (weighted * said).sum(-1).clamp(min=1e-30)
    fitted = fitted.half().float()
    errors = ((block - fitted[..., None] * said).square() * importance).sum(-1)
    return fitted.gather(0, errors.argmin(0, keepdim=True))[0]
