"""The key that a client of the server must show: made at the first run, kept in the home folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path

from ..errors import StoreError

_KEY = re.compile(r"nsk-[A-Za-z0-9_-]{32,}")


def default_key(home: Path) -> str:
    """The key in home/keys/default, made now if there is none. Raises StoreError when it cannot be used."""
    path = home / "keys" / "default"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        if not path.exists():
            _write_once(path, f"nsk-{secrets.token_urlsafe(32)}\n")
        path.chmod(0o600)
        key = path.read_text("ascii", "replace").strip()
    except OSError as error:
        hint = "make the home folder writable, or set NETSUKE_HOME to another one"
        raise StoreError(f"no key for the server: {error.strerror}", where=str(path), hint=hint) from None
    if not _KEY.fullmatch(key):
        raise StoreError("this is not a key", where=str(path), hint="delete the file: a new key is made")
    return key


def _write_once(path: Path, text: str) -> None:
    """Writes the whole file or nothing, and leaves the file of whoever came first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".key-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
