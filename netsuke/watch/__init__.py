"""Watch: what a model is asked and how it answers, whether that drifts, and when it is time to train it again.

It reads rows that it is handed: requests, prompts as two figures each, thumbs, corrections. docs/watch.md says what
each figure is.
"""

from ..corrections import drop
from .drift import BLOCK, Drift, Unlike, drift, unlike
from .numbers import Numbers, by_day, numbers
from .rule import Params, Rule, parsed

__all__ = [
    "BLOCK", "Drift", "Numbers", "Params", "Rule", "Unlike", "by_day", "drift", "drop", "numbers", "parsed", "unlike",
]  # fmt: skip
