"""The store: content-addressed objects, runs and names, in one folder, the home.

    objects/ab/<sha256>     a file's bytes, read-only
    trees/ab/<sha256>       a folder: canonical JSON {"path/in/it": sha256 of the file, …}
    folders/<sha256>/       a tree laid out with hard links, made on demand
    runs/ab/<key>.json      what a step was given and what came out (netsuke.step)
    names/<kind>/<name>.json    what keeps things alive: packs and bases
    tmp/<key>/              half-written work, swept by gc
    locks/<name>            advisory locks

Everything is written to tmp/ first, synced, then renamed: a file is there whole, or not there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .errors import StoreError
from .nouns import Measure, Ref, Run

_CHUNK = 1 << 20
_TREE = b"netsuke folder\n"  # so that no file can pass for a listing


def home() -> Path:
    """The home folder: $NETSUKE_HOME, else the platform's data folder."""
    if given := os.environ.get("NETSUKE_HOME"):
        return Path(given).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "netsuke"


def hash_file(path: Path) -> Ref:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return Ref(hashlib.file_digest(file, "sha256").hexdigest())


def hash_tree(entries: Mapping[str, str]) -> Ref:
    """sha256 of a folder's canonical listing."""
    return Ref(hashlib.sha256(_tree_bytes(entries)).hexdigest())


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, ASCII (so that any file name survives)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Store:
    """One home folder. Raises StoreError with a hint where the disk, the bytes or a name fail."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home()
        with self._explained("make the home folder"):
            for name in ("objects", "trees", "folders", "runs", "names", "tmp", "locks"):
                (self.root / name).mkdir(parents=True, exist_ok=True)

    # -- paths: the only place where an id becomes part of a path ------------------------------------
    def _sharded(self, room: str, ref: str, suffix: str = "") -> Path:
        ref = Ref(ref)
        return self.root / room / ref[:2] / (ref + suffix)

    def scratch(self, key: str) -> Path:
        """The folder of half-written work under a step's key."""
        return self.root / "tmp" / Ref(key)

    def _name_path(self, kind: str, name: str) -> Path:
        if not name or name.startswith(".") or any(c in name for c in "/\\\0"):
            raise StoreError(f"not a usable name: {name!r}", hint="use letters, digits, dots and hyphens")
        return self.root / "names" / kind / f"{name}.json"

    # -- writing -------------------------------------------------------------------------------------
    def add_file(self, path: Path) -> Ref:
        """Ref of a copy of `path`; a file that changes while it is copied is named by what was copied."""
        part = self._part()
        digest = hashlib.sha256()
        with self._explained(f"copy {path.name}"):
            try:
                with path.open("rb") as source, part.open("wb") as copy:
                    while block := source.read(_CHUNK):
                        digest.update(block)
                        copy.write(block)
                    _sync(copy.fileno())
                return self._keep(part, Ref(digest.hexdigest()))
            finally:
                part.unlink(missing_ok=True)

    def add_bytes(self, data: bytes) -> Ref:
        """Ref of an object with these bytes."""
        ref = Ref(hashlib.sha256(data).hexdigest())
        target = self._sharded("objects", ref)
        if not target.exists():
            self._write(target, data)
            target.chmod(0o444)
        return ref

    def add_tree(self, entries: Mapping[str, str]) -> Ref:
        """Ref of a folder whose files are objects that are there already."""
        data = _tree_bytes(entries)
        ref = Ref(hashlib.sha256(data).hexdigest())
        target = self._sharded("trees", ref)
        if not target.exists():
            self._write(target, data)
        return ref

    def add_folder(self, folder: Path, *, move: bool = False) -> Ref:
        """Ref of a folder's files; symbolic links are refused. `move` takes the files away from `folder`."""
        entries: dict[str, str] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise StoreError("a symbolic link cannot be stored", where=str(path))
            if path.is_file():
                ref = self._keep(path, hash_file(path)) if move else self.add_file(path)
                entries[path.relative_to(folder).as_posix()] = ref
        return self.add_tree(entries)

    def _keep(self, part: Path, ref: Ref) -> Ref:
        """Move a finished file into objects/."""
        target = self._sharded("objects", ref)
        with self._explained("store an object"):
            if target.exists():
                part.unlink()
                return ref
            with part.open("rb") as file:
                _sync(file.fileno())
            part.chmod(0o444)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(part, target)
            _sync_folder(target.parent)
        return ref

    def _write(self, target: Path, data: bytes) -> None:
        """Write a small file whole: temporary file, fsync, rename, fsync of the folder."""
        part = self._part()
        with self._explained(f"write {target.name}"):
            try:
                with part.open("wb") as file:
                    file.write(data)
                    _sync(file.fileno())
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(part, target)
                _sync_folder(target.parent)
            finally:
                part.unlink(missing_ok=True)

    def _part(self) -> Path:
        return self.root / "tmp" / f"part-{os.getpid()}-{uuid.uuid4().hex}"

    # -- reading -------------------------------------------------------------------------------------
    def has(self, ref: str) -> bool:
        """Whether a file, or a folder with all its files, is there (its bytes are not read)."""
        if self._sharded("objects", ref).exists():
            return True
        listing = self._sharded("trees", ref)
        return listing.exists() and all(
            self._sharded("objects", member).exists() for member in parse_tree(listing.read_bytes()).values()
        )

    def is_tree(self, ref: str) -> bool:
        return self._sharded("trees", ref).exists()

    def tree(self, ref: str) -> dict[str, Ref]:
        """What a folder holds: path in it -> Ref."""
        path = self._sharded("trees", ref)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise StoreError(f"no folder {ref[:12]} in the store", hint="run `netsuke verify`") from None
        if hashlib.sha256(data).hexdigest() != ref:
            raise self._damaged(ref)
        return parse_tree(data)

    def path(self, ref: str) -> Path:
        """A path to read a file or folder at, its bytes verified. Never write there."""
        if not self.is_tree(ref):
            return self._verified(ref)
        entries = self.tree(ref)
        for member in set(entries.values()):
            self._verified(member)
        return self._laid_out(Ref(ref), entries)

    def size(self, ref: str) -> int:
        """Bytes of a file, or of a folder's files together."""
        if self.is_tree(ref):
            return sum(self._sharded("objects", r).stat().st_size for r in self.tree(ref).values())
        return self._sharded("objects", ref).stat().st_size

    def _verified(self, ref: str) -> Path:
        path = self._sharded("objects", ref)
        try:
            if hash_file(path) == ref:
                return path
        except FileNotFoundError:
            raise StoreError(f"object {ref[:12]} is missing", hint="run `netsuke verify`") from None
        raise self._damaged(ref)

    def _damaged(self, ref: str) -> StoreError:
        return StoreError(
            f"object {ref[:12]} is damaged: its bytes are not what was written",
            where=str(self.root),
            hint="`netsuke verify --repair` sets it aside; the next make builds it again",
        )

    def _laid_out(self, ref: Ref, entries: Mapping[str, Ref]) -> Path:
        folder = self.root / "folders" / ref
        if folder.exists():
            if all(_same(folder / n, self._sharded("objects", r)) for n, r in entries.items()):
                return folder
            shutil.rmtree(folder)
        part = self._part()
        with self._explained("lay out a folder"):
            part.mkdir()
            for name, member in entries.items():
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(self._sharded("objects", member), target)
            with contextlib.suppress(FileExistsError, OSError):
                os.rename(part, folder)
        if part.exists():  # another process laid it out first
            shutil.rmtree(part)
        return folder

    # -- runs ----------------------------------------------------------------------------------------
    def find(self, key: str) -> Run | None:
        """The Run of a key if it was recorded and its output is still there."""
        try:
            run = run_from(json.loads(self._sharded("runs", key, ".json").read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return run if self.has(run.output) else None

    def record(self, run: Run) -> None:
        """Write a Run; the last thing a step does."""
        data = json.dumps(asdict(run), indent=1, sort_keys=True).encode()
        self._write(self._sharded("runs", run.key, ".json"), data)

    def runs(self) -> Iterator[Run]:
        """Every recorded Run, oldest file first; an unreadable record is skipped (verify names it)."""
        paths = sorted((self.root / "runs").glob("*/*.json"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        for path in paths:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                yield run_from(json.loads(path.read_bytes()))

    # -- names ---------------------------------------------------------------------------------------
    def name(self, kind: str, name: str, record: Mapping[str, Any]) -> None:
        """Point a name at things; `record["ref"]` is what it keeps alive."""
        self._write(self._name_path(kind, name), json.dumps(record, indent=1, sort_keys=True).encode())

    def unname(self, kind: str, name: str) -> None:
        self._name_path(kind, name).unlink(missing_ok=True)

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """The record of a name, or None."""
        try:
            record = json.loads(self._name_path(kind, name).read_bytes())
            Ref(record["ref"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"the record of {kind[:-1]} {name!r} is damaged: {error}",
                             where=str(self._name_path(kind, name))) from error
        return dict(record)

    def names(self, kind: str) -> list[str]:
        return sorted(p.stem for p in (self.root / "names" / kind).glob("*.json"))

    # -- care ----------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def lock(self, name: str, *, exclusive: bool = True, wait_note: Any = None) -> Iterator[None]:
        """Hold an advisory lock; calls `wait_note()` once if another process has it."""
        path = self.root / "locks" / name
        with self._explained("lock"), path.open("a+") as file:
            kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if wait_note:
                    wait_note()
                fcntl.flock(file, kind)
            yield

    def forget_lock(self, name: str) -> None:
        """Delete the file of a lock that will not be needed again."""
        (self.root / "locks" / name).unlink(missing_ok=True)

    def require_space(self, needed_bytes: int, what: str) -> None:
        """Raise StoreError if the disk of the home folder has less than `needed_bytes` free."""
        free = shutil.disk_usage(self.root).free
        if free < needed_bytes:
            raise StoreError(
                f"{what} needs about {needed_bytes / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free",
                where=str(self.root),
                hint="free some space, run `netsuke gc`, or set NETSUKE_HOME to another disk",
            )

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        with explained(doing, self.root):
            yield


@contextlib.contextmanager
def explained(doing: str, where: Path) -> Iterator[None]:
    """Turn the disk's own errors into a StoreError that says what to do."""
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "the disk is full: free some space or run `netsuke gc`; nothing that was there is lost",
            errno.EDQUOT: "the disk quota is used up: free some space or run `netsuke gc`",
            errno.EROFS: "the disk is read-only: set NETSUKE_HOME to one that can be written",
            errno.EACCES: "no permission: set NETSUKE_HOME to a folder of yours",
        }
        if error.errno not in hints:
            raise
        raise StoreError(f"cannot {doing}: {error.strerror}", where=str(where), hint=hints[error.errno]) from error


def _tree_bytes(entries: Mapping[str, str]) -> bytes:
    for name, ref in entries.items():
        parts = name.split("/")
        if name.startswith("/") or "\0" in name or any(p in ("", ".", "..") for p in parts):
            raise StoreError(f"not a path inside a folder: {name!r}")
        Ref(ref)
    return _TREE + canonical(dict(entries))


def parse_tree(data: bytes) -> dict[str, Ref]:
    """What a folder's listing says: path in it -> Ref."""
    return {name: Ref(ref) for name, ref in json.loads(data.removeprefix(_TREE)).items()}


def run_from(record: dict[str, Any]) -> Run:
    """A Run from its JSON record; ValueError, KeyError or TypeError if it is not one."""
    measures = tuple(Measure(**m) for m in record.pop("measures", ()))
    inputs = {name: Ref(ref) for name, ref in record.pop("inputs").items()}
    return Run(key=Ref(record.pop("key")), output=Ref(record.pop("output")), inputs=inputs,
               measures=measures, **record)


def _same(link: Path, target: Path) -> bool:
    try:
        a, b = link.stat(), target.stat()
    except FileNotFoundError:
        return False
    return (a.st_ino, a.st_dev) == (b.st_ino, b.st_dev) and stat.S_ISREG(a.st_mode)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
