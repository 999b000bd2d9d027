"""The official clients of Ollama and Anthropic, and OpenAI's newer routes, as anybody would use them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ollama
import openai
import pytest
from served import BODY, CHAT, KEY, Running, error_of, running
from tiny import CHAT_TEMPLATE, tiny_gguf

from netsuke.serve import Folders
from netsuke.serve.routes import Routes
from netsuke.serve.writer import Writer

if TYPE_CHECKING:
    import anthropic  # its thousand types take longer than these tests, and every worker reads every file

SPEAK: list[Any] = [{"role": "user", "content": "Speak."}]
YES = {"type": "boolean"}


@pytest.fixture
def theirs(server: Running) -> Iterator[ollama.Client]:
    client = ollama.Client(host=server.url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
    yield client
    client._client.close()


@pytest.fixture
def openai_client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", max_retries=0, api_key=KEY) as client:
        yield client


@pytest.fixture
def claude(server: Running) -> Iterator[anthropic.Anthropic]:
    import anthropic

    with anthropic.Anthropic(base_url=server.url, max_retries=0, api_key=KEY) as client:
        yield client


# -- Ollama ----------------------------------------------------------------------------------------------
def test_ollama_reads(theirs: ollama.Client) -> None:
    (card,) = theirs.list().models
    assert card.model == "tiny" and card.size and card.size > 0 and len(card.digest or "") == 64
    assert [one.model for one in theirs.ps().models] == ["tiny"]
    shown = theirs.show("tiny")
    assert shown.capabilities and "completion" in shown.capabilities
    assert shown.details and shown.details.format == "gguf"


def test_ollama_chat_whole_and_streamed_say_the_same(theirs: ollama.Client) -> None:
    options = {"num_predict": 12, "temperature": 0, "seed": 1}
    whole = theirs.chat("tiny", SPEAK, options=options)
    assert whole.done and whole.done_reason in ("stop", "length") and whole.message.role == "assistant"
    assert whole.prompt_eval_count and whole.eval_count and whole.eval_count <= 12 and whole.eval_duration
    parts = list(theirs.chat("tiny:latest", SPEAK, options=options, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count and parts[-1].done_reason == whole.done_reason


def test_ollama_generate(theirs: ollama.Client) -> None:
    options = {"num_predict": 8, "temperature": 0, "stop": ["zzz"], "num_ctx": 4096}
    whole = theirs.generate("tiny", "Speak.", system="Be brief.", options=options)
    parts = theirs.generate("tiny", "Speak.", system="Be brief.", options=options, stream=True)
    assert "".join(part.response or "" for part in parts) == whole.response
    raw = theirs.generate("tiny", "the", raw=True, options=options, logprobs=True, top_logprobs=2)
    assert raw.done and raw.logprobs and len(raw.logprobs[0].top_logprobs or ()) == 2
    for asked in ({}, {"top_logprobs": 0}, {"top_logprobs": 2}):
        for told in (
            theirs.generate("tiny", "Speak.", options=options, logprobs=True, **asked),
            theirs.generate("tiny", "the", raw=True, options=options, logprobs=True, **asked),
            theirs.chat("tiny", SPEAK, options=options, logprobs=True, **asked),
            *[part for part in theirs.chat("tiny", SPEAK, options=options, logprobs=True, stream=True, **asked)][:1],
        ):
            assert told.logprobs
            assert {len(one.top_logprobs or ()) for one in told.logprobs} == {asked.get("top_logprobs", 0)}
    filled = theirs.generate("tiny", "def add(a, b):\n    return", suffix="\n\nprint(add(1, 2))", options=options)
    assert filled.done and filled.response is not None
    assert theirs.generate("tiny").done_reason == "load" and theirs.chat("tiny", []).done_reason == "load"


def test_ollama_formats_and_refusals(theirs: ollama.Client) -> None:
    assert theirs.chat("tiny", SPEAK, format=YES).message.content in ("true", "false")
    assert theirs.generate("tiny", "x", raw=True, format=YES).response in ("true", "false")
    for status, call in (
        (404, lambda: theirs.chat("big", SPEAK)),
        (400, lambda: theirs.chat("tiny", SPEAK, options={"temperature": 9})),
        (400, lambda: theirs.chat("tiny", SPEAK, think=True)),
        (501, lambda: theirs.generate("tiny", "x", template="{{ .Prompt }}")),
        (501, lambda: theirs.chat("tiny", [{"role": "user", "content": "x", "images": ["aGk="]}])),
        (404, lambda: theirs.pull("tiny")),
        (404, lambda: theirs.push("tiny")),
        (404, lambda: theirs.delete("tiny")),
        (404, lambda: theirs.create("mine", from_="tiny")),
        (404, lambda: theirs.copy("tiny", "mine")),
    ):
        with pytest.raises(ollama.ResponseError) as refused:
            call()
        assert refused.value.status_code == status and refused.value.error


def test_ollama_embeds(theirs: ollama.Client) -> None:
    answer = theirs.embed("tiny", ["the first", "the second"])
    assert len(answer.embeddings) == 2 and answer.embeddings[0] != answer.embeddings[1]
    assert math.isclose(sum(x * x for x in answer.embeddings[0]), 1, abs_tol=1e-3)
    assert list(theirs.embed("tiny", "the first").embeddings[0]) == pytest.approx(answer.embeddings[0], abs=1e-4)


# -- Anthropic -------------------------------------------------------------------------------------------
def test_anthropic_messages(claude: anthropic.Anthropic) -> None:
    import anthropic

    fields: dict[str, Any] = {"model": "tiny", "messages": SPEAK, "max_tokens": 8, "extra_body": {"top_k": 1}}
    fields |= {"system": [{"type": "text", "text": "Be brief."}]}
    whole = claude.messages.create(**fields)
    assert whole.role == "assistant" and whole.model == "tiny" and whole.stop_reason in ("max_tokens", "end_turn")
    assert whole.usage.input_tokens > 0 and 0 < whole.usage.output_tokens <= 8
    (start, *_) = claude.messages.create(**fields, stream=True)
    assert start.message.usage.input_tokens == whole.usage.input_tokens
    with claude.messages.stream(**fields) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert final.content[0].text == text == whole.content[0].text  # type: ignore[union-attr]
    assert final.usage == whole.usage and final.stop_reason == whole.stop_reason
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(**fields | {"model": "big"})
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        claude.messages.create(**fields | {"extra_body": {"top_k": -1}})
    with pytest.raises(anthropic.APIStatusError) as refused:
        claude.messages.create(**fields, tools=[{"name": "x", "input_schema": {"type": "object"}}])
    assert refused.value.status_code == 501 and refused.value.body["type"] == "error"  # type: ignore[index]


# -- An answer that was begun ------------------------------------------------------------------------------
BEGUN: list[Any] = [*SPEAK, {"role": "assistant", "content": "The answer "}]


def test_ollama_goes_on_with_what_was_begun(theirs: ollama.Client) -> None:
    options = {"num_predict": 8, "temperature": 0, "seed": 1}
    whole = theirs.chat("tiny", BEGUN, options=options).message.content
    parts = theirs.chat("tiny", BEGUN, options=options, stream=True)
    assert whole == "".join(part.message.content or "" for part in parts)
    assert whole and "The answer" not in whole


def test_anthropic_goes_on_with_what_was_begun(claude: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {"model": "tiny", "messages": BEGUN, "max_tokens": 8, "extra_body": {"top_k": 1}}
    whole = claude.messages.create(**fields).content[0].text  # type: ignore[union-attr]
    with claude.messages.stream(**fields) as stream:
        assert whole == "".join(stream.text_stream)
    assert whole and "The answer" not in whole


def test_responses_go_on_with_what_was_begun(openai_client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "tiny", "input": BEGUN, "max_output_tokens": 8, "temperature": 0}
    whole = openai_client.responses.create(**fields).output_text
    with openai_client.responses.stream(**fields) as stream:
        assert whole == list(stream)[-1].response.output_text  # type: ignore[union-attr]
    assert whole and "The answer" not in whole


# -- OpenAI's others -------------------------------------------------------------------------------------
def test_responses(openai_client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "tiny", "instructions": "Be brief.", "max_output_tokens": 8, "temperature": 0}
    whole = openai_client.responses.create(input="Speak.", **fields)
    assert whole.status in ("completed", "incomplete") and whole.usage and whole.usage.output_tokens <= 8
    turns: Any = [{"role": "user", "content": [{"type": "input_text", "text": "Speak."}]}]
    with openai_client.responses.stream(input=turns, **fields) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")][:3] == [0, 1, 2]
    final = events[-1].response  # type: ignore[union-attr]
    assert final.output_text == whole.output_text and final.usage == whole.usage
    shape: Any = {"format": {"type": "json_schema", "name": "yes", "schema": YES}}
    assert openai_client.responses.create(model="tiny", input="x", text=shape).output_text in ("true", "false")
    with pytest.raises(openai.APIStatusError) as refused:
        openai_client.responses.create(model="tiny", input="x", previous_response_id="resp_1")
    assert refused.value.status_code == 501


def test_embeddings(openai_client: openai.OpenAI, server: Running) -> None:
    many = openai_client.embeddings.create(model="tiny", input=["the first", "the second"])
    assert [item.index for item in many.data] == [0, 1] and many.model == "tiny" and many.usage.prompt_tokens > 0
    one = openai_client.embeddings.create(model="tiny", input=[5, 6, 7], encoding_format="float")
    assert len(one.data[0].embedding) == len(many.data[0].embedding) == 64
    assert {seat.kind for seat in server.shelf.seats} == {"text", "vectors"}
    with pytest.raises(openai.BadRequestError):
        openai_client.embeddings.create(model="tiny", input=[])


TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def test_tools_are_refused_where_the_template_has_no_place_for_them(server: Running) -> None:
    with server.client() as client:
        error = error_of(client.post(CHAT, json={**BODY, "tools": [TOOL]}), 501, "no_tools")
        assert "template" in error["message"]
        assert client.post("/api/chat", json={"model": "tiny", "messages": SPEAK, "tools": [TOOL]}).status_code == 501


def test_tools_are_passed_on_where_the_template_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}"
    monkeypatch.setattr("tiny.CHAT_TEMPLATE", told + CHAT_TEMPLATE)
    tiny_gguf(tmp_path / "model.gguf")
    with running(Folders({"tiny": tmp_path})) as server, server.client() as client:
        plain = client.post(CHAT, json=BODY).json()["usage"]["prompt_tokens"]
        answer = client.post(CHAT, json={**BODY, "tools": [TOOL], "tool_choice": "none"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["prompt_tokens"] > plain


def test_numbers_for_prometheus(server: Running) -> None:
    from prometheus_client.parser import text_string_to_metric_families as parsed

    with server.client() as client:
        client.post(CHAT, json=BODY)
        client.post(CHAT, json={**BODY, "temperature": 9})
        client.get("/nowhere")
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = {family.name: family for family in parsed(answer.text)}
    asked = {tuple(sorted(one.labels.items())): one.value for one in found["netsuke_requests"].samples}
    assert asked[("model", "tiny"), ("route", CHAT), ("status", "200")] >= 1
    assert asked[("model", ""), ("route", CHAT), ("status", "400")] >= 1
    assert asked[("model", ""), ("route", "other"), ("status", "404")] >= 1
    assert any(one.name.endswith("_bucket") for one in found["netsuke_request_seconds"].samples)
    theirs = [one for name, family in found.items() if name.startswith("llamacpp:") for one in family.samples]
    assert theirs and all(one.labels["model"] == "tiny" for one in theirs)


def test_one_description_of_all_routes(server: Running) -> None:
    with server.client() as client:
        told = client.get("/openapi.json").json()
    assert set(told["paths"]) == {*Routes(server.shelf, Writer(server.home)).paths}
    assert json.dumps(told).count("additionalProperties") > 10
