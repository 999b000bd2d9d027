"""How Ray is come by, and what it says where it does not get through: of a stand-in; test_many.py has a real one."""

import sys
from types import SimpleNamespace

import pytest

from netsuke.engines import ray as engine
from netsuke.errors import ConsentError, EngineError


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        super().__init__("Traceback\nmany lines")
        self.cause = cause


ERRORS = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)


def stand_in(monkeypatch, failure=None):
    """What is given to ray.init, which may fail."""
    given = {}

    def init(**options):
        given.update(options)
        if failure:
            raise failure

    ray = SimpleNamespace(is_initialized=lambda: False, init=init, exceptions=ERRORS)
    monkeypatch.setitem(sys.modules, "ray", ray)
    return given


def test_without_an_address_it_is_a_ray_of_its_own_whatever_runs_there(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    given = stand_in(monkeypatch)
    engine._connected()
    assert given["address"] == "local" and given["num_cpus"] >= 2


def test_with_an_address_it_is_that_cluster(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    given = stand_in(monkeypatch)
    engine._connected()
    assert not given.keys() & {"address", "num_cpus"}


@pytest.mark.parametrize(("address", "hint"), [("127.0.0.1:1", "check RAY_ADDRESS"), ("", "see Ray's own logs")])
def test_a_cluster_that_wants_a_token_is_told(monkeypatch, address, hint):
    monkeypatch.setenv("RAY_ADDRESS", address)
    stand_in(monkeypatch, RayError("a token is wanted"))
    with pytest.raises(EngineError, match="a token is wanted") as told:
        engine._connected()
    assert told.value.hint.startswith(hint)


@pytest.mark.parametrize(("failure", "kind"), [
    (RayError("first\nthe worker died"), EngineError), (RayError(""), EngineError),
    (RayTaskError(ConsentError("no", hint="ask")), ConsentError), (RayTaskError(KeyError("a fault")), RayTaskError),
])  # fmt: skip
def test_what_breaks_a_task_is_told_as_it_would_be_here(failure, kind):
    def get(ref):
        raise failure

    with pytest.raises(kind) as told:
        engine._made(SimpleNamespace(get=get, exceptions=ERRORS), "ref")
    assert type(told.value) is kind and (kind is RayTaskError or told.value.hint)
