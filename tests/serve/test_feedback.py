"""/v1/feedback, and what the book keeps of requests and prompts while a server runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from searched import searchable_pack
from served import BODY, CHAT, Running, error_of, keyed, running, until

from netsuke.consent import corrections
from netsuke.serve import audit, events, usage

FEEDBACK = "/v1/feedback"
BETTER = {"prompt": "hi", "answer": "Good morning."}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of a pack that holds documents."""
    with running(searchable_pack(tmp_path_factory.mktemp("pack") / "tiny")) as server:
        yield server


def asked(client: Any, path: str = CHAT, body: dict[str, Any] | None = None) -> str:
    """The id of an answer."""
    answer = client.post(path, json=body or BODY)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


ROUTES: list[tuple[str, dict[str, Any]]] = [
    (CHAT, BODY), ("/v1/completions", {"prompt": "a", "max_tokens": 2}),
    ("/v1/responses", {"input": "a", "max_output_tokens": 2}),
    ("/v1/messages", {"messages": [{"role": "user", "content": "a"}], "max_tokens": 2}),
]  # fmt: skip


@pytest.mark.parametrize("path, body", ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_every_answer_with_an_id_can_be_spoken_of(pack: Running, path: str, body: dict[str, Any], stream: bool) -> None:
    with keyed(pack, "shop") as client:
        if stream:
            lines = client.post(path, json={**body, "stream": True}).text.splitlines()
            told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
            found = next(one for one in told if "id" in str(one))
            given = found.get("id") or (found.get("message") or found.get("response"))["id"]
        else:
            given = asked(client, path, body)
        answer = client.post(FEEDBACK, json={"id": given, "thumb": "down"})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"object": "feedback", "id": given, "thumb": "down", "correction": None}
    assert given in [one.answer for one in events.thumbs(pack.home, "tiny", 0)]


def test_a_correction_is_kept_with_consent_and_never_without(pack: Running) -> None:
    with keyed(pack, "shop") as client:
        given = asked(client)
        for consent in ({}, {"consent": False}, {"consent": None}):
            error_of(client.post(FEEDBACK, json={"id": given, "correction": BETTER, **consent}), 400, "no_consent")
            assert corrections.every(pack.home, "tiny") == []
        answer = client.post(FEEDBACK, json={"id": given, "thumb": "down", "correction": BETTER, "consent": True})
        (one,) = corrections.every(pack.home, "tiny")
        assert answer.json()["correction"] == one.id
        assert (one.owner, one.prompt, one.answer) == ("shop", "hi", "Good morning.")
    corrections.drop(pack.home)


def test_nobody_speaks_of_anothers_answer(pack: Running) -> None:
    with keyed(pack, "shop") as shop, keyed(pack, "other") as other, pack.client() as owner:
        given = asked(shop)
        for client in (other, owner):
            error_of(client.post(FEEDBACK, json={"id": given, "thumb": "up"}), 404, "answer_not_found")
        error_of(shop.post(FEEDBACK, json={"id": "chatcmpl-none", "thumb": "up"}), 404, "answer_not_found")


def test_an_answer_is_known_from_the_book_when_the_server_has_forgotten_it(pack: Running) -> None:
    with keyed(pack, "late") as client:
        given = asked(client)
        until(lambda: events.model_of(pack.home, "late", given) == "tiny")
    with running(pack.shelf.models, home=pack.home) as again, keyed(again, "late") as client:
        assert client.post(FEEDBACK, json={"id": given, "thumb": "up"}).status_code == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "id"), ({"id": ""}, "id"), ({"id": "x" * 129}, "id"), ({"id": 1}, "id"), ({"id": "x"}, "thumb"),
    ({"id": "x", "thumb": "sideways"}, "thumb"), ({"id": "x", "thumb": "up", "more": 1}, "more"),
    ({"id": "x", "correction": {"prompt": "a"}, "consent": True}, "correction"),
    ({"id": "x", "correction": {**BETTER, "why": "b"}, "consent": True}, "correction"),
    ({"id": "x", "correction": {"prompt": "a" * 20_001, "answer": "b"}, "consent": True}, "correction"),
    ({"id": "x", "correction": BETTER, "consent": "yes"}, "consent"),
]  # fmt: skip


@pytest.mark.parametrize("given, field", WRONG)
def test_what_is_wrong_is_named(pack: Running, given: dict[str, Any], field: str) -> None:
    with pack.client() as client:
        assert error_of(client.post(FEEDBACK, json=given), 400)["param"] == field


@pytest.mark.parametrize("better", [{"prompt": " ", "answer": "a"}, {"prompt": "a", "answer": "\n"}])
def test_an_empty_correction_is_none(pack: Running, better: dict[str, str]) -> None:
    with pack.client() as client:
        body = {"id": asked(client), "correction": better, "consent": True}
        assert error_of(client.post(FEEDBACK, json=body), 400)["param"] == "correction"
    assert corrections.every(pack.home, "tiny") == []


