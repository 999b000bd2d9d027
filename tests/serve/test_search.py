"""POST /v1/search: quotes of the pack's documents, behind the same guard as every route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from searched import BEES, searchable_pack
from served import BODY, CHAT, Running, error_of, keyed, running, until

from netsuke.serve import audit, events, usage

SEARCH = "/v1/search"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searchable_pack(tmp_path_factory.mktemp("pack") / "bees")


@pytest.fixture(scope="module")
def searching(place: Path) -> Iterator[Running]:
    with running(place) as one:
        yield one


def test_quotes_come_with_their_places(searching: Running, place: Path) -> None:
    with searching.client() as client:
        answer = client.post(SEARCH, json={"query": "How much honey does a colony need?", "most": 1, "model": "tiny"})
    told = answer.json()
    (quote,) = told["quotes"]
    assert answer.status_code == 200 and told["object"] == "search.answer" and told["found"] is True
    assert quote["quote"] == BEES[quote["begin"] : quote["end"]] and quote["file"] == "bees.md" and quote["line"] == 8
    assert str(place) not in answer.text


def test_nothing_found_is_an_answer(searching: Running) -> None:
    with searching.client() as client:
        told = client.post(SEARCH, json={"query": 'zzz" OR *'}).json()
    assert (told["found"], told["quotes"]) == (False, [])


@pytest.mark.parametrize(("body", "param"), [
    ({}, "query"), ({"query": " "}, "query"), ({"query": 7}, "query"), ({"query": "x" * 2001}, "query"),
    ({"query": "x", "most": 0}, "most"), ({"query": "x", "most": 11}, "most"), ({"query": "x", "most": True}, "most"),
    ({"query": "x", "path": "/etc/passwd"}, "path"),
])  # fmt: skip
def test_a_wrong_field_is_named(searching: Running, body: dict[str, object], param: str) -> None:
    with searching.client() as client:
        assert error_of(client.post(SEARCH, json=body), 400)["param"] == param


@pytest.mark.parametrize("name", ["other", "../bees", "/etc", ""])
def test_no_name_leads_out_of_the_pack(searching: Running, name: str) -> None:
    with searching.client() as client:
        error_of(client.post(SEARCH, json={"query": "x", "model": name}), 404, "model_not_found")


def test_it_needs_the_key_and_the_right_host(searching: Running) -> None:
    with searching.client(Authorization="Bearer wrong") as client:
        error_of(client.post(SEARCH, json={"query": "honey"}), 401)
    with searching.client(Host="evil.example") as client:
        error_of(client.post(SEARCH, json={"query": "honey"}), 421)


def test_a_pack_without_documents_says_so(own_server: Running) -> None:
    with keyed(own_server, "seeker") as client:
        error_of(client.post(SEARCH, json={"query": "honey"}), 501, "no_documents")
        # nor is what asks for tools of a model without a place for them the model's failure
        error_of(client.post(CHAT, json={**BODY, "tools": [TOOL]}), 501, "no_tools")
        assert client.post(CHAT, json=BODY).status_code == 200
    until(lambda: len(audit.rows(own_server.home, 9)) == 3)
    assert [row.model for row in audit.rows(own_server.home, 9)] == ["tiny"] * 3
    (row,) = usage.rows(own_server.home)
    assert (row["requests"], row["errors"]) == (1, 0) and len(events.requests(own_server.home, "tiny", 0)) == 1


def test_what_no_model_was_asked_counts_as_no_use_of_it(searching: Running) -> None:
    with keyed(searching, "reader") as client:
        assert client.post(SEARCH, json={"query": "honey"}).status_code == 200
    until(lambda: any(row.who == "reader" for row in audit.rows(searching.home, 99)))
    assert usage.rows(searching.home, "reader") == []


def test_a_changed_database_is_refused_without_its_path(tmp_path: Path) -> None:
    place = searchable_pack(tmp_path / "pack")
    data = bytearray((place / "search.db").read_bytes())
    data[-100] ^= 1
    (place / "search.db").write_bytes(data)
    with running(place) as one, one.client() as client:
        answer = client.post(SEARCH, json={"query": "honey"})
        error = error_of(answer, 503, "damaged_documents")
    assert "search.db" in error["message"] and str(place) not in answer.text
