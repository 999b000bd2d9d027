"""The official client, as anybody would use it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from served import FOREVER, KEY, Running

MESSAGES: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Speak."}]

WORDS = {"grammar": "root ::= [a-z ]+"}  # a random model's bytes are seldom UTF-8


def _client(server: Running, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", max_retries=0, **{"api_key": KEY, **options})


@pytest.fixture
def client(server: Running) -> Iterator[openai.OpenAI]:
    with _client(server) as client:
        yield client


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list()
    assert (model.id, model.owned_by) == ("tiny", "netsuke")


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=8, temperature=0)
    again = client.chat.completions.create(
        model="tiny", messages=MESSAGES, max_completion_tokens=8, temperature=0
    )
    assert answer.model == "tiny"
    assert answer.usage and 0 < answer.usage.completion_tokens <= 8
    assert answer.choices[0].message.content == again.choices[0].message.content


def test_streamed_chat_says_the_same(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {
        "model": "tiny",
        "messages": MESSAGES,
        "max_tokens": 24,
        "seed": 3,
        "extra_body": WORDS,
    }
    whole = client.chat.completions.create(**fields).choices[0].message.content
    fields["stream_options"] = {"include_usage": True}
    chunks = list(client.chat.completions.create(**fields, stream=True))
    assert {chunk.model for chunk in chunks} == {"tiny"}
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens > 0


def test_completion_and_its_stream(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {
        "model": "tiny",
        "prompt": "the",
        "max_tokens": 24,
        "extra_body": WORDS,
        "temperature": 0,
    }
    whole = client.completions.create(**fields, logprobs=2)
    assert whole.model == "tiny" and whole.choices[0].logprobs
    streamed = "".join(chunk.choices[0].text for chunk in client.completions.create(**fields, stream=True))
    assert streamed == whole.choices[0].text


@pytest.mark.parametrize("asked", [{}, {"top_logprobs": 0}, {"top_logprobs": 3}])
def test_a_chat_tells_as_many_likely_tokens_as_were_asked_for(client: openai.OpenAI, asked: dict[str, int]) -> None:
    fields: dict[str, Any] = {"model": "tiny", "messages": MESSAGES, "max_tokens": 4, "extra_body": WORDS}
    fields |= {"logprobs": True, **asked}
    whole = client.chat.completions.create(**fields).choices[0].logprobs
    chunks = [c.choices[0] for c in client.chat.completions.create(**fields, stream=True)]
    streamed = [one for choice in chunks if choice.logprobs for one in choice.logprobs.content or ()]
    for told in (whole and whole.content, streamed):
        assert told and all(one.logprob <= 0 for one in told)
        assert {len(one.top_logprobs) for one in told} == {asked.get("top_logprobs", 0)}


HELD = {"grammar": 'root ::= "aé€q€yb"', "stop": ["q€z"]}  # what may become the stop is held back, and comes late


@pytest.mark.parametrize("asked", [0, 2])
def test_a_completion_tells_probabilities_as_four_lists(client: openai.OpenAI, asked: int) -> None:
    fields: dict[str, Any] = {"model": "tiny", "prompt": "the", "max_tokens": 24, "logprobs": asked}
    fields |= {"extra_body": HELD}
    whole = client.completions.create(**fields).choices[0]
    chunks = [c.choices[0] for c in client.completions.create(**fields, stream=True)]
    assert "aé€q€yb" == whole.text == "".join(chunk.text for chunk in chunks)
    told = [[choice.logprobs for choice in choices if choice.logprobs] for choices in ([whole], chunks)]
    assert len(told[0]) == 1 < len(told[1])
    for lists in told:
        tokens = [token for one in lists for token in one.tokens or ()]
        offsets = [at for one in lists for at in one.text_offset or ()]
        tops = [top for one in lists for top in one.top_logprobs or ()]
        sure = [value for one in lists for value in one.token_logprobs or ()]
        assert "".join(tokens) == whole.text and len(tokens) == len(offsets) == len(tops) == len(sure)
        assert offsets == [len("".join(tokens[:number])) for number in range(len(tokens))]
        for top, value in zip(tops, sure, strict=True):
            assert value in top.values() and asked <= len(top) <= asked + 1


def test_an_answer_that_was_begun_comes_without_its_beginning(client: openai.OpenAI) -> None:
    begun: Any = [*MESSAGES, {"role": "assistant", "content": "The answer "}]
    fields: dict[str, Any] = {"model": "tiny", "messages": begun, "max_tokens": 4, "seed": 3, "extra_body": WORDS}
    whole = client.chat.completions.create(**fields).choices[0].message.content
    chunks = client.chat.completions.create(**fields, stream=True)
    assert whole == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole and "The answer" not in whole


def test_structured_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "yes", "schema": {"type": "boolean"}},
        },
    )
    assert answer.choices[0].message.content in ("true", "false")


def test_errors_are_the_clients_own(client: openai.OpenAI, server: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="tiny"):
        client.chat.completions.create(model="big", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="tiny", messages=MESSAGES, temperature=9)
    with pytest.raises(openai.BadRequestError, match=r"40001 tokens.*32768 tokens"):
        client.completions.create(model="tiny", prompt=[5] * 40001)
    with _client(server, api_key="nsk-wrong") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


def test_engine_killed_in_mid_stream_is_an_api_error(own_server: Running) -> None:
    with _client(own_server) as client:
        stream = client.completions.create(
            model="tiny", prompt="a", max_tokens=30000, stream=True, extra_body={"grammar": FOREVER}
        )
        next(iter(stream))
        os.kill(own_server.pid, signal.SIGKILL)
        with pytest.raises(openai.APIError, match="engine died"):
            list(stream)
        assert client.completions.create(model="tiny", prompt="a", max_tokens=4).choices
