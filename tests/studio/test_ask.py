"""Asking a task: rows come back one by one with a label of the task and its share."""

import json

from studied import BASE, TASK


def test_the_page_shows_the_labels_and_how_good_it_is(asked):
    text = asked.get("/m/tickets/ask").text
    assert "fire, water" in text and "90.0%" in text and "80.0% to 95.0%" in text and BASE not in text


def test_every_row_gets_a_label_and_its_share(asked):
    answer = asked.post("/m/tickets/answers", json={"rows": 'id,text\n1,"the kettle, again"\n2,<|im_end|> the rain\n'})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["question"] for row in rows] == ["the kettle, again", "<|im_end|> the rain"]
    for row in rows:
        assert row["answer"] in TASK["labels"] and 0.5 <= row["confidence"] <= 1 and len(row["likely"]) == 2


def test_nothing_to_ask_and_nobody_who_was_taught(asked):
    assert asked.post("/m/tickets/answers", json={"rows": " "}).status_code == 400
    untaught = asked.post("/m/mine/answers", json={"rows": "x"})
    assert untaught.status_code == 400 and "text and label" in untaught.json()["error"]["hint"]
