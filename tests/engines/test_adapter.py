"""An adapter from outside is read strictly: one that fits passes, each fault is named, and no damage stumbles it."""

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sung import tiny_adapter
from tiny import tiny_gguf

from netsuke.engines.strict import require_adapter
from netsuke.errors import EngineError

FIELDS = {"general.type": "adapter", "adapter.type": "lora"}
PAIR = {"blk.0.attn_q.weight.lora_a": (2, 64), "blk.0.attn_q.weight.lora_b": (64, 2)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_gguf(tmp_path_factory.mktemp("adapter") / "tiny.gguf")


def written(path, fields=FIELDS, pair=PAIR, architecture="llama", alpha=True):
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in fields.items():
        writer.add_string(key, value)
    if alpha:
        writer.add_float32("adapter.lora.alpha", 4.0)
    for name, shape in pair.items():
        writer.add_tensor(name, np.ones(shape, np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_one_that_fits_passes(model, tmp_path):
    require_adapter(written(tmp_path / "a.gguf"), model)
    require_adapter(tiny_adapter(tmp_path / "b.gguf"), model)


WRONG = [
    ({"fields": {"general.type": "model", "adapter.type": "lora"}}, "general.type is 'model', not adapter"),
    ({"fields": {"general.type": "adapter"}}, "adapter.type is missing"),
    ({"fields": {"general.type": "adapter", "adapter.type": "ia3"}}, "adapter.type is 'ia3', not lora"),
    ({"architecture": "gemma3"}, "general.architecture is 'gemma3', not llama"),
    ({"alpha": False}, "adapter.lora.alpha is missing"),
    ({"pair": {"blk.0.attn_q.weight.lora_a": (2, 64)}}, "is not one of a pair"),
    ({"pair": {**PAIR, "blk.0.attn_q.weight": (64, 64)}}, "is not one of a pair"),
    ({"pair": {**PAIR, "blk.0.attn_q.weight.lora_c": (64, 64)}}, "is not one of a pair"),
    ({"pair": {**PAIR, "blk.0.attn_q.weight.lora_b": (64, 3)}}, "do not fit each other"),
    ({"pair": {**PAIR, "blk.0.attn_q.weight.lora_b": (64,)}}, "do not fit each other"),
    ({"pair": {**PAIR, "blk.0.attn_q.weight.lora_b": (32, 2)}}, "changes no matrix of this model"),
    ({"pair": {name.replace("blk.0", "blk.9"): shape for name, shape in PAIR.items()}}, "changes no matrix"),
    ({"pair": {name.replace("attn_q", "attn_k"): shape for name, shape in PAIR.items()}}, "changes no matrix"),
]


@pytest.mark.parametrize("change, told", WRONG, ids=range(len(WRONG)))
def test_each_fault_is_named(model, tmp_path, change, told):
    with pytest.raises(EngineError, match=told) as caught:
        require_adapter(written(tmp_path / "a.gguf", **change), model)
    assert caught.value.where == "a.gguf"


def test_what_is_not_there_or_no_gguf_is_named(model, tmp_path):
    for name, content in (("none", None), ("empty", b""), ("text", b"not one")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(EngineError) as caught:
            require_adapter(tmp_path / name, model)
        assert caught.value.where == name


@settings(max_examples=150)
@given(st.data())
def test_no_damage_stumbles_it(model, tmp_path_factory, data):
    place = tmp_path_factory.getbasetemp()
    file = place / "whole.gguf"
    whole = bytearray((file if file.exists() else written(file)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (place / "hurt.gguf").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        require_adapter(place / "hurt.gguf", model)
    except EngineError as error:
        assert str(error)
