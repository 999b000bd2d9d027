"""A folder for Ollama: the GGUF, and a Modelfile with its template in Go's language and its parameters.

Ollama reads a GGUF's Jinja template only to look for one that it knows, so the template is given in its own words.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from .. import chat_templates
from ..engines import gguf
from ..terminal import clean
from . import Pack
from .plain import copy_model

CONTEXT = 2048  # tokens: what `netsuke serve` gives it


def write(pack: Pack, out: Path) -> list[str]:
    """Write Modelfile and model.gguf; says so where the template is not a known one and so is not in it."""
    out.mkdir()
    copy_model(pack, out / "model.gguf")
    fields = gguf.read_fields(pack.model)[1]
    source = fields.get("tokenizer.chat_template")
    known = chat_templates.known(source) if source else None
    lines = ["# Made by netsuke: ollama create NAME -f Modelfile", "FROM ./model.gguf"]
    if known:
        lines.append(f'TEMPLATE """{known.go}"""')
        lines += [f'PARAMETER stop "{token}"' for token in known.stops]
    context = min(CONTEXT, fields[f"{fields['general.architecture']}.context_length"])
    lines += ["PARAMETER temperature 0.7", f"PARAMETER num_ctx {context}"]
    lines += [f"# Licence of the base: {clean(pack.record['base']['licence'])}; see card.md"]
    (out / "Modelfile").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "card.md").write_text(pack.text("card.md"), encoding="utf-8")
    told = [f"ollama create {shlex.quote(clean(pack.name))} -f {{place}}/Modelfile"]
    if source and not known:
        told.append("its chat template is not a known one, so the Modelfile has no TEMPLATE: write one before you chat")
    if not source:
        told.append("it has no chat template: it completes, and does not chat")
    return told
