"""A pack names each of its files, and every damage to one is found."""

import json
import re
import shutil
import warnings
from pathlib import Path

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard
from sung import tiny_adapter

from netsuke import pack, voices
from netsuke.cli.looking import write_page
from netsuke.errors import EngineError, StoreError
from netsuke.pack import manifest, words
from netsuke.store import hash_file


def test_a_pack_is_whole_and_says_what_it_is(made):
    assert manifest.faults(made) == []
    record = manifest.read(made)
    assert record["base"]["licence"] == "MIT"
    assert set(record["files"]) == {p.name for p in made.iterdir()} - {"netsuke.json"}
    card, text = (made / "card.md").read_text(), (made / "report.md").read_text()
    assert 'license: "mit"' in card and "-10.0%" in card
    assert "hardly knows the script" in text
    assert "learning rate 0.003" in text and "0.003: 0.9000" in text
    assert "general text, bits per byte: +5.0%" in text  # what got worse is said
    assert "love-letter" not in (made / "ledger.jsonl").read_text()


def test_a_manifest_follows_its_schema(made):
    schema = json.loads((Path(__file__).parents[2] / "docs" / "netsuke.schema.json").read_text())
    checker = jsonschema.Draft202012Validator(schema)
    record = manifest.read(made)
    checker.validate(record)
    for wrong in ({"netsuke": 2}, {"files": {"../x": {"sha256": "0" * 64, "bytes": 1}}}, {"base": {}}):
        assert list(checker.iter_errors({**record, **wrong}))


def test_the_card_has_the_fields_of_a_hugging_face_card(made):
    card = ModelCard((made / "card.md").read_text())
    data = card.data.to_dict()
    assert (data["license"], data["base_model"], data["datasets"]) == ("mit", "tiny", [])
    assert data["metrics"] == ["bits_per_byte"] and data["library_name"] == "gguf"
    results = {result.dataset_name: result.metric_value for result in card.data.eval_results}
    assert results == {"held-out documents of the owner": 0.9, "general English, eight genres": 1.05}
    assert "# mine" in card.text and "Tiny is under the House Terms." in card.text
    assert "All layers stayed: they hold hands." in (made / "report.md").read_text()


def test_the_bill_of_materials_is_one_and_has_no_date(made):
    bill = json.loads((made / "sbom.cdx.json").read_text())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    ours = bill["metadata"]["component"]
    assert ours["type"] == "machine-learning-model"
    assert ours["hashes"][0]["content"] == manifest.read(made)["files"]["model.gguf"]["sha256"]
    assert "timestamp" not in bill["metadata"]
    licences = next(part["licenses"] for part in bill["components"] if part["type"] == "data")
    assert licences == [{"license": {"name": "unknown"}}]


@pytest.mark.parametrize("name", ["model.gguf", "card.md", "ledger.jsonl", "vocabulary.json", "report.md",
                                  "report.html", "report.json", "quotes.json", "sbom.cdx.json"])  # fmt: skip
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


SIZE = {"name": "size", "unit": "bytes", "base": 9e7, "ours": 7e7, "change": -0.22}
RUN = {"key": "0" * 64, "output": "0" * 64}
WRONG = {
    "'../../victim/index' cannot be a model's name": {"name": "../../victim/index"},
    "measures: base is not a number": {"measures": [SIZE | {"base": "9e7"}]},
    "'unit' is missing": {"measures": [{name: SIZE[name] for name in SIZE if name != "unit"}]},
    "'output' is missing": {"lineage": {"tune": {"key": "0" * 64}}},
    "not 64 hexadecimal digits: 'x'": {"lineage": {"tune": RUN | {"key": "x"}}},
    "it lists no model.gguf": {"files": {"card.md": {"sha256": "0" * 64, "bytes": 1}}},
    "it lists no card.md": {"files": {"model.gguf": {"sha256": "0" * 64, "bytes": 1}}},
}


@pytest.mark.parametrize("told", WRONG)
def test_a_manifest_that_is_not_as_the_schema_has_it_is_named(made, told):
    """Or `diff`, `pack` and `report` end in a traceback, or write where they should not."""
    schema = json.loads((Path(__file__).parents[2] / "docs" / "netsuke.schema.json").read_text())
    record = json.loads((made / "netsuke.json").read_text()) | WRONG[told]
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(record))
    (made / "netsuke.json").write_text(json.dumps(record))
    with pytest.raises(StoreError, match=re.escape(told)) as caught:
        manifest.read(made)
    assert caught.value.where == str(made)


def test_the_page_of_a_pack_lies_in_the_home_whatever_its_report_says(made, store):
    record = json.loads((made / "netsuke.json").read_text())
    text = (made / "report.json").read_text().replace('"name": "mine"', '"name": "../../victim"')
    (made / "report.json").write_text(text)
    record["files"]["report.json"]["sha256"] = hash_file(made / "report.json")
    (made / "netsuke.json").write_text(json.dumps(record))
    assert write_page(str(made), made, store, "open") == store.root / "pages" / "mine.html"
    assert "../../victim" in (store.root / "pages" / "mine.html").read_text()


