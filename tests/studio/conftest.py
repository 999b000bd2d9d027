"""A home with a tiny base and one small pack; a studio on it, and a client that came in by the link."""

import contextlib

import httpx
import pytest
from studied import running, with_base, with_pack, with_task

from netsuke.store import Store


def filled(store, folder):
    """The store with the tiny base and one small pack, `mine`."""
    with_base(store, folder)
    with_pack(store, folder)
    return store


@contextlib.contextmanager
def entered(opened):
    """A browser of sorts that came in by the link."""
    with httpx.Client(base_url=opened.url, trust_env=False, timeout=60, headers={"Origin": opened.url}) as one:
        assert one.get(opened.link).status_code == 303
        yield one


@pytest.fixture
def home(store, tmp_path):
    return filled(store, tmp_path)


@pytest.fixture
def opened(home):
    with running(home) as one:
        yield one


@pytest.fixture
def client(opened):
    with entered(opened) as one:
        yield one


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One studio for all tests of a file that only look at it."""
    room = tmp_path_factory.mktemp("shown")
    with running(filled(Store(room / "home"), room)) as one:
        yield one


@pytest.fixture(scope="module")
def looking(shown):
    """The client of those tests: it changes nothing, nor its own headers."""
    with entered(shown) as one:
        yield one


@pytest.fixture
def asked(client, home, tmp_path):
    """The client, with a pack `tickets` that was taught a task."""
    with_task(home, tmp_path)
    return client
