"""The files of a source, sorted, without what is not the person's own text."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from ..errors import RecipeError

_CACHES = frozenset(("__pycache__", "node_modules"))
_SKIPPED = _CACHES | {"netsuke.toml", "netsuke.lock"}
_VERSIONS = frozenset((".git", ".hg", ".svn"))
_OURS = (  # what lies in a home, a pack, a dataset: texts of the sources once more, held-out ones among them
    {"objects", "trees", "runs", "names"}, {"netsuke.json", "model.gguf"}, {"croissant.json", "documents.jsonl"},
)  # fmt: skip


def find_files(
    folder: Path,
    skip: Collection[str] = (),
    on_error: Callable[[OSError], None] | None = None,
    on_link: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, Path]]:
    """Yields (path relative to `folder`, path) of the files below it, sorted; `folder` may be one file.

    Left out: hidden files and folders, caches, netsuke's own files and folders, what `skip` names (a relative path or
    a bare name), and links to anything but a file that is found. `on_error` hears of folders not to be listed,
    `on_link` of the relative paths of such links, all before the first file.
    Raises RecipeError if there is no such file or folder.
    """
    root = folder.resolve()
    if root.is_file():
        yield folder.name, folder
        return
    if not root.is_dir():
        raise RecipeError(
            "no such file or folder", where=str(folder), hint="check `path` in the recipe's sources"
        )
    found: dict[Path, str] = {}
    links: list[tuple[str, Path]] = []
    todo = [(root, "")]
    while todo:
        current, prefix = todo.pop()
        entries = _listed(current, on_error)
        if prefix and _is_ours(entries):
            continue
        for entry in entries:
            relative = prefix + entry.name
            if _left_out(entry.name) or entry.name in skip or relative in skip:
                continue
            if entry.is_dir(follow_symlinks=False):
                todo.append((Path(entry.path), relative + "/"))
            elif entry.is_symlink():
                links.append((relative, Path(entry.path)))
            elif entry.is_file(follow_symlinks=False):
                found[Path(entry.path)] = relative
    kept = [(relative, link) for relative, link in sorted(links) if _target(link) in found]
    for relative, _ in sorted({*links} - {*kept}):
        if on_link:
            on_link(relative)
    yield from sorted([*((relative, path) for path, relative in found.items()), *kept])


def _listed(folder: Path, on_error: Callable[[OSError], None] | None) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)  # each file system has an order of its own
    except OSError as error:
        if on_error:
            on_error(error)
        return []


def _left_out(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name.endswith((".netsuke.toml", ".netsuke.lock"))


def _is_ours(entries: Iterable[os.DirEntry[str]]) -> bool:
    names = {entry.name for entry in entries}
    return any(names >= ours for ours in _OURS)


def _target(link: Path) -> Path | None:
    """The file that a link leads to, or None."""
    try:
        return link.resolve(strict=True)
    except (OSError, RuntimeError):  # broken, a loop
        return None


def all_names(folder: Path) -> Iterator[str]:
    """The relative paths of the files below a folder, sorted, hidden ones too: they may speak for others.

    Left out: caches, version control, links. A folder that cannot be listed has none.
    """
    found: list[str] = []
    todo = [(folder, "")]
    while todo:
        current, prefix = todo.pop()
        for entry in _listed(current, None):
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _CACHES | _VERSIONS:
                    todo.append((Path(entry.path), f"{prefix}{entry.name}/"))
            elif entry.is_file(follow_symlinks=False):
                found.append(prefix + entry.name)
    yield from sorted(found)
