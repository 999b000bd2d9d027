"""The page Watch: what it shows, what it says where there is nothing, and what its buttons do."""

import json

import pytest
from searched import searchable_pack
from served import until
from studied import TASK

from netsuke import corrections, watch
from netsuke.serve import events
from netsuke.serve.record import Record
from netsuke.serve.writer import write
from netsuke.studio.makes import Makes


def filled(home, model="mine", days=3):
    """Requests of some days, prompts that drifted, thumbs and one correction."""
    import time

    now = time.time() + 60  # after the pack was named
    for day in range(days):
        records = [Record("POST", "/v1/completions", now - 86_400 * day, "shop", model, 200, 5, 7, seconds=0.5 + n,
                          first_seconds=0.25) for n in range(4)]  # fmt: skip
        records[0].abstained = True
        write(home.root, records)
    one = Record("POST", "/v1/completions", now, "shop", model, 200, seconds=1.0)
    one.familiar = [(0.9 - n / 1000, 5) for n in range(watch.BLOCK)] + [(0.2 + n / 1000, 5) for n in range(watch.BLOCK)]
    write(home.root, [one])
    events.put_thumb(home.root, "shop", "chatcmpl-1", model, "down")
    return corrections.keep(home.root, model, "shop", "Where is <b>the key</b>?", "Under the mat.")


@pytest.fixture
def idle(monkeypatch):
    """Makes that start nothing."""
    jobs = []

    def start(self, job):
        jobs.append(job)
        folder = self.room / "20260101000000-abcdef"
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(json.dumps(job))
        return self.find(folder.name)

    monkeypatch.setattr(Makes, "start", start)
    return jobs


def test_where_nothing_was_asked_it_says_what_to_do(client):
    text = client.get("/m/mine/watch").text
    assert "Nothing was asked of mine yet" in text and "/m/mine/write" in text and "No corrections" in text
    assert "holds no documents" in text and "By itself never" in text and "retrain_when" in text
    assert client.get("/m/nobody/watch").status_code == 404


def test_what_was_asked_is_shown(client, home):
    filled(home)
    text = client.get("/m/mine/watch").text
    assert text.count("<svg") == 2 and "Nothing was asked" not in text
    assert "last hour" in text and "0 up, 1 down" in text and "1 correction, 1 of them new" in text
    assert "Where is &lt;b&gt;the key&lt;/b&gt;?" in text and "Under the mat." in text


def test_drift_is_told_with_its_p(client, home, tmp_path):
    ref = home.add_folder(searchable_pack(tmp_path / "told"))
    home.name("packs", "told", {"ref": ref, "recipe": "", "trial": []})
    assert f"it needs {2 * watch.BLOCK} prompts more" in client.get("/m/told/watch").text
    assert "no prompts yet" in client.get("/m/told/watch/unlike").text
    filled(home, "told")
    text = client.get("/m/told/watch").text
    assert "p = 0.0002" in text and "says nothing of how good" in text
    text = client.get("/m/told/watch/unlike").text
    assert "pieces of the documents" in text and "%" in text


def test_a_correction_is_deleted(client, home):
    one = filled(home)
    wrong = {"owner": "shop", "id": "0" * 64}
    assert client.post("/m/mine/corrections/forget", data=wrong).status_code == 404
    assert client.post("/m/mine/corrections/forget", data={"owner": "", "id": ""}).status_code == 404
    assert corrections.every(home.root, "mine") == [one]
    answer = client.post("/m/mine/corrections/forget", data={"owner": "shop", "id": one.id})
    assert answer.status_code == 303 and answer.headers["location"] == "/m/mine/watch"
    assert corrections.every(home.root, "mine") == [] and "No corrections" in client.get("/m/mine/watch").text


def test_the_button_starts_a_make_with_the_corrections(client, home, idle):
    filled(home)
    answer = client.post("/m/mine/retrain")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/makes/")
    assert [(job["target"], job["again"]) for job in idle] == [("mine", True)]
    assert "1 correction, 0 of them new" in client.get("/m/mine/watch").text
    assert client.post("/m/nobody/retrain").status_code == 404 and len(idle) == 1


def test_a_rule_is_shown_with_whether_it_holds(client, home, tmp_path):
    place = tmp_path / "netsuke.toml"
    record = home.named("packs", "mine") | {"recipe": str(place)}
    for rule, said in (("corrections >= 1", "due now"), ("corrections >= 9", "not due now"), ("x > 1", "retrain_when")):
        place.write_text(f'[watch]\nretrain_when = "{rule}"\n')
        home.name("packs", "mine", record)
        filled(home)
        assert said in client.get("/m/mine/watch").text


def test_an_answered_row_gets_a_thumb_and_a_correction(asked, home):
    answer = asked.post("/m/tickets/answers", json={"rows": "the kettle\nthe rain"})
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len({row["id"] for row in rows}) == 2
    better = {"prompt": "the kettle", "answer": "water"}
    body = {"id": rows[0]["id"], "thumb": "down", "correction": better, "consent": True}
    assert asked.post("/v1/feedback", json=body).status_code == 200
    (one,) = corrections.every(home.root, "tickets")
    assert (one.owner, one.prompt, one.answer) == ("owner", "the kettle", "water") and '"label"' in one.file.read_text()
    body["correction"]["answer"] = "earth"
    answer = asked.post("/v1/feedback", json=body)
    assert answer.status_code == 400 and "'fire', 'water'" in answer.json()["error"]["message"]
    until(lambda: events.requests(home.root, "tickets", 0))
    assert asked.get("/m/tickets/ask").text.count("&#34;fire&#34;") == 1 and TASK["labels"] == ["fire", "water"]
