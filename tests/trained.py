"""A small training: its model, texts and params."""

import pytest
from tiny import tiny_gguf

from netsuke.engines import gguf
from netsuke.nouns import Compute
from netsuke.texts.documents import write_rows
from netsuke.tune import Training, train

PARAMS = Training("lora", 4, 1e-2, 32, 2, 1, 0.0, 0.0, 50.0, 3, "", budget_tokens=32 * 2 * 24, valid_bytes=2000,
                       evaluations=6, general_gate=0.1, seed=7, compute=Compute(1, "float32"))  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model of random weights, and a few texts that are alike."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "model").mkdir()
    gguf.unpack(tiny_gguf(folder / "tiny.gguf"), folder / "model")
    (folder / "model" / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    rows = [{"text": f"number {i} is followed by number {i + 1}, as it always was. " * 6} for i in range(20)]
    write_rows(folder / "train.jsonl", rows[:16])
    write_rows(folder / "valid.jsonl", rows[16:])
    return folder


def job(place, scratch, params=PARAMS, start=None):
    """A training of it, not begun."""
    return train.Job(params, place / "model", place / "train.jsonl", place / "valid.jsonl", scratch, start=start)


def every_four_steps(monkeypatch):
    """Let a training write a checkpoint at each fourth step, however quick the steps are."""
    monkeypatch.setattr(train, "CHECKPOINT_TOKENS", PARAMS.window_tokens * PARAMS.windows_per_step * 4)
    monkeypatch.setattr(train, "CHECKPOINT_SHARE", 1e9)
