"""The verbs that take a model elsewhere, from the command line."""

import hashlib
import json

import pytest
from packed import small_pack
from tiny import tiny_gguf

from netsuke import signing


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path):
    return small_pack(tmp_path / "pack").folder


def test_pack_writes_once_and_says_what(home, folder, tmp_path, command):
    out = tmp_path / "my model.gguf"
    done = command(home, "pack", str(folder), str(out), "--to", "gguf", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) | {"notes": 0} == {
        "name": "mine", "to": "gguf", "place": str(out), "bytes": out.stat().st_size, "notes": 0,
    }  # fmt: skip
    again = command(home, "pack", str(folder), str(out), "--to", "gguf")
    assert again.returncode == 6 and "there already" in again.stderr and "--force" in again.stderr
    forced = command(home, "pack", str(folder), str(out), "--to", "gguf", "--force")
    assert forced.returncode == 0 and f"llama-cli -m '{out}'\n" in forced.stderr
    assert out.read_bytes() == (folder / "model.gguf").read_bytes()


@pytest.mark.parametrize("words, what", [
    (("--to", "gguf", "--serve-dir"), "--serve-dir goes with"), (("--to", "hf", "--share"), "--share goes without"),
    (("--to", "onnx"), "onnx"),
])  # fmt: skip
def test_what_does_not_go_together_is_said(home, folder, tmp_path, words, what, command):
    done = command(home, "pack", str(folder), str(tmp_path / "out"), *words)
    assert done.returncode == 2 and what in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_pack_that_is_not_whole_goes_nowhere(home, folder, tmp_path, command):
    (folder / "card.md").write_text("changed")
    done = command(home, "pack", str(folder), str(tmp_path / "out"))
    assert done.returncode == 6 and "card.md" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_shared_pack_is_verified_by_the_key_that_is_given_with_it(home, folder, tmp_path, command):
    out, other = tmp_path / "out", tmp_path / "other"
    done = command(home, "pack", str(folder), str(out), "--share")
    assert done.returncode == 0 and "shots.jsonl" in done.stderr
    key = json.loads(command(home, "keys", "--json").stdout)
    assert len(key["fingerprint"]) == 64 and "BEGIN PUBLIC KEY" in key["pem"]
    mine = command(home, "verify", str(out))
    assert mine.returncode == 0 and "and it holds" in mine.stdout
    theirs = command(other, "verify", str(out))
    assert theirs.returncode == 0 and "not your key" in theirs.stdout
    assert command(other, "verify", str(out), "--key", key["public"]).returncode == 0
    wrong = json.loads(command(other, "keys", "--json").stdout)["public"]
    done = command(other, "verify", str(out), "--key", wrong)
    assert done.returncode == 6 and "signed by another key" in done.stdout
    (out / signing.FILE).unlink()
    done = command(other, "verify", str(out), "--key", key["public"])
    assert done.returncode == 6 and "netsuke.sig: missing" in done.stdout
    done = command(other, "verify", "--key", key["public"])
    assert done.returncode == 2 and "go with a PACK" in done.stderr


def test_diff_says_what_changed(home, folder, tmp_path, command):
    other = small_pack(tmp_path / "two", seed=1).folder
    done = command(home, "diff", str(folder), str(other), "--json")
    assert json.loads(done.stdout)["files"]["changed"] == ["model.gguf"]
    assert "model.gguf" in command(home, "diff", str(folder), str(other)).stdout


def test_a_pack_of_another_shape_is_named_and_no_traceback_is_shown(home, folder, tmp_path, command):
    """Its digests hold: whoever wrote it wrote them too."""
    odd = small_pack(tmp_path / "odd").folder
    (odd / "report.json").write_text('{"name": 3}')
    (odd / "ledger.jsonl").write_text('{"odd": 1}\n')
    record = json.loads((odd / "netsuke.json").read_text())
    for name in ("report.json", "ledger.jsonl"):
        data = (odd / name).read_bytes()
        record["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (odd / "netsuke.json").write_text(json.dumps(record))
    for words in (("report", str(odd), "--html", str(tmp_path / "page.html")), ("diff", str(folder), str(odd))):
        done = command(home, *words)
        assert done.returncode == 6 and "not as this netsuke reads them" in done.stderr and str(odd) in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_base_is_added_and_listed(home, tmp_path, command):
    tiny_gguf(tmp_path / "mine.gguf")
    done = command(home, "bases", "add", str(tmp_path / "mine.gguf"), "--licence", "MIT", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(command(home, "bases", "--json").stdout)}
    assert rows["mine"]["here"] and rows["mine"]["licence"] == "MIT"
    (tmp_path / "broken.gguf").write_bytes((tmp_path / "mine.gguf").read_bytes()[:-9])
    done = command(home, "bases", "add", str(tmp_path / "broken.gguf"))
    assert done.returncode == 7 and "broken.gguf" in done.stderr


def test_a_template_that_is_not_known_needs_a_yes(home, tmp_path, monkeypatch, command):
    import tiny

    monkeypatch.setattr(tiny, "CHAT_TEMPLATE", "{{ 'Buy now.' }}" + tiny.CHAT_TEMPLATE)
    file = str(tiny_gguf(tmp_path / "theirs.gguf"))
    done = command(home, "bases", "add", file)
    assert done.returncode == 2 and "+{{ 'Buy now.' }}" in done.stderr and "--accept-template" in done.stderr
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_text("Some words of mine.")
    done = command(home, "make", str(notes), "--base", file)
    assert done.returncode == 2 and "Buy now" in done.stderr
    assert command(home, "bases", "add", file, "--accept-template").returncode == 0
