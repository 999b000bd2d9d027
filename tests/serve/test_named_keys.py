"""Keys for others: which models, how often, how many tokens; and what they used."""

from __future__ import annotations

import concurrent.futures
import csv
import dataclasses
import functools
import io
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import BODY, CHAT, FOREVER, KEY, Running, error_of, running, until
from starlette.datastructures import Headers

from netsuke.errors import StoreError
from netsuke.serve import Callers, Folders, events, keys, usage
from netsuke.serve import book as books
from netsuke.serve.record import Record
from netsuke.serve.refused import Refused
from netsuke.serve.writer import write


def _used(server: Running, key: str) -> dict[str, int]:
    rows = usage.rows(server.home, key)
    return {name: sum(row[name] for row in rows) for name in usage.COLUMNS[3:]}


def test_a_key_is_kept_as_a_hash(tmp_path: Path) -> None:
    key = keys.add(tmp_path, "shop", rpm=60, tokens_per_day=1000, models=["b", "a"])
    (found,) = keys.named(tmp_path)
    assert (found.name, found.rpm, found.tokens_per_day, found.models) == ("shop", 60, 1000, ("a", "b"))
    assert found.may_use("a") and not found.may_use("c") and not found.is_owner
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert stat.S_IMODE(books.place(tmp_path).stat().st_mode) == 0o600
    with pytest.raises(StoreError, match="already"):
        keys.add(tmp_path, "shop")
    keys.remove(tmp_path, "shop")
    with pytest.raises(StoreError, match="no key"):
        keys.remove(tmp_path, "shop")


@pytest.mark.parametrize("name", ["", "owner", "Shop", "a b", "../x", "a" * 65, "-a", "a\n"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="name"):
        keys.add(tmp_path, name)


def test_a_book_that_is_none(tmp_path: Path) -> None:
    books.place(tmp_path).write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="book"):
        keys.named(tmp_path)


def test_a_key_uses_its_models_alone_until_it_is_removed(model: Path) -> None:
    with running(Folders({"tiny": model, "other": model})) as server:
        key = keys.add(server.home, "shop", models=["other"])
        with server.client(key) as client:
            assert [card["id"] for card in client.get("/v1/models").json()["data"]] == ["other"]
            assert [card["name"] for card in client.get("/api/tags").json()["models"]] == ["other"]
            assert client.post(CHAT, json=BODY).json()["model"] == "other"
            for name in ("tiny", "nowhere"):
                error = error_of(client.post(CHAT, json={**BODY, "model": name}), 403, "model_not_allowed")
                assert error["param"] == "model"
            assert client.post("/api/show", json={"model": "tiny"}).status_code == 403
            error_of(client.get("/metrics"), 403, "owner_only")
            with server.client() as owner:
                assert owner.get("/metrics").status_code == 200
            keys.remove(server.home, "shop")
            error_of(client.post(CHAT, json=BODY), 401)
        nobody = keys.add(server.home, "nobody", models=["gone"])
        with server.client(nobody) as client:
            error_of(client.post(CHAT, json=BODY), 403)


def test_requests_a_minute(server: Running) -> None:
    key = keys.add(server.home, "often", rpm=2)
    with server.client(key) as client, server.client() as owner:
        assert [client.post(CHAT, json=BODY).status_code for _ in range(2)] == [200, 200]
        refused = client.post(CHAT, json=BODY)
        error_of(refused, 429, "rate_limit")
        assert 0 < int(refused.headers["retry-after"]) <= 61
        assert client.get("/v1/models").status_code == 200  # reading is free
        assert owner.post(CHAT, json=BODY).status_code == 200
    keys.remove(server.home, "often")


def test_tokens_a_day(server: Running) -> None:
    key = keys.add(server.home, "little", tokens_per_day=20)
    with server.client(key) as client:
        body = {"prompt": [5] * 18, "max_tokens": 4}
        assert client.post("/v1/completions", json=body).status_code == 200
        refused = client.post("/v1/completions", json=body)
        error_of(refused, 429, "token_quota")
        assert 0 < int(refused.headers["retry-after"]) <= 86_401
    until(lambda: _used(server, "little")["requests"] == 1)
    assert _used(server, "little")["prompt_tokens"] == 18
    keys.remove(server.home, "little")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, BODY),
        ("/v1/completions", {"prompt": "the", "max_tokens": 4}),
        ("/v1/responses", {"input": "the", "max_output_tokens": 4}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}),
        ("/api/generate", {"model": "tiny", "prompt": "hi", "options": {"num_predict": 4}}),
    ],
)
def test_every_answer_is_metered(server: Running, path: str, body: dict[str, Any], stream: bool) -> None:
    name = f"metered{path}{stream}".lower().replace("/", "-")
    key = keys.add(server.home, name)
    with server.client(key) as client:
        assert client.post(path, json={**body, "stream": stream}).status_code == 200
    until(lambda: _used(server, name)["requests"] == 1)
    used = _used(server, name)
    assert used["prompt_tokens"] > 0 and 0 < used["completion_tokens"] <= 4 and used["errors"] == 0


