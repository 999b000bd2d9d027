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

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path


class NetsukeError(Exception):
    """What failed (`what`), where (`where`: a file, a key, a step) and what to do about it (`hint`)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.where, self.hint = what, where, hint

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class RecipeError(NetsukeError):
    """The recipe, a flag or a source is wrong."""

    exit_code = 2


class GateError(NetsukeError):
    """The new model is worse than the gates allow."""

    exit_code = 3


class BudgetError(NetsukeError):
    """The size asked for cannot be reached."""

    exit_code = 4


class ConsentError(NetsukeError):
    """Nothing may be used, or it may not be used for this."""

    exit_code = 5


class StoreError(NetsukeError):
    """The home folder: damage, no space, something that is not there."""

    exit_code = 6


class EngineError(NetsukeError):
    """The inference engine did not start, or died."""

    exit_code = 7


@contextlib.contextmanager
def explained(doing: str, where: Path) -> Iterator[None]:
    """Turn the disk's own errors into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        no_permission = "no permission: set NETSUKE_HOME to a folder of yours"
        hints = {
            errno.ENOSPC: "the disk is full: free some space or run `netsuke gc`; nothing that was there is lost",
            errno.EDQUOT: "the disk quota is used up: free some space or run `netsuke gc`",
            errno.EROFS: "the disk is read-only: set NETSUKE_HOME to one that can be written",
            errno.EACCES: no_permission,
            errno.EPERM: no_permission,
            errno.ENAMETOOLONG: "use a shorter name",
            errno.ENOTDIR: "a file is where a folder should be: set NETSUKE_HOME to a folder of yours",
        }
        if error.errno not in hints:
            raise
        raise StoreError(
            f"cannot {doing}: {error.strerror}", where=str(where), hint=hints[error.errno]
        ) from error
