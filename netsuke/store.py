"""The store: content-addressed objects, runs and names, in one folder, the home.

    objects/ab/<sha256>     a file's bytes, read-only
    trees/ab/<ref>          a folder: canonical JSON {"path/in/it": sha256 of the file, …}, named by its SHA-3
    folders/<ref>/          a tree laid out with hard links, made on demand
    runs/ab/<key>.json      what a step was given and what came out (netsuke.step)
    names/<kind>/<name>.json    what keeps things alive: packs and bases
    tmp/<key>/              half-written work, swept by gc
    locks/<name>            advisory locks

Everything is written to tmp/ first, synced, then renamed: a file is there whole, or not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import disk
from .errors import StoreError, explained
from .nouns import Measure, Ref, Run

_CHUNK = 1 << 20


def home() -> Path:
    """The home folder: $NETSUKE_HOME, else netsuke/ in $XDG_DATA_HOME or ~/.local/share."""
    if given := os.environ.get("NETSUKE_HOME"):
        return disk.expanded(given).absolute()
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "netsuke"


def hash_file(path: Path) -> Ref:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return Ref(hashlib.file_digest(file, "sha256").hexdigest())


def hash_listing(data: bytes) -> Ref:
    """sha3-256 of a folder's listing: not the function that names a file, so that no file passes for a folder."""
    return Ref(hashlib.sha3_256(data).hexdigest())


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, ASCII (so that any file name survives)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Store:
    """One home folder. Raises StoreError with a hint where the disk, the bytes or a name fail."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or home()
        self._waiting: list[tuple[Path, Path]] | None = None  # (part, target) of what `together` holds back
        with self._explained("make the home folder"):
            if not self.root.exists():
                self.root.mkdir(mode=0o700, parents=True, exist_ok=True)  # people's documents will lie in it
            for name in ("objects", "trees", "folders", "runs", "names", "tmp", "locks"):
                (self.root / name).mkdir(exist_ok=True)

    # -- paths: the only place where an id becomes part of a path ------------------------------------
    def _sharded(self, room: str, ref: str, suffix: str = "") -> Path:
        ref = Ref(ref)
        return self.root / room / ref[:2] / (ref + suffix)

    def scratch(self, key: str) -> Path:
        """The folder of half-written work under a step's key."""
        return self.root / "tmp" / Ref(key)

    def _name_path(self, kind: str, name: str) -> Path:
        spelt = name.encode("utf-8", "replace")
        fits = 0 < len(spelt) <= 200 and spelt.decode() == name  # a file's name has 255 bytes
        if not fits or name.startswith(".") or any(c in name for c in "/\\\0"):
            raise StoreError(f"not a usable name: {name[:80]!r}", hint="use letters, digits, dots and hyphens")
        return self.root / "names" / kind / f"{name}.json"

    # -- writing -------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Many small files for the price of one sync: they come to their places at the end, or none does.

        In this thread alone, and nothing that is added can be read before the end.
        """
        waiting = self._waiting = []
        try:
            yield
            self._waiting = None
            with self._explained("store many files"):
                os.sync()  # all bytes are on the disk before any has its name
                for folder in {target.parent for _, target in waiting}:
                    folder.mkdir(parents=True, exist_ok=True)
                for part, target in waiting:
                    os.replace(part, target)
                os.sync()
        finally:
            self._waiting = None
            for part, _ in waiting:
                part.unlink(missing_ok=True)

    def add_file(self, path: Path) -> Ref:
        """Ref of a copy of `path`; a file that changes while it is copied is named by what was copied."""
        if self._sharded("objects", ref := hash_file(path)).exists():
            return ref
        part = self._part()
        digest = hashlib.sha256()
        with path.open("rb") as source, self._explained(f"copy {path.name}"):
            try:
                with part.open("wb") as copy:
                    while block := source.read(_CHUNK):
                        digest.update(block)
                        copy.write(block)
                return self._keep(part, Ref(digest.hexdigest()))
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    def add_bytes(self, data: bytes) -> Ref:
        """Ref of an object with these bytes."""
        ref = Ref(hashlib.sha256(data).hexdigest())
        target = self._sharded("objects", ref)
        if not target.exists():
            self._write(target, data, read_only=True)
        return ref

    def add_tree(self, entries: Mapping[str, str]) -> Ref:
        """Ref of a folder whose files are objects that are there already."""
        data = _tree_bytes(entries)
        ref = hash_listing(data)
        target = self._sharded("trees", ref)
        if not target.exists():
            self._write(target, data)
        return ref

    def add_folder(self, folder: Path, *, move: bool = False) -> Ref:
        """Ref of a folder's files; symbolic links are refused. `move` takes the files away from `folder`."""
        entries: dict[str, str] = {}
        for path in list(disk.files_in(folder)):
            ref = self._keep(path, hash_file(path)) if move else self.add_file(path)
            entries[path.relative_to(folder).as_posix()] = ref
        return self.add_tree(entries)

    def _keep(self, part: Path, ref: Ref) -> Ref:
        """Move a finished file into objects/."""
        target = self._sharded("objects", ref)
        with self._explained("store an object"):
            if target.exists():
                part.unlink()
            else:
                part.chmod(0o444)
                self._place(part, target)
        return ref

    def _write(self, target: Path, data: bytes, read_only: bool = False) -> None:
        """Write a small file, whole or not at all."""
        part = self._part()
        with self._explained(f"write {target.name}"):
            try:
                part.write_bytes(data)
                if read_only:
                    part.chmod(0o444)
                self._place(part, target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise

    def _place(self, part: Path, target: Path) -> None:
        """Rename a finished file to where it belongs, so that even a power cut leaves all of it or nothing."""
        if self._waiting is not None:
            self._waiting.append((part, target))
            return
        disk.sync(part)
        if not target.parent.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            disk.sync(target.parent.parent)
        os.replace(part, target)
        disk.sync(target.parent)

    def _part(self) -> Path:
        return self.root / "tmp" / f"part-{os.getpid()}-{uuid.uuid4().hex}"

    # -- reading -------------------------------------------------------------------------------------
    def has(self, ref: str) -> bool:
        """Whether a file, or a folder with all its files, is there (its bytes are not read)."""
        if self._sharded("objects", ref).exists():
            return True
        try:
            members = self.tree(ref).values()
        except StoreError:  # not there, or its listing is damaged
            return False
        return all(self._sharded("objects", member).exists() for member in members)

    def is_tree(self, ref: str) -> bool:
        """Whether this is a folder, and not a file."""
        return self._sharded("trees", ref).exists()

    def tree(self, ref: str) -> dict[str, Ref]:
        """What a folder holds: path in it -> Ref."""
        path = self._sharded("trees", ref)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise _missing(ref) from None
        if hash_listing(data) != ref:
            raise self._damaged(ref)
        return {name: Ref(member) for name, member in json.loads(data).items()}

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
        members = self.tree(ref).values() if self.is_tree(ref) else [ref]
        try:
            return sum(self._sharded("objects", member).stat().st_size for member in members)
        except FileNotFoundError:
            raise _missing(ref) from None

    def _verified(self, ref: str) -> Path:
        path = self._sharded("objects", ref)
        try:
            if hash_file(path) == ref:
                return path
        except FileNotFoundError:
            raise _missing(ref) from None
        raise self._damaged(ref)

    def _damaged(self, ref: str) -> StoreError:
        return StoreError(
            f"object {ref[:12]} is damaged: its bytes are not what was written",
            where=str(self.root),
            hint="`netsuke verify --repair` sets it aside; the next make builds it again (a base: `netsuke bases`)",
        )

    def _laid_out(self, ref: Ref, entries: Mapping[str, Ref]) -> Path:
        folder, part = self.root / "folders" / ref, self._part()
        objects = {name: self._sharded("objects", member) for name, member in entries.items()}
        if disk.holds(folder, objects):
            return folder
        with self._explained("lay out a folder"):
            try:
                if folder.exists():
                    shutil.rmtree(folder)
                part.mkdir()
                for name, path in objects.items():
                    (part / name).parent.mkdir(parents=True, exist_ok=True)
                    disk.link(path, part / name)
                os.rename(part, folder)
            except OSError:
                if not disk.holds(folder, objects):  # else another process laid it out first
                    raise
            finally:
                shutil.rmtree(part, ignore_errors=True)
        return folder

    # -- runs ----------------------------------------------------------------------------------------
    def run_file(self, key: str) -> Path:
        """Where the record of a run lies, whether or not there is one."""
        return self._sharded("runs", key, ".json")

    def find(self, key: str) -> Run | None:
        """The Run of a key if it was recorded and its output is still there."""
        path = self.run_file(key)
        try:
            run = run_from(json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return run if run.key == key and self.has(run.output) else None

    def record(self, run: Run) -> None:
        """Write a Run; the last thing a step does."""
        data = json.dumps(asdict(run), indent=1, sort_keys=True).encode()
        self._write(self.run_file(run.key), data)

    def runs(self) -> Iterator[Run]:
        """Every recorded Run, oldest file first; an unreadable record is skipped (verify names it)."""
        found = []
        for path in (self.root / "runs").glob("*/*.json"):
            with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                found.append((path.stat().st_mtime_ns, path.name, run_from(json.loads(path.read_bytes()))))
        return (run for _, _, run in sorted(found, key=lambda item: item[:2]))

    # -- names ---------------------------------------------------------------------------------------
    def name(self, kind: str, name: str, record: Mapping[str, Any]) -> None:
        """Point a name at `record["ref"]`, which it keeps alive, with the Refs `record["also"]` and the keys
        `record["runs"]` that it was made with; without "runs", with all that can have made it."""
        self._write(self._name_path(kind, name), json.dumps(record, indent=1, sort_keys=True).encode())

    def unname(self, kind: str, name: str) -> None:
        """Forget a name; what it pointed at goes with the next gc."""
        with self._explained(f"forget {name}"):
            self._name_path(kind, name).unlink(missing_ok=True)

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """The record of a name, or None."""
        path = self._name_path(kind, name)
        try:
            record = json.loads(path.read_bytes())
            for ref in (record["ref"], *record.get("also", ()), *record.get("runs", ())):
                Ref(ref)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            how = "fetch or add it again: netsuke bases" if kind == "bases" else "make it again"
            what = f"the record of {kind[:-1]} {name!r} is damaged: {error}"
            raise StoreError(what, where=str(path), hint=f"`netsuke verify --repair` sets it aside; {how}") from error
        return dict(record)

    def made(self, kind: str, name: str) -> float:
        """When a name was last pointed somewhere, in seconds since 1970; 0 where there is none."""
        try:
            return self._name_path(kind, name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def names(self, kind: str) -> list[str]:
        """The names of a kind, in order."""
        return sorted(p.stem for p in (self.root / "names" / kind).glob("*.json"))

    # -- care ----------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def lock(self, name: str, *, exclusive: bool = True, wait_note: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold an advisory lock; calls `wait_note()` once if another process has it."""
        path = self.root / "locks" / name
        with self._explained("lock"):
            file = path.open("a+", encoding="utf-8")
        with file:
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


def _missing(ref: str) -> StoreError:
    return StoreError(f"{ref[:12]} is not in the store", hint="run `netsuke verify`: it says how to have it again")


def _tree_bytes(entries: Mapping[str, str]) -> bytes:
    for name, ref in entries.items():
        parts = name.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts))}
        if "\0" in name or {"", ".", ".."} & set(parts) or above & entries.keys():
            raise StoreError(f"not a path inside a folder: {name!r}")
        Ref(ref)
    return canonical(dict(entries))


def key_of(step: str, version: int, params: Any, inputs: Mapping[str, str], libraries: Mapping[str, str]) -> Ref:
    """The key of a step's run: a hash of all that it is given."""
    return Ref(hashlib.sha256(canonical([step, version, params, dict(inputs), dict(libraries)])).hexdigest())


def run_from(record: dict[str, Any]) -> Run:
    """A Run from its JSON record; ValueError, KeyError or TypeError if it is not one, or its key is not its own."""
    record = dict(record)
    measures = tuple(Measure(**m) for m in record.pop("measures", ()))
    inputs = {name: Ref(ref) for name, ref in dict(record.pop("inputs")).items()}
    key, output = Ref(record.pop("key")), Ref(record.pop("output"))
    run = Run(key=key, output=output, inputs=inputs, measures=measures, **record)
    if key_of(run.step, run.version, run.params, inputs, run.libraries) != key:
        raise ValueError("it does not say what its key says")
    return run
