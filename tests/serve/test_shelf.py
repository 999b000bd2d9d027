"""Several models at one address: on demand, by memory, and a new one in the place of an old one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packed import small_pack
from served import BODY, CHAT, FOREVER, Running, error_of, running, until

from netsuke.engines import asking
from netsuke.engines.llama import Engine
from netsuke.errors import EngineError, StoreError
from netsuke.serve import Folders, Several, Shelf, Shipped, shelf
from netsuke.serve.refused import Refused
from netsuke.serve.shelf import OVERHEAD_BYTES, expected_bytes
from netsuke.store import Store

SLOW: dict[str, Any] = {"prompt": "a", "max_tokens": 1500, "grammar": FOREVER}


def ship(store: Store, folder: Path, name: str, **model: Any) -> str:
    """Makes a pack and puts it under a name."""
    small_pack(folder, name, **model)
    ref = store.add_folder(folder)
    store.name("packs", name, {"ref": ref, "recipe": str(folder)})
    return ref


@pytest.fixture
def shipped(store: Store, tmp_path: Path) -> Store:
    ship(store, tmp_path / "one", "one", seed=1)
    ship(store, tmp_path / "two", "two", seed=2)
    return store


@pytest.fixture
def server(shipped: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(shelf, "LOOK_SECONDS", 0.2)
    with running(Shipped(shipped), home=shipped.root) as one:
        yield one


def _running(server: Running) -> list[str]:
    return sorted(seat.name for seat in server.shelf.seats)


def test_the_request_says_which_and_the_first_answers_where_it_does_not(server: Running) -> None:
    assert _running(server) == ["one"]
    with server.client() as client:
        assert client.post(CHAT, json=BODY).json()["model"] == "one"
        assert _running(server) == ["one"]
        sure = {**BODY, "temperature": 0}
        said = {name: client.post(CHAT, json={**sure, "model": name}).json() for name in ("one", "two")}
        assert {name: answer["model"] for name, answer in said.items()} == {"one": "one", "two": "two"}
        assert said["one"]["choices"] != said["two"]["choices"]
        assert _running(server) == ["one", "two"]
        assert [card["id"] for card in client.get("/v1/models").json()["data"]] == ["one", "two"]
        message = error_of(client.post(CHAT, json={**BODY, "model": "three"}), 404, "model_not_found")["message"]
        assert "one, two" in message


def test_a_start_is_one_however_many_ask(server: Running) -> None:
    with server.client() as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(client.post, CHAT, json={**BODY, "model": "two"}) for _ in range(8)]
        assert {one.result().status_code for one in asked} == {200}
    assert _running(server) == ["one", "two"]


def test_the_least_recently_used_leaves_where_memory_is_short(shipped: Store) -> None:
    need = expected_bytes(Engine(shipped.path(shipped.named("packs", "one")["ref"]) / "model.gguf"))
    room = need + 20_000_000
    with running(Shipped(shipped), home=shipped.root, memory_bytes=room) as server, server.client() as client:
        for name in ("two", "one", "two"):
            assert client.post(CHAT, json={**BODY, "model": name}).json()["model"] == name
            assert _running(server) == [name]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            slow = pool.submit(client.post, "/v1/completions", json={**SLOW, "model": "two"})
            until(lambda: server.inside == 1)
            refused = client.post(CHAT, json={**BODY, "model": "one"})
            error_of(refused, 503, "no_memory")
            assert int(refused.headers["retry-after"]) > 0
            assert slow.result().status_code == 200


def test_a_model_that_cannot_fit_stops_nobody(shipped: Store, tmp_path: Path) -> None:
    files = [shipped.path(shipped.named("packs", name)["ref"]) / "model.gguf" for name in ("one", "two")]
    room = sum(expected_bytes(Engine(file)) for file in files) + 20_000_000
    for name, spare in (("large", 10_000_000), ("most", -10_000_000)):  # a file with a hole: it takes no disk
        (tmp_path / name).mkdir()
        with (tmp_path / name / "model.gguf").open("wb") as file:
            file.truncate(room - OVERHEAD_BYTES + spare)
    models = Several([Shipped(shipped), Folders({name: tmp_path / name for name in ("large", "most")})])
    with running(models, home=shipped.root, memory_bytes=room) as server, server.client() as client:
        assert client.post(CHAT, json={**BODY, "model": "two"}).status_code == 200
        never = client.post(CHAT, json={**BODY, "model": "large"})
        message = error_of(never, 503, "no_memory")["message"]
        assert f"about {room / 1e6 + 10:.0f} MB and --memory-mb allows {room / 1e6:.0f}" in message
        assert "retry-after" not in never.headers and _running(server) == ["one", "two"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            slow = pool.submit(client.post, "/v1/completions", json={**SLOW, "model": "one"})
            until(lambda: any(seat.users for seat in server.shelf.seats))
            refused = client.post(CHAT, json={**BODY, "model": "most"})
            assert _running(server) == ["one", "two"]  # what idles would not have made room enough
            error_of(refused, 503, "no_memory")
            assert int(refused.headers["retry-after"]) > 0 and slow.result().status_code == 200


def test_a_first_model_that_is_too_big_is_said_at_once(shipped: Store) -> None:
    with pytest.raises(EngineError, match="needs about") as caught:
        Shelf(Shipped(shipped), memory_bytes=1000).start_first()
    assert "--memory-mb" in (caught.value.hint or "")
    with pytest.raises(EngineError, match="no model"):
        Shelf(Shipped(shipped, ["gone"])).start_first()


@pytest.mark.slow
def test_a_new_pack_replaces_the_old_and_no_request_is_lost(server: Running, shipped: Store, tmp_path: Path) -> None:
    old = server.seat
    with server.client() as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        slow = pool.submit(client.post, "/v1/completions", json={**SLOW, "max_tokens": 6000})
        until(lambda: server.inside == 1)
        ship(shipped, tmp_path / "newer", "one", seed=3)
        asked = []
        while server.seat is old:
            asked.append(pool.submit(client.post, "/v1/completions", json={"prompt": "a", "max_tokens": 2}))
            asked[-1].exception()
        assert client.post(CHAT, json=BODY).status_code == 200  # the new one answers
        assert slow.result().json()["choices"][0]["text"] == "a" * 6000
        assert {one.result().status_code for one in asked} <= {200}
    until(lambda: not old.supervisor.engine.alive)
    assert server.supervisor.engine.alive and server.seat.stamp != old.stamp


def test_a_new_pack_that_does_not_start_leaves_the_old_one(server: Running, shipped: Store, tmp_path: Path) -> None:
    old = server.seat
    small_pack(tmp_path / "broken", "one")
    (tmp_path / "broken" / "model.gguf").write_bytes(b"GGUF no more")
    shipped.name("packs", "one", {"ref": shipped.add_folder(tmp_path / "broken"), "recipe": "x"})
    until(lambda: bool(server.shelf._failed))
    with server.client() as client:
        assert client.post(CHAT, json=BODY).status_code == 200
    assert server.seat is old


def test_a_damaged_record_leaves_the_model_as_it_is(server: Running, shipped: Store) -> None:
    old = server.seat
    (shipped.root / "names" / "packs" / "one.json").write_text("{")
    with server.client() as client:
        error_of(client.post(CHAT, json={**BODY, "model": "nowhere"}), 404)
        time.sleep(2 * shelf.LOOK_SECONDS)
        assert client.post(CHAT, json={**BODY, "model": "one"}).status_code == 200
        assert [card["id"] for card in client.get("/v1/models").json()["data"]] == ["one", "two"]
    assert server.seat is old


def test_a_model_that_is_taken_away_is_gone(server: Running, shipped: Store) -> None:
    old = server.seat
    shipped.unname("packs", "one")
    until(lambda: not old.supervisor.engine.alive)
    with server.client() as client:
        error_of(client.post(CHAT, json={**BODY, "model": "one"}), 404)
        assert client.post(CHAT, json=BODY).json()["model"] == "two"


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_an_answer_under_way_of_a_withdrawn_model_ends_with_an_error(
    server: Running, shipped: Store, path: str
) -> None:
    seat, prompt = server.seat, {"messages": BODY["messages"]} if path == CHAT else {"prompt": "a"}
    sent = {**prompt, "model": "one", "max_tokens": 30_000, "grammar": FOREVER}
    with server.client() as client, concurrent.futures.ThreadPoolExecutor() as pool:
        with client.stream("POST", path, json={**sent, "stream": True}) as stream:
            lines = stream.iter_lines()
            next(lines)
            waiting = pool.submit(client.post, path, json=sent)
            until(lambda: seat.users == 2)
            shipped.unname("packs", "one")
            error_of(client.post(path, json=sent), 404, "model_not_found")
            told = [line for line in lines if line][-1]
        assert json.loads(told.removeprefix("data: "))["error"]["code"] == "model_withdrawn"
        error_of(waiting.result(), 404, "model_withdrawn")
    until(lambda: not seat.supervisor.engine.alive)


def test_a_client_that_leaves_during_a_start_leaves_no_engine_behind(shipped: Store) -> None:
    async def story() -> None:
        shelf = Shelf(Shipped(shipped), threads=1)
        async with shelf:
            async def ask() -> None:
                async with shelf.lent("one"):
                    pass

            task = asyncio.create_task(ask())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with shelf.lent("one") as seat:
                assert seat.supervisor.up
            assert len(shelf.seats) == 1
        assert not seat.supervisor.engine.alive

    asyncio.run(story())


def test_folders_and_names_are_served_together(shipped: Store, tmp_path: Path) -> None:
    small_pack(tmp_path / "pack", "elsewhere", seed=4)
    models = Several([Shipped(shipped, ["two"]), Folders({"elsewhere": tmp_path / "pack"})])
    assert models.names() == ["two", "elsewhere"]
    assert models.stamp("one") is None and models.facts("one") is None
    assert [models.facts(name).base for name in models.names()] == ["tiny", "tiny"]  # type: ignore[union-attr]
    assert models.stamp("../x") is None and models.stamp("") is None
    with pytest.raises(StoreError, match="two is another one by now, or gone"):
        models.folder("two", "0" * 64)  # no StopIteration, which no awaited thread could hand on
    with running(models, home=shipped.root) as server, server.client() as client:
        assert client.post(CHAT, json={**BODY, "model": "elsewhere"}).json()["model"] == "elsewhere"
        error_of(client.post(CHAT, json={**BODY, "model": "one"}), 404)


def test_attack_6_a_flipped_bit_is_refused_before_the_engine_loads_it(shipped: Store, tmp_path: Path) -> None:
    digest = shipped.tree(shipped.named("packs", "two")["ref"])["model.gguf"]
    file = shipped.root / "objects" / digest[:2] / digest
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    with running(Shipped(shipped), home=shipped.root) as server, server.client() as client:
        error_of(client.post(CHAT, json={**BODY, "model": "two"}), 503, "model_unavailable")
        assert _running(server) == ["one"]
        assert client.post(CHAT, json={**BODY, "model": "one"}).status_code == 200


def test_attack_5_a_damaged_file_takes_nobody_else_down(model: Path, tmp_path: Path) -> None:
    whole = (model / "model.gguf").read_bytes()
    head = whole.index(b"blk.0.attn_norm")
    hurt = {"cut": whole[: len(whole) // 2], "empty": b"", "counts": whole[:8] + b"\xff" * 16 + whole[24:],
            "offsets": whole[: head + 40] + b"\xff" * 64 + whole[head + 104 :]}  # fmt: skip
    folders = {"tiny": model}
    for name, data in hurt.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.gguf").write_bytes(data)
        folders[name] = tmp_path / name
    with running(Folders(folders)) as server, server.client() as client:
        for name in hurt:
            error_of(client.post(CHAT, json={**BODY, "model": name}), 503, "model_unavailable")
            assert client.post(CHAT, json={**BODY, "model": "tiny"}).status_code == 200
    shutil.rmtree(tmp_path / "cut")


@pytest.mark.parametrize("newer", [True, False])
def test_a_very_model_is_lent_or_none(shipped: Store, tmp_path: Path, newer: bool) -> None:
    before = shipped.named("packs", "one")["ref"]  # type: ignore[index]
    ref = ship(shipped, tmp_path / "new", "one" if newer else "three", seed=3)

    async def borrowed() -> tuple[str, int]:
        async with Shelf(Shipped(shipped), context_tokens=512, threads=1) as shelf:
            shipped.name("packs", "one", {"ref": before, "recipe": ""})
            async with shelf.lent("one") as old:
                assert old.stamp == before
                if newer:
                    shipped.name("packs", "one", {"ref": ref, "recipe": ""})
                try:
                    async with shelf.lent("one", stamp=ref) as seat:
                        assert old.supervisor.engine.alive  # it is still in use
                        return seat.stamp, len(shelf.seats)
                except Refused as refused:
                    return refused.code or "", len(shelf.seats)

    assert asyncio.run(borrowed()) == ((ref, 1) if newer else ("model_changed", 1))


def test_a_file_alone_is_a_model_too(shipped: Store, tmp_path: Path) -> None:
    class Alone(Folders):
        def folder(self, name: str, stamp: str) -> Path:
            return super().folder(name, stamp) / "model.gguf"

    with running(Alone({"alone": tmp_path / "one"})) as server, server.client() as client:
        assert client.post(CHAT, json=BODY).json()["model"] == "alone"


def test_a_task_has_the_context_that_it_was_checked_with(shipped: Store, tmp_path: Path) -> None:
    shelf = Shelf(Shipped(shipped), context_tokens=512)
    plain = shipped.path((shipped.named("packs", shipped.names("packs")[0]) or {})["ref"])
    taught = tmp_path / "taught"
    shutil.copytree(plain, taught)
    assert shelf._engine(plain, "text").context_tokens == 512
    (taught / "task.json").write_text('{"kind": "labels"}')
    assert shelf._engine(taught, "text").context_tokens == asking.CONTEXT_TOKENS
    assert shelf._engine(taught, "vectors").context_tokens == 512
