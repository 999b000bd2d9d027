"""llama.cpp with adapters that only a request applies: what a scale means, and what is left of it behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sung import RANK, tiny_adapter
from tiny import tiny_gguf

from netsuke.engines.llama import Engine

PROMPT = "the other one is in the "


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    folder = tmp_path_factory.mktemp("voices")
    return tiny_gguf(folder / "tiny.gguf"), [tiny_adapter(folder / f"{seed}.gguf", seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def engine(files: tuple[Path, list[Path]]) -> Iterator[Engine]:
    with Engine(files[0], threads=1, voices=files[1], prompt_cache_mib=0) as engine:
        yield engine


def likely(engine: Engine, **fields: Any) -> dict[int, float]:
    """Log-probabilities of all next tokens, by id, computed anew."""
    asked = {"n_predict": 1, "n_probs": 300, "temperature": 0.0, "cache_prompt": False, "grammar": "root ::= [ -~]+"}
    answer = engine.complete(PROMPT, **asked | fields)
    return {top["id"]: top["logprob"] for top in answer["completion_probabilities"][0]["top_logprobs"]}


def lora(*scales: float) -> list[dict[str, float]]:
    return [{"id": place, "scale": scale} for place, scale in enumerate(scales)]


def test_a_scale_of_a_request_is_an_adapter_of_that_scale(engine: Engine, files: tuple[Path, list[Path]]) -> None:
    model, (first, second) = files
    halved = tiny_adapter(model.parent / "halved.gguf", 1, alpha=float(RANK))
    for adapter, scales in ((first, (1.0, 0.0)), (halved, (0.5, 0.0)), (second, (0.0, 1.0))):
        with Engine(model, threads=1, adapter=adapter) as alone:
            wanted = likely(alone)
        assert likely(engine, lora=lora(*scales)) == wanted != likely(engine)


def test_without_a_word_of_them_it_is_an_engine_without_adapters(
    engine: Engine, files: tuple[Path, list[Path]]
) -> None:
    with Engine(files[0], threads=1) as bare:
        wanted = likely(bare)
    for _ in range(2):
        assert likely(engine) == wanted
        assert likely(engine, lora=lora(0.0, 0.0)) == wanted
        assert likely(engine, lora=[]) == wanted
        assert likely(engine, lora=lora(-0.5, 0.7)) != wanted  # and the next one says nothing of them again


def test_what_one_takes_away_another_puts_back(engine: Engine, files: tuple[Path, list[Path]]) -> None:
    with Engine(files[0], threads=1, adapter=files[1][0], voices=files[1][:1]) as applied:
        back = likely(applied, lora=[{"id": 0, "scale": 1.0}, {"id": 1, "scale": -1.0}])
    wanted = likely(engine)
    assert max(abs(back[token] - wanted[token]) for token in sorted(wanted, key=wanted.get)[-50:]) < 1e-3  # type: ignore[arg-type]
