"""What a person names on the command line: a folder, a recipe, a model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import loop, recipe, signing
from ..bases import outside
from ..curate.forgotten import source_root
from ..disk import expanded
from ..errors import RecipeError, StoreError
from ..nouns import Recipe, Ref, Source
from ..pack import manifest
from ..store import Store
from ..terminal import printable

LONGEST_SHOWN = 120  # characters of a wrong path that an error repeats


def typed(text: str) -> Path:
    """The path that a person wrote, ~ and all. Raises RecipeError for what can be none, or may not be looked at."""
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    try:
        path = expanded(text)
        path.exists()
    except OSError as error:
        raise RecipeError(f"{error.strerror}: {shown!r}", hint="give a path that is there") from None
    return path


def find_recipe(target: str, store: Store, name: str | None = None) -> tuple[Recipe, Path, bool]:
    """(recipe, where it lies, whether it is new) of a folder, a file, a recipe or a name; under another name if given.

    A folder's recipe lies in it, a file's beside it; where that cannot be written, in the home folder. One of another
    name is a recipe of its own, NAME.netsuke.toml beside it, that begins as a copy: each model keeps its settings.
    Raises RecipeError where that is of other material: of another file that lies there.
    """
    wanted, path, fresh = _recipe_at(target, store)
    if fresh or name in (None, "", wanted.name):
        return wanted, path, fresh
    recipe.check_name(str(name), "the command line")
    place = path.with_name(f"{name}.{recipe.FILE}")
    if place.exists():
        known = recipe.load(place, loop.SECTIONS)
        if not _is_of(known, place, {*_roots(wanted, path.parent), typed(target).resolve()}):
            sources = " and ".join(source.path for source in known.sources)
            raise RecipeError(
                f"{place.name} is of {sources}, and not of {target}",
                hint="give this one another name with --name", where=str(place.parent),
            )  # fmt: skip
        return known, place, False
    return dataclasses.replace(wanted, name=str(name)), place, True


def _roots(wanted: Recipe, folder: Path) -> set[Path]:
    """Where the sources of a recipe in `folder` lie."""
    return {source_root(source.path, folder) for source in wanted.sources}


def _is_of(known: Recipe, place: Path, own: set[Path]) -> bool:
    """Whether one of a recipe's sources is one of these, or lies in one: of a folder it may take a part.

    Where a file without an extension is called as the model, the recipe at `place` may be that file's.
    """
    roots, file = _roots(known, place.parent), place.with_name(place.name.removesuffix(f".{recipe.FILE}"))
    if file.is_file() and roots == {file.resolve()}:
        return file.resolve() in own
    return any(root.is_relative_to(one) for root in roots for one in own)


def _recipe_at(target: str, store: Store) -> tuple[Recipe, Path, bool]:
    path = typed(target)
    if path.suffix == ".toml" and path.is_file():
        place = path.parent.resolve() / path.name  # a linked recipe is that of the folder where the link lies
        return recipe.load(place, loop.SECTIONS), place, False
    if path.exists():
        return _recipe_of(path.resolve(), store)
    if record := named_pack(target, store):
        place = recipe_file(target, record)
        return dataclasses.replace(recipe.load(place, loop.SECTIONS), name=target), place, False
    known = store.names("packs")
    raise RecipeError(
        f"no folder, recipe or model {target!r}",
        hint=f"models: {', '.join(known)}" if known else "give a folder: netsuke make ~/notes",
    )


def recipe_file(name: str, record: Mapping[str, Any]) -> Path:
    """Where the recipe of a named model lies. Raises RecipeError where it was combined from others, or it is gone."""
    if "combined" in record:
        parents = " and ".join(row["name"] for row in record["combined"]["parents"])
        hint = f"netsuke make {name} combines them again"
        raise RecipeError(f"{name} was combined from {parents}", hint=hint)
    place = Path(record["recipe"])
    if not place.is_file():
        hint = "put it back, or make the model again from its folder: netsuke make FOLDER"
        raise RecipeError(f"the recipe of {name} is gone", where=str(place), hint=hint)
    return place


def applied(
    wanted: Recipe, path: Path, store: Store, given: Mapping[str, Any], settings: Mapping[str, str]
) -> Recipe:
    """The recipe with what else was said: top keys (None: as it is) and settings. Raises RecipeError.

    Its name must not be that of a model made from another recipe.
    """
    wanted = dataclasses.replace(wanted, **{key: value for key, value in given.items() if value is not None})
    recipe.check_top(wanted, "the command line")
    wanted = recipe.with_settings(wanted, settings, loop.SECTIONS)
    other = store.named("packs", wanted.name)
    if other and other["recipe"] != str(path) and Path(other["recipe"]).exists():
        raise RecipeError(
            f"a model named {wanted.name!r} was made from {other['recipe']}",
            hint="give this one another name with --name",
        )
    return wanted


def _recipe_of(path: Path, store: Store) -> tuple[Recipe, Path, bool]:
    name = model_name(path.name if path.is_dir() else path.stem)
    place = path / recipe.FILE if path.is_dir() else path.with_name(f"{path.name}.{recipe.FILE}")
    source = "." if path.is_dir() else path.name
    if not place.exists() and not os.access(place.parent, os.W_OK):
        whose = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]  # two folders may have one name
        place = store.root / "recipes" / f"{name}-{whose}" / recipe.FILE
        place.parent.mkdir(parents=True, exist_ok=True)
        source = str(path)
    if place.exists():
        return recipe.load(place, loop.SECTIONS), place, False
    new = recipe.fresh(name, loop.SECTIONS)
    return dataclasses.replace(new, sources=(dataclasses.replace(new.sources[0], path=source),)), place, True


def model_name(text: str) -> str:
    """A model's name made from a file's or folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", printable(text)).strip("-._")[:64] or "model"


