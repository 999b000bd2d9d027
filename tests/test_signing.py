"""A signature holds for these files and this key, and for nothing else."""

import json
import os
import shutil
import stat

import pytest

from netsuke import signing
from netsuke.errors import StoreError
from netsuke.store import canonical


@pytest.fixture
def keys(tmp_path):
    return signing.own_keys(tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pack"
    place.mkdir()
    for name in ("model.gguf", "card.md", ".hidden"):
        (place / name).write_bytes(name.encode() * 100)
    return place


@pytest.fixture
def signed(folder, keys):
    place = folder / signing.FILE
    place.write_bytes(signing.signature(folder, keys))
    return place


def test_keys_are_made_once_and_are_the_owners_alone(tmp_path, keys):
    assert stat.S_IMODE(keys.secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.secret.parent.stat().st_mode) == 0o700
    again = signing.own_keys(tmp_path / "home")
    assert again.fingerprint == keys.fingerprint and len(keys.fingerprint) == 64
    assert signing.own_keys(tmp_path / "other").fingerprint != keys.fingerprint
    assert b"PRIVATE" not in keys.public.read_bytes()
    keys.public.unlink()
    assert signing.own_keys(tmp_path / "home").fingerprint == keys.fingerprint


@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_named_and_kept(tmp_path, keys, text):
    keys.secret.write_text(text)
    with pytest.raises(StoreError, match="not a key to sign with") as refused:
        signing.own_keys(tmp_path / "home")
    assert "move it away" in refused.value.hint
    assert keys.secret.read_text() == text


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="no key to sign with"):
        signing.own_keys(tmp_path / "file")


def test_it_holds_wherever_the_folder_lies(folder, signed, keys, tmp_path):
    assert signing.fault(folder, signed, keys.public) is None
    moved = tmp_path / "elsewhere" / "another name"
    shutil.copytree(folder, moved)
    assert signing.fault(moved, moved / signing.FILE, keys.public) is None
    assert signing.signed_by(signed) == keys.fingerprint


def test_another_key_is_told_from_the_right_one(folder, signed, tmp_path):
    other = signing.own_keys(tmp_path / "other")
    assert signing.fault(folder, signed, other.public).startswith("netsuke.sig: signed by another key")


@pytest.mark.parametrize("name", ["model.gguf", "card.md", ".hidden"])
def test_the_file_that_is_wrong_is_named(folder, signed, keys, name):
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert signing.fault(folder, signed, keys.public) == f"{name}: not what was signed"
    path.unlink()
    assert signing.fault(folder, signed, keys.public) == f"{name}: signed, and missing"


def test_a_link_is_named(folder, signed, keys, tmp_path):
    shutil.move(folder / "card.md", tmp_path / "aside")
    (folder / "card.md").symlink_to(tmp_path / "aside")
    assert signing.fault(folder, signed, keys.public).startswith("card.md: a link")


def test_a_file_more_is_named(folder, signed, keys):
    (folder / "sub").mkdir()
    (folder / "sub" / signing.FILE).write_text("x")  # only the one beside the pack's files may be there unsigned
    assert signing.fault(folder, signed, keys.public) == f"sub/{signing.FILE}: not signed"


def forged(signed, change):
    bundle = json.loads(signed.read_text())
    change(bundle)
    signed.write_bytes(canonical(bundle))


def test_a_forged_signature_does_not_hold(folder, signed, keys, tmp_path):
    other = signing.own_keys(tmp_path / "other")
    signed.write_bytes(signing.signature(folder, other))
    forged(signed, lambda b: b["verificationMaterial"]["publicKey"].update(hint=keys.fingerprint))
    assert "does not hold" in signing.fault(folder, signed, keys.public)


def test_a_signature_of_other_files_does_not_hold(folder, signed, keys):
    import base64

    (folder / "card.md").write_text("changed")
    new = json.loads(signing.signature(folder, keys))["dsseEnvelope"]["payload"]
    forged(signed, lambda b: b["dsseEnvelope"].update(payload=new))  # the old signature over the new list
    assert base64.b64decode(new)
    assert "does not hold" in signing.fault(folder, signed, keys.public)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b"\xff", b'{"verificationMaterial": {"publicKey": 1}}',
                                  b"[" * 200_000], ids=range(7))  # fmt: skip
def test_what_is_no_signature_is_named(folder, signed, keys, data):
    signed.write_bytes(data)
    with pytest.raises(StoreError, match="no signature"):
        signing.fault(folder, signed, keys.public)


@pytest.mark.parametrize("change", [
    lambda b: b.update(dsseEnvelope={"payload": "!!"}), lambda b: b.update(more=1),
    lambda b: b.update(mediaType="application/json"), lambda b: b["dsseEnvelope"].update(signatures=[]),
    lambda b: b["dsseEnvelope"].update(payload=b["dsseEnvelope"]["payload"] + "\n"),
])  # fmt: skip
def test_a_signature_has_one_form(folder, signed, keys, change):
    forged(signed, change)
    with pytest.raises(StoreError, match="no signature"):
        signing.fault(folder, signed, keys.public)


def test_every_bit_of_a_signature_counts(folder, signed, keys):
    data = signed.read_bytes()
    for at in range(0, len(data), 7):
        signed.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        try:
            fault = signing.fault(folder, signed, keys.public)
        except StoreError as error:
            fault = error.what
        assert fault, f"byte {at}, bit {at % 8}"


@pytest.mark.parametrize("text", ["", "nonsense", "ssh-ed25519 AAAA"])
def test_what_is_no_public_key_is_named(folder, signed, tmp_path, text):
    (tmp_path / "key.pub").write_text(text)
    with pytest.raises(StoreError, match="not a public key"):
        signing.fault(folder, signed, tmp_path / "key.pub")
    with pytest.raises(StoreError, match="cannot be read"):
        signing.fault(folder, signed, tmp_path / "gone.pub")


def test_nothing_leaves_the_machine(folder, signed, keys, monkeypatch):
    import socket

    def refused(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert signing.fault(folder, signed, keys.public) is None
    assert signing.signature(folder, keys)
    assert os.environ.get("SIGSTORE_ID_TOKEN") is None
