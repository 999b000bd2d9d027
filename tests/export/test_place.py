"""An export is there whole or not there, and takes nobody's place unasked."""

import errno
import json
import os

import pytest

from netsuke.errors import StoreError
from netsuke.export import place
from netsuke.export.place import laid


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def lay(target, home, text="new", name=None, **options):
    """Write a file, or a folder with one file `name`."""
    with laid(target, home=home, **{"needed_bytes": 10, **options}) as out:
        if name:
            (out / name).parent.mkdir(parents=True)
            (out / name).write_text(text)
        else:
            out.write_text(text)


def left(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("name", [None, "config.json", "blobs/sha256/x"])
def test_it_is_there_at_the_end(tmp_path, home, name):
    lay(tmp_path / "out", home, name=name)
    assert (tmp_path / "out" / name if name else tmp_path / "out").read_text() == "new"
    assert left(tmp_path) == ["home", "out"]


def test_what_is_there_stays(tmp_path, home):
    (tmp_path / "out").write_text("old")
    with pytest.raises(StoreError, match="there already") as refused:
        lay(tmp_path / "out", home)
    assert "--force" in refused.value.hint
    assert (tmp_path / "out").read_text() == "old"
    lay(tmp_path / "out", home, force=True)
    assert (tmp_path / "out").read_text() == "new"


def test_force_replaces_a_pack_that_had_more_files(tmp_path, home):
    out = tmp_path / "out"
    for name, listed in (("voice-1.gguf", {"voice-1.gguf": {}}), ("model.gguf", {})):
        with laid(out, home=home, needed_bytes=10, force=True) as part:
            part.mkdir()
            (part / name).write_text("x")
            (part / "netsuke.json").write_text(json.dumps({"files": listed}))
    assert left(out) == ["model.gguf", "netsuke.json"]


def test_force_replaces_an_export_and_nothing_else(tmp_path, home):
    out, blob = tmp_path / "out", "blobs/sha256/" + "a" * 64
    lay(out, home, name=blob)
    lay(out, home, name="blobs/sha256/" + "b" * 64, force=True)  # of another content, so of another name
    assert left(out / "blobs" / "sha256") == ["b" * 64]
    (out / "diary.txt").write_text("mine")
    with pytest.raises(StoreError, match="diary.txt is no part"):
        lay(out, home, name=blob, force=True)
    assert (out / "diary.txt").read_text() == "mine" and left(tmp_path) == ["home", "out"]


@pytest.mark.parametrize("there", ["folder", "link"])
def test_a_file_does_not_replace_something_else(tmp_path, home, there):
    if there == "folder":
        (tmp_path / "out").mkdir()
    else:
        (tmp_path / "secret").write_text("mine")
        (tmp_path / "out").symlink_to(tmp_path / "secret")
    before = left(tmp_path)
    with pytest.raises(StoreError, match="another kind"):
        lay(tmp_path / "out", home, force=True)
    assert left(tmp_path) == before
    assert there == "folder" or (tmp_path / "secret").read_text() == "mine"


@pytest.mark.parametrize("place", ["home/out", "home", "home/objects/out", "way/out"])
def test_nothing_goes_into_the_home(tmp_path, home, place):
    (home / "objects").mkdir()
    (tmp_path / "way").symlink_to(home)
    with pytest.raises(StoreError, match="netsuke's own folder"):
        lay(tmp_path / place, home, force=True)
    assert left(home) == ["objects"]


def test_a_missing_and_an_unwritable_folder_are_named(tmp_path, home, monkeypatch):
    with pytest.raises(StoreError, match="no such folder"):
        lay(tmp_path / "nowhere" / "out", home)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(StoreError, match="cannot be written"):
        lay(tmp_path / "out", home)


def test_too_little_space_is_said_before(tmp_path, home):
    with pytest.raises(StoreError, match="MB are free"):
        lay(tmp_path / "out", home, needed_bytes=10**18)
    assert left(tmp_path) == ["home"]


@pytest.mark.parametrize("name", [None, "config.json"])
@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk_leaves_what_was_there(tmp_path, home, full_disk, name, force):
    if force:
        lay(tmp_path / "out", home, text="old", name=name)
    before, at, struck = left(tmp_path), 1, True
    while struck:
        with full_disk(at, stays=False) as disk:
            try:
                lay(tmp_path / "out", home, name=name, force=force)
            except StoreError as error:
                assert "cannot be written: No space left" in str(error) and "space" in error.hint
        struck, at = disk.struck, at + 1
        if struck:
            assert left(tmp_path) == before
            if force:
                assert (tmp_path / "out" / name if name else tmp_path / "out").read_text() == "old"
    assert at > 4
    assert (tmp_path / "out" / name if name else tmp_path / "out").read_text() == "new"


def test_other_faults_of_the_disk_are_named_too(tmp_path, home, monkeypatch):
    def broken(part):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(place, "_synced", broken)
    with pytest.raises(StoreError, match="Input/output error"):
        lay(tmp_path / "out", home)
    assert left(tmp_path) == ["home"]
