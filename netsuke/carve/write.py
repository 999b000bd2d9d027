"""Writing what was carved: the trimmed model folder, and at the end of the loop the GGUF."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..documents import read_texts, sample
from ..engines import gguf, hf
from ..errors import BudgetError
from .choose import Bench, Choice, Cost


def read(path: Path, limit_bytes: int = 0) -> list[str]:
    """Texts of a file or folder, or about `limit_bytes` of them."""
    texts = read_texts(path)
    return sample(texts, limit_bytes) if limit_bytes else texts


def model(bench: Bench, choice: Choice, shown: list[Choice], limit: Cost, out: Path) -> None:
    """Write model/, vocabulary.json (ids of the base that were kept) and choice.json."""
    folder = out / "model"
    shutil.copytree(bench.words.folder, folder, copy_function=shutil.copyfile)
    keep = bench.words.keep(choice.floor)
    if choice.floor:
        document = bench.words.kept(keep)
        (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False))
        weights = hf.load_weights(folder / "model.safetensors")
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            if name in weights:
                weights[name] = weights[name][keep]
        hf.save_weights(weights, folder / "model.safetensors")
        _renumber(folder, {old: new for new, old in enumerate(keep)})
    gguf.write_json(out / "vocabulary.json", {"floor": choice.floor, "kept": keep if choice.floor else "all"})
    gguf.write_json(out / "choice.json", {
        "embedding": choice.embedding, "tokens": choice.tokens, "base": asdict(bench.base), "limit": asdict(limit),
        "rounding": asdict(bench.rounding[choice.embedding]), "considered": [c.row for c in shown],
    })  # fmt: skip


def _renumber(folder: Path, renumber: Mapping[int, int]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["vocab_size"] = len(renumber)
    for role in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if isinstance(config.get(role), int):
            config[role] = renumber.get(config[role])
        elif isinstance(config.get(role), list):
            config[role] = [renumber[old] for old in config[role] if old in renumber]
    gguf.write_json(path, config)


def importance(folder: Path, texts: list[str], threads: int) -> dict[str, np.ndarray]:
    """Mean square of each column's input on these texts, by weight name."""
    hf.use_threads(threads)
    return hf.input_energy(hf.load_model(folder), hf.open_texts(folder, texts))


def file(
    folder: Path, choice: Path, energy: Mapping[str, np.ndarray], path: Path, name: str, budget_bytes: int
) -> int:
    """Write the GGUF; its size in bytes. Raises BudgetError if that is over the budget."""
    kind = json.loads(choice.read_text())["embedding"]
    gguf.write(folder, path, gguf.plan_types(kind), energy, name)
    size = path.stat().st_size
    if budget_bytes and size > budget_bytes:
        raise BudgetError(
            f"the file has {size / 1e6:.2f} MB, the budget is {budget_bytes / 1e6:.2f} MB",
            hint=f"use --mb {math.ceil(size / 1e5) / 10:.1f}",
        )
    return size
