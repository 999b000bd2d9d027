"""Every error that a person may see.

    NetsukeError            exit 1
    ├── RecipeError         exit 2   the recipe, a flag or a source is wrong
    ├── GateError           exit 3   the new model is worse than the gates allow; the old pack stays
    ├── BudgetError         exit 4   the size asked for cannot be reached
    ├── ConsentError        exit 5   nothing may be used, or it may not be used for this
    ├── StoreError          exit 6   the home folder: damage, no space, something that is not there
    └── EngineError         exit 7   the inference engine did not start, or died

Each says what failed, where, and what to do; the command line prints these three and no traceback.
"""

from __future__ import annotations


class NetsukeError(Exception):
    """What failed (`what`), where (`where`: a file, a key, a step) and what to do about it (`hint`)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class RecipeError(NetsukeError):
    exit_code = 2


class GateError(NetsukeError):
    exit_code = 3


class BudgetError(NetsukeError):
    exit_code = 4


class ConsentError(NetsukeError):
    exit_code = 5


class StoreError(NetsukeError):
    exit_code = 6


class EngineError(NetsukeError):
    exit_code = 7
