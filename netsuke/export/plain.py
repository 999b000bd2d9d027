"""The model as it is, and the pack as it is: what stock llama.cpp runs, and what `netsuke verify` checks."""

from __future__ import annotations

import shutil
from pathlib import Path

from .. import signing
from ..engines import strict
from ..errors import EngineError
from ..store import hash_file
from . import Pack


def file(pack: Pack, out: Path) -> list[str]:
    """Write the GGUF. Raises EngineError where what was written is not the pack's."""
    copy_model(pack, out)
    return ["any llama.cpp program runs it: llama-cli -m {place}"]


def folder(pack: Pack, out: Path) -> list[str]:
    """Write the whole pack."""
    out.mkdir()
    for name in sorted([*pack.record["files"], "netsuke.json"]):
        shutil.copyfile(pack.folder / name, out / name)
    if pack.signature:
        shutil.copyfile(pack.signature, out / signing.FILE)
    return ["check it anywhere: netsuke verify {place}"]


def copy_model(pack: Pack, out: Path) -> None:
    """Copy the GGUF, read it strictly, and compare it with the manifest."""
    shutil.copyfile(pack.model, out)
    strict.require_sound(out)
    if hash_file(out) != pack.model_facts["sha256"]:
        raise EngineError("the copy is not the pack's model", where=out.name, hint="is the disk sound?")