def test_a_client_that_leaves_pays_for_what_was_written(server: Running) -> None:
    key = keys.add(server.home, "leaver")
    body = {"prompt": "a", "max_tokens": 30000, "grammar": FOREVER, "stream": True}
    with server.client(key) as client, client.stream("POST", "/v1/completions", json=body) as response:
        lines = response.iter_lines()
        for _ in range(20):
            next(lines)
    until(lambda: _used(server, "leaver")["requests"] == 1)
    used = _used(server, "leaver")
    assert used["completion_tokens"] >= 8 and used["prompt_tokens"] > 0 and used["errors"] == 0
    (event,) = [one for one in events.requests(server.home, "tiny", 0) if one.key == "leaver"]
    assert not event.failed and event.first_seconds is not None


def test_a_client_that_leaves_before_an_answer_in_one_piece_pays_by_estimate(server: Running) -> None:
    key = keys.add(server.home, "impatient", tokens_per_day=50)
    body = {"prompt": "the secret of the house " * 20, "max_tokens": 30000, "grammar": FOREVER}
    with server.client(key) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("/v1/completions", json=body, timeout=0.5)
        until(lambda: _used(server, "impatient")["requests"] == 1)
        used = _used(server, "impatient")
        assert used["prompt_tokens"] > 50 and 0 < used["completion_tokens"] < 30000 and used["errors"] == 0
        error_of(client.post("/v1/completions", json={"prompt": "a", "max_tokens": 1}), 429)


def test_fault_15_a_key_that_fills_the_queue_does_not_starve_another(model: Path) -> None:
    with running(model, waiting=4) as server, concurrent.futures.ThreadPoolExecutor(16) as pool:
        greedy, modest = (keys.add(server.home, name) for name in ("greedy", "modest"))
        long = {"prompt": "a", "max_tokens": 300, "grammar": FOREVER}
        with server.client(greedy) as many, server.client(modest) as one:
            asked = [pool.submit(many.post, "/v1/completions", json=long) for _ in range(12)]
            until(lambda: server.inside == 5)
            answers = [one.post("/v1/completions", json={"prompt": "a", "max_tokens": 2}) for _ in range(5)]
            assert [answer.status_code for answer in answers] == [200] * 5
            ends = [task.result().status_code for task in asked]
        assert set(ends) == {200, 429} and ends.count(200) >= 3


def test_attack_prompts_of_one_key_are_never_in_the_cache_of_another(server: Running) -> None:
    shop, spy = (keys.add(server.home, name) for name in ("cached", "spy"))
    body = {"prompt": "the secret of the house " * 20, "max_tokens": 1}

    def cached(key: str) -> int:
        with server.client(key) as client:
            return int(client.post("/v1/completions", json=body).json()["timings"]["cache_n"])

    assert cached(shop) == 0 and cached(shop) > 50
    assert cached(spy) == 0  # the same prompt tells nothing of who else asked it
    assert cached(shop) == 0 and cached(KEY) == 0 and cached(KEY) > 50


# -- the clock -------------------------------------------------------------------------------------------
class _Clock:
    now = 1_772_323_190.0  # ten seconds before the end of 28 February 2026, UTC

    def __call__(self) -> float:
        return self.now


def test_fault_16_clock_jumps_and_days_have_a_defined_result(tmp_path: Path) -> None:
    clock = _Clock()
    callers = Callers(tmp_path, KEY, clock=clock)
    key = keys.Key("shop", tokens_per_day=10)
    callers.admit(key)
    callers.spend("shop", 10)
    with pytest.raises(Refused) as refused:
        callers.admit(key)
    assert 0 < int(refused.value.headers["Retry-After"]) <= 11  # type: ignore[index]
    clock.now += 15
    callers.admit(key)  # another day
    clock.now = 1_772_323_190.0 - 400 * 86_400
    callers.admit(key)  # a clock set back by a year: that day has used nothing
    assert usage.day(1_709_164_800.0) == "2024-02-29" and usage.day(0) == "1970-01-01"
    callers.close()


