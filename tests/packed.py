"""A small pack that is whole, to be exported."""

import hashlib
import json
import shutil

import gguf
from tiny import SPECIALS, tiny_gguf

from netsuke import export
from netsuke import pack as packing
from netsuke.pack import front
from netsuke.texts.documents import write_rows

PARAMS = packing.Params("mine", "tiny", "Tiny", "MIT", "f" * 64, "0.1.0")
CARD = "\n".join([*front.lines({"params": PARAMS, "report": {"measures": []}}), "", "# mine", "", ""])
CARD += "## Limits\n\n- It invents things,\n  often.\n- It repeats.\n"


def speaks_ascii(path):
    """Change a tiny model with a head of its own so that its likeliest token is always printable ASCII."""
    reader = gguf.GGUFReader(path, "r+")
    head = next(tensor for tensor in reader.tensors if tensor.name == "output.weight")
    for token in range(len(SPECIALS) + 256):
        if not 32 <= token - len(SPECIALS) < 127:
            head.data[token] = 0
    head.data.flush()


def small_pack(folder, name="mine", source=None, rows=(), spoken=False, base="f" * 64, **model):
    """A pack in `folder`: of a tiny model, or of a copy of `source`; `rows` are the ledger's."""
    folder.mkdir()
    if source:
        shutil.copyfile(source, folder / "model.gguf")
    else:
        tiny_gguf(folder / "model.gguf", tied=not spoken, **model)
    if spoken:
        speaks_ascii(folder / "model.gguf")
    write_rows(folder / "ledger.jsonl", rows)
    (folder / "shots.jsonl").write_text('{"text": "a letter of mine"}\n')
    (folder / "card.md").write_text(CARD)
    (folder / "vocabulary.json").write_text("{}")
    measures = [{"name": "size", "unit": "bytes", "base": 9e7, "ours": 7e7, "change": -0.22}]
    record = {
        "netsuke": 1, "made_with": "0.1.0", "lineage": {}, "chat_template_sha256": None,
        "name": name, "measures": measures,
        "base": {"name": "tiny", "title": "Tiny", "licence": "MIT", "sha256": base},
        "files": {p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size}
                  for p in sorted(folder.iterdir())},
    }  # fmt: skip
    (folder / "netsuke.json").write_text(json.dumps(record))
    return export.Pack(folder, record)