def named_pack(name: str, store: Store) -> dict[str, Any] | None:
    """The record of a model, or None; a path is never a model's name."""
    return None if "/" in name or name.startswith(".") or not name else store.named("packs", name)


def no_model(name: str, store: Store, besides: str = "") -> StoreError:
    """The error that there is no model of this name; its hint lists those there are."""
    known = store.names("packs")
    hint = f"models: {', '.join(known)}" if known else "make one: netsuke make ~/notes"
    return StoreError(f"no model {name!r}{besides}", hint=hint)


def pack_folder(name: str, store: Store) -> Path:
    """The folder of a named pack, or of a pack anywhere, whole, its file sound and its chat template a known one.

    Raises StoreError that lists the models there are, EngineError, RecipeError.
    """
    if record := named_pack(name, store):
        return store.path(record["ref"])
    if (Path(name) / "netsuke.json").exists():
        if faults := manifest.faults(Path(name)):
            raise StoreError(
                f"this pack is not whole: {faults[0]}", where=name, hint=f"netsuke verify {shlex.quote(name)}"
            )
        outside.admit_pack(Path(name), store)
        return Path(name)
    raise no_model(name, store, ", and the folder is no pack: it has no netsuke.json" if Path(name).is_dir() else "")


def signature_of(name: str, store: Store) -> Path | None:
    """The signature of a named pack or of a pack's folder, if it has one."""
    if record := named_pack(name, store):
        return store.path(record["signature"]) if "signature" in record else None
    place = Path(name) / signing.FILE
    return place if place.is_file() and not place.is_symlink() else None


def pack_faults(
    name: str, store: Store, key: Path | None = None, accept: bool = False
) -> tuple[list[str], str]:
    """(what is wrong with a pack, what its signature says): checked by `key`, else by one's own where it is that.

    Raises StoreError where there is no such pack, or `key` is none.
    """
    named = named_pack(name, store) is not None
    folder = pack_folder(name, store) if named or not (Path(name) / "netsuke.json").exists() else Path(name)
    signed = signature_of(name, store)
    if signed is None:
        found, told = [f"{signing.FILE}: missing, so nobody vouches for this pack"] if key else [], "not signed"
    else:
        public = signing.checker(signed, store.root, key)
        wrong = signing.fault(folder, signed, public) if public else None
        found, told = [wrong] if wrong else [], f"signed by {signing.signed_by(signed)[:16]}…, "
        told += "and it holds" if public else "which is not your key: --key PUB checks it"
    found += [] if found and signed else manifest.faults(folder)  # what is signed is told apart by the signature
    if not found and not named:
        outside.admit_pack(folder, store, accept)
    return found, "does not hold" if found and signed else told


