"""Asking a task: rows come back one by one with a label of the task and its share."""

import json
import time

import httpx
import pytest
from served import until
from studied import BASE, TASK, running, with_task

from netsuke.engines.asking import Answer
from netsuke.errors import EngineError
from netsuke.serve import events, usage


def test_the_page_shows_the_labels_and_how_good_it_is(asked):
    text = asked.get("/m/tickets/ask").text
    assert "fire, water" in text and "90.0%" in text and "80.0% to 95.0%" in text and BASE not in text


def test_every_row_gets_a_label_and_its_share(asked):
    answer = asked.post("/m/tickets/answers", json={"rows": 'id,text\n1,"the kettle, again"\n2,<|im_end|> the rain\n'})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["question"] for row in rows] == ["the kettle, again", "<|im_end|> the rain"]
    for row in rows:
        assert row["answer"] in TASK["labels"] and 0.5 <= row["confidence"] <= 1 and len(row["likely"]) == 2


@pytest.mark.parametrize("rows", ['text\n"the kettle\n' + "x" * 140_000, "id,text\n1,a\n2,b, and c"])
def test_a_table_that_cannot_be_read_is_said(asked, rows):
    error = asked.post("/m/tickets/answers", json={"rows": rows})
    assert error.status_code == 400 and "table cannot be read" in error.json()["error"]["message"]


def test_nothing_to_ask_and_nobody_who_was_taught(asked):
    assert asked.post("/m/tickets/answers", json={"rows": " "}).status_code == 400
    untaught = asked.post("/m/mine/answers", json={"rows": "x"})
    assert untaught.status_code == 400 and "text and label" in untaught.json()["error"]["hint"]


def test_what_it_was_not_sure_of_and_what_broke_is_counted(asked, home, monkeypatch):
    def unsure(self, messages, turn):
        if messages[0]["content"] == "broken":
            raise EngineError("it died")
        return Answer("fire", 0.5, (("fire", 0.5),), abstained=messages[0]["content"] == "odd", prompt_tokens=2)

    monkeypatch.setattr("netsuke.serve.task.Task._ask", unsure)
    for rows in ("odd\nplain", "plain", "broken\nplain"):
        answer = asked.post("/m/tickets/answers", json={"rows": rows})
        assert ("it died" in answer.text) == ("broken" in rows)
    until(lambda: len(events.requests(home.root, "tickets", 0)) == 3)
    found = events.requests(home.root, "tickets", 0)
    assert [(one.abstained, one.failed) for one in found] == [(True, False), (False, False), (False, True)]
    (row,) = usage.rows(home.root)
    assert (row["requests"], row["abstentions"], row["errors"], row["prompt_tokens"]) == (3, 1, 1, 8)


def test_where_no_engine_can_be_had_it_is_said_before_any_row(home, tmp_path):
    with_task(home, tmp_path)
    with running(home, memory_bytes=1000) as one:
        with httpx.Client(base_url=one.url, trust_env=False, timeout=60, headers={"Origin": one.url}) as client:
            client.get(one.link)
            answer = client.post("/m/tickets/answers", json={"rows": "a"})
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "no_memory"


def test_whoever_leaves_gives_the_engine_back(asked, opened, monkeypatch):
    def slow(self, messages, turn):
        time.sleep(0.05)
        return Answer("fire", 0.5)

    monkeypatch.setattr("netsuke.serve.task.Task._ask", slow)
    with asked.stream("POST", "/m/tickets/answers", json={"rows": "a\n" * 500}) as answer:
        lines = answer.iter_lines()  # kept: an iterator that goes hangs up
        next(lines)
        (seat,) = opened.shelf.seats
        assert seat.users == 1
    until(lambda: seat.users == 0)
    until(lambda: seat.supervisor.turns.inside == 0)
    assert len(asked.post("/m/tickets/answers", json={"rows": "a\nb"}).text.splitlines()) == 2
    until(lambda: seat.users == 0)
