"""A sum of money divided by what each was worth; it adds up to the last cent.

The rule: who was worth nothing, or less, is paid nothing; the others share in proportion to what they were worth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from ..errors import RecipeError

# ISO 4217's currencies whose smallest unit is not a hundredth
_DIGITS = dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0)
_DIGITS |= dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3) | {"CLF": 4, "UYW": 4}
MOST_UNITS = 10**15


@dataclass(frozen=True)
class Sum:
    """An amount in the smallest unit of its currency."""

    units: int
    currency: str

    @property
    def digits(self) -> int:
        """Digits behind the point."""
        return _DIGITS.get(self.currency, 2)

    def amount(self, units: float) -> str:
        """So many of its units as a person writes them: 1,000.00."""
        return f"{Decimal(round(units)).scaleb(-self.digits):,.{self.digits}f}"


def parse(amount: str, currency: str) -> Sum:
    """A sum from its two words. Raises RecipeError for what is no sum, none of a currency, or not above zero."""
    if not re.fullmatch(r"[A-Za-z]{3}", currency):
        hint = "write the sum and its currency: --split 1000 EUR"
        raise RecipeError(f"{currency!r} is no currency", where="--split", hint=hint)
    known = Sum(0, currency.upper())
    try:
        units = Decimal(amount).scaleb(known.digits) if re.fullmatch(r"[+-]?[0-9.]+", amount) else None
    except InvalidOperation:
        units = None
    if units is None:
        raise RecipeError(f"{amount!r} is no sum", where="--split", hint="write it with digits and a point: 1000.50")
    if units <= 0:
        raise RecipeError(f"{amount} {known.currency} cannot be divided", where="--split", hint="give a sum above zero")
    if units != units.to_integral_value() or units > MOST_UNITS:
        least = Decimal(1).scaleb(-known.digits)
        raise RecipeError(f"{amount} {known.currency} cannot be paid", where="--split",
                          hint=f"whole multiples of {least} up to {known.amount(MOST_UNITS)}")  # fmt: skip
    return Sum(int(units), known.currency)


def shares(worth: np.ndarray) -> np.ndarray:
    """The share of each along the first axis, by the rule; all 0 where nobody was worth anything."""
    positive = np.maximum(np.nan_to_num(np.asarray(worth, float)), 0.0)
    highest = positive.max(0, initial=0.0)
    scaled = positive / np.where(highest > 0, highest, 1.0)  # sums of very small numbers stay exact enough
    total = scaled.sum(0)
    return scaled / np.where(total > 0, total, 1.0)


def payments(units: int, part: Sequence[float]) -> list[int]:
    """Whole units to each, in proportion to `part` (which adds up to 1), that add up to `units` exactly.

    What rounding down leaves goes, a unit each, to the largest remainders (Hamilton's method), earlier ones first; a
    part of 0 is paid 0. Raises RecipeError where every part is 0.
    """
    if not any(share > 0 for share in part):
        raise RecipeError("nobody was worth anything, so there is nothing to divide by", where="--split",
                          hint="more valid text, or longer training, may tell them apart")  # fmt: skip
    exact = [Decimal(float(share)) * units for share in part]
    paid = [int(one) for one in exact]
    paid[max(range(len(paid)), key=lambda n: exact[n])] -= max(0, sum(paid) - units)  # parts that add up to above 1
    by_rest = sorted((n for n, share in enumerate(part) if share > 0), key=lambda n: (paid[n] - exact[n], n))
    left = units - sum(paid)
    for turn in range(left):
        paid[by_rest[turn % len(by_rest)]] += 1
    return paid
