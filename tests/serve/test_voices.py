"""Voices of a request: what they do by every route, what is refused, and that no cache is shared between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import CHAT, Running, error_of, running
from studied import with_task
from sung import WEIGHTS, voiced_pack

from netsuke import voices
from netsuke.engines.llama import Engine
from netsuke.serve import Folders, Shelf, Shipped
from netsuke.store import Store

PROMPT = "the other one is in the river and the other one is in the valley. " * 4
TEXT = "root ::= [a-z ]+"
SURE: dict[str, Any] = {"prompt": PROMPT, "max_tokens": 16, "temperature": 0.0, "grammar": TEXT}
LOUD = {"Bea": 2.0, "owner 3": 0.0}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return voiced_pack(tmp_path_factory.mktemp("voiced") / "pack")


@pytest.fixture(scope="module")
def voiced(pack: Path, model: Path) -> Iterator[Running]:
    """A server of a pack with two voices, and of a model without."""
    with running(Folders({"tiny": pack, "plain": model})) as one:
        yield one


def written(pack: Path, scales: dict[str, float], **fields: Any) -> str:
    """What a fresh engine writes that never saw another request."""
    found = voices.read(pack)
    added = [{"id": n, "scale": one.weight * (scales.get(one.name, 1.0) - 1.0)} for n, one in enumerate(found)]
    files = [pack / one.file for one in found]
    with Engine(pack / "model.gguf", context_tokens=32768, threads=1, voices=files, prompt_cache_mib=0) as engine:
        asked = {"n_predict": 16, "temperature": 0.0, "grammar": TEXT, "lora": added}
        return str(engine.complete(PROMPT, **asked | fields)["content"])


def test_no_cache_is_shared_between_voices(pack: Path, voiced: Running) -> None:
    scales = {"loud": LOUD, "as it is": {}, "other": {"Bea": 0.0}}
    wanted = {name: written(pack, one) for name, one in scales.items()}
    assert len({*wanted.values()}) == 3
    with voiced.client() as client:
        for name in ("loud", "as it is", "loud", "loud", "other", "as it is", "as it is", "loud"):
            sent = {"loud": {"voices": LOUD}, "other": {"voices": {"Bea": 0.0}}}.get(name, {})
            answer = client.post("/v1/completions", json={**SURE, **sent}).json()
            assert answer["choices"][0]["text"] == wanted[name], name


def test_a_callers_cache_is_kept_while_the_voices_stay(voiced: Running) -> None:
    def read_again(client: httpx.Client, **sent: Any) -> int:
        answer = client.post("/v1/completions", json={**SURE, **sent}).json()
        return int(answer["usage"]["prompt_tokens_details"]["cached_tokens"])

    with voiced.client() as client:
        client.post("/v1/completions", json={**SURE, "prompt": "something else"})
        cached = [read_again(client, **sent) for sent in ({}, {}, {"voices": LOUD}, {"voices": LOUD}, {})]
        assert [bool(count) for count in cached] == [False, True, False, True, False]
        assert read_again(client, voices={"Bea": 1.0, "owner 3": 1}) > 0  # all at 1 is the model as it is


ROUTES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 12, "temperature": 0}),
    ("/v1/completions", {"prompt": PROMPT, "max_tokens": 12, "temperature": 0}),
    ("/v1/responses", {"input": PROMPT, "max_output_tokens": 12, "temperature": 0}),
    ("/v1/messages", {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 12, "temperature": 0}),
    ("/infill", {"input_prefix": PROMPT, "input_suffix": "end", "n_predict": 12, "temperature": 0}),
]
SAID = ("text", "content", "message", "response", "choices", "output")
OLLAMA: list[tuple[str, dict[str, Any]]] = [
    ("/api/chat", {"model": "tiny", "messages": [{"role": "user", "content": PROMPT}], "stream": False}),
    ("/api/generate", {"model": "tiny", "prompt": PROMPT, "stream": False}),
    ("/api/generate", {"model": "tiny", "prompt": PROMPT, "raw": True, "stream": False}),
]


def _texts(value: Any) -> str:
    """What was written, whatever the route."""
    if isinstance(value, dict):
        return "".join(_texts(item) for name, item in value.items() if name in SAID)
    return "".join(map(_texts, value)) if isinstance(value, list) else str(value)


@pytest.mark.parametrize("path, body", ROUTES)
def test_every_route_passes_them_on(voiced: Running, path: str, body: dict[str, Any]) -> None:
    with voiced.client() as client:
        plain, loud, again = (
            _texts(client.post(path, json={**body, **sent}).json()) for sent in ({}, {"voices": LOUD}, {})
        )
    assert plain == again != loud


@pytest.mark.parametrize("path, body", OLLAMA)
def test_ollamas_routes_take_them_among_their_options(voiced: Running, path: str, body: dict[str, Any]) -> None:
    options = {"temperature": 0, "num_predict": 12, "seed": 1}
    with voiced.client() as client:
        plain, loud, again = (
            _texts(client.post(path, json={**body, "options": {**options, **sent}}).json())
            for sent in ({}, {"voices": LOUD}, {})
        )
    assert plain == again != loud


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_a_stream_is_in_the_voices_that_it_asked_for(voiced: Running, path: str) -> None:
    body = next(body for route, body in ROUTES if route == path)
    with voiced.client() as client:
        whole = _texts(client.post(path, json={**body, "voices": LOUD}).json())
        lines = client.post(path, json={**body, "voices": LOUD, "stream": True}).text.splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    said = [one["choices"][0] for one in events if one.get("choices")]
    assert "".join(str(one.get("text") or one.get("delta", {}).get("content") or "") for one in said) in whole != ""


WRONG: list[tuple[Any, str]] = [
    ({"Bea": 2.1}, "'Bea'"), ({"Bea": -0.1}, "'Bea'"), ({"Bea": "1"}, "'Bea'"), ({"Bea": True}, "'Bea'"),
    ({"Bea": None}, "'Bea'"), ({"Bea": [1]}, "'Bea'"), ([], "object"), (1, "object"), ("Bea", "object"),
    ({str(n): 1 for n in range(257)}, "256"),
]  # fmt: skip


@pytest.mark.parametrize("path, body", ROUTES)
def test_what_is_no_scale_is_refused_by_its_name(voiced: Running, path: str, body: dict[str, Any]) -> None:
    with voiced.client() as client:
        for wrong, told in WRONG:
            answer = client.post(path, json={**body, "voices": wrong})
            assert answer.status_code == 400 and "'voices'" in answer.text.replace('\\"', '"'), (wrong, answer.text)
            assert told in answer.text
        for word in ("NaN", "Infinity", "1e999"):
            sent = json.dumps({**body, "voices": {"Bea": 0}}).replace('{"Bea": 0}', f'{{"Bea": {word}}}')
            answer = client.post(path, content=sent, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, (word, answer.text)


def test_an_unknown_voice_is_told_those_that_are_there(voiced: Running) -> None:
    with voiced.client() as client:
        error = error_of(client.post(CHAT, json={**ROUTES[0][1], "voices": {"bea": 1.0}}), 400, "unknown_voice")
        assert error["param"] == "voices" and "'Bea', 'owner 3'" in error["message"] and "'bea'" in error["message"]
        error = error_of(client.post(CHAT, json={**ROUTES[0][1], "model": "plain", "voices": LOUD}), 400, "no_voices")
        assert "'plain' has no voices" in error["message"]
        for nothing in ({}, None):
            sent = {**ROUTES[0][1], "model": "plain", "voices": nothing}
            assert client.post(CHAT, json=sent).status_code == 200


def test_the_list_of_models_names_them(voiced: Running) -> None:
    with voiced.client() as client:
        cards = {card["id"]: card for card in client.get("/v1/models").json()["data"]}
        assert cards["tiny"]["voices"] == [*WEIGHTS] and "voices" not in cards["plain"]
        sent = {"model": "tiny", "input": "a", "voices": LOUD}
        assert error_of(client.post("/v1/embeddings", json=sent), 400)["param"] == "voices"
        assert client.post("/v1/embeddings", json={"model": "tiny", "input": "a"}).status_code == 200


def test_a_label_is_given_by_the_model_as_it_was_calibrated(store: Store, tmp_path: Path) -> None:
    with_task(store, tmp_path)
    folder = voiced_pack(tmp_path / "both")
    for name in ("task.json", "shots.jsonl"):
        (folder / name).write_bytes((tmp_path / "tickets" / name).read_bytes())
    body = {"messages": [{"role": "user", "content": "it burns"}]}
    with running(folder) as server, server.client() as client:
        error_of(client.post(CHAT, json={**body, "voices": LOUD}), 400, "no_voices")
        for same in ({}, {"voices": {"Bea": 1}}):
            assert client.post(CHAT, json={**body, **same}).json()["netsuke"]["answer"] in ("fire", "water", None)


def test_a_pack_of_a_home_is_served_with_its_voices(store: Store, tmp_path: Path) -> None:
    ref = store.add_folder(voiced_pack(tmp_path / "tiny", name="tiny"))
    store.name("packs", "tiny", {"ref": ref, "recipe": ""})
    with running(Shipped(store), home=store.root) as server, server.client() as client:
        assert client.get("/v1/models").json()["data"][0]["voices"] == [*WEIGHTS]
        loud, plain = (
            client.post("/v1/completions", json={**SURE, **sent}).json()["choices"][0]["text"]
            for sent in ({"voices": LOUD}, {})
        )
        assert loud != plain


def test_voices_count_in_what_an_engine_will_need(pack: Path, model: Path) -> None:
    async def story() -> None:
        async with Shelf(Folders({"tiny": pack, "plain": model}), context_tokens=512, threads=1) as shelf:
            async with shelf.lent("tiny") as seat, shelf.lent("plain") as plain, shelf.lent("tiny", "vectors") as third:
                assert [one.name for one in seat.voices] == [*WEIGHTS]
                assert plain.voices == () == third.voices and not third.supervisor.engine.voices

    asyncio.run(story())


def test_a_damaged_list_takes_nobody_else_down(pack: Path, model: Path, tmp_path: Path) -> None:
    hurt = voiced_pack(tmp_path / "hurt")
    (hurt / voices.FILE).write_text("[{}]")
    cut = voiced_pack(tmp_path / "cut")
    (cut / "voice-2.gguf").write_bytes((cut / "voice-2.gguf").read_bytes()[:700])
    with running(Folders({"tiny": model, "cut": cut})) as server, server.client() as client:
        error_of(client.post(CHAT, json={**ROUTES[0][1], "model": "cut"}), 503, "model_unavailable")
        assert client.post(CHAT, json=ROUTES[0][1]).status_code == 200
    from netsuke.errors import StoreError

    with pytest.raises(StoreError, match="voices.json is damaged"):
        Shelf(Folders({"hurt": hurt})).start_first()
