"""A pack of a tiny model, with every part that it must have."""

import json
import shutil

import pytest
from tiny import tiny_gguf

from netsuke import pack
from netsuke.texts.documents import write_rows

REPORT = {
    "measures": [
        {"name": "domain", "unit": "bits per byte", "better": "lower", "base": 1.0, "ours": 0.9, "change": -0.1,
         "change_interval": [-0.12, -0.08], "n_texts": 5},
        {"name": "general", "unit": "bits per byte", "better": "lower", "base": 1.0, "ours": 1.05, "change": 0.05,
         "change_interval": [0.04, 0.06], "n_texts": 8},
        {"name": "size", "unit": "bytes", "better": "lower", "base": 9e7, "ours": 7e7, "change": -0.22},
    ],
    "gates": [{"name": "domain", "value": -0.1, "limit": 0.0, "passed": True, "sentence": "domain: fine"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    room = tmp_path_factory.mktemp("pack")
    parts = room / "parts"
    parts.mkdir()
    tiny_gguf(parts / "model.gguf")
    (parts / "report.json").write_text(json.dumps(REPORT))
    (parts / "vocabulary.json").write_text("{}")
    (parts / "summary.json").write_text(json.dumps({
        "splits": {"train": {"documents": 3, "bytes": 900}}, "drops": {"empty": {"count": 1, "bytes": 3}},
        "split_by": "document"}))  # fmt: skip
    (parts / "curve.json").write_text(json.dumps({
        "steps": 2, "epochs": 1.0, "scale": 1.0, "learning_rate": 3e-3, "trials": [[3e-3, 0.9]],
        "history": [{"step": 0, "tokens": 0, "valid": 1.0}]}))  # fmt: skip
    considered = {"tokens": 10, "embedding": "Q8_0", "channels": 128, "dropped": [], "bytes": 7e7,
                  "cost": {"general": 1.0, "domain": 1.0}, "measured": True}  # fmt: skip
    choice = considered | {"foreign": True, "not_carved": "they hold hands", "considered": [considered]}
    (parts / "choice.json").write_text(json.dumps(choice))
    (parts / "lineage.json").write_text("{}")
    write_rows(parts / "documents.jsonl", [
        {"hash": "a" * 64, "path": "love-letter.txt", "source": 0, "owner": "me", "licence": "unknown",
         "decision": "in", "reason": "your own work", "split": "train"}])  # fmt: skip
    out = room / "pack"
    out.mkdir()
    params = pack.Params("mine", "tiny", "Tiny", "MIT", "f" * 64, "0.1.0", "Tiny is under the House Terms")
    names = ("model.gguf", "vocabulary.json", "report.json", "documents.jsonl", "summary.json", "curve.json",
             "choice.json", "lineage.json")  # fmt: skip
    list(pack.pack.function(params, out, *(parts / n for n in names)))
    return room


@pytest.fixture
def made(first, tmp_path):
    """A copy, to do things to."""
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    return tmp_path / "pack"
