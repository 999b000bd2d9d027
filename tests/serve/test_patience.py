"""Fault 14: clients that are slow, idle, many, or gone; and engines that die while others wait."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from served import BODY, CHAT, FOREVER, KEY, Running, until

from netsuke.serve import events

HEAD = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def _connected(server: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def _closed(connection: socket.socket) -> bool:
    """Waits for the other side to close; whatever it says before that is read."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(4096):
            pass
    return True


@pytest.mark.parametrize("sent", ["", "GET /health HT", HEAD, HEAD + "X-Slow: "])
def test_fault_14_a_head_that_does_not_come_is_given_up(
    server: Running, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    monkeypatch.setattr("netsuke.serve.address.HEAD_SECONDS", 0.3)
    with _connected(server) as connection:
        connection.sendall(sent.encode())
        assert _closed(connection)


def test_fault_14_one_byte_at_a_time_is_given_up(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.address.HEAD_SECONDS", 0.3)
    with _connected(server) as connection, contextlib.suppress(ConnectionError):
        for letter in HEAD * 100:
            connection.sendall(letter.encode())
            time.sleep(0.02)
        pytest.fail("the server went on listening")


def test_fault_14_a_second_head_that_does_not_come_is_given_up(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsuke.serve.address.HEAD_SECONDS", 0.3)
    with _connected(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /hea")
        assert _closed(connection)


def test_fault_14_a_body_that_does_not_come_is_given_up(own_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.body.BODY_SECONDS", 0.3)
    with _connected(own_server) as connection:
        connection.sendall((HEAD + "Content-Length: 100\r\n\r\n{").encode())
        assert b" 408 " in connection.recv(4096)


@pytest.mark.slow
def test_fault_14_a_slow_answer_is_not_given_up(own_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.address.HEAD_SECONDS", 0.2)
    body = json.dumps({"prompt": "a", "max_tokens": 3000, "grammar": FOREVER})
    head = HEAD.replace(CHAT, "/v1/completions")
    with _connected(own_server) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_fault_14_a_reader_that_does_not_read_loses_its_turn(
    own_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsuke.serve.relay.SEND_SECONDS", 0.3)
    body = json.dumps({"prompt": "a", "max_tokens": 30000, "grammar": FOREVER, "stream": True, "logprobs": 20})
    head = HEAD.replace(CHAT, "/v1/completions")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", own_server.port))
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        until(lambda: own_server.inside == 1)
        until(lambda: own_server.inside == 0)
    with own_server.client() as client:
        assert client.post(CHAT, json=BODY).status_code == 200
    until(lambda: len(events.requests(own_server.home, "tiny", 0)) == 2)
    assert [one.failed for one in events.requests(own_server.home, "tiny", 0)] == [True, False]


def test_fault_14_idle_connections_make_room_for_newer_ones(
    own_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsuke.serve.address.MOST_CONNECTIONS", 8)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(_connected(own_server)) for _ in range(30)]
        with own_server.client() as client:
            assert client.post(CHAT, json=BODY).status_code == 200
        gone = 0
        for connection in idle:
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                gone += _closed(connection)
        assert gone >= 22


def test_fault_13_who_waits_when_the_engine_dies_is_answered(own_server: Running) -> None:
    body: dict[str, Any] = {"prompt": "a", "max_tokens": 1500, "grammar": FOREVER}
    with own_server.client() as client, concurrent.futures.ThreadPoolExecutor() as pool:
        asked = [pool.submit(client.post, "/v1/completions", json=body) for _ in range(2)]
        until(lambda: own_server.inside == 2)
        os.kill(own_server.pid, signal.SIGKILL)
        ends = [one.result() for one in asked]
    for answer in ends:
        assert answer.status_code == 200 or (answer.status_code == 503 and int(answer.headers["retry-after"]) > 0)
    assert ends[-1].status_code == 200
    assert own_server.inside == 0


def test_fault_15_ten_times_too_much_is_refused_soon_and_the_rest_is_answered(own_server: Running) -> None:
    body = {"prompt": "a", "max_tokens": 50, "grammar": FOREVER}
    with own_server.client() as client, concurrent.futures.ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(client.post, "/v1/completions", json=body) for _ in range(20)]
        answers = [one.result() for one in asked]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers if answer.status_code == 429)
    assert own_server.inside == 0
