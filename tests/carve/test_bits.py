"""Types by what they cost the answers: more bytes never cost more, and what matters more gets more bits."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_gguf

from netsuke.carve import bits
from netsuke.carve.bits import Group, Option
from netsuke.engines import gguf, hf

TEXT = "the inner thing is in the other thinner there; ether then them. " * 3


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(model, its weights before, groups measured on it)."""
    place = tmp_path_factory.mktemp("tiny")
    gguf.unpack(tiny_gguf(place / "tiny.gguf"), place)
    model, texts = hf.load_model(place, torch.float32), hf.open_texts(place, [TEXT])
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    energy = hf.input_energy(model, texts)
    return model, before, list(bits.measure(model, torch.tensor([texts[0].ids]), energy))


def test_every_matrix_is_in_one_group_and_the_model_is_left_as_it_was(measured):
    model, before, groups = measured
    names = [name for group in groups for name in group.names]
    assert sorted(names) == sorted(n for n in before if ".layers." in n and "norm" not in n)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_more_bits_cost_less_and_types_that_do_not_fit_are_left_out(measured):
    for group in measured[2]:
        assert [option.kind for option in group.options] == ["IQ4_NL", "Q8_0"]
        costs = [option.divergence for option in group.options]
        assert costs == sorted(costs, reverse=True) and costs[-1] >= 0


def test_the_sum_of_the_parts_is_near_the_whole(measured):
    model, before, groups = measured
    ids = torch.tensor([range(3, 80)])
    truth = torch.log_softmax(model(ids).logits, -1)
    for module in model.model.layers.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.data = bits.crude(module.weight)
    rounded = torch.log_softmax(model(ids).logits, -1)
    model.load_state_dict(before)
    whole = float((truth.exp() * (truth - rounded)).sum(-1).mean())
    crude = bits.divergence(groups, bits.assign(groups, 0))  # IQ4_NL, which is about as crude
    assert 0.2 < crude / whole < 5


OPTIONS = st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1)), min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(OPTIONS, min_size=1, max_size=6), budget=st.integers(0, 4000))
def test_the_budget_is_kept_and_more_never_costs_more(rows, budget):
    groups = [
        Group((str(n),), tuple(sorted((Option(f"t{i}", size, cost) for i, (size, cost) in enumerate(row)),
                                      key=lambda option: (option.bytes, option.divergence))))
        for n, row in enumerate(rows)
    ]  # fmt: skip
    least = sum(group.options[0].bytes for group in groups)

    def spent(types):
        return sum(o.bytes for g in groups for o in g.options if o.kind == types[g.names[0]])

    costs = []
    for allowed in (0, budget, budget + 500, 10**6):
        types = bits.assign(groups, allowed)
        assert spent(types) <= max(allowed, least)
        costs.append(bits.divergence(groups, types))
        for group in groups if allowed >= least else ():
            now = next(option for option in group.options if option.kind == types[group.names[0]])
            fitting = [o for o in group.options if 0 < o.bytes - now.bytes <= allowed - spent(types)]
            assert all(option.divergence >= now.divergence - 1e-9 for option in fitting)  # nothing is left unused
    assert costs[0] >= costs[1] - 1e-9 and costs[0] >= costs[3] - 1e-9
    assert costs[3] == pytest.approx(sum(min(o.divergence for o in g.options) for g in groups))


def test_where_the_best_type_does_not_fit_a_smaller_one_is_taken():
    """Also where it fitted at first, and another group took the room."""
    wide = Group(("wide",), (Option("Q3_K", 100, 1.0), Option("IQ4_NL", 150, 0.8), Option("Q8_0", 300, 0.0)))
    first = Group(("first",), (Option("Q3_K", 100, 1.0), Option("IQ4_NL", 200, 0.4)))
    assert bits.assign([wide], 200) == {"wide": "IQ4_NL"}
    assert bits.assign([wide, first], 450) == {"wide": "IQ4_NL", "first": "IQ4_NL"}


def test_what_matters_more_gets_more_bits():
    fragile, sturdy = (
        Group((name,), (Option("IQ4_NL", 100, cost), Option("Q8_0", 200, cost / 100)))
        for name, cost in (("fragile", 1.0), ("sturdy", 0.1))
    )
    for order in itertools.permutations((fragile, sturdy)):
        assert bits.assign(order, 300) == {"fragile": "Q8_0", "sturdy": "IQ4_NL"}
