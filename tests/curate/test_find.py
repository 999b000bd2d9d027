"""Which files of a folder are found, and which are left out."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from netsuke.curate.find import all_names, find_files
from netsuke.errors import RecipeError
from netsuke.store import Store


def names(folder: Path, **options: Any) -> list[str]:
    return [name for name, _ in find_files(folder, **options)]


def made(folder: Path, *paths: str) -> None:
    for name in paths:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_files_are_found_in_order_without_what_is_not_the_persons(tmp_path: Path) -> None:
    wanted = ["a.txt", "a/b.txt", "a/deep/er/c.txt", "b.md", "zoë.txt"]
    unwanted = [".hidden", ".git/config", "a/.venv/x.py", "__pycache__/a.pyc", "js/node_modules/x/i.js",
                "netsuke.toml", "netsuke.lock", "other.netsuke.toml"]  # fmt: skip
    made(tmp_path, *wanted, *unwanted)
    assert names(tmp_path) == sorted(wanted)
    assert all(path.read_text() == name for name, path in find_files(tmp_path))
    assert names(tmp_path, skip=("b.md", "a/deep")) == ["a.txt", "a/b.txt", "zoë.txt"]


def test_what_netsuke_made_itself_is_no_material(tmp_path: Path) -> None:
    Store(tmp_path / "home")
    made(tmp_path, "a.txt", "home/folders/ab/train.jsonl", "home/keys/signing.pem", "home/material/mine/b.txt")
    made(tmp_path, "notes-pack/netsuke.json", "notes-pack/model.gguf", "notes-pack/report.html")
    made(tmp_path, "out/croissant.json", "out/documents.jsonl", "out/test.jsonl", "theirs/documents.jsonl")
    (tmp_path / "b.html").symlink_to("notes-pack/report.html")
    (tmp_path / "c.txt").symlink_to("a.txt")
    astray: list[str] = []
    assert names(tmp_path, on_link=astray.append) == ["a.txt", "c.txt", "theirs/documents.jsonl"]
    assert astray == ["b.html"]
    assert names(tmp_path / "home" / "material") == ["mine/b.txt"]  # what was dropped into the studio
    assert names(tmp_path / "out") == ["croissant.json", "documents.jsonl", "test.jsonl"]  # asked for by its name


def test_links_are_read_only_where_they_stay_inside(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    folder = tmp_path / "notes"
    made(folder, "sub/x.txt", "real.txt", ".hidden.txt")
    for name, target in {"in.txt": folder / "real.txt", "out.txt": outside, "sub/loop": folder, "broken": "nowhere",
                         "to_hidden.txt": folder / ".hidden.txt", "self": folder / "self", "sub/up": "..",
                         "one": folder / "two", "two": folder / "one"}.items():  # fmt: skip
        (folder / name).symlink_to(target)
    links: list[str] = []
    assert names(folder, on_link=links.append) == ["in.txt", "real.txt", "sub/x.txt"]
    assert sorted(links) == ["broken", "one", "out.txt", "self", "sub/loop", "sub/up", "to_hidden.txt", "two"]
    (tmp_path / "link").symlink_to(folder)
    assert names(tmp_path / "link") == ["in.txt", "real.txt", "sub/x.txt"]


def test_what_is_no_file_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        (tmp_path / "device").symlink_to("/dev/zero")
        made(tmp_path, "file.txt")
        assert names(tmp_path) == ["file.txt"] and list(all_names(tmp_path)) == ["file.txt"]


@pytest.mark.parametrize(
    "name",
    ["two\nlines.txt", "x" * 251 + ".txt", os.fsdecode(b"caf\xe9.txt"), "-rf", " .txt", "a\\b.txt", "‮txt"],
)
def test_any_name_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text")
    assert list(find_files(tmp_path)) == [(name, tmp_path / name)]


def test_a_single_file_and_none(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("text")
    assert list(find_files(path)) == [("book.txt", path)]
    with pytest.raises(RecipeError, match="no such file") as caught:
        names(tmp_path / "nowhere")
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_closed_folder_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    errors: list[OSError] = []
    assert names(tmp_path, on_error=errors.append) == [] and errors[0].filename == str(closed)


def test_all_names_has_what_speaks_for_others(tmp_path: Path) -> None:
    made(tmp_path, "a.txt", ".well-known/tdmrep.json", "b/.reuse/dep5", ".git/HEAD", "node_modules/x/LICENSE")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    assert list(all_names(tmp_path)) == [".well-known/tdmrep.json", "a.txt", "b/.reuse/dep5"]
    assert list(all_names(tmp_path / "nowhere")) == []


def test_links_astray_are_told_by_name_whatever_the_order_on_the_disk(tmp_path: Path) -> None:
    names, astray = list("hcagdfbe"), []
    for name in names:
        (tmp_path / name).symlink_to("/nowhere")
    assert list(find_files(tmp_path, on_link=astray.append)) == []
    assert astray == sorted(names)
