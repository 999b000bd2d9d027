"""A small pack that is whole, to be exported."""

import pytest
from packed import small_pack


@pytest.fixture
def pack(tmp_path):
    return small_pack(tmp_path / "pack")
