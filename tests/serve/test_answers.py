"""What clients rely on beyond a status: counts that hold, conversations that go on, limits that are said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import openai
import pytest
from packed import small_pack
from served import BODY, CHAT, KEY, Running, error_of, running, until

from netsuke.engines import asking
from netsuke.front import talk
from netsuke.serve import Folders, Shelf, keys
from netsuke.serve.infill import picked, prefix_alone
from netsuke.serve.usage import rows
from netsuke.store import hash_file

HOLE = {"input_prefix": "the house of the ", "input_suffix": " and the end", "n_predict": 12, "temperature": 0}


@pytest.fixture
def client(server: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", max_retries=0, api_key=KEY) as one:
        yield one


@pytest.mark.parametrize("wanted", [["content"], ["content", "timings/prompt_n"], []])
def test_what_an_editor_reads_of_a_suggestion_changes_nothing_in_what_it_pays(
    server: Running, wanted: list[str]
) -> None:
    name = f"editor-{len(wanted)}"
    key = keys.add(server.home, name)
    with server.client(key) as one:
        answer = one.post("/infill", json=HOLE | ({"response_fields": wanted} if wanted else {})).json()
    assert set(answer) == {*wanted, "model"} if wanted else "timings" in answer

    def used() -> dict[str, Any]:
        return next((row for row in rows(server.home) if row["key"] == name), {"requests": 0})

    until(lambda: used()["requests"] == 1)
    assert used()["prompt_tokens"] > 0 and used()["completion_tokens"] == 12


def test_fields_are_picked_as_llama_cpp_picks_them() -> None:
    answer = {"content": "a", "timings": {"prompt_n": 3}, "stop": True}
    wanted = ["timings/prompt_n", "content", "stop/why", "none"]
    assert picked(answer, wanted) == {"timings/prompt_n": 3, "content": "a"}


@pytest.mark.parametrize("most", [0, 64, 1024, 4096, 1 << 20])
def test_a_prompt_keeps_its_half_however_long_an_answer_may_be(most: int) -> None:
    body = {**HOLE, "n_predict": most, "prompt": "", "input_prefix": "x" * 1500}
    sent = prefix_alone(body, 2048)
    assert sent["prompt"] == "x" * 1500 and sent["n_predict"] == min(most, 1024)


def test_a_hole_is_filled_however_few_letters_a_token_has(model: Path) -> None:
    with running(model, context_tokens=1024) as server, server.client() as one:
        for before in ("漢" * 2000, "7" * 2000, "the " * 2000):
            answer = one.post("/infill", json={**HOLE, "input_prefix": before})
            assert answer.status_code == 200, answer.text
            assert 128 <= answer.json()["tokens_evaluated"] <= 1024


def test_ollama_fills_a_hole_without_end_from_the_whole_prompt(server: Running) -> None:
    theirs = ollama.Client(host=server.url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)
    answer = theirs.generate("tiny", "the " * 30, suffix="and the end", options={"num_predict": -1, "stop": ["a", "e"]})
    assert answer.prompt_eval_count and answer.prompt_eval_count > 20
    cut = theirs.generate("tiny", "the " * 30, suffix="and the end", options={"num_predict": 3, "temperature": 0})
    assert cut.eval_count == 3 and cut.done_reason == "length"
    for asked in ({"format": "json"}, {"logprobs": True}):
        with pytest.raises(ollama.ResponseError, match="beside 'suffix'"):
            theirs.generate("tiny", "the", suffix="and the end", **asked)
    theirs._client.close()


@pytest.mark.parametrize("penalty", ["repeat_penalty", "presence_penalty", "frequency_penalty"])
def test_ollama_fills_a_hole_with_the_penalties_that_were_asked(server: Running, penalty: str) -> None:
    asked = {"model": "tiny", "prompt": "the " * 9, "suffix": "and the end", "stream": False}
    sure = {"temperature": 0, "num_predict": 40, "repeat_last_n": 64}
    with server.client() as one:
        plain, varied = (
            one.post("/api/generate", json={**asked, "options": {**sure, penalty: loud}}).json()["response"]
            for loud in (1 if penalty == "repeat_penalty" else 0, 2)
        )
    assert plain != varied


def test_a_conversation_goes_on_with_what_was_answered(client: openai.OpenAI) -> None:
    history: Any = [{"role": "user", "content": "Speak."}]
    first = client.responses.create(model="tiny", input=history, max_output_tokens=4)
    history += first.output
    history.append({"role": "user", "content": "Go on."})
    assert client.responses.create(model="tiny", input=history, max_output_tokens=4, tools=[]).output_text is not None


def test_an_answer_that_was_refused_stays_in_a_conversation(server: Running) -> None:
    unsure = {"role": "assistant", "content": None, "refusal": "not sure: spam at 40%"}
    turns = [*BODY["messages"], unsure, *BODY["messages"]]
    with server.client() as one:
        assert one.post(CHAT, json={**BODY, "messages": turns}).status_code == 200
        for wrong in ({"role": "assistant"}, {"role": "user", "refusal": "no"}):
            error_of(one.post(CHAT, json={**BODY, "messages": [*BODY["messages"], wrong]}), 400)


def test_one_model_is_told_of_by_its_name(client: openai.OpenAI) -> None:
    assert client.models.retrieve("tiny") == client.models.list().data[0]
    with pytest.raises(openai.NotFoundError, match="no model 'other'"):
        client.models.retrieve("other")


def test_a_text_too_long_for_a_vector_is_the_clients_mistake(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="tiny", input="x " * 20_000)
    assert refused.value.code == "context_length_exceeded"


def test_a_schema_is_no_way_to_keep_the_engine(server: Running) -> None:
    many = {"type": "json_schema", "json_schema": {"name": "many", "schema": {"enum": [*range(20_000)]}}}
    with server.client() as one:
        told = error_of(one.post(CHAT, json={**BODY, "response_format": many}), 400)
    assert "65536 characters" in told["message"]


def test_the_context_that_is_told_is_the_one_that_there_is(model: Path, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").symlink_to(model / "model.gguf")
    (tmp_path / "task.json").write_text("{}")
    places = Folders({"plain": model, "taught": tmp_path})
    shelf = Shelf(places, context_tokens=2048)
    told = {name: facts.task for name in places.names() if (facts := places.facts(name))}
    assert told == {"plain": False, "taught": True}
    assert [shelf.context_of(taught) for taught in told.values()] == [2048, 4096]


def test_what_is_told_of_a_pack_in_a_folder_is_not_read_from_all_of_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pack(tmp_path / "mine", "mine")
    digest = hash_file(tmp_path / "mine" / "model.gguf")
    monkeypatch.setattr("netsuke.serve.models.hash_file", lambda path: "read")
    facts = Folders({"mine": tmp_path / "mine"}).facts("mine")
    assert facts and (facts.sha256, facts.base, facts.licence) == (digest, "tiny", "MIT")


@pytest.fixture
def taught(model: Path, tmp_path: Path) -> Path:
    """A folder with a model that was taught to copy words out, and shows four examples longer than its context."""
    (tmp_path / "model.gguf").symlink_to(model / "model.gguf")
    task = {"kind": "extract", "labels": [], "end": "<|im_end|>", "quiet": False, "commands": [], "roles": ["user"]}
    (tmp_path / "task.json").write_text(json.dumps(task | {"way": {"shots": 4}, "answer_bytes": 5}))
    rows = [{"text": f"{number} the inner thing " * 80, "label": "inner"} for number in range(4)]
    (tmp_path / "shots.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return tmp_path


def test_a_question_of_a_task_is_shortened_to_the_context_as_the_command_line_does(
    taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed, real = list[str](), asking.Nearest
    monkeypatch.setattr(
        asking, "Nearest", lambda texts: indexed.append(threading.current_thread().name) or real(texts)
    )
    questions = ["which thing", "which other thing " * 500]
    with running(taught, context_tokens=2048) as server, server.client() as one:
        asked = [{"messages": [{"role": "user", "content": question}], "max_tokens": 10} for question in questions]
        answers = [one.post(CHAT, json=body).json() for body in asked]
    assert len(indexed) == 1 and indexed[0].startswith("asyncio_"), "once, and beside the loop"
    most = asking.CONTEXT_TOKENS - asking.ANSWER_TOKENS
    assert all(most // 2 < answer["usage"]["prompt_tokens"] <= most for answer in answers)
    said = [answer["choices"][0]["message"]["content"] for answer in answers]
    others = [row["answer"] for row in talk.ask(taught, "taught", questions)]
    cut = "\ufffd \n"  # half a letter at the end is told by one of them
    assert [text.strip(cut) for text in said] == [text.strip(cut) for text in others]