def with_task(wanted: Recipe, folder: Path, task: str | None, columns: str | None) -> Recipe:
    """The recipe with a table of examples among its sources, `columns` naming its question and answer ("a,b")."""
    named = tuple(part.strip() for part in columns.split(",")) if columns else ()
    if named and (len(named) != 2 or len({name.casefold() for name in named}) != 2 or not all(named)):
        raise RecipeError(f"--columns {columns}: two names are needed", hint="write --columns body,section")
    if task is None:
        if named and len(wanted.sources) != 1:
            raise RecipeError("--columns needs --task FILE", hint="or set `columns` on the source in netsuke.toml")
        return dataclasses.replace(
            wanted, sources=tuple(dataclasses.replace(s, columns=named or s.columns) for s in wanted.sources)
        )
    given = typed(task)
    if not given.is_file():
        raise RecipeError("there is no such table of examples", where=task)
    file = given.parent.resolve() / given.name  # a recipe's folder is resolved so too
    place = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
    known = [source for source in wanted.sources if source_root(source.path, folder) == file.resolve()]
    others = tuple(source for source in wanted.sources if source not in known)
    old = known[0] if known else Source(place)
    table = dataclasses.replace(old, profile="examples", columns=named or old.columns)
    return dataclasses.replace(wanted, sources=(*others, table))


def require_tuned(name: str, folder: Path) -> None:
    """Raise StoreError for a pack whose body before tuning answered better and ships: what was learnt is not in it."""
    from ..engines import asking

    task = asking.task_of(folder)
    if task and task.get("tuned") is False:
        hint = f"with more examples training pays: add some, then netsuke make {name}"
        raise StoreError(f"{name} is the body before tuning, which answers its few examples better", hint=hint)


def adapter_of(name: str, store: Store, base: Ref | None = None) -> tuple[Ref, Ref]:
    """(the adapter, the carved body it fits) of a model that is here.

    Raises StoreError where they are gone, or where it was not made from `base`, if that is given.
    """
    folder = pack_folder(name, store)
    require_tuned(name, folder)
    record = manifest.read(folder)
    if base and record["base"]["sha256"] != base:
        raise StoreError(f"{name} was made from another base, {record['base']['name']}", hint="make this one afresh")
    instead = "make this one without --from" if base else f"netsuke pack {name} --to gguf writes all of the model"
    lineage = record["lineage"]
    outputs = [Ref(lineage[step]["output"]) for step in ("tune", "carve") if step in lineage]
    if len(outputs) < 2 or not all(map(store.has, outputs)):
        raise StoreError(f"the adapter of {name} is not in this home", hint=f"make it here: netsuke make {name}")
    adapter, carved = outputs
    if json.loads((store.path(carved) / "choice.json").read_text(encoding="utf-8"))["pruned"]:
        hint = f"{instead}; with a larger --mb {name} may need no pruning"
        raise StoreError(f"{name} was pruned, and its adapter fits that body alone", hint=hint)
    if "weights.json" in store.tree(adapter):
        raise StoreError(f"{name} was joined from several adapters and has none of its own", hint=instead)
    if "adapter_model.safetensors" not in store.tree(adapter):
        raise StoreError(f"{name} was trained whole and has no adapter", hint="--set tune.method=lora")
    return adapter, carved


def settings(given: Iterable[str]) -> dict[str, str]:
    """`SECTION.KEY=VALUE` texts as a mapping."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise RecipeError(f"--set {text}: no '='", hint="write --set tune.rank=8")
        found[key.strip()] = value.strip()
    return found
