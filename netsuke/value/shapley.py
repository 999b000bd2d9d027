"""Shapley values and leave-one-out of a game: what each player brings, on average over the orders they may come in.

A coalition is a number whose bit i says that player i is in it. A worth is a number or an array (one a resample, say);
every function takes either. L. S. Shapley, A Value for n-Person Games (1953).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

Worth = Mapping[int, "np.ndarray | float"]
Orders = Sequence[tuple[int, ...]]


def whole(players: int) -> int:
    """The coalition of all."""
    return (1 << players) - 1


def exact(players: int, worth: Worth) -> np.ndarray:
    """[players, …] Shapley values from the worth of all 2 ** players coalitions."""
    weight = [
        math.factorial(size) * math.factorial(players - size - 1) / math.factorial(players) for size in range(players)
    ]
    return np.array([
        sum(
            weight[mask.bit_count()] * (np.asarray(worth[mask | 1 << player]) - np.asarray(worth[mask]))
            for mask in range(1 << players) if not mask >> player & 1
        )
        for player in range(players)
    ])  # fmt: skip


def without(players: int, worth: Worth) -> np.ndarray:
    """[players, …] what all together lose when one leaves."""
    every = whole(players)
    return np.array([np.asarray(worth[every]) - np.asarray(worth[every ^ 1 << player]) for player in range(players)])


# -- too many for all coalitions ---------------------------------------------------------------------------
def drawn(players: int, most: int, seed: int) -> Orders:
    """Random orders, each followed by its reverse, whose coalitions with those of `without` are at most `most`.

    At least two pairs, whatever `most` says, so that they can be compared. Reversed twins cancel what is due to a
    player's place (antithetic sampling; arXiv 2104.12199).
    """
    random = np.random.default_rng(seed)
    orders: list[tuple[int, ...]] = []
    while True:
        order = tuple(int(player) for player in random.permutation(players))
        more = [*orders, order, order[::-1]]
        if len(more) > 4 and len(coalitions(players, more)) > most:
            return orders
        orders = more
        if len(orders) >= 2 * most:  # so few players that no new coalition comes
            return orders


def coalitions(players: int, orders: Orders | None = None) -> list[int]:
    """The coalitions whose worth is needed: all, or those met in these orders and those that lack one player."""
    every = whole(players)
    if orders is None:
        return list(range(every + 1))
    met = {0, every, *(every ^ 1 << player for player in range(players))}
    for order in orders:
        mask = 0
        for player in order:
            mask |= 1 << player
            met.add(mask)
    return sorted(met)


def sampled(players: int, worth: Worth, orders: Orders) -> tuple[np.ndarray, np.ndarray]:
    """([players, …] estimates, their standard errors) from orders in reversed pairs."""
    brought = np.array([_brought(players, worth, order) for order in orders])
    pairs = (brought[0::2] + brought[1::2]) / 2
    return pairs.mean(0), pairs.std(0, ddof=1) / math.sqrt(len(pairs))


def _brought(players: int, worth: Worth, order: tuple[int, ...]) -> np.ndarray:
    found: list[np.ndarray] = [np.zeros(())] * players
    mask = 0
    for player in order:
        found[player] = np.asarray(worth[mask | 1 << player]) - np.asarray(worth[mask])
        mask |= 1 << player
    return np.array(found)
