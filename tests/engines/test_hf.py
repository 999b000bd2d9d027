"""Scoring and looking, whatever lies beside a text in its batch; and what this machine computes on."""

import numpy as np
import pytest
import torch
from tiny import tiny_gguf

from netsuke.engines import device, gguf, hf
from netsuke.engines.layers import GROUPS, walk
from netsuke.errors import EngineError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hf") / "model"
    folder.mkdir()
    gguf.unpack(tiny_gguf(folder.parent / "tiny.gguf"), folder)
    return hf.load_model(folder, hf.EXACT)


def texts(*lengths):
    draw = torch.Generator().manual_seed(1)
    return [hf.Text(torch.randint(9, 200, (n,), generator=draw).tolist(), n) for n in lengths]


SHORT, LONG = texts(20, 101)


def test_what_fills_up_a_short_text_is_not_seen(model):
    """Both lie in one batch, whose shorter row is four fifths padding."""
    assert len(list(hf.windows([SHORT, LONG], 512, batch_tokens=512))) == 1
    both, use = hf.look(model, [SHORT, LONG])
    (one, one_use), (other, other_use) = hf.look(model, [SHORT]), hf.look(model, [LONG])
    for name, energy in both.items():
        assert np.allclose(energy, (19 * one[name] + 100 * other[name]) / 119, rtol=1e-4), name
    assert np.allclose(use, (19 * np.array(one_use) + 100 * np.array(other_use)) / 119, rtol=1e-4)


def test_nor_in_the_moments_of_each_layer(model):
    for both, one, other in zip(*(walk(model, some) for some in ([SHORT, LONG], [SHORT], [LONG])), strict=True):
        for name in GROUPS:
            mean = (19 * one.moments[name] + 100 * other.moments[name]) / 119
            assert torch.allclose(both.moments[name], mean, rtol=1e-3, atol=1e-5), name


def test_answers_count_as_much_as_documents():
    document = hf.Text([1, 2], 1000)
    lesson = hf.Text([1, 2], 2, lesson=True)
    scores = [hf.Score(500.0, 1000, 1), hf.Score(4.0, 2, 1)]
    assert hf.bits_of_kinds([document, lesson], scores) == (0.5 + 2.0) / 2
    assert hf.bits_of_kinds([document], scores[:1]) == 0.5


def test_a_lock_of_another_machine_s_device_is_named():
    device.require("cpu")
    if device.accelerator() == "cuda":
        pytest.skip("there is one here")
    with pytest.raises(EngineError, match="trains on cuda, which is not here") as raised:
        device.require("cuda")
    assert "--relock" in raised.value.hint
