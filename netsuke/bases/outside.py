"""Models from outside: a GGUF file is read strictly, and its chat template looked at, before anything else opens it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from .. import chat_templates, voices
from ..errors import EngineError, RecipeError
from ..nouns import Ref
from ..store import Store, hash_file

LOOK = 3  # which look an admission is of: raised where the look gets stricter, so that what passed is looked at again


def admit(path: Path, store: Store, accept: bool = False, taking: str = "netsuke make …") -> None:
    """Look at a GGUF file or a Hugging Face folder once; what was admitted is remembered by its bytes.

    `taking` is the command that takes a template which is not known, with --accept-template.

    Raises EngineError where a file is not sound, and RecipeError, with a diff, where the chat template is not a known
    one, unless `accept`.
    """
    if path.is_dir():
        template = _template_in(path)
        name = Ref(chat_templates.digest(template)) if template else None
    else:
        name = hash_file(path)
    if name is None or _admitted(name, store):
        return
    if path.is_file():
        template = _template_of(path)
    if template and len(template) > chat_templates.LONGEST:
        told = f"its chat template has {len(template):,} letters, and nobody reads more than {chat_templates.LONGEST:,}"
        raise RecipeError(told, where=path.name, hint="give it a shorter one, or use another model")
    digest = chat_templates.digest(template) if template else None
    before = store.named("admitted", name) or {}  # by an older look: a template that was taken stays taken
    if template and not accept and not chat_templates.known(template) and before.get("template") != digest:
        raise RecipeError(
            "its chat template, a program that shapes every question to it, is not a known one:\n"
            + chat_templates.difference(template),
            where=path.name,
            hint=f"read it; {taking} --accept-template takes this one, from then on",
        )
    store.name("admitted", name, {"ref": name, "template": digest, "look": LOOK})


def admit_again(ref: Ref, store: Store) -> None:
    """`admit` for the file of a base that was added by an older look: its template was taken then."""
    if not _admitted(ref, store):
        admit(store.path(ref), store, accept=True)


def _admitted(name: str, store: Store) -> bool:
    """Whether these bytes passed a look as strict as today's."""
    return (store.named("admitted", name) or {}).get("look") == LOOK


def admit_pack(folder: Path, store: Store, accept: bool = False) -> None:
    """`admit` for the model of a whole pack, and a strict look at the adapters beside it. Raises StoreError besides."""
    from ..engines import strict

    admit(folder / "model.gguf", store, accept, taking=f"netsuke verify {shlex.quote(str(folder))}")
    for voice in voices.read(folder):
        strict.require_adapter(folder / voice.file, folder / "model.gguf")


def add(path: Path, name: str, licence: str, store: Store, accept: bool = False) -> Ref:
    """Ref of a GGUF file that is a base from now on, under a name. Raises as `admit` does, with nothing kept."""
    from . import KNOWN

    if name in KNOWN:
        raise RecipeError(f"{name!r} is the name of a known base", hint="give another one with --name")
    if not path.is_file():
        raise RecipeError("there is no such file", where=str(path))
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            hint = "name a GGUF file; a Hugging Face folder is taken by `netsuke make … --base FOLDER`"
            raise RecipeError("this is no GGUF file", where=str(path), hint=hint)
    store.require_space(2 * path.stat().st_size, f"adding {path.name}")
    admit(path, store, accept, taking=f"netsuke bases add {shlex.quote(str(path))}")
    with store.lock("gc", exclusive=False):
        ref = store.add_file(path)
        store.name("bases", name, {"ref": ref, "name": name, "licence": licence})
    return ref


def _template_of(path: Path) -> str | None:
    from ..engines import metadata, strict

    facts = strict.require_sound(path)
    if not facts.tokens:
        raise EngineError("there is no tokenizer in this file", where=path.name, hint="is it a language model?")
    return metadata.chat_template(path)


def _template_in(folder: Path) -> str | None:
    """The template of a Hugging Face folder; a file of its own goes before the one in the settings."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8", errors="replace")
    try:
        found = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    except (OSError, ValueError, AttributeError):
        return None  # whoever reads the folder names that
    return found if isinstance(found, str) else json.dumps(found) if found else None
