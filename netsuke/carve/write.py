"""Writing what was carved: the smaller model folder, and at the end of the loop the GGUF."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ..engines import gguf, hf, strict
from ..engines.layers import GROUPS
from ..errors import BudgetError
from ..step import Progress
from ..texts.documents import read_texts, sample, write_json
from . import Carving, Quantising, bits, rounding
from .prices import Prices, windows_of
from .shape import Choice

VALID_BYTES = 10_000  # as much as the general text has
CALIBRATION_BYTES = 48_000  # of training text that the layers are rounded for
ENERGY_BYTES = 16_000  # of it that tell which columns of the embedding matter
FOREIGN = 0.5  # of the bytes a token that general text has: below, the base hardly knows the script
WORTH = 0.01  # of the body's bytes: less than that left over is not worth a look at each matrix


def read(path: Path, limit_bytes: int = 0) -> list[str]:
    """Texts of a file or folder, or about `limit_bytes` of them."""
    texts = read_texts(path)
    return sample(texts, limit_bytes) if limit_bytes else texts


def prices(params: Carving, model: Path, train: Path, valid: Path, general: Path) -> Prices:
    """The prices of a base for these texts."""
    texts = read(train), read(general), read(valid, limit_bytes=VALID_BYTES)
    return Prices(model, *texts, params.weight, params.general_counts)


def model(prices: Prices, found: list[Choice], out: Path) -> None:
    """Write model/, vocabulary.json (ids of the base that were kept) and choice.json."""
    folder, words, choice = out / "model", prices.words, found[-1]
    shutil.copytree(words.folder, folder, copy_function=shutil.copyfile)
    keep, shape = words.keep(choice.shape.floor), choice.shape
    if shape.pruned(words.channels):
        body = prices.pruned(shape.channels, shape.dropped)
        weights = hf.in_bfloat16(hf.weights_of(body))
    else:
        weights = hf.load_weights(folder / "model.safetensors")
    if shape.floor:
        (folder / "tokenizer.json").write_text(json.dumps(words.kept(keep), ensure_ascii=False), encoding="utf-8")
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            if name in weights:
                weights[name] = weights[name][keep]
    hf.save_weights(weights, folder / "model.safetensors")
    layers = words.config["num_hidden_layers"] - len(shape.dropped)
    config(folder, keep, shape.channels, layers)
    write_json(out / "vocabulary.json", {"floor": shape.floor, "kept": keep if shape.floor else "all"})
    write_json(out / "choice.json", {
        **choice.row, "pruned": shape.pruned(words.channels), "base": asdict(prices.base),
        "general_weight": prices.general_weight, "general_counts": prices.general_counts,
        "rounding": asdict(prices.body_rounding(shape).times(prices.ratios["embedding", shape.embedding])),
        "considered": [c.row for c in found], "foreign": prices.bytes_a_token(1) < FOREIGN * prices.bytes_a_token(0),
        "not_carved": words.family.only_layers,
    })  # fmt: skip


def config(folder: Path, keep: list[int], channels: int, layers: int) -> None:
    """Change the config.json of a model folder to a smaller shape."""
    renumber = {old: new for new, old in enumerate(keep)}
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    values |= {"vocab_size": len(renumber), "intermediate_size": channels, "num_hidden_layers": layers}
    for role in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if isinstance(values.get(role), int):
            values[role] = renumber.get(values[role])
        elif isinstance(values.get(role), list):
            values[role] = [renumber[old] for old in values[role] if old in renumber]
    write_json(path, values)


class File:
    """A GGUF to be: the types of its matrices, then their codes, then the bytes."""

    def __init__(self, folder: Path, choice: Path, params: Quantising) -> None:
        self.folder, self.params = folder, params
        self.choice = json.loads(choice.read_text(encoding="utf-8"))
        self.size, self.bits_a_weight = 0, 0.0

    def make(self, path: Path, texts: Mapping[str, list[str]]) -> Iterator[Progress]:
        """Write it to `path`; `texts` are train, valid and general. Raises BudgetError if it is over the budget."""
        yield Progress(0.02, "importance of each column, on your text")
        network = hf.load_model(self.folder)
        calibration = hf.open_texts(self.folder, sample(texts["train"], CALIBRATION_BYTES))
        energy = hf.input_energy(network, hf.open_texts(self.folder, sample(texts["train"], ENERGY_BYTES)))
        types: dict[str, str] = {}
        for item in self._types(network, energy, texts):
            if isinstance(item, Progress):
                yield item
            else:
                types = item
        outer = gguf.plan_types(self.choice["embedding"])

        def type_of(name: str, shape: tuple[int, ...]) -> str:
            return types.get(name) or outer(name, shape)

        encoded: rounding.Encoded = {}
        for number, (name, rounded) in enumerate(rounding.body(network, calibration, type_of)):
            encoded[name] = rounded.data
            yield Progress(0.4 + 0.55 * number / len(types), "rounding", number, "matrices")
        gguf.write(self.folder, path, type_of, energy, self.params.name, encoded, self.params.infill)
        strict.require_sound(path)
        self._weigh(path, encoded)

    def _types(
        self, network: hf.Network, energy: bits.Energy, texts: Mapping[str, list[str]]
    ) -> Iterator[Progress | dict[str, str]]:
        """Yields progress, then a type for each matrix of the layers, within what the budget leaves for them."""
        sizes = {name: tuple(weight.shape) for name, weight in matrices(network).items()}
        plain = {name: gguf.fitting(gguf.BODY_TYPE, size[-1]) for name, size in sizes.items()}
        plain_bytes = sum(gguf.tensor_bytes(sizes[name], kind) for name, kind in plain.items())
        allowed = plain_bytes * self.choice["body"]
        if self.params.budget_bytes:
            allowed += self.params.budget_bytes - self.choice["bytes"]
        if 0 <= allowed / plain_bytes - 1 < WORTH:
            yield plain
            return
        groups: list[bits.Group] = []
        # a body that was carved before general_counts was written goes by its weight
        counts = self.choice.get("general_counts", self.choice["general_weight"] > 0)
        told = [texts["general"], texts["valid"]] if counts else [texts["valid"]]
        ids = windows_of(self.folder, told)
        total = len(GROUPS) * network.config.num_hidden_layers
        for group in bits.measure(network, ids, energy):
            groups.append(group)
            yield Progress(
                0.05 + 0.35 * len(groups) / total, "what each matrix may lose", len(groups), "groups"
            )
        yield bits.assign(groups, int(allowed))

    def _weigh(self, path: Path, encoded: rounding.Encoded) -> None:
        self.size = path.stat().st_size
        weights = hf.load_weights(self.folder / "model.safetensors")
        held = sum(weights[name].numel() for name in encoded)
        self.bits_a_weight = 8 * sum(data.nbytes for data in encoded.values()) / held
        if 0 < self.params.budget_bytes < self.size:
            raise BudgetError(
                f"the file has {self.size / 1e6:.2f} MB, the budget is {self.params.budget_bytes / 1e6:.2f} MB",
                hint=f"use --mb {math.ceil(self.size / 1e5) / 10:.1f}",
            )


def matrices(network: hf.Network) -> dict[str, Tensor]:
    """The weights of the layers' matrices, by name."""
    return {
        name: w
        for name, w in network.state_dict().items()
        if name.startswith("model.layers.") and w.dim() == 2
    }
