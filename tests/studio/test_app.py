"""The API beside the pages: one guard, one set of engines, every model of the home."""

import asyncio

import httpx
from served import BODY, CHAT, until
from starlette.requests import Request
from studied import BASE, KEY, ghost, running, with_pack

from netsuke.serve import audit, usage
from netsuke.studio import shelf, write
from netsuke.studio.lending import Bases

KEYED = {"Authorization": f"Bearer {KEY}"}


def seated(opened):
    return [seat.name for seat in opened.shelf.seats]


def with_own_base(store, folder, name="ours", **pack):
    """Give a home a pack whose base is the one of with_base."""
    ref = store.named("bases", BASE)["ref"]
    return with_pack(store, folder, name, base=ref, **pack)


def test_the_api_and_the_pages_have_one_engine(opened, client):
    assert httpx.get(f"{opened.url}/v1/models", trust_env=False).status_code == 401
    told = httpx.get(f"{opened.url}/v1/models", headers=KEYED, trust_env=False).json()
    assert [one["id"] for one in told["data"]] == ["mine"] and seated(opened) == []
    assert client.post("/m/mine/ghost", json={"before": "the", "after": "", "voices": {}}).status_code == 200
    (seat,) = opened.shelf.seats
    pid = seat.supervisor.engine.pid
    asked = httpx.post(f"{opened.url}{CHAT}", json=BODY, headers=KEYED, trust_env=False, timeout=60)
    assert asked.status_code == 200 and asked.json()["model"] == "mine"
    assert seated(opened) == ["mine"] and seat.supervisor.engine.pid == pid


def test_what_pages_ask_of_a_model_counts_as_the_owners(opened, client):
    assert ghost(client, "mine", before="the other")
    until(lambda: usage.rows(opened.store.root))
    (row,) = usage.rows(opened.store.root)
    assert (row["key"], row["model"], row["requests"]) == ("owner", "mine", 1) and row["completion_tokens"] > 0
    until(lambda: audit.rows(opened.store.root, 9, model="mine"))
    (row,) = audit.rows(opened.store.root, 9, model="mine")
    assert (row.who, row.route, row.status) == ("owner", "/m/mine/ghost", 200)


def test_what_a_page_gave_up_is_broken_off():
    async def story():
        gone, broken = asyncio.Event(), []

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        async def work(seconds):
            try:
                await asyncio.sleep(seconds)
                return "marks"
            except asyncio.CancelledError:
                broken.append(seconds)
                raise

        request = Request({"type": "http"}, receive)
        assert await write.while_there(request, work(0)) == "marks" and broken == []
        asyncio.get_running_loop().call_later(0.05, gone.set)
        assert await write.while_there(request, work(30)) is None and broken == [30]

    asyncio.run(story())


def test_what_is_read_of_a_text_leaves_what_is_written_in_the_cache(opened, client, tmp_path, monkeypatch):
    with_own_base(opened.store, tmp_path)
    monkeypatch.setattr(write, "bare", lambda passage, text: "the other one again")
    monkeypatch.setattr(write, "is_close", lambda passage, text: True)
    answer = client.post("/m/ours/rewrite", json={"text": "the other one", "voices": {}})
    assert answer.status_code == 200 and answer.json()["choices"], answer.text
    (seat,) = [seat for seat in opened.shelf.seats if seat.name == "ours"]
    assert sorted(who for who, _ in filter(None, seat.supervisor.turns._last)) == ["owner", "owner, reading"]


def test_a_home_without_a_model_opens_and_a_new_one_answers_at_once(store, tmp_path):
    with running(store) as one, httpx.Client(base_url=one.url, headers=KEYED, trust_env=False, timeout=60) as api:
        with httpx.Client(base_url=one.url, trust_env=False) as browser:
            assert browser.get(one.link).status_code == 303 and "Make the first one" in browser.get("/").text
        assert api.get("/health").json() == {"status": "ok"} and api.get("/v1/models").json()["data"] == []
        none = api.post(CHAT, json=BODY)
        assert (none.status_code, none.json()["error"]["code"]) == (404, "model_not_found")
        with_pack(store, tmp_path)
        assert [row["id"] for row in api.get("/v1/models").json()["data"]] == ["mine"]
        assert api.post(CHAT, json=BODY).status_code == 200


def test_the_named_model_answers_where_none_is_named(home, tmp_path):
    with_pack(home, tmp_path, "zebra")
    with running(home, first="zebra") as one:
        answer = httpx.post(f"{one.url}{CHAT}", json=BODY, headers=KEYED, trust_env=False, timeout=60)
        assert answer.json()["model"] == "zebra"


def test_the_base_is_lent_to_pages_and_is_no_model_of_the_api(opened, client, tmp_path):
    with_own_base(opened.store, tmp_path)
    body = {"who": "the base of ours", "prompt": "the other", "asked": False, "tokens": 4, "seed": 1}
    assert "data: [DONE]" in client.post("/compare/stream", json=body).text
    (seat,) = opened.shelf.seats
    assert seat.supervisor.engine.model == shelf.find("ours", opened.store).base_file
    names = [one["id"] for one in client.get("/v1/models").json()["data"]]
    assert names == ["mine", "ours"]
    asked = client.post(CHAT, json={**BODY, "model": seat.name})
    assert asked.status_code == 404 and asked.json()["error"]["code"] == "model_not_found"
    assert client.post("/api/show", json={"model": seat.name}).status_code == 404
    assert [one["name"] for one in client.get("/api/ps").json()["models"]] == []


def test_one_engine_serves_the_base_of_two_packs(home, tmp_path):
    bases = Bases(home)
    names = {bases.name(shelf.find(name, home)) for name in _two(home, tmp_path)}
    assert len(names) == 1 and bases.stamp(names.pop()) == home.named("bases", BASE)["ref"]
    assert bases.stamp("base:other:000000000000") is None and bases.names() == []


def _two(home, folder):
    for name in ("one", "two"):
        with_own_base(home, folder, name)
        yield name


def test_under_one_limit_of_memory_the_other_engine_leaves(home, tmp_path):
    with_own_base(home, tmp_path)
    with running(home, memory_bytes=130_000_000) as one:
        with httpx.Client(base_url=one.url, headers={"Origin": one.url}, trust_env=False, timeout=60) as client:
            client.get(one.link)
            for who in ("ours", "the base of ours"):
                body = {"who": who, "prompt": "the other", "asked": False, "tokens": 2, "seed": 1}
                assert "data: [DONE]" in client.post("/compare/stream", json=body).text
                assert len(seated(one)) == 1
        assert seated(one)[0].startswith("base:")


def test_refusals_are_pages_to_browsers_and_errors_to_programs(opened):
    with httpx.Client(base_url=opened.url, trust_env=False) as one:
        assert "netsuke open" in one.get("/").text and one.get("/").headers["content-type"].startswith("text/html")
        for path, headers in (("/v1/models", {}), ("/v1/nothing", KEYED), ("/infill", KEYED), ("/metrics", {})):
            answer = one.get(path, headers=headers)
            assert answer.status_code in (401, 404, 405) and answer.json()["error"]["message"]
