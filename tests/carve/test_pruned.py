"""A budget that words do not reach: fewer channels and layers, healed by the base, in a file that llama.cpp runs."""

import json
from dataclasses import replace

import pytest
from material import document
from tiny import tiny_gguf

from netsuke import carve, combine, tune
from netsuke.carve import write
from netsuke.check.speed import LARGEST_GAP, agreement
from netsuke.engines import gguf, hf, strict
from netsuke.engines.llama import Engine
from netsuke.errors import BudgetError
from netsuke.nouns import Compute
from netsuke.step import Local
from netsuke.store import Store
from netsuke.texts.documents import write_rows
from netsuke.tune.teacher import teacher

COMPUTE = Compute(1, "float32")
PARAMS = carve.carving(carve.Params(general="off", domain_cost=5.0), 220_000, carve.FREE, COMPUTE)


def inputs_of(room, store, **shape):
    """Refs of a base of four layers and 512 channels, and of texts."""
    (room / "model").mkdir()
    gguf.unpack(tiny_gguf(room / "base.gguf", layers=4, feed_forward=512, **shape), room / "model")
    (room / "model" / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    for part, numbers in (("train", range(4)), ("valid", [4]), ("general", [5])):
        write_rows(room / f"{part}.jsonl", [{"text": document(n)[:500]} for n in numbers])
    texts = {part: store.add_file(room / f"{part}.jsonl") for part in ("train", "valid", "general")}
    return {"model": store.add_folder(room / "model"), **texts}


@pytest.fixture(scope="module", params=[pytest.param(True, id="tied"),
                                        pytest.param(False, id="untied", marks=pytest.mark.slow)])  # fmt: skip
def carved(request, tmp_path_factory):
    """(store, executor, inputs, what carve made)."""
    room = tmp_path_factory.mktemp("pruned")
    local = Local(Store(room / "home"))
    inputs = inputs_of(room, local.store, tied=request.param)
    return local.store, local, inputs, local.run(carve.carve, PARAMS, **inputs)


def choice_of(carved):
    store, _, _, made = carved
    return json.loads(store.path(made["choice.json"]).read_text())


def test_channels_or_layers_went_and_the_folder_is_a_llama_of_that_shape(carved):
    store, _, _, made = carved
    choice, folder = choice_of(carved), store.path(made.folder("model"))
    assert choice["pruned"] and carve.pruned(made)
    assert choice["general_weight"] == 0.0  # general = "off": nothing was chosen by general text
    assert choice["general_counts"] is False
    model = hf.load_model(folder)
    assert model.config.intermediate_size == choice["channels"]
    assert model.config.num_hidden_layers == len(model.model.layers) == 4 - len(choice["dropped"])
    assert model.config.vocab_size == choice["tokens"] == len(model.model.embed_tokens.weight)


def test_it_is_healed_by_the_whole_base_in_the_words_that_were_kept(carved):
    store, _, inputs, made = carved
    paths = [store.path(made["choice.json"]), store.path(inputs["model"]), store.path(made["vocabulary.json"])]
    hf.use(COMPUTE)
    taught = teacher(*paths, 0.5)
    assert taught and len(taught.model.model.layers) == 4
    assert len(taught.model.lm_head.weight) == choice_of(carved)["tokens"]
    assert teacher(*paths, 0.0) is None


def test_tuned_and_rounded_it_is_under_the_budget_sound_and_runs(carved):
    store, local, inputs, made = carved
    texts = {part: inputs[part] for part in ("train", "valid", "general")}
    params = tune.Training("lora", 4, 1e-3, 64, 1, 1, 0.5, 0.3, 9.0, 3, "", budget_tokens=1024, valid_bytes=2000,
                           evaluations=2, general_gate=carve.FREE, seed=1, compute=COMPUTE)  # fmt: skip
    known = {"choice": made["choice.json"], "vocabulary": made["vocabulary.json"]}
    adapter = local.run(tune.tune, params, model=made.folder("model"), base=inputs["model"], **known, **texts)
    assert adapter.value("valid after tuning") < adapter.value("valid before tuning")
    tuned = local.run(combine.combine, None, model=made.folder("model"), adapter=adapter.ref)
    file = local.run(carve.quantise, carve.Quantising("tiny", PARAMS.budget_bytes, COMPUTE), model=tuned.ref,
                     choice=made["choice.json"], **texts)  # fmt: skip
    path = store.path(file["model.gguf"])
    assert path.stat().st_size <= PARAMS.budget_bytes
    assert strict.require_sound(path).tokens == choice_of(carved)["tokens"]
    with Engine(path, threads=1) as engine:
        gaps = agreement(engine, path, store.path(tuned.ref), document(3))
    assert sum(gaps) / len(gaps) < LARGEST_GAP


def test_where_general_language_counts_nothing_it_decides_nothing(carved, monkeypatch):
    """The text that types and layers are chosen by is the domain's alone, and so is the price of a layer."""
    store, _, inputs, _ = carved
    hf.use(COMPUTE)
    paths = [store.path(inputs[part]) for part in ("model", "train", "valid", "general")]
    alone = write.prices(PARAMS, *paths)
    both, weightless = (
        write.prices(replace(PARAMS, general="gate", general_weight=weight), *paths) for weight in (0.5, 0.0)
    )
    assert [len(prices.windows()) for prices in (alone, both, weightless)] == [1, 2, 2]  # a limit must be looked at
    monkeypatch.setattr(alone, "texts", ([document(99)[:500]], alone.texts[1]))
    assert alone._short((1,)) == write.prices(PARAMS, *paths)._short((1,))


def test_out_of_reach_is_said_before_any_training(tmp_path):
    local = Local(Store(tmp_path / "home"))
    inputs = inputs_of(tmp_path, local.store)
    with pytest.raises(BudgetError, match="cannot be reached within the limits"):
        local.run(carve.carve, replace(PARAMS, budget_bytes=50_000), **inputs)
