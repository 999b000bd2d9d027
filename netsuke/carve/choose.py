"""Choosing a shape: down from the whole base, each time by what costs least for the bytes that it saves.

Words, channels, layers and the bits of either are paid in one currency: bits per byte, of the domain and of general
text, for each byte of the file. Channels and layers are looked at only where words and rows do not reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..errors import BudgetError
from ..step import Progress
from . import FREE, Carving
from .prices import FEWEST, Prices
from .prune import CHANNELS
from .shape import KINDS, Choice, Cost, Shape, Words

BODIES = (1.0, 0.98, 0.96, 0.945)  # bytes of the layers' matrices, as fractions of those in 4.5 bits


@dataclass(frozen=True)
class Wish:
    """What is asked of a shape."""

    budget_bytes: int  # 0: as small as it is worth
    limit: Cost  # the most that it may be expected to cost
    gate: Cost  # the most that it may be measured to cost, unless tuning has pruning to heal
    general_weight: float  # of a loss on the general text beside the same on the domain's
    knee: float  # where there is no budget: the most bits that a move may cost, fraction by fraction of bytes
    floors: tuple[int, ...]  # from the whole vocabulary (0) down
    words_last: bool = False  # rows are rounded first, whatever words seem to cost

    def rate(self, before: Choice, after: Choice) -> float:
        """Fraction of bits lost for each fraction of bytes saved."""
        saved = math.log(before.bytes / after.bytes)
        return after.cost.over(before.cost).loss(self.general_weight) / saved if saved > 0 else math.inf

    def order(self, before: Choice, after: Choice, structural: bool) -> tuple[bool, float]:
        """What comes first is taken."""
        late = self.words_last and not structural and after.shape.floor != before.shape.floor
        return late, self.rate(before, after)


def choose(prices: Prices, wish: Wish) -> Iterator[Progress | Choice]:
    """Yields progress, then the choices on the way down, then the one to take, measured. Raises BudgetError."""
    path: list[Choice] = []
    for structural in (False, True):
        path = []
        for item in descend(prices, wish, structural):
            if isinstance(item, Progress):
                yield item
            else:
                path.append(item)
        if not wish.budget_bytes or path[-1].bytes <= wish.budget_bytes:
            break
    else:
        raise out_of_reach(path, wish, prices)
    yield from path
    last = path[-1]
    if wish.budget_bytes and len(path) > 1:
        last = refined(prices, wish, path[-2], last)
    yield Progress(0.9, "measuring the choice")
    taken = prices.measured(last.shape)
    to_heal = taken.shape.pruned(prices.words.channels)
    if wish.budget_bytes and not (to_heal or taken.cost.within(wish.gate)):
        raise out_of_reach([*path[:-1], taken], wish, prices)
    yield taken


def descend(prices: Prices, wish: Wish, structural: bool) -> Iterator[Progress | Choice]:
    """Yields progress and the choices from the whole base down, until the budget is met or nothing is worth it."""
    start = Shape(wish.floors[0], KINDS[-1], prices.words.channels)
    yield from prices.price(start)
    now = prices.expected(start)
    yield now
    while not (wish.budget_bytes and now.bytes <= wish.budget_bytes):
        best: Choice | None = None
        for shape in _moves(prices, wish, now.shape, structural):
            if isinstance(shape, Progress):
                yield shape
                continue
            yield from prices.price(shape)
            choice = prices.expected(shape)
            if choice.cost.within(wish.limit) and (
                best is None or wish.order(now, choice, structural) < wish.order(now, best, structural)
            ):
                best = choice
        if best is None or not wish.budget_bytes and wish.rate(now, best) > wish.knee:
            return
        now = best
        yield now


def _moves(prices: Prices, wish: Wish, shape: Shape, structural: bool) -> Iterator[Progress | Shape]:
    """The shapes that are one step smaller."""
    if smaller := KINDS[: KINDS.index(shape.embedding)]:
        yield replace(shape, embedding=smaller[-1])
    if lower := wish.floors[wish.floors.index(shape.floor) + 1 :]:
        yield replace(shape, floor=lower[0])
    if not structural:
        return
    if lighter := BODIES[BODIES.index(shape.body) + 1 :]:
        yield replace(shape, body=lighter[0])
    if shape.channels - CHANNELS >= FEWEST * prices.words.channels:
        yield replace(shape, channels=shape.channels - CHANNELS)
    layers = prices.words.config["num_hidden_layers"]
    if prices.words.family.only_layers:
        return
    if layers - len(shape.dropped) - 1 >= FEWEST * layers:
        for item in prices.least_needed(shape):
            if isinstance(item, Progress):
                yield item
            else:
                yield replace(shape, dropped=tuple(sorted((*shape.dropped, item))))


def refined(prices: Prices, wish: Wish, before: Choice, last: Choice) -> Choice:
    """`last` with as many words as the budget holds, where its last step took words away."""
    low, high = last.shape.floor, before.shape.floor or prices.words.total
    if last.shape.floor == before.shape.floor:
        return last
    while high - low > 256:
        middle = (low + high) // 2
        fits = prices.words.size(replace(last.shape, floor=middle))[1] <= wish.budget_bytes
        low, high = (middle, high) if fits else (low, middle)
    shape = replace(last.shape, floor=low)
    return replace(last, shape=shape, tokens=prices.words.size(shape)[0], bytes=prices.words.size(shape)[1])


def out_of_reach(path: list[Choice], wish: Wish, prices: Prices) -> BudgetError:
    """The error for a budget that nothing within the limits reaches."""
    holding = [choice for choice in path if choice.cost.within(wish.gate)]
    if not holding:
        return too_narrow(path[0].cost, wish.gate, prices.base)
    smallest = min(holding, key=lambda choice: choice.bytes)
    cost, stays = smallest.cost.over(prices.base), prices.words.family.only_layers
    return BudgetError(
        f"{wish.budget_bytes / 1e6:.2f} MB cannot be reached within the limits: the smallest that holds them is "
        f"{smallest.bytes / 1e6:.2f} MB, at {cost.general - 1:+.0%} on general text and {cost.domain - 1:+.0%} on "
        "your valid documents before tuning" + (f" (all layers stay: {stays})" if stays else ""),
        hint=f"use --mb {math.ceil(smallest.bytes / 1e5) / 10:.1f} or more, or give up general language for a "
        "smaller model of your domain alone: --set carve.general=off",
    )


def too_narrow(cost: Cost, gate: Cost, base: Cost) -> BudgetError:
    """The error for limits that not even the whole base holds, once it is rounded."""
    told, dials = [], []
    for text, dial, costs, most, of in (
        ("general text", "gates.general", cost.general, gate.general, base.general),
        ("your valid documents", "carve.domain_cost", cost.domain, gate.domain, base.domain),
    ):
        if costs > most:
            told.append(f"{costs / of - 1:+.1%} on {text}, and {dial} allows {most / of - 1:+.1%}")
            dials.append(f"--set {dial}={math.ceil(1000 * (costs / of - 1)) / 1000}")
    return BudgetError(
        f"no size holds the limits: rounding alone costs {'; '.join(told)}", hint=f"{' '.join(dials)}, or more"
    )


def wish(params: Carving, words: Words, base: Cost) -> Wish:
    """What a recipe asks for of this base."""
    general, domain = params.general_gate if params.general_counts else FREE, 1 + params.domain_cost
    return Wish(
        params.budget_bytes,
        limit=base.times(Cost(1 + general * params.margin, domain)),
        gate=base.times(Cost(1 + general, domain)),
        general_weight=params.weight,
        knee=params.knee,
        floors=tuple(words.floors(params.words)),
        words_last=params.blind,
    )
