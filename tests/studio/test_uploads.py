"""Dropped files land in their folder and nowhere else, whole or not at all, and overwrite nothing."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.serve.refused import Refused
from netsuke.studio import uploads

JSON = {"Accept": "application/json"}


def begun(client, name="notes"):
    answer = client.post("/folders", json={"name": name})
    assert answer.status_code == 201
    return answer.json()


def test_files_keep_their_folders(client, home):
    folder = begun(client)
    for path in ("a.md", "sub/b.md", "sub/deep/ü c.md"):
        assert client.post(f"/folders/{folder['folder']}", params={"path": path}, content=path).status_code == 201
    found = {p.relative_to(folder["path"]).as_posix() for p in home.root.joinpath("material/notes").rglob("*.md")}
    assert found == {"a.md", "sub/b.md", "sub/deep/ü c.md"}
    assert (home.root / "material/notes/sub/b.md").read_text() == "sub/b.md"
    assert begun(client)["folder"] == "notes-2"


def test_a_file_that_is_there_stays_as_it_is(client, home):
    folder = begun(client)["folder"]
    assert client.post(f"/folders/{folder}", params={"path": "a.md"}, content=b"first").status_code == 201
    again = client.post(f"/folders/{folder}", params={"path": "a.md"}, content=b"other", headers=JSON)
    assert again.status_code == 409 and "there already" in again.json()["error"]["message"]
    assert [(p.name, p.read_bytes()) for p in (home.root / "material/notes").iterdir()] == [("a.md", b"first")]


WRONG = ["../a", "/a", "a/../../b", ".hidden", "a/.b/c", "", "a\\b", "a\x00b", "x" * 300, "a/./b/.."]


def written(home):
    """What lies in a home, but the server's book, which a thread of its own writes when it comes to it."""
    return sorted(str(p) for p in home.root.rglob("*") if not p.name.startswith("served.db"))


@pytest.mark.parametrize("path", WRONG)
def test_a_name_that_leads_elsewhere_is_refused(client, home, path):
    folder = begun(client)["folder"]
    before = written(home)
    assert client.post(f"/folders/{folder}", params={"path": path}, content=b"x").status_code == 400
    assert written(home) == before


@pytest.mark.parametrize("folder", ["nobody", "%2e%2e%2fx", "a%2fb", ".x"])
def test_only_a_folder_of_the_studio_takes_files(client, folder):
    assert client.post(f"/folders/{folder}", params={"path": "a.md"}, content=b"x").status_code == 404


def test_too_large_a_file_leaves_nothing(client, home, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_FILE_BYTES", 10)
    folder = begun(client)["folder"]
    assert client.post(f"/folders/{folder}", params={"path": "a.md"}, content=b"x" * 11).status_code == 413
    assert list((home.root / "material/notes").iterdir()) == []


@given(st.text(max_size=60))
def test_no_name_leads_out_of_its_folder(tmp_path_factory, path):
    home = tmp_path_factory.getbasetemp()
    (home / "material" / "f").mkdir(parents=True, exist_ok=True)
    try:
        place = uploads.place(home, "f", path)
    except (Refused, UnicodeEncodeError):
        return
    inside = os.path.realpath(place)
    assert inside.startswith(os.path.realpath(home / "material" / "f") + os.sep)
