"""Forget: a withdrawal that reaches every pack, deletes the bytes, and is proved by bytes.

    journal -> set aside -> ledger -> rebuild -> delete -> receipt

The journal is written first and goes last: whatever ends the program in between, the next command finds it and goes on.
A name that is set aside is not served. See docs/forget.md.
"""

from __future__ import annotations

from pathlib import Path

ROOM = "forgetting"  # in the home: what is not finished yet


def pending(home: Path) -> list[str]:
    """The ids of withdrawals that are not finished, oldest first."""
    return sorted(path.stem for path in (home / ROOM).glob("*.json"))
