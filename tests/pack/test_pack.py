"""A pack names each of its files, and every damage to one is found."""

import json
import shutil

import pytest

from netsuke.errors import StoreError
from netsuke.pack import manifest


def test_a_pack_is_whole_and_says_what_it_is(made):
    assert manifest.faults(made) == []
    record = manifest.read(made)
    assert record["base"]["licence"] == "MIT"
    assert set(record["files"]) == {p.name for p in made.iterdir()} - {"netsuke.json"}
    card, text = (made / "card.md").read_text(), (made / "report.md").read_text()
    assert "license: mit" in card and "-10.0%" in card
    assert "hardly knows the script" in text
    assert "general text, bits per byte: +5.0%" in text  # what got worse is said
    assert "love-letter" not in (made / "ledger.jsonl").read_text()


@pytest.mark.parametrize("name", ["model.gguf", "card.md", "ledger.jsonl", "vocabulary.json", "report.md",
                                  "report.html", "report.json", "quotes.json"])  # fmt: skip
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
