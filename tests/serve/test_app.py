"""Who may ask, and what."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import BODY, CHAT, KEY, Running, error_of

from netsuke.serve import fields
from netsuke.serve.refused import Refused


def _raw(server: Running, request: str) -> str:
    """The first line of the answer to these very bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection.makefile("rb").readline().decode()


def test_health_needs_no_key(server: Running) -> None:
    assert httpx.get(f"{server.url}/health", trust_env=False).json() == {"status": "ok"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"])
@pytest.mark.parametrize("path", ["/v1/models", CHAT, "/", "/props", "/slots", "/v1/models/", "/health/"])
def test_without_the_key_every_route_is_401(server: Running, method: str, path: str) -> None:
    answer = httpx.request(method, server.url + path, trust_env=False)
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/props", "/slots", "/completion", "/v1/models/", "//health"])
def test_with_the_key_an_unlisted_route_is_404(server: Running, method: str, path: str) -> None:
    with server.client() as client:
        error_of(client.request(method, path), 404)


def test_wrong_verb(server: Running) -> None:
    with server.client() as client:
        assert client.delete("/v1/models").headers["allow"]
        error_of(client.get(CHAT), 405)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": f"bearer  {KEY}"}, 200),
        ({"x-api-key": KEY}, 200),
        ({"x-api-key": KEY, "Authorization": f"Bearer {KEY}"}, 200),
        ({"x-api-key": KEY, "Authorization": "Bearer wrong"}, 401),
        ({"x-api-key": "wrong", "Authorization": f"Bearer {KEY}"}, 401),
        ({"Authorization": KEY}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": f"Bearer {KEY}x"}, 401),
        ({"x-api-key": KEY[:-1]}, 401),
        ({"x-api-key": ""}, 401),
        ({"Cookie": f"key={KEY}"}, 401),
    ],
)
def test_credentials(server: Running, headers: dict[str, str], status: int) -> None:
    assert httpx.get(f"{server.url}/v1/models", headers=headers, trust_env=False).status_code == status


def test_a_credential_of_odd_bytes_is_only_wrong(server: Running) -> None:
    headers = {b"x-api-key": "ключ".encode()}
    assert httpx.get(f"{server.url}/v1/models", headers=headers, trust_env=False).status_code == 401
    assert httpx.get(f"{server.url}/v1/models?api_key={KEY}", trust_env=False).status_code == 401


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "pocket.example"])
def test_our_host_names(server: Running, name: str) -> None:
    for host in (name, f"{name}:{server.port}"):
        with server.client(Host=host) as client:
            assert client.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1:1",
        "127.0.0.1.nip.io",
        "evil.example@127.0.0.1",
        "localhost.evil.example",
        "0.0.0.0",
        "",
    ],
)
def test_other_host_names(server: Running, host: str) -> None:
    with server.client(Host=host) as client:
        error_of(client.get("/v1/models"), 421)
        error_of(client.get("/health"), 421)


def test_host_missing_doubled_or_in_the_target(server: Running) -> None:
    key = f"Authorization: Bearer {KEY}\n\n"
    local = f"Host: 127.0.0.1:{server.port}\n"
    assert " 200 " in _raw(server, f"GET /v1/models HTTP/1.1\n{local}{key}")
    assert " 421 " in _raw(server, f"GET /v1/models HTTP/1.0\n{key}")
    assert " 400 " in _raw(server, f"GET /v1/models HTTP/1.1\n{key}")
    assert " 400 " in _raw(server, f"GET /v1/models HTTP/1.1\n{local}{local}{key}")
    assert " 404 " in _raw(server, f"GET http://evil.example/v1/models HTTP/1.1\n{local}{key}")


def test_origins(server: Running) -> None:
    ours = [f"http://localhost:{server.port}", f"http://127.0.0.1:{server.port}", "https://pocket.example"]
    for origin in ours:
        with server.client(Origin=origin) as client:
            assert client.get("/v1/models").status_code == 200
    foreign = ["null", "https://evil.example", f"http://localhost.evil.example:{server.port}", ""]
    for origin in [*foreign, "http://localhost", "http://127.0.0.1:1", f"https://localhost:{server.port}"]:
        with server.client(Origin=origin) as client:
            error_of(client.get("/v1/models"), 403, "wrong_origin")
            error_of(client.post(CHAT, json=BODY), 403)
            error_of(client.options(CHAT), 403)


# -- what may be asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"],
)
def test_content_type_is_judged_before_the_body(server: Running, kind: str) -> None:
    head = f"POST {CHAT} HTTP/1.1\nHost: localhost\nAuthorization: Bearer {KEY}\nContent-Length: 100\n"
    assert " 415 " in _raw(server, head + (f"Content-Type: {kind}\n\n" if kind else "\n"))


def test_size_is_bounded_before_and_while_the_body_is_read(server: Running) -> None:
    head = f"POST {CHAT} HTTP/1.1\nHost: localhost\nAuthorization: Bearer {KEY}\nContent-Type: application/json\n"
    assert " 413 " in _raw(server, head + "Content-Length: 1000001\n\n")
    chunk = f"{1 << 16:x}\n" + "x" * (1 << 16) + "\n"
    assert " 413 " in _raw(server, head + "Transfer-Encoding: chunked\n\n" + chunk * 16)


@pytest.mark.parametrize("path", [CHAT, "/v1/search", "/v1/feedback"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"temperature": NaN}',
        b'{"\\ud800": 1}',
        b'{"query": "what \\ud800"}',
        b'{"seed": ' + b"9" * 9000 + b"}",
    ],
)
def test_broken_json(server: Running, body: bytes, path: str) -> None:
    with server.client() as client:
        error_of(client.post(path, content=body, headers={"Content-Type": "application/json"}), 400)


