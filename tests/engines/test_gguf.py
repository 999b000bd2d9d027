"""GGUF to model folder and back."""

import json

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tiny import tiny_gguf

from netsuke.engines import gguf, tensors
from netsuke.engines.tokenizer import SPLITTERS, load_tokenizer, splitting_rule, to_gguf
from netsuke.errors import EngineError, RecipeError, StoreError


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), model)
    (model / "about.json").write_text(json.dumps({"name": "tiny", "licence": "MIT"}))
    return model


def test_there_and_back_gives_the_same_weights_and_words(folder, tmp_path):
    gguf.write(folder, tmp_path / "again.gguf", gguf.plan_types("F16", "F16"))
    before, after = load_file(folder / "model.safetensors"), gguf.state_dict(tmp_path / "again.gguf")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    old, new = (gguf.read_fields(p)[1] for p in (tmp_path / "tiny.gguf", tmp_path / "again.gguf"))
    for key in ("tokens", "token_type", "merges", "bos_token_id", "eos_token_id", "pre"):
        assert old[f"tokenizer.ggml.{key}"] == new[f"tokenizer.ggml.{key}"], key
    assert old["tokenizer.chat_template"] == new["tokenizer.chat_template"]


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(tensors, "save_file", full)
    with pytest.raises(StoreError, match="the disk is full"):
        gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path)


def test_same_folder_same_bytes(folder, tmp_path):
    for name in ("a", "b"):
        gguf.write(folder, tmp_path / name, gguf.plan_types("Q8_0"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", ["IQ4_NL", "Q5_0", "Q8_0", "Q4_1"])
def test_size_of_a_tensor_is_what_is_written(kind):
    weight = np.random.default_rng(0).normal(size=(48, 64)).astype(np.float32)
    data = gguf.quantise(weight, kind, np.ones(64, np.float32))
    assert data.nbytes == gguf.tensor_bytes((48, 64), kind)
    error = np.abs(gguf.dequantised(data, gguf.type_of(kind)) - weight).mean() / np.abs(weight).mean()
    assert error < 0.12


def test_rows_that_do_not_fit_a_block_fall_back():
    assert gguf.fitting("IQ4_NL", 576) == "IQ4_NL"
    assert gguf.fitting("IQ4_NL", 100) == "F16"
    with pytest.raises(EngineError):
        gguf.tensor_bytes((4, 100), "IQ4_NL")


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:40], lambda data: data[: len(data) // 2], lambda data: data[:-5],
    lambda data: b"GGUX" + data[4:], lambda data: data[:8] + b"\xff" * 8 + data[16:],
    lambda data: data[:16] + b"\xff" * 8 + data[24:],
])  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, damage):
    whole = tiny_gguf(tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "bad.gguf").write_bytes(damage(whole))
    with pytest.raises(EngineError, match="bad.gguf"):
        gguf.unpack(tmp_path / "bad.gguf", tmp_path)


def test_another_architecture_is_refused(tmp_path):
    import gguf as library

    writer = library.GGUFWriter(tmp_path / "other.gguf", "gpt2")
    writer.add_context_length(8)
    writer.add_tensor("x", np.zeros((2, 32), np.float32))
    for part in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        part()
    writer.close()
    with pytest.raises(RecipeError, match="gpt2"):
        gguf.unpack(tmp_path / "other.gguf", tmp_path)


def test_every_splitting_rule_is_found_by_its_json(folder):
    document = json.loads((folder / "tokenizer.json").read_text())
    for name, (splitter, _) in SPLITTERS.items():
        assert splitting_rule({**document, "pre_tokenizer": splitter}) == name
    with pytest.raises(RecipeError, match="known rules"):
        try:
            splitting_rule({**document, "pre_tokenizer": {"type": "Whitespace"}})
        except RecipeError as error:
            raise RecipeError(error.hint or "") from error


def test_ids_without_a_token_are_unused(folder):
    fields = to_gguf(folder, load_tokenizer(folder).get_vocab_size() + 3)
    assert fields["tokenizer.ggml.token_type"][-3:] == [5, 5, 5]
    assert len(set(fields["tokenizer.ggml.tokens"])) == len(fields["tokenizer.ggml.tokens"])
