"""The frontier: how much a size costs, from the whole base down, beside llama.cpp's presets; nothing is tuned.

Files of one shape run at one speed whatever their weights are, so speeds are those of files with any weights.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ..engines import gguf, hf, plot
from ..engines.llama import Engine
from ..engines.presets import preset
from ..step import Progress
from . import write
from .choose import Wish, descend
from .prices import Prices
from .shape import Choice, Cost

PRESETS = ("Q8_0", "Q4_K_M", "Q4_0")
FURTHEST = Cost(general=1.45, domain=1.2)  # of the base's: further down it is another model
ROUNDS = 3

Row = dict[str, Any]


def trace(prices: Prices, wish: Wish, text: str, threads: int) -> Iterator[Progress | Row]:
    """Yields progress, then a row a point: ours from the whole base down, then the presets."""
    near = replace(wish, budget_bytes=0)
    far = replace(near, knee=math.inf, limit=prices.base.times(FURTHEST))
    made: list[Choice] = []  # what a make without a budget walks: words and rows alone, as far as the knee
    path: list[Choice] = []
    for way, wanted, structural in ((made, near, False), (path, far, True)):
        for item in descend(prices, wanted, structural):
            if isinstance(item, Progress):
                yield replace(item, fraction=0.6 * item.fraction)
            else:
                way.append(item)
    path, knee = with_knee(path, made[-1])
    for number, choice in enumerate(path):
        yield Progress(0.6 + 0.2 * number / len(path), f"{choice.bytes / 1e6:.0f} MB, measured")
        if not choice.shape.pruned(prices.words.channels):
            choice = prices.measured(choice.shape)
        types = gguf.plan_types(choice.shape.embedding)
        _, speed = tried(prices, choice, types, text, threads)  # in plain 4.5 bits, whatever the body's share
        yield {"name": "ours", "knee": number == knee, **choice.row, "tokens_per_second": speed}
    whole = replace(path[0], cost=prices.base)
    for number, name in enumerate(PRESETS):
        yield Progress(0.8 + 0.2 * number / len(PRESETS), name)
        types = preset(name, prices.words.config["num_hidden_layers"])
        size, speed = tried(prices, whole, types, text, threads)
        cost = rounded_cost(prices, types)
        row = replace(whole, bytes=size, cost=cost, measured=True).row
        yield {"name": name, "knee": False, **row, "embedding": "", "tokens_per_second": speed}


def with_knee(path: list[Choice], knee: Choice) -> tuple[list[Choice], int]:
    """(the way down, with the knee put in by its size where the way passed it by; the place of the knee)."""
    if knee not in path:
        path = sorted([*path, knee], key=lambda choice: -choice.bytes)
    return path, path.index(knee)


def rounded_cost(prices: Prices, types: gguf.Choose) -> Cost:
    """What the whole base costs when each matrix is rounded to its type by llama.cpp's own search."""
    model = hf.load_model(prices.words.folder)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and name != "lm_head":
            full = f"{name}.weight"
            kind = types(full, tuple(module.weight.shape))
            module.weight.data = gguf.rounded(module.weight, kind, prices.energy[full])
    rows = types("model.embed_tokens.weight", tuple(prices.rows.shape))
    return prices.measure(replace(prices.full, embedding=rows), model)


def tried(prices: Prices, choice: Choice, types: gguf.Choose, text: str, threads: int) -> tuple[int, float]:
    """(bytes, tokens a second of generation in llama.cpp) of a file of this shape in these types."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / "model.gguf"
        _write_any(prices, choice, types, Path(room) / "model", path)
        with Engine(path, threads=threads) as engine:
            speeds = [engine.rates(text[n * 1500 :])[1] for n in range(ROUNDS)]
        return path.stat().st_size, statistics.median(speeds)


def _write_any(prices: Prices, choice: Choice, types: gguf.Choose, folder: Path, path: Path) -> None:
    """Write a GGUF of this shape whose matrices hold anything."""
    shape, words = choice.shape, prices.words
    keep, layers = words.keep(shape.floor), words.config["num_hidden_layers"] - len(shape.dropped)
    shutil.copytree(words.folder, folder, copy_function=shutil.copyfile)
    (folder / "tokenizer.json").write_text(json.dumps(words.kept(keep), ensure_ascii=False), encoding="utf-8")
    write.config(folder, keep, shape.channels, layers)
    weights, encoded = {}, {}
    for name, weight in hf.load_weights(folder / "model.safetensors").items():
        if name.startswith("model.layers.") and int(name.split(".")[2]) >= layers:
            continue
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            weight = weight[keep]
        elif name.endswith(("gate_proj.weight", "up_proj.weight")):
            weight = weight[: shape.channels]
        elif name.endswith("down_proj.weight"):
            weight = weight[:, : shape.channels]
        weights[name] = weight
        kind = types(name, tuple(weight.shape))
        if weight.dim() == 2 and kind not in ("F32", "F16"):
            row = gguf.quantise(weight[:1].float().numpy(), kind)
            encoded[name] = np.repeat(row, len(weight), axis=0)
    hf.save_weights(weights, folder / "model.safetensors")
    gguf.write(folder, path, types, encoded=encoded)


def picture(rows: list[Row]) -> str:
    """The frontier as SVG: size against bits per byte, and against tokens a second."""
    ours = [row for row in rows if row["name"] == "ours"]
    presets = [row for row in rows if row["name"] != "ours"]
    knee = [row for row in ours if row["knee"]]
    solid, expected = ([row for row in ours if row["measured"] == known] for known in (True, False))

    def series(name: str, some: list[Row], value: Any, **look: Any) -> plot.Series:
        return plot.Series(name, [(row["bytes"] / 1e6, value(row)) for row in some], **look)

    def domain(row: Row) -> float:
        return float(row["cost"]["domain"])

    def general(row: Row) -> float:
        return float(row["cost"]["general"])

    def speed(row: Row) -> float:
        return float(row["tokens_per_second"])

    names, grey, blue = [row["name"] for row in presets], "#6b7280", "#2563eb"
    quality = [
        series("yours", solid, domain, line=True),
        series("general text", solid, general, line=True, colour=blue),
        series("expected, not measured", expected, domain, line=True, hollow=True),
        series("", expected, general, line=True, hollow=True, colour=blue),
        series("presets, yours", presets, domain, labels=names, colour=grey),
        series("presets, general", presets, general, colour=grey, hollow=True),
        series("the knee", knee, domain, labels=["knee"], colour="#15803d"),
    ]
    rates = [
        series("ours", ours, speed, line=True),
        series("presets", presets, speed, labels=names, colour=grey),
    ]
    return plot.svg([
        plot.Panel("What a size costs, before tuning", "MB", "bits per byte (lower is better)", quality),
        plot.Panel("What a size gains", "MB", "tokens a second", rates),
    ])  # fmt: skip