WRONG: list[tuple[str, Any]] = [
    ("n_discard", -5),
    ("lora", []),
    ("cache_prompt", False),
    ("messages", []),
    ("messages", "hi"),
    ("messages", None),
    ("messages", [{"role": "robot", "content": "x"}]),
    ("messages", [{"role": "user"}]),
    ("messages", [{"role": "user", "content": "x", "tool_calls": []}]),
    ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///"}}]}]),
    ("messages", [["role", "user"]]),
    ("max_tokens", 0),
    ("max_tokens", -1),
    ("max_tokens", 2.5),
    ("max_tokens", True),
    ("max_tokens", 2**31),
    ("max_completion_tokens", "many"),
    ("temperature", 2.1),
    ("temperature", -0.1),
    ("temperature", "hot"),
    ("temperature", False),
    ("top_p", 1.1),
    ("top_k", -1),
    ("min_p", 2),
    ("seed", 2**32),
    ("stop", [""]),
    ("stop", ["x"] * 17),
    ("stop", 5),
    ("stream", 1),
    ("stream_options", {"x": 1}),
    ("n", 2),
    ("n", True),
    ("logprobs", 1),
    ("top_logprobs", 21),
    ("frequency_penalty", 3),
    ("presence_penalty", -3),
    ("repeat_penalty", 0),
    ("grammar", 1),
    ("grammar", f"root ::= {'(' * 2001}"),
    ("response_format", {"type": "xml"}),
    ("response_format", {}),
    ("response_format", {"type": "json_schema", "json_schema": {"schema": []}}),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_each_field_is_checked_and_named(server: Running, field: str, value: Any) -> None:
    with server.client() as client:
        error = error_of(client.post(CHAT, json={**BODY, field: value}), 400)
    assert error["param"] == field and repr(field) in error["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("echo", True), ("best_of", 2), ("prompt", ["a", "b"]), ("prompt", [-1]), ("logprobs", True)],
)
def test_each_field_of_a_completion(field: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        fields.checked({"prompt": "a", field: value}, fields.COMPLETION)
    assert (refused.value.status, refused.value.param) == (400, field)


def test_right_fields_reach_the_engine(server: Running) -> None:
    body = {
        "model": "tiny",
        "messages": [
            {"role": "developer", "content": "x", "name": None},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": "yes", "refusal": None},
            {"role": "user", "content": "\u2028 \x00 😀"},
        ],
        "max_completion_tokens": 5,
        "temperature": 1,
        "top_p": 0.9,
        "top_k": 5,
        "min_p": 0.1,
        "seed": 7,
        "stop": "zzz",
        "n": 1,
        "logprobs": True,
        "top_logprobs": 2,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "repeat_penalty": 1.1,
        "response_format": {"type": "text"},
        "user": "me",
        "stream": None,
    }
    with server.client() as client:
        answer = client.post(CHAT, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["completion_tokens"] <= 5


def test_what_the_engine_refuses_is_said(server: Running) -> None:
    with server.client() as client:
        long = client.post("/v1/completions", json={"prompt": [5] * 40000, "stream": True})
        message = error_of(long, 400, "context_length_exceeded")["message"]
        assert "40000" in message and "32768" in message
        error_of(client.post("/v1/completions", json={"prompt": "a", "grammar": "root ::= ["}), 400)
        error_of(client.post("/v1/completions", json={"prompt": [10**6]}), 400)
        assert (
            "tiny"
            in error_of(client.post(CHAT, json={**BODY, "model": "x"}), 404, "model_not_found")["message"]
        )


def test_max_tokens_has_a_default() -> None:
    assert fields.for_engine({"prompt": "a", "model": "tiny"}) == {
        "prompt": "a",
        "max_tokens": fields.DEFAULT_MAX_TOKENS,
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"logprobs": True}, {"logprobs": True, "top_logprobs": 1}),
        ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
        ({"logprobs": False}, {"logprobs": False}),
        ({"prompt": "a", "logprobs": 0}, {"prompt": "a", "logprobs": 1}),
        ({"prompt": "a", "logprobs": 2}, {"prompt": "a", "logprobs": 2}),
    ],
)
def test_the_engine_is_asked_for_one_likely_token_at_least(given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert fields.for_engine(given) == {**sent, "max_tokens": fields.DEFAULT_MAX_TOKENS}


def test_no_answer_tells_a_path(server: Running, model: Path) -> None:
    folder = server.supervisor.engine.socket.parent
    with server.client() as client:
        answers = [
            client.get("/health"),
            client.get("/v1/models"),
            client.post(CHAT, json=BODY),
            client.post(CHAT, json={**BODY, "stream": True}),
            client.post("/v1/completions", json={"prompt": "a", "max_tokens": 2, "stream": True}),
            client.post("/v1/completions", json={"prompt": [5] * 40000}),
            client.post(CHAT, json={**BODY, "model": "x"}),
        ]
    for answer in answers:
        assert (
            str(model) not in answer.text
            and str(folder) not in answer.text
            and "gguf" not in answer.text
        )
    assert answers[3].text.endswith("data: [DONE]\n\n")


def test_line_separators_in_an_answer_do_not_cut_its_events(server: Running) -> None:
    body = {"prompt": "a", "max_tokens": 12, "grammar": 'root ::= "\u2028\u0085x"', "stream": True}
    with server.client() as client:
        lines = client.post("/v1/completions", json=body).text.split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line and "[DONE]" not in line]
    assert "".join(event["choices"][0]["text"] for event in events) == "\u2028\u0085x"
    assert ["timings" in event for event in events] == [False] * (len(events) - 1) + [True]
