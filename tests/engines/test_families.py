"""Both families: there and back, and stock llama.cpp computes what transformers does."""

import json
from statistics import mean

import gguf as library
import pytest
import torch
from safetensors.torch import load_file
from tiny import tiny_gguf
from tiny_gemma import LAYERS, WINDOW, tiny_gemma

from netsuke.bases import folders
from netsuke.check.speed import agreement
from netsuke.engines import families, gguf, hf
from netsuke.engines.layers import first_input
from netsuke.engines.llama import Engine
from netsuke.engines.strict import require_sound
from netsuke.errors import RecipeError

FILES = {
    "llama": lambda path: tiny_gguf(path),
    "untied": lambda path: tiny_gguf(path, tied=False),
    "gemma3": lambda path: tiny_gemma(path),
}
TEXT = "the inner thing and they enter then the other hand in there  and naïve\n\nAnd Über then. " * 4


@pytest.fixture(scope="module", params=FILES)
def opened(request, tmp_path_factory):
    """(file, model folder) of each family."""
    place = tmp_path_factory.mktemp(request.param)
    file = FILES[request.param](place / "tiny.gguf")
    (place / "model").mkdir()
    gguf.unpack(file, place / "model")
    (place / "model" / "about.json").write_text(json.dumps({"name": "tiny", "licence": "MIT"}))
    return file, place / "model"


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr(hf, "_computing", hf.EXACT)


def test_there_and_back_gives_the_same_weights_and_words(opened, tmp_path):
    file, folder = opened
    gguf.write(folder, tmp_path / "again.gguf", gguf.plan_types("F16", "F16"))
    require_sound(tmp_path / "again.gguf")
    before, after = load_file(folder / "model.safetensors"), gguf.state_dict(tmp_path / "again.gguf")
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    old, new = (gguf.read_fields(path)[1] for path in (file, tmp_path / "again.gguf"))
    for key in ("tokens", "token_type", "merges", "bos_token_id", "eos_token_id", "add_bos_token"):
        assert old.get(f"tokenizer.ggml.{key}") == new.get(f"tokenizer.ggml.{key}"), key


def test_llama_cpp_gives_the_same_probabilities(opened, tmp_path):
    """More tokens than a window of the tiny Gemma, so both its kinds of layers count."""
    _, folder = opened
    path = tmp_path / "ours.gguf"
    gguf.write(folder, path, gguf.plan_types("F16", "F16"))
    with Engine(path, threads=1) as engine:
        ids = engine.tokenize(TEXT)
        assert len(ids) > 4 * WINDOW
        assert mean(agreement(engine, path, folder, TEXT)) < 0.01


def test_both_cut_text_alike(opened, tmp_path):
    file, folder = opened
    texts = ["", " ", "  a   b\n\n\n c\t", "they theyhey nev never", "</li></li", "naïve Über 漢字 ♫", TEXT]
    ours = [text.ids[1:] for text in hf.open_texts(folder, texts)]
    with Engine(file, threads=1) as engine:
        assert [engine.tokenize(text, special=False) for text in texts] == ours


def test_a_folder_as_others_write_it_is_the_same_base(opened, tmp_path):
    _, folder = opened
    config = json.loads((folder / "config.json").read_text())
    words = json.loads((folder / "tokenizer.json").read_text())
    if config["model_type"] == "gemma3_text":
        config["rope_parameters"] = {
            "full_attention": {"rope_type": "default", "rope_theta": config.pop("rope_theta")},
            "sliding_attention": {"rope_type": "default", "rope_theta": config.pop("rope_local_base_freq")},
        }
        known = words["model"]["vocab"]
        ranks = {left + right: place for place, (left, right) in enumerate(words["model"]["merges"])}
        every = [(ranks[p], p[:at], p[at:]) for p in ranks for at in range(1, len(p))]
        words["model"]["merges"] = [[a, b] for _, a, b in sorted(every) if a in known and b in known]
        assert len(words["model"]["merges"]) > len(ranks)
    for name in ("source", "model"):
        (tmp_path / name).mkdir()
    for name in ("model.safetensors", "tokenizer_config.json"):
        (tmp_path / "source" / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "source" / "config.json").write_text(json.dumps(config))
    (tmp_path / "source" / "tokenizer.json").write_text(json.dumps(words))
    folders.copy(tmp_path / "source", tmp_path / "model")
    texts = [TEXT, "they theyhey never  \n\n\n"]
    assert hf.open_texts(tmp_path / "model", texts) == hf.open_texts(folder, texts)
    for text in hf.open_texts(folder, texts):
        scored = [hf.score(hf.load_model(place), [text]) for place in (folder, tmp_path / "model")]
        assert scored[0] == scored[1]


