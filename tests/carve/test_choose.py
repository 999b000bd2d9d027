"""The way down from the whole base: each step by what costs least for its bytes, as far as limits and budget say."""

import itertools
import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_gguf

from netsuke import carve
from netsuke.carve import choose, shape, trace
from netsuke.carve.prices import BODY
from netsuke.carve.shape import KINDS, Choice, Cost, Shape
from netsuke.engines import families, gguf
from netsuke.errors import BudgetError
from netsuke.nouns import Compute
from netsuke.step import Progress


class Words:
    """A base of a thousand words, 1,024 channels and ten layers, whose sizes are plain sums."""

    total, channels, config, family = 1000, 1024, {"num_hidden_layers": 10}, families.LLAMA

    def size(self, shape):
        tokens = shape.floor or self.total
        row = {"IQ4_NL": 18, "Q5_0": 22, "Q8_0": 34}[shape.embedding]
        body = (10 - len(shape.dropped)) * (1000 + 4 * shape.channels) * shape.body
        return tokens, int(tokens * row + body)


class Prices:
    """Prices that are given instead of measured."""

    def __init__(self, words=0.02, rows=0.01, channels=0.05, layer=0.03, body=0.02):
        self.words, self.base, self.prices = Words(), Cost(1.2, 0.9), (words, rows, channels, layer, body)
        self.priced = []

    def price(self, shape):
        self.priced.append(shape)
        yield Progress(0.1, "looking")

    def expected(self, shape):
        words, rows, channels, layer, body = self.prices
        lost = words * (1000 - (shape.floor or 1000)) / 100 + rows * (len(KINDS) - 1 - KINDS.index(shape.embedding))
        lost += channels * (1024 - shape.channels) / 256 + layer * len(shape.dropped) + body * (1 - shape.body) / 0.02
        return Choice(shape, *self.words.size(shape), self.base.times(Cost(math.exp(2 * lost), math.exp(lost))), False)

    def measured(self, shape):
        return replace(self.expected(shape), measured=True)

    def least_needed(self, shape):
        yield Progress(0.1, "a layer less")
        yield next(n for n in range(10) if n not in shape.dropped)


FLOORS = (0, 800, 600, 400, 200)


def wish(budget=0, general=100.0, domain=100.0, weight=0.5, knee=0.25):
    base = Cost(1.2, 0.9)
    bound = base.times(Cost(1 + general, 1 + domain))
    return choose.Wish(budget, bound, bound, weight, knee, FLOORS)


def taken(prices, wanted):
    return [item for item in choose.choose(prices, wanted) if isinstance(item, Choice)]


def test_words_and_rows_are_enough_where_they_are_enough():
    prices = Prices()
    found = taken(prices, wish(budget=70_000))
    assert found[-1].measured and found[-1].bytes <= 70_000
    assert not any(one.dropped or one.channels < 1024 for one in prices.priced)


def test_a_budget_that_words_do_not_reach_costs_channels_and_layers_too():
    found = taken(Prices(), wish(budget=40_000))
    assert found[-1].bytes <= 40_000
    assert found[-1].shape.pruned(1024)


def test_the_cheapest_bytes_go_first():
    """Dear rows and cheap words: all words go before the first rows are rounded."""
    path = taken(Prices(words=0.0001, rows=0.5), wish(budget=58_000))[:-1]
    assert [choice.shape.embedding for choice in path] == ["Q8_0"] * len(path)


def test_nobody_looks_at_the_words_so_they_go_last():
    cheap = Prices(words=0.0001, rows=0.5)
    path = taken(cheap, replace(wish(budget=58_000), words_last=True))[:-1]
    first = next(n for n, choice in enumerate(path) if choice.shape.floor)
    assert {choice.shape.embedding for choice in path[first:]} == {KINDS[0]}
    costly = taken(Prices(words=0.0001, rows=0.5), replace(wish(budget=58_000, general=0.3), words_last=True))
    assert costly[-1].shape.floor and costly[-1].shape.embedding != KINDS[0]  # beyond the limit words go all the same


@settings(max_examples=40, deadline=None)
@given(
    prices=st.tuples(*[st.floats(0.0005, 0.2)] * 5), budget=st.integers(20_000, 90_000),
    general=st.floats(0.01, 3), domain=st.floats(0.01, 3),
)  # fmt: skip
def test_every_way_down_gets_smaller_and_holds_its_limits(prices, budget, general, domain):
    wanted = wish(budget, general, domain)
    try:
        path = taken(Prices(*prices), wanted)
    except BudgetError as error:
        assert "cannot be reached within the limits" in str(error)
        return
    assert path[-1].bytes <= budget
    for one, two in itertools.pairwise(path[:-1]):
        assert two.bytes < one.bytes and two.cost.within(wanted.limit)


def test_without_a_budget_it_stops_at_the_knee():
    cheap, dear = Prices(words=0.0001, rows=0.0001), Prices(words=0.5, rows=0.5)
    assert taken(cheap, wish())[-1].shape.floor == 200
    assert taken(dear, wish())[-1].shape == Shape(0, "Q8_0", 1024)


