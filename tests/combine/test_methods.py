"""Merging: what each method does to changes, that no order changes a byte, and peft's own sums beside ours."""

import json

import pytest
import torch
from drawn import drawn_adapter, tiny_body
from hypothesis import given
from hypothesis import strategies as st

from netsuke import combine
from netsuke.combine import merge, search
from netsuke.combine.methods import METHODS, Dials, largest
from netsuke.engines import hf
from netsuke.errors import RecipeError
from netsuke.nouns import Compute
from netsuke.texts.documents import Lesson, write_rows
from netsuke.value import game

SEEDS = st.integers(0, 10_000)
WEIGHTS = st.lists(st.floats(0.05, 2), min_size=2, max_size=4)


def changes(seed, count, shape=(6, 5)):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def dials(count, **more):
    return Dials(matrix="m", parents=tuple("abcdefgh"[:count]), **more)


class Given(dict):
    """A parent's changes as they are."""

    @property
    def names(self):
        return sorted(self)

    def of(self, name):
        return self[name]


@given(SEEDS, st.floats(0.01, 5))
def test_linear_of_one_is_that_one(seed, weight):
    (one,) = changes(seed, 1)
    assert torch.equal(METHODS["linear"]([one], [weight], dials(1)), one * (weight / weight))


@given(SEEDS, WEIGHTS)
def test_linear_is_task_arithmetic_with_shares(seed, weights):
    some = changes(seed, len(weights))
    scaled = METHODS["task"](some, [w / sum(weights) for w in weights], dials(len(weights)))
    assert torch.equal(METHODS["linear"](some, weights, dials(len(weights))), scaled)
    expected = sum(w * c.double() for w, c in zip(weights, some, strict=True))
    assert torch.allclose(METHODS["task"](some, weights, dials(len(weights))).double(), expected, atol=1e-5)


@given(SEEDS)
def test_slerp_ends_at_its_ends_and_keeps_the_length_between(seed):
    first, second = (change / change.norm() for change in changes(seed, 2))
    slerp = METHODS["slerp"]
    assert torch.allclose(slerp([first, second], [1, 0], dials(2)), first, atol=1e-6)
    assert torch.allclose(slerp([first, second], [0, 1], dials(2)), second, atol=1e-6)
    for share in (0.2, 0.5, 0.9):
        between = slerp([first, second], [1 - share, share], dials(2))
        assert between.norm() == pytest.approx(1, abs=1e-4)
        assert torch.allclose(between, slerp([second, first], [share, 1 - share], dials(2)), atol=1e-5)


def test_slerp_of_one_line_or_of_nothing_is_linear_and_of_three_is_refused():
    (one,) = changes(1, 1)
    assert torch.allclose(METHODS["slerp"]([one, 3 * one], [1, 1], dials(2)), 2 * one)
    assert torch.allclose(METHODS["slerp"]([one, 0 * one], [1, 1], dials(2)), one / 2)
    with pytest.raises(RecipeError, match="there are 3"):
        METHODS["slerp"](changes(1, 3), [1, 1, 1], dials(3))


@given(SEEDS, WEIGHTS)
def test_ties_of_equal_changes_is_their_largest_part(seed, weights):
    (one,) = changes(seed, 1)
    found = METHODS["ties"]([one] * len(weights), weights, dials(len(weights), density=0.4))
    assert torch.allclose(found, largest(one, 0.4), atol=1e-6)
    assert int((found != 0).sum()) == 12


def test_ties_takes_the_heavier_sign():
    one, two = torch.tensor([[3.0, 1.0, -2.0]]), torch.tensor([[-1.0, 2.0, -4.0]])
    assert METHODS["ties"]([one, two], [1, 1], dials(2, density=1)).tolist() == [[3.0, 1.5, -3.0]]
    heavier = METHODS["ties"]([one, two], [1, 4], dials(2, density=1))
    assert torch.allclose(heavier, torch.tensor([[-1.0, 1.8, -3.6]]))


@given(SEEDS)
def test_dare_is_the_same_each_time_and_keeps_the_mean(seed):
    ones = torch.ones(60, 60)
    found = METHODS["dare"]([ones], [1], dials(1, density=0.25, seed=seed))
    assert torch.equal(found, METHODS["dare"]([ones], [1], dials(1, density=0.25, seed=seed)))
    assert set(found.unique().tolist()) == {0.0, 4.0}
    assert found.mean() == pytest.approx(1, abs=0.15)  # five times its standard error
    assert not torch.equal(found, METHODS["dare"]([ones], [1], dials(1, density=0.25, seed=seed + 1)))


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare", "task"])
def test_the_order_of_parents_changes_no_byte(method):
    count = 2 if method == "slerp" else 4
    parents = {name: Given(m=change) for name, change in zip("bdac", changes(3, count), strict=False)}
    weights = dict(zip("bdac", (0.3, 0.7, 0.2, 1.1), strict=True))
    one = dict(merge.mixed(parents, weights, method))
    turned = dict(merge.mixed(dict(reversed(parents.items())), dict(reversed(weights.items())), method))
    assert torch.equal(one["m"], turned["m"])


def test_a_parent_that_is_taken_away_leaves_what_was_without_it():
    three = {name: Given(m=change) for name, change in zip("abc", changes(5, 3), strict=True)}
    two = {name: three[name] for name in "ac"}
    for method in ("linear", "ties", "dare", "task"):
        left = dict(merge.mixed(three, {"a": 0.5, "b": 0.0, "c": 0.5}, method))
        assert torch.equal(left["m"], dict(merge.mixed(two, {"a": 0.5, "c": 0.5}, method))["m"])


