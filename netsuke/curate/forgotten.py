"""Which files of the sources are forgotten: they are as if they had never been there, for a make and for its proof."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..consent.ledger import Standing
from ..disk import expanded
from ..nouns import Recipe
from ..store import hash_file


class Forgotten:
    """What the standing decisions of a ledger say about the files of a recipe that lies in `folder`.

    A file is told by its owner, by its path, or by its bytes: only where something is forgotten by its content are
    files read for that. A link is what it leads to, too.
    """

    def __init__(self, recipe: Recipe, folder: Path, standing: Standing) -> None:
        self.name, self.sources, self.rows = recipe.name, recipe.sources, standing.forgotten
        self.roots = [source_root(source.path, folder) for source in recipe.sources]
        self._by_content = any(row.scope == "document" for row in self.rows.rows)

    def __contains__(self, file: Path) -> bool:
        """Whether a file is forgotten; False for one that cannot be read or lies in no source."""
        if not self.rows.rows:
            return False
        digest = self._digest(file)
        places = {file.parent.resolve() / file.name, Path(os.path.realpath(file))}  # of a loop of links too
        return any(self.rows.of(owner, path, digest).decision for place in places for owner, path in self._named(place))

    def without(self, root: Path, names: Sequence[str]) -> list[str]:
        """The relative paths below a folder without those of forgotten files."""
        return [name for name in names if root / name not in self] if self.rows.rows else list(names)

    def _named(self, place: Path) -> list[tuple[str, str]]:
        """(owner, path as the ledger has it) of a real path in the innermost source that holds it; none in none."""
        holding = [number for number, root in enumerate(self.roots) if place.is_relative_to(root)]
        if not holding:
            return []
        number = max(holding, key=lambda number: (len(self.roots[number].parts), -number))
        root, source = self.roots[number], self.sources[number]
        name = place.name if place == root else place.relative_to(root).as_posix()
        return [(source.owner, f"{self.name}/{source.named(name)}")]

    def _digest(self, file: Path) -> str:
        try:
            return hash_file(file) if self._by_content and file.is_file() else ""
        except OSError:
            return ""


def source_root(path: str, folder: Path) -> Path:
    """Where a source of a recipe in `folder` really lies."""
    return (folder / expanded(path)).resolve()