def test_the_minute_slides_whatever_the_wall_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    callers, now = Callers(tmp_path, KEY), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    key = keys.Key("shop", rpm=3)
    for _ in range(3):
        callers.admit(key)
        now[0] += 10
    with pytest.raises(Refused) as refused:
        callers.admit(key)
    assert refused.value.headers == {"Retry-After": "31"}
    now[0] += 30
    callers.admit(key)
    with pytest.raises(Refused):
        callers.admit(key)


# -- credentials -----------------------------------------------------------------------------------------
def test_a_session_is_the_owners_and_acts_only_from_our_own_pages(tmp_path: Path) -> None:
    callers = Callers(tmp_path, KEY)
    cookie = {"cookie": f"a=b; netsuke_session={callers.session()}"}
    assert callers.authorise("GET", Headers(cookie)) == keys.Key("owner")
    assert callers.authorise("POST", Headers(cookie)) is None
    assert callers.authorise("POST", Headers({**cookie, "origin": "http://127.0.0.1:8177"})) == keys.Key("owner")
    assert callers.authorise("GET", Headers({**cookie, "x-api-key": "wrong"})) is None
    assert callers.authorise("GET", Headers({"cookie": f"netsuke_session={KEY}"})) is None
    shop = keys.add(tmp_path, "shop")
    both = {"x-api-key": shop, "authorization": f"Bearer {KEY}"}
    assert callers.authorise("GET", Headers(both)) is None  # two keys of two people
    callers.close()


# -- the command line ------------------------------------------------------------------------------------
@pytest.fixture
def netsuke(command: Callable) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in this process, in the test's own home."""
    return functools.partial(command, os.environ["NETSUKE_HOME"])


def test_with_nothing_there_it_is_said_and_what_to_do(netsuke: Callable) -> None:
    assert "nobody else has a key: netsuke keys add" in netsuke("keys", "list").stdout
    assert all("nothing was asked yet: netsuke serve" in netsuke(verb).stdout for verb in ("usage", "audit"))
    nobody = netsuke("usage", "--key", "shop")
    assert nobody.returncode == 6 and "no key 'shop'" in nobody.stderr and nobody.stdout == ""
    netsuke("keys", "add", "--name", "shop")
    for key in ("shop", "owner"):
        assert "nothing was asked by this key" in netsuke("usage", "--key", key).stdout


@pytest.mark.slow
def test_the_tables_of_others_use_have_80_columns(netsuke: Callable) -> None:
    home, name = Path(os.environ["NETSUKE_HOME"]), "notes-of-the-workshop-and-of-all-its-apprentices-1901-to-1950"
    one = Record("POST", "/v1/chat/completions", who="owner", model="notes", status=200, reached=True, time=0.0,
                 prompt_tokens=1234, completion_tokens=5678)  # fmt: skip
    write(home, [one])
    audit = netsuke("audit").stdout
    assert "1970-01-01 00:00:00  owner  POST /v1/chat/completions  notes   200   6,912" in audit
    used = netsuke("usage").stdout
    assert "owner  notes         1   1,234    5,678" in used and "written" in used
    write(home, [dataclasses.replace(one, who=name, model=name, path="/" + "x" * 90, completion_tokens=10**8)])
    keys.add(home, name, rpm=100_000, tokens_per_day=10**12, models=[name, "another"])
    for words in (["audit"], ["usage"], ["keys", "list"]):
        table = netsuke(*words).stdout
        assert max(map(len, table.splitlines())) <= 80 and "950" in table
        assert re.search(r"\d{4}-\d\d-\d\d", table)


def test_keys_usage_and_audit_on_the_command_line(netsuke: Callable) -> None:
    made = netsuke("keys", "add", "--name", "shop", "--rpm", "60", "--models", "a, b")
    assert made.returncode == 0 and made.stdout.startswith("nsk-") and "no model 'a'" in made.stderr
    listed = netsuke("keys", "list")
    assert "shop" in listed.stdout and "60" in listed.stdout and made.stdout.strip() not in listed.stdout
    assert json.loads(netsuke("keys", "list", "--json").stdout)["keys"][0]["models"] == ["a", "b"]
    assert netsuke("keys", "add", "--name", "shop").returncode == 6
    assert netsuke("keys", "remove", "shop").returncode == 0
    assert netsuke("keys", "remove", "shop").returncode == 6
    table = netsuke("usage", "--csv").stdout
    assert next(csv.reader(io.StringIO(table))) == list(usage.COLUMNS)
    assert json.loads(netsuke("usage", "--json").stdout) == {"usage": []}
    assert "0 rows, whole" in netsuke("audit", "verify").stdout
    assert netsuke("serve").returncode == 6