def test_weights_that_say_nothing_and_other_bodies_are_named():
    parents = {name: Given(m=change) for name, change in zip("ab", changes(5, 2), strict=True)}
    with pytest.raises(RecipeError, match="all weights are zero"):
        dict(merge.mixed(parents, {"a": 0.0, "b": 0.0}))
    with pytest.raises(RecipeError, match="more than zero"):
        dict(merge.mixed(parents, {"a": 1.0, "b": -1.0}))
    assert torch.equal(
        dict(merge.mixed(parents, {"a": 1.0, "b": -1.0}, "task"))["m"], parents["a"]["m"] - parents["b"]["m"]
    )
    with pytest.raises(RecipeError, match="not of one body: m differs in shape"):
        dict(merge.mixed({"a": parents["a"], "b": Given(m=torch.zeros(2, 2))}, {"a": 1.0, "b": 1.0}))
    with pytest.raises(RecipeError, match="does not fit the body at m"):
        dict(merge.onto({"n": torch.zeros(2, 2)}, merge.mixed(parents, {"a": 1.0})))


# -- adapters of a model ---------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def body(tmp_path_factory):
    return tiny_body(tmp_path_factory.mktemp("combine") / "model")


def test_an_adapter_of_rslora_counts_by_the_root_of_its_rank(body, tmp_path):
    one, other = (drawn_adapter(body, tmp_path / name, 1) for name in ("one", "other"))
    file = other / "adapter_config.json"
    config = json.loads(file.read_text())
    scaled = {"use_rslora": True, "lora_alpha": config["lora_alpha"] / config["r"] ** 0.5}
    file.write_text(json.dumps(config | scaled))
    name = merge.Adapter(one).names[0]
    assert torch.allclose(merge.Adapter(one).of(name), merge.Adapter(other).of(name))
    assert torch.allclose(game.sides_of(one)[name][0], game.sides_of(other)[name][0])


def test_one_adapter_and_a_mean_of_one_are_the_same_model(body, tmp_path):
    one = drawn_adapter(body, tmp_path / "one", 1)
    for out in ("a", "b"):
        (tmp_path / out).mkdir()
    merge.write(body, one, tmp_path / "a")
    merge.write_mixed(body, {"x": one}, {"x": 0.3}, "linear", Dials(), tmp_path / "b")
    assert hf.load_weights(tmp_path / "a" / "model.safetensors").keys() >= set(merge.Adapter(one).names)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_weights_are_searched_by_answers_behind_all_of_their_questions(body, tmp_path):
    asked = "the other " * 300
    write_rows(tmp_path / "valid.jsonl", [Lesson(f"{asked} in there", len(asked)).row])
    (tmp_path / "general").mkdir()
    how, parents = combine.How("linear", Compute(1)), {"a": drawn_adapter(body, tmp_path / "a", 1)}
    scale = search.Scale(how, body, parents, tmp_path / "valid.jsonl", tmp_path / "general")
    found, [text] = scale.valid_bits({"a": 1.0}), scale.valid
    assert len(text.ids) > hf.CONTEXT + 100
    assert found == hf.bits_per_byte(hf.score(scale.network, [text], len(text.ids)))


def test_whole_models_of_one_body_are_taken_as_differences(body, tmp_path):
    for number in (1, 2):
        (tmp_path / f"whole-{number}").mkdir()
        merge.write(body, drawn_adapter(body, tmp_path / f"adapter-{number}", number), tmp_path / f"whole-{number}")
    base = hf.load_weights(body / "model.safetensors")
    ways = []
    for kind in ("whole", "adapter"):
        changes = {n: merge.learnt(tmp_path / f"{kind}-{n}", base) for n in "12"}
        ways.append(dict(merge.onto(base, merge.mixed(changes, {"1": 0.5, "2": 0.5}))))
    whole, low_rank = ways
    assert all(torch.allclose(whole[name].float(), low_rank[name].float(), atol=0.01) for name in low_rank)
    (tmp_path / "other").mkdir()
    hf.save_weights({"model.norm.weight": torch.zeros(3)}, tmp_path / "other" / "weights.safetensors")
    with pytest.raises(RecipeError, match="not of this body: model.norm.weight"):
        dict(merge.mixed({"x": merge.learnt(tmp_path / "other", base)}, {"x": 1.0}))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_peft_adds_adapters_to_the_same_change(body, tmp_path):
    """`cat` is exact: the ranks side by side. Its `linear` and `ties` mix A and B apart, so those are compared on
    the functions that they call, with dense changes."""
    import peft
    from peft.utils import merge_utils

    folders = {name: drawn_adapter(body, tmp_path / name, seed) for seed, name in enumerate(("one", "two"))}
    wanted = {"one": 0.7, "two": 0.3}
    theirs = peft.PeftModel.from_pretrained(hf.load_model(body, torch.float32), folders["one"], adapter_name="one")
    theirs.load_adapter(folders["two"], adapter_name="two")
    theirs.add_weighted_adapter([*wanted], [*wanted.values()], "both", combination_type="cat")
    ours = dict(merge.mixed({n: merge.Adapter(f) for n, f in folders.items()}, wanted, "task"))
    for name, change in ours.items():
        layer = theirs.base_model.model.get_submodule(name.removesuffix(".weight"))
        assert torch.allclose(layer.get_delta_weight("both"), change, atol=1e-5), name
    some = changes(11, 3)
    linear = merge_utils.task_arithmetic(some, torch.tensor([0.2, 0.3, 0.5]))
    assert torch.allclose(METHODS["task"](some, [0.2, 0.3, 0.5], dials(3)), linear, atol=1e-6)
    ties = merge_utils.ties(some, torch.ones(3), density=0.4)
    assert torch.allclose(METHODS["ties"](some, [1, 1, 1], dials(3, density=0.4)), ties, atol=1e-6)
    assert json.loads((folders["one"] / "adapter_config.json").read_text())["r"] == 4
