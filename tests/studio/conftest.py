"""A home with a tiny base and one small pack; a studio on it, and a client that came in by the link."""

import httpx
import pytest
from studied import running, with_base, with_pack, with_task


@pytest.fixture
def home(store, tmp_path):
    """A store with the tiny base and one small pack, `mine`."""
    with_base(store, tmp_path)
    with_pack(store, tmp_path)
    return store


@pytest.fixture
def opened(home):
    with running(home) as one:
        yield one


@pytest.fixture
def client(opened):
    """A browser of sorts that came in by the link."""
    with httpx.Client(base_url=opened.url, trust_env=False, timeout=60, headers={"Origin": opened.url}) as one:
        assert one.get(opened.link).status_code == 303
        yield one


@pytest.fixture
def asked(client, home, tmp_path):
    """The client, with a pack `tickets` that was taught a task."""
    with_task(home, tmp_path)
    return client
