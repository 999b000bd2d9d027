"""Where an export comes to lie: written beside its place under another name, then renamed: it is there or it is not."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from ..disk import expanded, files_in, require_folder_of, sync
from ..errors import StoreError

_BLOB = re.compile(r"blobs/sha256/[0-9a-f]{64}")  # of an image layout: named by what is in it


@contextlib.contextmanager
def laid(target: Path, *, home: Path, needed_bytes: int, force: bool = False) -> Iterator[Path]:
    """A path to write to, which becomes `target` at the end of the block, and nothing if that raises.

    Raises StoreError, before anything is written, where `target` is there already (with `force`: where it is something
    else than such an export), lies in the home folder, or cannot be written; and where the disk is full.
    """
    target = Path(os.path.abspath(expanded(target)))
    require_free(target, home, needed_bytes, force)
    part = target.parent / f".{target.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        with _named(target):
            yield part
            _synced(part)
            _renamed(part, target)
    finally:
        _remove(part)


def require_free(target: Path, home: Path, needed_bytes: int, force: bool) -> None:
    """Raise StoreError unless `target` may be written."""
    inside, root = target.parent.resolve() / target.name, home.resolve()
    if inside == root or root in inside.parents:
        raise StoreError("this lies in netsuke's own folder", where=str(target), hint="name a place outside of it")
    require_folder_of(target)
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise StoreError("this folder cannot be written", where=str(target.parent), hint="name another place")
    if os.path.lexists(target) and not force:
        raise StoreError("this is there already", where=str(target), hint="name another place, or --force replaces it")
    free = shutil.disk_usage(target.parent).free
    if free < needed_bytes:
        raise StoreError(
            f"{needed_bytes / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free",
            where=str(target.parent),
            hint="free some space, or name a place on another disk",
        )


def _renamed(part: Path, target: Path) -> None:
    """`part` in the place of `target`; what was there is gone only when the new one is in its place."""
    if not os.path.lexists(target):
        os.rename(part, target)
        return
    if target.is_symlink() or target.is_dir() != part.is_dir():
        raise StoreError("something of another kind is there", where=str(target), hint="name another place")
    if not part.is_dir():
        os.replace(part, target)
        return
    new = {file.relative_to(part).as_posix() for file in files_in(part)} | _listed(target)
    for file in files_in(target):
        name = file.relative_to(target).as_posix()
        if name not in new and not _BLOB.fullmatch(name):
            raise StoreError(f"{name} is no part of such an export, so nothing was replaced", where=str(target),
                             hint="name another folder, or move that file away")  # fmt: skip
    old = part.with_suffix(".old")
    os.rename(target, old)
    try:
        os.rename(part, target)
    except OSError as error:
        try:
            os.rename(old, target)
        except OSError:
            raise StoreError(f"what was there lies in {old.name} now: {error}", where=str(target.parent)) from error
        raise
    shutil.rmtree(old, ignore_errors=True)


def _listed(folder: Path) -> set[str]:
    """What a pack's own manifest lists: one that was made before may have had more files."""
    try:
        return {*json.loads((folder / "netsuke.json").read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _synced(part: Path) -> None:
    for file in files_in(part) if part.is_dir() else [part]:
        sync(file)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _named(target: Path) -> Iterator[None]:
    """The disk's own errors as a StoreError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space, or name a place on another disk" if full else "name another place"
        what = f"cannot be written: {error.strerror or error}"
        raise StoreError(what, where=str(target), hint=hint) from error
