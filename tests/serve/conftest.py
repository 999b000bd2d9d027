from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Running, running
from tiny import tiny_gguf


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model."""
    return tiny_gguf(tmp_path_factory.mktemp("model") / "model.gguf").parent


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[Running]:
    with running(model) as one:
        yield one


@pytest.fixture
def own_server(model: Path) -> Iterator[Running]:
    """A server that the test may hurt, with room for one request to wait."""
    with running(model, waiting=1) as one:
        yield one
