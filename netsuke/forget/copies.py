"""Files that the home itself keeps for a person and that are to be forgotten: dropped in the studio, or corrections.

    material/FOLDER/…                           files that were dropped on the page
    watched/MODEL/corrections/OWNER/HASH.jsonl  better answers that people gave: the one place where watch meets forget
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..consent import corrections
from ..curate.find import all_names
from ..curate.forgotten import Forgotten
from ..errors import NetsukeError
from ..front import targets
from ..store import Store, hash_file
from .scope import Wanted

ROOMS = ("material", "watched")


def copies(wanted: Wanted, gone: set[str], store: Store) -> Iterator[Path]:
    """Those that are forgotten: by their bytes, as files of a recipe that is known, or as corrections of an owner."""
    said = list(_forgetters(wanted, store))
    for room in (store.root / name for name in ROOMS):
        for file in [room / name for name in all_names(room)] if room.is_dir() else []:
            whose = corrections.whose(file.parent) if file.parent.parent.name == "corrections" else None
            by_owner = whose is not None and any(t.takes(whose, "", "") for t in wanted.targets if t.scope == "owner")
            if by_owner or hash_file(file) in gone or any(file in forgetter for forgetter in said):
                yield file


def _forgetters(wanted: Wanted, store: Store) -> Iterator[Forgotten]:
    """What would be forgotten of each recipe that lies in the home or that a named pack was made from."""
    places = {str(path) for room in ("material", "recipes") for path in (store.root / room).rglob("*netsuke.toml")}
    places |= {str(record["recipe"]) for name in store.names("packs") if (record := store.named("packs", name))}
    for place in sorted(places):
        try:
            found, path, _ = targets.find_recipe(place, store)
        except NetsukeError:  # gone, or not to be read: then its files are told by their bytes alone
            continue
        yield Forgotten(found, path.parent, wanted.standing)
