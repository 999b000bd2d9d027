"""A pack names each of its files, and every damage to one is found."""

import json
import shutil

import pytest
from tiny import tiny_gguf

from netsuke import pack
from netsuke.documents import write_rows
from netsuke.errors import StoreError
from netsuke.pack import manifest

REPORT = {
    "measures": [
        {"name": "domain", "unit": "bits per byte", "better": "lower", "base": 1.0, "ours": 0.9, "change": -0.1,
         "change_low": -0.12, "change_high": -0.08, "n_texts": 5},
        {"name": "general", "unit": "bits per byte", "better": "lower", "base": 1.0, "ours": 1.05, "change": 0.05,
         "change_low": 0.04, "change_high": 0.06, "n_texts": 8},
        {"name": "size", "unit": "bytes", "better": "lower", "base": 9e7, "ours": 7e7, "change": -0.22},
    ],
    "gates": [{"name": "domain", "value": -0.1, "limit": 0.0, "passed": True, "sentence": "domain: fine"}],
}  # fmt: skip


@pytest.fixture
def made(tmp_path):
    parts = tmp_path / "parts"
    parts.mkdir()
    tiny_gguf(parts / "model.gguf")
    (parts / "report.json").write_text(json.dumps(REPORT))
    (parts / "vocabulary.json").write_text("{}")
    (parts / "summary.json").write_text(json.dumps({
        "splits": {"train": {"documents": 3, "bytes": 900}}, "drops": {"empty": {"count": 1, "bytes": 3}},
        "split_by": "document"}))  # fmt: skip
    (parts / "curve.json").write_text(json.dumps({"steps": 2, "epochs": 1.0, "scale": 1.0, "history": [
        {"step": 0, "tokens": 0, "valid": 1.0}]}))  # fmt: skip
    considered = {"tokens": 10, "embedding": "Q8_0", "channels": 128, "dropped": [], "bytes": 7e7,
                  "cost": {"general": 1.0, "domain": 1.0}, "measured": True}  # fmt: skip
    choice = considered | {"foreign": True, "not_carved": "", "considered": [considered]}
    (parts / "choice.json").write_text(json.dumps(choice))
    (parts / "lineage.json").write_text("{}")
    write_rows(parts / "documents.jsonl", [
        {"hash": "a" * 64, "path": "love-letter.txt", "source": 0, "owner": "me", "licence": "unknown",
         "decision": "in", "reason": "your own work", "split": "train"}])  # fmt: skip
    out = tmp_path / "pack"
    out.mkdir()
    params = pack.Params("mine", "tiny", "Tiny", "MIT", "f" * 64, "0.1.0")
    names = ("model.gguf", "vocabulary.json", "report.json", "documents.jsonl", "summary.json", "curve.json",
             "choice.json", "lineage.json")  # fmt: skip
    list(pack.pack.function(params, out, *(parts / n for n in names)))
    return out


def test_a_pack_is_whole_and_says_what_it_is(made):
    assert manifest.faults(made) == []
    record = manifest.read(made)
    assert record["base"]["licence"] == "MIT"
    assert set(record["files"]) == {p.name for p in made.iterdir()} - {"netsuke.json"}
    card, text = (made / "card.md").read_text(), (made / "report.md").read_text()
    assert "license: mit" in card and "-10.0%" in card
    assert "hardly knows the script" in text
    assert "general: +5.0%" in text  # what got worse is said
    assert "love-letter" not in (made / "ledger.jsonl").read_text()


@pytest.mark.parametrize("name", ["model.gguf", "card.md", "ledger.jsonl", "vocabulary.json", "report.md"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "linked"])
def test_every_damage_is_named(made, tmp_path, name, damage):
    path = made / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-1])
    else:
        shutil.move(path, tmp_path / "aside")
        if damage == "linked":
            path.symlink_to(tmp_path / "aside")
    faults = manifest.faults(made)
    assert len(faults) == 1 and faults[0].startswith(name)


def test_an_added_file_is_named(made):
    (made / "more.bin").write_bytes(b"x")
    assert manifest.faults(made) == ["more.bin: not part of the pack"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"netsuke": 99}', '{"netsuke": 1, "files": []}'])
def test_a_broken_manifest_is_named(made, text):
    (made / "netsuke.json").write_text(text)
    with pytest.raises(StoreError):
        manifest.faults(made)


def test_a_manifest_cannot_reach_outside(made):
    record = json.loads((made / "netsuke.json").read_text())
    record["files"]["../parts/model.gguf"] = {"sha256": "0" * 64, "bytes": 1}
    (made / "netsuke.json").write_text(json.dumps(record))
    assert "not a plain file of this folder" in manifest.faults(made)[0]
