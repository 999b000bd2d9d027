"""Asking a task: rows come back one by one with a label of the task and its share."""

import json

import pytest
from packed import small_pack
from studied import BASE

TASK = {
    "kind": "labels", "labels": ["fire", "water"], "end": "<|im_end|>\n", "quiet": False, "roles": ["user"],
    "commands": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "way": {"instruction": "", "shots": 0, "temperature": 1.0, "abstain": 0.0},
}  # fmt: skip
SCORES = {"scores": [{"who": "ours", "score": "accuracy", "value": 0.9, "low": 0.8, "high": 0.95, "n": 40}]}


@pytest.fixture
def asked(client, home, tmp_path):
    """The client, with a pack `tickets` that was taught a task."""
    pack = small_pack(tmp_path / "tickets", name="tickets").folder
    record = json.loads((pack / "netsuke.json").read_text())
    for name, content in (("task.json", TASK), ("scores.json", SCORES), ("shots.jsonl", None)):
        (pack / name).write_text(json.dumps(content) if content else "")
        record["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (pack / "netsuke.json").write_text(json.dumps(record))
    ref = home.add_folder(pack)
    home.name("packs", "tickets", {"ref": ref, "recipe": "", "trial": []})
    return client


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
