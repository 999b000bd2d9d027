"""Watch: whether what a model is asked drifts, and when it is time to train it again.

It reads figures that it is handed: front/watching.py has them from the server's book. docs/watch.md says what each is.
"""

from ..traffic import BLOCK
from .drift import Drift, Unlike, drift, unlike
from .rule import NAMES, Params, Rule, parsed

__all__ = ["BLOCK", "NAMES", "Drift", "Params", "Rule", "Unlike", "drift", "parsed", "unlike"]