@pytest.mark.parametrize("body", [0.001, 0.02])  # bits that go before words where both may, and bits that do not
@pytest.mark.parametrize("general", [0.02, 9.0])
def test_the_knee_is_what_a_make_without_a_budget_takes(monkeypatch, body, general):
    monkeypatch.setattr(trace, "tried", lambda *_: (1, 100.0))
    monkeypatch.setattr(trace, "rounded_cost", lambda *_: Cost(1.2, 0.9))
    wanted = wish(general=general)
    items = trace.trace(Prices(words=0.005, body=body), wanted, "", 1)
    ours = [item for item in items if isinstance(item, dict) and item["name"] == "ours"]
    sizes = [row["bytes"] for row in ours]
    assert sizes == sorted(set(sizes), reverse=True)
    (knee,) = (row for row in ours if row["knee"])
    made = taken(Prices(words=0.005, body=body), wanted)[-1]
    assert knee == {**made.row, "name": "ours", "knee": True, "tokens_per_second": 100.0}


def test_the_last_step_leaves_no_room_unused():
    found = taken(Prices(), wish(budget=70_000))[-1]
    more = replace(found.shape, floor=found.shape.floor + 300) if found.shape.floor else found.shape
    assert not found.shape.floor or Words().size(more)[1] > 70_000


def test_a_budget_out_of_reach_is_refused_with_the_size_that_holds():
    with pytest.raises(BudgetError, match=r"0\.02 MB cannot be reached .* is 0\.0\d MB") as caught:
        taken(Prices(), wish(budget=20_000, general=0.1))
    assert "--mb 0.1" in caught.value.hint and "carve.general=off" in caught.value.hint


class Rounded(Prices):
    """Prices of which rounding alone is one, as in a real base."""

    def expected(self, shape):
        choice = super().expected(shape)
        return replace(choice, cost=choice.cost.times(BODY))


@pytest.mark.parametrize("budget", [40_000, 500_000])
def test_gates_that_rounding_alone_breaks_are_named_and_no_size_is_recommended(budget):
    with pytest.raises(BudgetError, match=r"rounding alone costs \+2.0% on general text.* allows \+1.0%") as caught:
        taken(Rounded(), wish(budget, general=0.01))
    assert "--set gates.general=0.02" in caught.value.hint and "--mb" not in caught.value.hint
    assert "domain_cost" not in caught.value.hint
    with pytest.raises(BudgetError, match="carve.domain_cost allows") as caught:
        taken(Rounded(), wish(budget, domain=0.01))
    wide = float(caught.value.hint.split("carve.domain_cost=")[1].split(",")[0])
    assert taken(Rounded(), wish(500_000, domain=wide))[-1].measured


def test_the_size_that_is_recommended_holds():
    """A step down must be within the limit, the whole base within the gate alone."""
    narrow = replace(wish(40_000, general=0.03), limit=Cost(1.2, 0.9))
    with pytest.raises(BudgetError, match=r"is 0\.08 MB, at \+2%"):
        taken(Rounded(), narrow)
    whole = Words().size(Shape(0, "Q8_0", 1024))[1]
    assert taken(Rounded(), replace(narrow, budget_bytes=whole))[-1].bytes == whole


def test_what_was_measured_beyond_the_gate_is_not_the_size_that_holds():
    class Worse(Prices):
        def measured(self, shape):
            return replace(super().measured(shape), cost=Cost(99, 99))

    with pytest.raises(BudgetError, match=r"0\.07 MB cannot be reached") as caught:
        taken(Worse(), wish(70_000, general=1.0))
    assert "+8150%" not in str(caught.value)


class Floored(Words):
    def floors(self, setting):
        return list(FLOORS)


@pytest.mark.parametrize(("general", "most"), [("gate", 1.1), ("off", 1 + carve.FREE)])
@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_general_language_has_its_limit_whatever_it_weighs(general, most, weight):
    params = carve.carving(carve.Params(general=general, general_weight=weight), 0, 0.1, Compute(1))
    wanted = choose.wish(params, Floored(), Cost(1.0, 1.0))
    assert wanted.gate.general == pytest.approx(most) and wanted.limit.general <= most
    assert wanted.general_weight == (weight if general == "gate" else 0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", ["", "x" * 40_000])
def test_the_expected_size_is_at_least_the_real_one_and_close(tmp_path, kind, template):
    folder = tmp_path / "model"
    folder.mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), folder)
    (folder / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    (folder / "chat_template.jinja").write_text(template)
    gguf.write(folder, tmp_path / "out.gguf", gguf.plan_types(kind))
    document, config = (json.loads((folder / f"{name}.json").read_text()) for name in ("tokenizer", "config"))
    real = (tmp_path / "out.gguf").stat().st_size
    assert real <= shape.file_bytes(folder, config, document, 264, Shape(0, kind, 128)) <= real + 20_000
    less = shape.file_bytes(folder, config, document, 264, Shape(0, kind, 96, (1,), 0.9))
    assert less < real


def test_a_cost_is_one_number_in_the_end():
    assert Cost(1.0, 1.0).loss(0.5) == 0
    assert Cost(1.21, 1.1).loss(0.5) == pytest.approx(2 * math.log(1.1))
    assert Cost(9.0, 1.1).loss(0.0) == pytest.approx(math.log(1.1))
    assert BODY.over(BODY) == Cost(1.0, 1.0)
