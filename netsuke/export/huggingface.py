"""A Hugging Face folder: weights read back out of the GGUF, as the check read them, and the tokenizer written out."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..engines import gguf, hf, tokenizer
from ..errors import EngineError
from . import Pack, write_json

LIBRARY = (r'^library_name: "?gguf"?$', 'library_name: "transformers"')  # of card.md, of README.md


def write(pack: Pack, out: Path) -> list[str]:
    """Write config.json, model.safetensors (bfloat16), the tokenizer's files and README.md, the card.

    Raises EngineError where a tensor of it is missing or a token is spelt otherwise than in the GGUF.
    """
    out.mkdir()
    gguf.unpack(pack.model, out)
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    end = config["eos_token_id"]
    write_json(out / "generation_config.json", {
        "bos_token_id": config["bos_token_id"], "eos_token_id": end, "pad_token_id": end,
    })  # fmt: skip
    card = re.sub(*LIBRARY, pack.text("card.md"), count=1, flags=re.MULTILINE)
    (out / "README.md").write_text(card, encoding="utf-8")
    _verify(pack, out)
    return ['AutoModelForCausalLM.from_pretrained("{place}") loads it',
            "its weights are those of the GGUF, rounded to bfloat16 as the check reads them, so it is bigger and no "
            "better"]  # fmt: skip


def _verify(pack: Pack, out: Path) -> None:
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    found = {name for name in hf.load_weights(out / "model.safetensors")}
    if missing := hf.expected_weights(config).keys() - found:
        raise EngineError(f"{sorted(missing)[0]} was not written", where=out.name)
    tokens = gguf.read_fields(pack.model)[1]["tokenizer.ggml.tokens"]
    words = tokenizer.load_tokenizer(out)
    wrong = next((i for i, token in enumerate(tokens) if words.id_to_token(i) != token), None)
    if wrong is not None:
        raise EngineError(f"token {wrong} is not that of the GGUF", where=out.name)
