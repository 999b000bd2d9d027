"""What is written: types that keep the budget, and what the rounding to come is expected to cost."""

import json

import pytest
import tiny
from material import document
from tiny import tiny_gguf

from netsuke import carve
from netsuke.carve import write
from netsuke.carve.prices import BODY
from netsuke.carve.shape import Cost, Shape
from netsuke.engines import gguf, hf
from netsuke.nouns import Compute
from netsuke.texts.documents import write_rows

COMPUTE = Compute(1, "float32")
PARAMS = carve.carving(carve.Params(), 0, 0.1, COMPUTE)
TEXTS = {part: [document(n)[:400]] for n, part in enumerate(("train", "valid", "general"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A base of four layers, with columns that all types fit."""
    place = tmp_path_factory.mktemp("base") / "model"
    place.mkdir()
    gguf.unpack(tiny_gguf(place.parent / "base.gguf", layers=4, feed_forward=512), place)
    (place / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    hf.use(COMPUTE)
    return place


@pytest.mark.parametrize(
    ("body", "share", "plain"),
    [(0.96, 0.975, False), (0.96, 0.991, False), (0.96, 0.999, False), (0.96, 1.001, True), (1.0, 1.0, True),
     (1.0, 1.005, True), (1.0, 1.2, False)],
)  # fmt: skip
def test_only_what_is_left_over_may_stay_unused(folder, tmp_path, body, share, plain):
    """A body with a little less room than all its matrices in 4.5 bits need does not get 4.5 bits for all."""
    network = hf.load_model(folder)
    sizes = {name: tuple(weight.shape) for name, weight in write.matrices(network).items()}
    whole = sum(gguf.tensor_bytes(size, gguf.BODY_TYPE) for size in sizes.values())
    choice = {"body": body, "bytes": 10**6, "general_weight": 0.5, "general_counts": True}
    (tmp_path / "choice.json").write_text(json.dumps(choice))
    budget = 10**6 + round((share - body) * whole)
    file = write.File(folder, tmp_path / "choice.json", carve.Quantising("tiny", budget, COMPUTE))
    energy = hf.input_energy(network, hf.open_texts(folder, TEXTS["train"]))
    *_, types = file._types(network, energy, TEXTS)
    spent = sum(gguf.tensor_bytes(sizes[name], kind) for name, kind in types.items())
    assert spent <= round(share * whole)
    assert (set(types.values()) == {gguf.BODY_TYPE}) == plain


def test_columns_that_fill_no_block_are_written_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "HIDDEN", 80)
    place = tmp_path / "model"
    place.mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "base.gguf"), place)
    (place / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    choice = {"body": 0.96, "bytes": 10**6, "general_weight": 0.5, "general_counts": True, "embedding": "Q8_0"}
    (tmp_path / "choice.json").write_text(json.dumps(choice))
    file = write.File(place, tmp_path / "choice.json", carve.Quantising("tiny", 10**6, COMPUTE))
    list(file.make(tmp_path / "model.gguf", TEXTS))
    kinds = {one.name: one.tensor_type.name for one in gguf.read_fields(tmp_path / "model.gguf")[0].tensors}
    assert kinds["blk.0.attn_q.weight"] == "F16" and kinds["blk.0.ffn_down.weight"] == "IQ4_NL"


@pytest.mark.parametrize("body", [1.0, 0.96])
def test_the_rounding_to_come_is_told_with_the_bodys_own(folder, tmp_path, body):
    """The guards of general language bound the model before rounding by it."""
    for part, texts in TEXTS.items():
        write_rows(tmp_path / f"{part}.jsonl", [{"text": text} for text in texts])
    prices = write.prices(PARAMS, folder, *(tmp_path / f"{part}.jsonl" for part in TEXTS))
    shape = Shape(0, "Q8_0", 512, body=body)
    prices.ratios["body", body] = Cost(1.25, 1.5)
    assert list(prices.price(shape))
    write.model(prices, [prices.measured(shape)], tmp_path)
    rounding = BODY.times(prices.ratios["embedding", "Q8_0"])
    told = Cost(**json.loads((tmp_path / "choice.json").read_text())["rounding"])
    assert told.over(rounding).general == pytest.approx(1.25 if body < 1 else 1.0)
    assert told.over(rounding).domain == pytest.approx(1.5 if body < 1 else 1.0)
