"""The API beside the pages: each by its own guard, one engine for both."""

import asyncio

import httpx
import pytest
from studied import KEY, with_base, with_pack

from netsuke import serve, studio
from netsuke.engines.llama import Engine
from netsuke.studio import shelf

PORT = 8177


@pytest.fixture
def both(store, tmp_path):
    """(the application with an API, its door, the engine that both use)"""
    with_base(store, tmp_path)
    with_pack(store, tmp_path)
    supervisor = serve.Supervisor("mine", Engine(shelf.find("mine", store).file, threads=1))
    api = serve.build_app(supervisor, key=KEY, port=PORT)
    app, door = studio.build_studio(store, key=KEY, port=PORT, api=api, lent=supervisor)
    return app, door, supervisor


def test_the_api_asks_for_its_key_and_the_pages_for_their_cookie(both):
    app, door, supervisor = both
    url = f"http://127.0.0.1:{PORT}"

    async def asked():
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=url) as client:
            assert (await client.get("/health")).json() == {"status": "ok"}
            assert (await client.get("/v1/models")).status_code == 401
            assert (await client.get("/")).status_code == 401
            keyed = {"Authorization": f"Bearer {KEY}"}
            assert (await client.get("/", headers=keyed)).status_code == 401
            models = await client.get("/v1/models", headers=keyed)
            assert models.json()["data"][0]["id"] == "mine"
            assert (await client.get(f"/enter?token={door.token()}")).status_code == 303
            assert (await client.get("/v1/models")).status_code == 401  # a cookie is no key
            pid = supervisor.engine.pid
            page = {"Origin": url, "Accept": "application/json"}
            ghost = await client.post("/m/mine/ghost", json={"before": "the", "after": ""}, headers=page)
            assert ghost.status_code == 200 and supervisor.engine.pid == pid
        assert not supervisor.engine.alive

    asyncio.run(asked())


def test_without_an_api_its_paths_are_no_pages(client):
    for path in ("/v1/models", "/infill", "/health"):
        assert client.get(path).status_code == 404
