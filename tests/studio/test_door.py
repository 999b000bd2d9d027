"""Who may see the pages, from where, and what every page says to the browser."""

import contextlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from click.testing import CliRunner
from studied import KEY, running

from netsuke.cli import opening
from netsuke.errors import EngineError
from netsuke.serve import keys
from netsuke.store import Store
from netsuke.studio.door import PROOF, Seal

PAGES = ["/", "/keys", "/audit", "/m/mine", "/m/mine/compare", "/m/mine/material", "/m/mine/write", "/m/mine/ask",
         "/m/mine/search"]  # fmt: skip


def plain(opened, **headers):
    return httpx.Client(base_url=opened.url, trust_env=False, timeout=30, headers=headers)


def test_a_link_works_once_and_sets_a_strict_cookie(shown):
    link = shown.link
    with plain(shown) as one:
        answer = one.get(link)
        cookie = answer.headers["set-cookie"]
        assert answer.status_code == 303 and "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert one.get("/").status_code == 200
    with plain(shown) as other:
        assert other.get(link).status_code == 401
        assert "netsuke open" in other.get(link).text
        assert other.get("/").status_code == 401


@pytest.mark.parametrize("path", [*PAGES, "/makes/x", "/nothing", "/enter", "/keys", "/audit", "/usage.csv"])
def test_without_the_cookie_there_is_nothing_to_see(shown, path):
    with plain(shown) as one:
        answer = one.get(path)
        assert answer.status_code == 401 and "mine" not in answer.text.replace("determine", "")
        assert one.get(path, headers={"Cookie": f"{shown.door.callers.cookie}=wrong"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.nip.io", "evil.example@127.0.0.1", "127.0.0.1:1"])
def test_another_host_name_is_refused(looking, host):
    assert looking.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:1", "http://localhost.evil.com"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_with_the_cookie_too(looking, origin, method):
    answer = looking.request(method, "/makes" if method == "POST" else "/", headers={"Origin": origin})
    assert answer.status_code == 403


def test_what_changes_something_says_where_it_comes_from(client):
    del client.headers["Origin"]
    assert client.post("/makes", data={"target": "/nowhere"}).status_code == 401
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_port_may_not_ask(looking, site):
    assert looking.get("/", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert looking.get("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("path", [*PAGES, "/nothing", "/m/nobody"])
def test_every_answer_is_hardened(looking, path):
    headers = looking.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"] and policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin" and headers["cross-origin-opener-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_an_inline_script_or_style(looking, path):
    text = looking.get(path).text
    assert "<style" not in text and " style=" not in text and "javascript:" not in text
    assert text.count("<script") == len(re.findall(r'<script [^>]*src="/static/[a-z/]+\.js"[^>]*></script>', text)) > 0
    assert not [word for word in text.split() if word.startswith("on") and "=\"" in word]


def test_a_key_opens_no_page_and_is_not_taken_for_a_link(opened):
    named = keys.add(opened.store.root, "shop")
    with plain(opened) as one:
        for key in (KEY, named):
            for header in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}):
                assert one.get("/v1/models", headers=header).status_code == 200
                for path in PAGES:
                    assert one.get(path, headers=header).status_code == 401
        assert one.post("/enter", headers={"Authorization": f"Bearer {KEY}"}).status_code == 405


def test_a_link_of_a_model_leads_to_its_page_and_nowhere_else(shown):
    for name, place in (("mine", "/m/mine"), ("../..//evil.example", "/m/..%2F..%2F%2Fevil.example")):
        with plain(shown) as one:
            answer = one.get(f"/enter?token={shown.door.token(name)}")
            assert answer.status_code == 303 and answer.headers["location"] == place


def test_two_studios_of_a_machine_keep_their_cookies_apart(opened, tmp_path):
    with running(Store(tmp_path / "other")) as other, httpx.Client(trust_env=False) as browser:
        assert browser.get(opened.link).status_code == browser.get(other.link).status_code == 303
        assert browser.get(opened.url).status_code == browser.get(other.url).status_code == 200


def port_of(opened):
    return int(opened.url.rpartition(":")[2])


def test_whoever_has_the_key_makes_another_link(shown):
    link = opening.another_link(port_of(shown), KEY, "mine")
    with plain(shown) as one:
        answer = one.get(link)
        assert answer.status_code == 303 and answer.headers["location"] == "/m/mine"
        assert one.get(link).status_code == 401
    with pytest.raises(EngineError, match="not by a studio of this home"):
        opening.another_link(port_of(shown), "nsk-" + "x" * 43)


def test_a_link_is_for_one_name_one_port_and_one_run(shown):
    seal = shown.door.seal
    nonce, sign, _ = seal.token().split(".")
    others = [Seal(KEY, seal.port + 1, seal.run), Seal(KEY, seal.port, "another"), Seal("nsk-x", seal.port, seal.run)]
    wrong = [other.token() for other in others]
    wrong += [f"{nonce}.{sign}.mine", f"{nonce}x.{sign}.", f"{nonce}.{seal.proof(nonce)}.", nonce, "..", "", "é.é.é"]
    with plain(shown) as one:
        assert {one.get("/enter", params={"token": token}).status_code for token in wrong} == {401}
        assert one.get("/enter", params={"token": f"{nonce}.{sign}."}).status_code == 303


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://127.0.0.1:1"}])
def test_a_proof_is_not_for_other_pages_and_tells_nothing_else(shown, headers):
    with plain(shown) as one:
        assert one.get(PROOF, headers=headers).status_code in (403, 421)
        assert one.post(PROOF).status_code == 401
        told = one.get(PROOF, params={"nonce": "1"}).text
        assert re.fullmatch(r"[\w-]{32} [0-9a-f]{64}", told) and told != one.get(PROOF, params={"nonce": "2"}).text


@contextlib.contextmanager
def foreign(answer):
    """(port, all that came) of a listener that is none of ours and answers what `answer` makes of a path."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            came.append(f"{self.requestline}\n{self.headers}")
            told = answer(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        try:
            yield server.server_address[1], came
        finally:
            server.shutdown()


@pytest.mark.parametrize("passed_on", [True, False])
def test_a_foreign_listener_learns_nothing_that_opens_the_studio(shown, monkeypatch, passed_on):
    """Also one that passes on what it is asked to the studio itself, at its other port."""
    monkeypatch.setattr("netsuke.serve.default_key", lambda home: KEY)

    def answer(path):
        return httpx.get(shown.url + path, trust_env=False).content if passed_on else b"hello " + b"\xff" * 9999

    with foreign(answer) as (port, came):
        done = CliRunner().invoke(opening.open_studio, ["--port", str(port), "--no-browser"])
    assert "not by a studio of this home" in str(done.exception) and "--port" in done.exception.hint
    assert "token=" not in done.output
    (asked,) = came
    assert KEY not in asked and "authorization" not in asked.lower() and "cookie" not in asked.lower()
    words = re.findall(r"[\w-]{20,}", asked)
    with plain(shown) as one:
        for word in words:
            assert one.get("/enter", params={"token": word}).status_code == 401
            assert one.get("/v1/models", headers={"Authorization": f"Bearer {word}"}).status_code == 401
    assert words


def test_open_beside_a_running_studio_prints_its_link(shown, monkeypatch):
    monkeypatch.setattr("netsuke.serve.default_key", lambda home: KEY)
    port = shown.url.rpartition(":")[2]
    done = CliRunner().invoke(opening.open_studio, ["--port", port, "--no-browser"])
    assert done.exit_code == 0 and f"{shown.url}/enter?token=" in done.stderr