def test_a_disk_that_takes_nothing_is_a_503(pack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsuke.errors import StoreError

    def full(*_: object, **__: object) -> None:
        raise StoreError("cannot keep the correction: No space left on device", where="/a/secret/path")

    with pack.client() as client:
        given = asked(client)
        monkeypatch.setattr(corrections, "keep", full)
        body = {"id": given, "thumb": "up", "correction": BETTER, "consent": True}
        answer = client.post(FEEDBACK, json=body)
        error_of(answer, 503, "not_kept")
        assert "secret" not in answer.text and given not in [o.answer for o in events.thumbs(pack.home, "tiny", 0)]


def test_feedback_is_an_act_and_no_use_of_a_model(pack: Running) -> None:
    with keyed(pack, "counted") as client:
        client.post(FEEDBACK, json={"id": asked(client), "thumb": "up"})
        until(lambda: len([row for row in audit.rows(pack.home, 99, who="counted")]) == 2)
    (row,) = usage.rows(pack.home, "counted")
    assert row["requests"] == 1
    assert audit.rows(pack.home, 99, who="counted")[-1].route == FEEDBACK


def test_seconds_to_the_first_part_are_those_of_streams(pack: Running) -> None:
    with keyed(pack, "timed") as client:
        client.post(CHAT, json=BODY)
        client.post(CHAT, json={**BODY, "stream": True})
        until(lambda: sum(one.key == "timed" for one in events.requests(pack.home, "tiny", 0)) == 2)
    whole, stream = [one for one in events.requests(pack.home, "tiny", 0) if one.key == "timed"]
    assert whole.first_seconds is None and 0 < whole.seconds
    assert stream.first_seconds is not None and 0 < stream.first_seconds <= stream.seconds


def test_of_a_prompt_two_figures_are_kept_and_no_word(pack: Running) -> None:
    def prompts() -> list[tuple[float, int]]:
        return events.prompts(pack.home, "tiny", 0)

    before = len(prompts())
    with pack.client() as client:
        for text in ("a colony of honey in winter", "zygomorphic quaternions"):
            said = [{"role": "user", "content": "something else"}, {"role": "user", "content": text}]
            assert client.post(CHAT, json={"messages": said, "max_tokens": 2}).status_code == 200
        client.post("/v1/completions", json={"prompt": "the old queen", "max_tokens": 2})
        client.post("/v1/completions", json={"prompt": [5, 6], "max_tokens": 2})
        client.post("/infill", json={"input_prefix": "honey", "input_suffix": "bees", "n_predict": 2})
        client.post("/v1/embeddings", json={"input": "honey"})
    until(lambda: len(prompts()) == before + 3)
    assert prompts()[before:] == [(1.0, 3), (0.0, 2), (1.0, 2)]
    for file in pack.home.rglob("*"):
        assert not file.is_file() or b"zygomorphic" not in file.read_bytes()


def test_what_an_editor_asks_by_itself_is_a_suggestion(pack: Running) -> None:
    with keyed(pack, "vim") as client:
        client.post("/infill", json={"input_prefix": "honey", "input_suffix": "bees", "n_predict": 2})
        client.post("/api/generate", json={"model": "tiny", "prompt": "honey", "suffix": "bees", "stream": False})
        given = asked(client)

        def routes(read: Any) -> list[str]:
            return [one.route for one in read(pack.home, "tiny", 0) if one.key == "vim"]

        until(lambda: events.model_of(pack.home, "vim", given) == "tiny")
    assert routes(events.requests) == [CHAT] and routes(events.suggestions) == ["/infill", "/api/generate"]
    (row,) = usage.rows(pack.home, "vim")
    assert row["requests"] == 3


def test_a_pack_without_documents_keeps_no_figure_of_a_prompt(server: Running) -> None:
    with server.client() as client:
        given = asked(client)
    until(lambda: events.model_of(server.home, "owner", given) == "tiny")
    assert events.prompts(server.home, "tiny", 0) == []


def test_damaged_documents_stop_no_answer(tmp_path: Path) -> None:
    folder = searchable_pack(tmp_path / "tiny")
    (folder / "search.db").write_bytes(b"nothing" * 999)
    with running(folder) as server, server.client() as client:
        given = asked(client)
        until(lambda: events.model_of(server.home, "owner", given) == "tiny")
        assert events.prompts(server.home, "tiny", 0) == []


def test_thumbs_and_first_parts_are_among_the_numbers(pack: Running) -> None:
    with pack.client() as client:
        client.post(FEEDBACK, json={"id": asked(client), "thumb": "up"})
        client.post(CHAT, json={**BODY, "stream": True})
        text = client.get("/metrics").text
    assert 'netsuke_thumbs_total{model="tiny",thumb="up"}' in text
    assert f'netsuke_first_token_seconds_count{{model="tiny",route="{CHAT}"}}' in text
