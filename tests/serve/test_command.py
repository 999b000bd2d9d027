"""The verbs of serving: what is named in which order, and what is typed wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from packed import small_pack

from netsuke.cli import netsuke, serving
from netsuke.errors import StoreError
from netsuke.serve import keys
from netsuke.serve.page import PARTS
from netsuke.store import Store


def said(*words: str) -> Result:
    return CliRunner().invoke(netsuke, list(words))


@pytest.fixture
def packs(store: Store, tmp_path: Path) -> Path:
    """A folder with two packs of one basename; `mine` is in the home."""
    for room in ("a", "b"):
        (tmp_path / room).mkdir()
        small_pack(tmp_path / room / "elsewhere", "elsewhere")
    store.name("packs", "mine", {"ref": store.add_folder(tmp_path / "a" / "elsewhere"), "recipe": ""})
    return tmp_path


def test_the_first_that_is_named_answers_where_none_is(packs: Path, store: Store) -> None:
    folder = str(packs / "a" / "elsewhere")
    assert serving._models((folder, "mine"), store).names() == ["elsewhere", "mine"]
    assert serving._models(("mine", folder), store).names() == ["mine", "elsewhere"]
    assert serving._models(("mine", "mine"), store).names() == ["mine"]
    assert serving._models((), store).names() == ["mine"]


def test_two_of_one_name_are_refused(packs: Path, store: Store) -> None:
    folders = [str(packs / room / "elsewhere") for room in ("a", "b")]
    with pytest.raises(StoreError, match="both be called 'elsewhere'") as caught:
        serving._models(tuple(folders), store)
    assert folders[1] in str(caught.value) and caught.value.hint
    (packs / "b" / "elsewhere").rename(packs / "mine")
    with pytest.raises(StoreError, match="both be called 'mine'"):
        serving._models(("mine", str(packs / "mine")), store)


@pytest.mark.parametrize("option", [
    ["--host", "192.0.2.1"], ["--hostname", "notes.example"], ["--without-tls"], ["--memory-mb", "100"],
    ["--cert", "index.html", "--key-file", "index.html"],
])  # fmt: skip
def test_a_page_takes_no_dials_of_models(
    tmp_path: Path, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsuke.serve.serve_page", lambda *_, **__: pytest.fail("it was served"))
    for name in PARTS:
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    done = said("serve", str(tmp_path), *option)
    assert done.exit_code == 2 and f"{option[0]} is for models" in done.output


@pytest.mark.parametrize("models", [",", "", " , "])
def test_a_list_of_models_that_names_none_makes_no_key(store: Store, models: str) -> None:
    done = said("keys", "add", "--name", "shop", "--models", models)
    assert done.exit_code == 2 and "names no model" in done.output and keys.named(store.root) == []
    assert said("keys", "add", "--name", "shop", "--models", "a,").exit_code == 0
    assert keys.named(store.root)[0].models == ("a",)


def test_a_day_is_a_day() -> None:
    for wrong in ("yesterday", "2026-13-01", "20261125"):
        done = said("usage", "--since", wrong)
        assert done.exit_code == 2 and "--since" in done.output and "YYYY-MM-DD" in done.output
    assert said("usage", "--since", "2026-11-25").exit_code == 0