@pytest.mark.parametrize("key", ["final_logit_softcapping", "query_pre_attn_scalar", "layer_types"])
def test_a_gemma_that_llama_cpp_would_compute_otherwise_is_refused(tmp_path, key):
    gguf.unpack(tiny_gemma(tmp_path / "tiny.gguf"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    families.GEMMA3.require(config)
    config[key] = {"layer_types": ["full_attention"] * LAYERS}.get(key, 30)
    with pytest.raises(RecipeError, match=key):
        families.GEMMA3.require(config)


@pytest.mark.parametrize("family, make", [(families.LLAMA, tiny_gguf), (families.GEMMA3, tiny_gemma)])
def test_another_activation_is_refused(tmp_path, family, make):
    """llama.cpp knows one for each family, and would compute that."""
    gguf.unpack(make(tmp_path / "tiny.gguf"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    with pytest.raises(RecipeError, match=rf"{family.activation[0]} = 'relu' is not supported"):
        family.require(config | {family.activation[0]: "relu"})


def test_what_a_gemma_s_config_leaves_to_its_family_is_the_family_s(tmp_path):
    """Theirs says nothing of the tied head, and may write a whole number where llama.cpp wants a float."""
    for name in ("source", "model"):
        (tmp_path / name).mkdir()
    gguf.unpack(tiny_gemma(tmp_path / "tiny.gguf"), tmp_path / "source")
    config = json.loads((tmp_path / "source" / "config.json").read_text())
    del config["tie_word_embeddings"]
    config["rope_local_base_freq"] = int(config["rope_local_base_freq"])
    (tmp_path / "source" / "config.json").write_text(json.dumps(config))
    folders.copy(tmp_path / "source", tmp_path / "model")
    (tmp_path / "model" / "about.json").write_text(json.dumps({"name": "tiny", "licence": "MIT"}))
    gguf.write(tmp_path / "model", tmp_path / "again.gguf", gguf.plan_types("F16", "F16"))
    base = library.GGUFReader(tmp_path / "again.gguf").fields["gemma3.rope.freq_base_swa"]
    assert base.types == [library.GGUFValueType.FLOAT32] and base.contents() == 10000.0
    assert hf.load_model(tmp_path / "model").config.tie_word_embeddings


def test_scaled_positions_are_refused(tmp_path):
    with pytest.raises(RecipeError, match="scaled rotary"):
        gguf.unpack(tiny_gemma(tmp_path / "tiny.gguf", scaling=True), tmp_path)


def test_each_layer_is_called_as_the_model_calls_it(opened):
    """Gemma's layers get one of two positions; walked one by one they give what the model gives."""
    model = hf.load_model(opened[1])
    ids = torch.tensor([[5, 30, 31, 40, 6, 33, 34, 35, 36, 60, 61, 62, 9]])
    hidden, others = first_input(model, ids)
    for layer, rest in zip(model.model.layers, others, strict=True):
        hidden = layer(hidden, **rest)
    whole = model.model(ids[:, :-1], use_cache=False).last_hidden_state
    assert torch.equal(model.model.norm(hidden), whole)


def test_names_go_there_and_back():
    for family in families.FAMILIES.values():
        for part in family.parts:
            name = f"model.layers.11.{part.theirs}.weight"
            assert family.hf_name(family.gguf_name(name)) == name
        for wrong in ("model.layers.0.self_attn.q_proj.bias", "model.layers.x.mlp.up_proj.weight", "other.weight"):
            with pytest.raises(RecipeError, match="is not part of a"):
                family.gguf_name(wrong)
