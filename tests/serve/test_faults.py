"""Many clients, clients that leave, an engine that dies, a server that is stopped."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import BODY, CHAT, FOREVER, KEY, Running, error_of, free_port, until

from netsuke.errors import EngineError
from netsuke.serve import Address, Folders, Shelf, serve, usage
from netsuke.serve.relay import refusal

ENDLESS: dict[str, Any] = {"prompt": "a", "max_tokens": 30000, "grammar": FOREVER}


@contextlib.contextmanager
def _frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_queue_is_bounded(own_server: Running) -> None:
    with own_server.client() as client, concurrent.futures.ThreadPoolExecutor() as pool:
        with _frozen(own_server.pid):
            asked = [pool.submit(client.post, CHAT, json=BODY) for _ in range(2)]
            until(lambda: own_server.inside == 2)
            full = client.post(CHAT, json=BODY)
            error_of(full, 429, "queue_full")
            assert int(full.headers["retry-after"]) > 0
            assert client.get("/health").status_code == 200
        assert [one.result().status_code for one in asked] == [200, 200]
        assert client.post(CHAT, json=BODY).status_code == 200
    assert own_server.inside == 0


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot(own_server: Running, stream: bool) -> None:
    body = json.dumps({**ENDLESS, "stream": stream})
    head = f"POST /v1/completions HTTP/1.1\nHost: localhost\nAuthorization: Bearer {KEY}\n"
    head += f"Content-Type: application/json\nContent-Length: {len(body)}\n\n"
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=30) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + body.encode())
        if stream:
            connection.recv(4096)
        else:
            until(lambda: own_server.inside == 1)
    until(lambda: own_server.inside == 0)
    with own_server.client() as client:
        answer = client.post("/v1/completions", json={"prompt": "a", "max_tokens": 2})
    assert answer.status_code == 200


def test_killed_engine_is_replaced(own_server: Running) -> None:
    first = own_server.pid
    os.kill(first, signal.SIGKILL)
    with own_server.client() as client:
        assert client.post(CHAT, json=BODY).status_code == 200
    assert own_server.pid != first


def test_idle_engine_is_replaced_before_anybody_asks(own_server: Running) -> None:
    first = own_server.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: own_server.supervisor.engine.pid not in (None, first) and own_server.supervisor.up)


def test_engine_killed_during_a_whole_answer_is_asked_again(own_server: Running) -> None:
    body = {**ENDLESS, "max_tokens": 2000}
    with own_server.client() as client, concurrent.futures.ThreadPoolExecutor() as pool:
        with _frozen(first := own_server.pid):
            asked = pool.submit(client.post, "/v1/completions", json=body)
            until(lambda: own_server.inside == 1)
            os.kill(first, signal.SIGKILL)
        assert asked.result().json()["choices"][0]["text"] == "a" * 2000


def test_engine_that_hangs_is_replaced(own_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.supervisor.HANG_SECONDS", 0.3)
    monkeypatch.setattr("netsuke.engines.llama.STOP_SECONDS", 0.1)
    os.kill(own_server.pid, signal.SIGSTOP)
    with own_server.client() as client:
        assert client.post(CHAT, json=BODY).status_code == 200


def test_engine_killed_in_mid_stream_ends_it_with_anerror_of(own_server: Running) -> None:
    with own_server.client() as client:
        with client.stream("POST", "/v1/completions", json={**ENDLESS, "stream": True}) as response:
            lines = (line for line in response.iter_lines() if line)
            assert "error" not in next(lines)
            os.kill(own_server.pid, signal.SIGKILL)
            *_, last = lines
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "engine_unavailable"
        until(lambda: [row["errors"] for row in usage.rows(own_server.home)] == [1])
        assert client.post(CHAT, json=BODY).status_code == 200


def test_engine_that_cannot_come_back_is_503(own_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.supervisor.READY_SECONDS", 0.5)
    whole = own_server.supervisor.engine.model
    own_server.supervisor.engine.model = whole.with_name("gone.gguf")
    os.kill(own_server.pid, signal.SIGKILL)
    with own_server.client() as client:
        answer = client.post(CHAT, json=BODY)
        error_of(answer, 503, "engine_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/health").json() == {"status": "starting"}
        own_server.supervisor.engine.model = whole
        until(lambda: client.get("/health").json() == {"status": "ok"})
        assert client.post(CHAT, json=BODY).status_code == 200


# -- serve(), a process of its own --------------------------------------------------------------------

SERVE = """
import sys
from pathlib import Path
from netsuke.serve import Address, Folders, Shelf, serve
from netsuke.serve.relay import refusal
serve(Shelf(Folders({"tiny": Path(sys.argv[1])})), Address(port=int(sys.argv[2])), home=Path(sys.argv[4]),
      key=sys.argv[3], on_ready=lambda: print("ready", flush=True))
print("stopped")
"""


@contextlib.contextmanager
def _serving(model: Path, port: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", SERVE, str(model), str(port), KEY, os.environ["NETSUKE_HOME"]]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_all_of_it(model: Path, number: signal.Signals) -> None:
    with _short_folder() as folder, _serving(model, port := free_port(), folder) as process:
        answer = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
        assert answer.json() == {"status": "ok"}
        assert not {"server", "date"} & set(answer.headers)
        assert (made := list(folder.iterdir())) and stat.S_IMODE(made[0].stat().st_mode) == 0o700
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "stopped\n", "")
        assert list(folder.iterdir()) == []


def test_killed_server_takes_the_engine_with_it(model: Path) -> None:
    with _short_folder() as folder, _serving(model, free_port(), folder) as process:
        assert list(folder.iterdir())
        process.kill()
        process.wait()
        until(lambda: list(folder.iterdir()) == [])  # the child's last act before it exits


@contextlib.contextmanager
def _short_folder() -> Iterator[Path]:
    """A temporary folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_an_answer_does_not_wait_for_the_client_to_acknowledge_its_head() -> None:
    """Head and body are written apart: without this a second answer on a connection comes 40 ms late."""
    with Address(port=0).listening() as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_port_taken(server: Running, model: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="taken") as caught:
        serve(Shelf(Folders({"tiny": model})), Address(port=server.port), home=tmp_path, key=KEY)
    assert caught.value.hint and "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_open_addresses_are_refused(host: str) -> None:
    with pytest.raises(EngineError, match="open to the network"):
        Address(host, 1).checked()


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_no_such_port(port: int) -> None:
    with pytest.raises(EngineError, match="port"):
        Address(port=port).checked()


def test_an_answer_that_the_engine_itself_cannot_read_is_no_500() -> None:
    """llama.cpp #26381: it generates, and its own reader of chats gives up. Rare, and not to be had at will."""
    told = {"message": "The model produced output that does not match the expected peg-native format"}
    refused = refusal(500, json.dumps({"error": {**told, "code": 500, "type": "server_error"}}).encode())
    assert (refused.status, refused.code) == (503, "unreadable_answer")
    assert refusal(500, b'{"error": {"message": "no"}}').status == 500
