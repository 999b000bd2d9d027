"""Rounding keeps what a matrix gives; the bytes say what it says they say."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netsuke.carve import rounding
from netsuke.engines import gguf


def seen(columns, seed):
    """(inputs [N, C] that are as correlated as a layer's are, their second moment)."""
    random = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns // 4, columns, generator=random)
    rows = torch.randn(2000, columns // 4, generator=random) @ mix
    rows += 0.3 * torch.randn(2000, columns, generator=random)
    return rows, rows.t() @ rows / len(rows)


@pytest.mark.parametrize("kind", sorted(gguf.GRIDS))
def test_the_bytes_say_what_was_chosen(kind):
    weight = torch.randn(7, 96, generator=torch.Generator().manual_seed(1))
    weight[2] = 0  # a scale of zero
    weight[3, 32:64] = 1e-9  # less than a float16 can say
    made = rounding.matrix(weight, seen(96, 0)[1], kind)
    read = gguf.dequantised(made.data, gguf.type_of(kind))
    assert np.array_equal(read, made.weight.numpy())
    assert made.data.nbytes == gguf.tensor_bytes((7, 96), kind)
    assert (made.weight[2] == 0).all()


@pytest.mark.parametrize("kind", sorted(gguf.GRIDS))
def test_what_the_matrix_gives_changes_less_than_by_plain_rounding(kind):
    weight = torch.randn(48, 128, generator=torch.Generator().manual_seed(2))
    rows, moment = seen(128, 3)
    plain = torch.from_numpy(gguf.rounded(weight, kind, moment.diag().numpy()).numpy())
    ours = rounding.matrix(weight, moment, kind).weight

    def error(rounded):
        return ((rows @ (weight - rounded).t()) ** 2).sum()

    assert error(ours) < 0.8 * error(plain)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 1e3), dead=st.integers(0, 64))
def test_any_matrix_stays_near_itself(seed, size, dead):
    """Also where columns are never seen, or all of them see the same."""
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(5, 64, generator=random) * size
    rows = torch.randn(1, 64, generator=random).repeat(9, 1)
    rows[:, :dead] = 0
    made = rounding.matrix(weight, rows.t() @ rows / 9, "Q8_0").weight
    assert torch.isfinite(made).all()
    assert (made - weight).abs().max() < 0.2 * weight.abs().max()


def test_types_without_a_grid_are_libggufs():
    weight = torch.randn(4, 256, generator=torch.Generator().manual_seed(4))
    moment = seen(256, 5)[1]
    made = rounding.matrix(weight, moment, "Q3_K")
    assert np.array_equal(made.data, gguf.quantise(weight.numpy(), "Q3_K", moment.diag().numpy()))
