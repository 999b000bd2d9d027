"""The server under test: a real engine behind a real port."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from netsuke.engines.llama import Engine
from netsuke.serve import Supervisor, build_app

KEY = "nsk-" + "k" * 43
CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
FOREVER = 'root ::= "a" root'  # a grammar without an end: the answer stops only at its token limit


@dataclass(frozen=True)
class Running:
    port: int
    supervisor: Supervisor

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        pid = self.supervisor.engine.pid
        assert pid
        return pid

    def client(self, **headers: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {KEY}", **headers}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(model: Path, *, waiting: int = 16, context_tokens: int = 32768) -> Iterator[Running]:
    """The application under uvicorn in a thread, its engine in a process, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        engine = Engine(model, context_tokens=context_tokens, threads=1)
        supervisor = Supervisor("tiny", engine, waiting=waiting)
        app = build_app(supervisor, key=KEY, port=port, hosts=["pocket.example"])
        config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            with httpx.Client(trust_env=False) as client:
                assert client.get(f"http://127.0.0.1:{port}/health", timeout=30).json() == {"status": "ok"}
            yield Running(port, supervisor)
        finally:
            server.should_exit = True
            thread.join()
    assert not engine.alive


def error_of(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer's error, checked to be one of ours with this status."""
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    assert error["message"] and error["type"] and set(error) == {"message", "type", "param", "code"}
    assert code is None or error["code"] == code
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in response.headers if name.startswith("access-control")]
    return error
