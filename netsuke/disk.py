"""Files and folders on the disk, as the store needs them: listed strictly, linked, synced."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import filecmp
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import RecipeError, StoreError


def expanded(path: str | Path) -> Path:
    """A path with ~ as whose home it is. Raises RecipeError where nobody is called so."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise RecipeError(f"there is no home folder {str(path)[:80]!r}", hint="write the path from / on") from None


def files_in(folder: Path) -> Iterator[Path]:
    """Every file in a folder, in order. Raises where one is not a plain file, or a folder cannot be read."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            raise StoreError("a symbolic link cannot be stored", where=entry.path)
        if entry.is_dir():
            yield from files_in(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
        else:
            raise StoreError("neither a file nor a folder", where=entry.path)


def holds(folder: Path, objects: Mapping[str, Path]) -> bool:
    """Whether a folder holds these objects, as links or as copies, and nothing else."""
    try:
        found = {path.relative_to(folder).as_posix(): path for path in files_in(folder)}
        return found.keys() == objects.keys() and all(_same(found[n], objects[n]) for n in found)
    except (OSError, StoreError):
        return False


def _same(path: Path, target: Path) -> bool:
    return path.samefile(target) or filecmp.cmp(path, target, shallow=False)


def link(path: Path, target: Path) -> None:
    """A hard link, or a copy where the disk has none (left)."""
    try:
        os.link(path, target)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        shutil.copyfile(path, target)


def require_folder_of(target: Path) -> None:
    """Raise StoreError unless the folder is there that a file is to be written into."""
    if not target.parent.is_dir():
        raise StoreError("there is no such folder to write into", where=str(target.parent), hint="make it first")


def require_new_file(target: Path, force: bool) -> None:
    """Raise StoreError unless a file may be written there: its folder is there, and it is not, or `force`."""
    require_folder_of(target)
    if target.exists() and not force:
        raise StoreError("there is a file already", where=str(target), hint="name another one, or add --force")


def emptied(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def sync(path: Path) -> None:
    """Let the bytes of a file, or the names in a folder, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_once(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a small file, whole or not at all, and leave the file of whoever came first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        with contextlib.suppress(FileExistsError):
            link(Path(name), path)
    finally:
        os.unlink(name)


def write_whole(path: Path, data: bytes) -> None:
    """`replace`, and the new file is there for good: no power cut brings the old one back."""
    replace(path, data)
    sync(path.resolve().parent)


def replace(path: Path, data: bytes) -> None:
    """Write or replace a small file, so that even a power cut leaves the old one or the new one.

    Others may write it at the same time. Its mode stays, and where it is a link, what that leads to is replaced.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".part-{uuid.uuid4().hex}")
    try:
        with part.open("xb") as file:
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until nobody else who asks for it changes a file of this folder, where the disk knows locks."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
