"""A small pack that is whole, to be exported."""

import hashlib
import json

from tiny import tiny_gguf

from netsuke import export

CARD = "---\nlicense: mit\nlibrary_name: gguf\n---\n\n# mine\n\n"
CARD += "## Limits\n\n- It invents things,\n  often.\n- It repeats.\n"


def small_pack(folder, name="mine", **model):
    folder.mkdir()
    tiny_gguf(folder / "model.gguf", **model)
    (folder / "card.md").write_text(CARD)
    (folder / "vocabulary.json").write_text("{}")
    measures = [{"name": "size", "unit": "bytes", "base": 9e7, "ours": 7e7, "change": -0.22}]
    record = {
        "netsuke": 1, "made_with": "0.1.0", "name": name, "measures": measures,
        "base": {"name": "tiny", "title": "Tiny", "licence": "MIT", "sha256": "f" * 64},
        "files": {p.name: {"sha256": hashlib.sha256(p.read_bytes()).hexdigest(), "bytes": p.stat().st_size}
                  for p in sorted(folder.iterdir())},
    }  # fmt: skip
    (folder / "netsuke.json").write_text(json.dumps(record))
    return export.Pack(folder, record)
