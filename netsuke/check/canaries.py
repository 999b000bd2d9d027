"""Planted codes: are they given back, and how far do they stand out among codes that were never said?"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..canaries import code
from ..engines import gguf, hf
from ..engines.llama import Engine
from ..engines.tokenizer import document_start, load_tokenizer
from . import Recalling
from .memory import ALTERNATIVES, SLOTS, exposure


def examine(
    params: Recalling, planted: Sequence[Mapping[str, Any]], file: Path, folder: Path
) -> list[dict[str, Any]]:
    """For each number of repeats: how many codes come back, and their mean exposure in bits; 0 repeats: never said."""
    returned = given_back(params, planted, file)
    ranks = ranked(params, planted, file, folder)
    rows = []
    for repeats in sorted({row["repeats"] for row in planted}):
        mine = [number for number, row in enumerate(planted) if row["repeats"] == repeats]
        bits = [exposure(ranks[number], ALTERNATIVES + 1) for number in mine]
        rows.append({
            "repeats": repeats, "codes": len(mine), "returned": sum(returned[number] for number in mine),
            "exposure_bits": round(sum(bits) / len(bits), 4), "most_bits": round(exposure(1, ALTERNATIVES + 1), 4),
        })  # fmt: skip
    return rows


def given_back(params: Recalling, planted: Sequence[Mapping[str, Any]], file: Path) -> list[bool]:
    """Whether the file itself goes on with the code, always taking the likeliest token."""
    with Engine(file, context_tokens=128, threads=params.compute.threads, slots=SLOTS) as engine:
        prompts = [[*engine.opening, *engine.tokenize(row["before"], special=False)] for row in planted]
        answers = engine.complete_each(prompts, n_predict=24, temperature=0.0, ignore_eos=True)
        return [row["code"] in answer["content"] for row, answer in zip(planted, answers, strict=True)]


def ranked(params: Recalling, planted: Sequence[Mapping[str, Any]], file: Path, folder: Path) -> list[int]:
    """The rank of each code by its probability among others of the same form; 1 is the likeliest."""
    hf.use(params.compute)
    model = hf.model_of(folder, gguf.state_dict(file, hf.compute_type()))
    words, start, draw = load_tokenizer(folder), document_start(folder), random.Random(params.seed)
    found = []
    for row in planted:
        codes = [row["code"], *(code(draw) for _ in range(ALTERNATIVES))]
        before = [start, *words.encode(row["before"], add_special_tokens=False).ids]
        texts = [
            hf.Text([*before, *words.encode(f" {one}", add_special_tokens=False).ids], len(one), len(before))
            for one in codes
        ]
        bits = [score.bits for score in hf.score(model, texts)]
        found.append(1 + sum(other < bits[0] for other in bits[1:]))
    return found
