from __future__ import annotations

import concurrent.futures
import stat
from pathlib import Path

import pytest

from netsuke.errors import StoreError
from netsuke.serve import default_key


def test_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    key = default_key(tmp_path / "home")
    path = tmp_path / "home" / "keys" / "default"
    assert key.startswith("nsk-") and len(key) >= 36 and key == default_key(tmp_path / "home")
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]
    path.chmod(0o644)
    assert default_key(tmp_path / "home") == key and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_made_at_once_are_one(tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert len(set(pool.map(lambda _: default_key(tmp_path), range(16)))) == 1


def test_a_key_that_is_none(tmp_path: Path) -> None:
    default_key(tmp_path)
    (tmp_path / "keys" / "default").write_text("")
    with pytest.raises(StoreError, match="not a key"):
        default_key(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        default_key(tmp_path / "file")
