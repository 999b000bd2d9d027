"""The server under test: a real engine behind a real port."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from netsuke.serve import Callers, Folders, Shelf, Supervisor, build_app, keys
from netsuke.serve.address import Address, settings
from netsuke.serve.models import Models
from netsuke.serve.shelf import Seat

KEY = "nsk-" + "k" * 43
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
FOREVER = 'root ::= "a" root'  # a grammar without an end: the answer stops only at its token limit


@dataclass(frozen=True)
class Running:
    port: int
    home: Path
    shelf: Shelf

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def seat(self) -> Seat:
        return next(seat for seat in self.shelf.seats if seat.kind == "text")

    @property
    def supervisor(self) -> Supervisor:
        return self.seat.supervisor

    @property
    def pid(self) -> int:
        pid = self.supervisor.engine.pid
        assert pid
        return pid

    @property
    def inside(self) -> int:
        return self.supervisor.turns.inside

    def client(self, key: str = KEY, **headers: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}", **headers}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    models: Path | Models, *, waiting: int = 16, context_tokens: int = 32768, home: Path | None = None, **options: Any
) -> Iterator[Running]:
    """The application under uvicorn in a thread, its engines in processes, until the block ends.

    `models`: a folder with a model.gguf, which is served as tiny; or several.
    """
    with contextlib.ExitStack() as stack:
        home = home or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        listener = stack.enter_context(Address(port=0).listening())
        port = listener.getsockname()[1]
        found = Folders({"tiny": models}) if isinstance(models, Path) else models
        shelf = Shelf(found, context_tokens=context_tokens, threads=1, waiting=waiting, **options)
        stack.callback(shelf.stop_first)
        shelf.start_first()
        app = build_app(shelf, Callers(home, KEY), port=port, hosts=["pocket.example"])
        server = uvicorn.Server(uvicorn.Config(app, **settings(app) | {"timeout_graceful_shutdown": 1}))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(trust_env=False) as client:
                assert client.get(f"http://127.0.0.1:{port}/health", timeout=30).json() == {"status": "ok"}
            yield Running(port, home, shelf)
        finally:
            server.should_exit = True
            thread.join()
    assert not any(seat.supervisor.engine.alive for seat in shelf.seats)


@contextlib.contextmanager
def keyed(server: Running, name: str, **limits: Any) -> Iterator[httpx.Client]:
    """A client with a named key of its own."""
    with server.client(keys.add(server.home, name, **limits)) as client:
        try:
            yield client
        finally:
            keys.remove(server.home, name)


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def error_of(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer's error, checked to be one of ours with this status."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["message"] and error["type"] and set(error) == {"message", "type", "param", "code"}
    assert code is None or error["code"] == code
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in response.headers if name.startswith("access-control")]
    return error
