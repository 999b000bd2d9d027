"""Fewer channels: the ones that the rest can make up for go, and the rest does make up for them."""

import pytest
import torch
from tiny import tiny_gguf

from netsuke.carve import prune
from netsuke.engines import gguf, hf

TEXT = "the inner thing is in the other thinner there; ether then them. " * 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("tiny")
    gguf.unpack(tiny_gguf(place / "tiny.gguf"), place)
    return place


def test_columns_that_others_repeat_cost_nothing():
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(500, 16, generator=random)
    rows[:, 5], rows[:, 9] = rows[:, 0] + rows[:, 1], 2 * rows[:, 3]
    rows[:, 12] = 0
    weight = torch.randn(8, 16, generator=random)
    kept, fitted = prune.fewer_columns(weight, rows.t() @ rows / 500, 13)
    assert len(kept) == 13 and kept.tolist() == sorted(set(kept.tolist()))
    assert 12 not in kept
    error = (rows[:, kept] @ fitted.t() - rows @ weight.t()).square().mean() / (rows @ weight.t()).square().mean()
    assert error < 0.01


def test_the_fit_is_better_than_leaving_the_rest_alone():
    random = torch.Generator().manual_seed(1)
    rows = torch.randn(900, 32, generator=random) @ torch.randn(32, 32, generator=random)
    weight = torch.randn(8, 32, generator=random)
    kept, fitted = prune.fewer_columns(weight, rows.t() @ rows / 900, 24)
    whole = rows @ weight.t()
    assert (rows[:, kept] @ fitted.t() - whole).square().sum() < 0.9 * (
        rows[:, kept] @ weight[:, kept].t() - whole
    ).square().sum()


def test_a_narrowed_model_is_a_smaller_llama(folder, tmp_path):
    model = hf.load_model(folder, torch.float32)
    texts = hf.open_texts(folder, [TEXT])
    before = hf.bits_per_byte(hf.score(model, texts))
    assert list(prune.narrow(model, texts, 96)) == [0, 1]
    layer = model.model.layers[1].mlp
    assert (layer.down_proj.weight.shape, layer.up_proj.weight.shape) == ((64, 96), (96, 64))
    assert hf.bits_per_byte(hf.score(model, texts)) < before + 0.5
    assert model.config.intermediate_size == 96


def test_a_layer_less(folder):
    model = hf.load_model(folder, torch.float32)
    left = prune.without(model, [0])
    assert list(left) == [model.model.layers[1]]
    assert len(prune.influence(model, torch.tensor([[1, 2, 3]]))) == 2