def test_a_manifest_cannot_reach_outside(made):
    record = json.loads((made / "netsuke.json").read_text())
    record["files"]["../parts/model.gguf"] = {"sha256": "0" * 64, "bytes": 1}
    (made / "netsuke.json").write_text(json.dumps(record))
    assert "not a plain file of this folder" in manifest.faults(made)[0]


# -- voices ----------------------------------------------------------------------------------------------
@pytest.fixture
def voiced(made, tmp_path):
    """The pack with two voices, and the folder that they came from."""
    parts, out = tmp_path / "parts", tmp_path / "voiced"
    found = [voices.Voice("Bea", "voice-1.gguf", 0.5), voices.Voice("me", "voice-2.gguf", 0.25)]
    (parts / "voices").mkdir()
    for seed, one in enumerate(found):
        tiny_adapter(parts / "voices" / one.file, seed)
    voices.written(found, parts / "voices" / voices.FILE)
    row = {"steps": 2, "epochs": 1.0, "scale": 1.0, "weight": 0.5}
    curve = json.loads((parts / "curve.json").read_text())
    named = [row | {"name": name} for name in ("Bea", "me", "whole")]
    (parts / "curve.json").write_text(json.dumps(curve | {"parts": named, "tried": [], "method": "task"}))
    out.mkdir()
    return out, parts


def together(out, parts):
    params = pack.Params("mine", "tiny", "Tiny", "MIT", "f" * 64, "0.1.0")
    names = ("model.gguf", "vocabulary.json", "report.json", "documents.jsonl", "summary.json", "curve.json",
             "choice.json", "lineage.json")  # fmt: skip
    list(pack.pack.function(params, out, *(parts / n for n in names), voices=parts / "voices"))
    return out


def test_voices_lie_in_the_pack_are_listed_and_told(made, voiced):
    out = together(*voiced)
    assert manifest.faults(out) == [] and [one.name for one in voices.read(out)] == ["Bea", "me"]
    files = manifest.read(out)["files"]
    size = (files["voice-1.gguf"]["bytes"] + files["voice-2.gguf"]["bytes"]) / 1e6
    report = (out / "report.md").read_text()
    assert f"lie 2 adapters, {size:.1f} MB together" in report and "without a voice: whole." in report
    assert "| Bea | 0.5 |" in report and "lie 2 adapters" in (out / "report.html").read_text()
    assert "Voices" not in (made / "report.md").read_text() + (made / "report.html").read_text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = (out / "sbom.cdx.json").read_text()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = {part["name"]: part for part in json.loads(text)["components"]}
    assert told["voice-2.gguf"]["hashes"][0]["content"] == files["voice-2.gguf"]["sha256"]


@pytest.mark.parametrize("name", ["voice-1.gguf", "voice-2.gguf", "voices.json"])
def test_every_damage_to_a_voice_is_named(voiced, name):
    out = together(*voiced)
    data = bytearray((out / name).read_bytes())
    data[len(data) // 2] ^= 1
    (out / name).write_bytes(data)
    assert manifest.faults(out) == [f"{name}: its bytes changed"]
    (out / name).unlink()
    assert manifest.faults(out) == [f"{name}: missing"]


def test_a_voice_that_does_not_fit_makes_no_pack(voiced):
    out, parts = voiced
    path = parts / "voices" / "voice-2.gguf"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EngineError, match="the file ends") as caught:
        together(out, parts)
    assert caught.value.where == "voice-2.gguf"
    assert not (out / "netsuke.json").exists()


def test_labels_that_capitals_or_spaces_alone_tell_apart_are_told():
    task = {"kind": "labels", "labels": ["Spam", "new  york", "new york", "ham", "spam"], "left_out": [],
            "cut_to_fit": 0, "examples": {"train": 8, "valid": 2, "test": 2}, "tried": {},
            "way": {"shots": 0}}  # fmt: skip
    said = [line for line in words.task({"task": task, "scores": {"scores": []}}) if "alone" in line]
    assert len(said) == 2 and said[0].startswith("- the labels 'Spam' and 'spam' differ in capitals or spaces alone")
    told = words.task({"task": task | {"labels": ["ham", "spam"]}, "scores": {"scores": []}})
    assert not any("alone" in line for line in told)


def test_no_label_that_was_left_out_is_told_where_packs_are_shared():
    left = [{"why": f"label {label!r} is not in task.labels", "count": count, "lines": [3]}
            for label, count in (("divorce of Ann", 2), ("her illness", 1))]  # fmt: skip
    left.append({"why": "a copy of another example", "count": 4, "lines": [9]})
    task = {"kind": "labels", "labels": ["ham", "spam"], "left_out": left, "cut_to_fit": 0, "tried": {},
            "examples": {"train": 8, "valid": 2, "test": 2}, "way": {"shots": 0}}  # fmt: skip
    said = "\n".join(words.task({"task": task, "scores": {"scores": []}}))
    assert "left out: 3 examples: the label is not in task.labels" in said and "4 examples: a copy" in said
    assert "Ann" not in said and "illness" not in said
