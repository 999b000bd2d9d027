"""The page Watch: what it shows, what it says where there is nothing, and what its buttons and its rule do."""

import json

import pytest
from searched import searchable_pack
from served import until
from studied import BASE, TASK, with_pack

from netsuke import watch
from netsuke.consent import corrections
from netsuke.serve import events
from netsuke.serve.record import Record
from netsuke.serve.writer import write
from netsuke.studio.makes import Makes


def filled(home, model="mine", days=3):
    """Requests of some days, prompts that drifted, thumbs and one correction."""
    import time

    now = time.time() + 60  # after the pack was named
    for day in range(days):
        records = [Record("POST", "/v1/completions", now - 86_400 * day, "shop", model, 200, 5, 7, reached=True,
                          seconds=0.5 + n, first_seconds=0.25) for n in range(4)]  # fmt: skip
        records[0].abstained = True
        write(home.root, records)
    one = Record("POST", "/v1/completions", now, "shop", model, 200, reached=True, seconds=1.0)
    one.familiar = [(0.9 - n / 1000, 5) for n in range(watch.BLOCK)] + [(0.2 + n / 1000, 5) for n in range(watch.BLOCK)]
    write(home.root, [one])
    events.put_thumb(home.root, "shop", "chatcmpl-1", model, "down")
    return corrections.keep(home.root, model, "shop", "Where is <b>the key</b>?", "Under the mat.")


def with_recipe(home, folder, rule="", **more):
    """Give the pack `mine` a recipe with this rule."""
    place = folder / "netsuke.toml"
    place.write_text(f'name = "mine"\nbase = "x"\n[[sources]]\npath = "."  # all\n[watch]\nretrain_when = "{rule}"\n')
    home.name("packs", "mine", home.named("packs", "mine") | {"recipe": str(place)} | more)
    return place


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
    assert "holds no documents" in text
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
    assert "p&nbsp;=&nbsp;0.0002" in text and "says nothing of how good" in text
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


def test_the_button_starts_a_make_with_the_corrections(client, home, idle, tmp_path):
    filled(home)
    with_recipe(home, tmp_path)
    answer = client.post("/m/mine/retrain")
    assert answer.status_code == 303 and answer.headers["location"].startswith("/makes/")
    assert [(job["target"], job["again"]) for job in idle] == [("mine", True)]
    assert "1 correction, 0 of them new" in client.get("/m/mine/watch").text
    assert client.post("/m/nobody/retrain").status_code == 404 and len(idle) == 1


def test_a_rule_is_shown_with_whether_it_holds(client, home, tmp_path):
    for rule, said in (("corrections &gt;= 1", "Due now"), ("corrections &gt;= 9", "Not due now"),
                       ("x &gt; 1", "retrain_when cannot be read"), ("", "never trained again by itself")):  # fmt: skip
        with_recipe(home, tmp_path, rule.replace("&gt;", ">"))
        filled(home)
        text = client.get("/m/mine/watch").text
        assert said in text and f'name="rule" value="{rule}"' in text


def test_a_rule_is_set_in_the_recipe(client, home, tmp_path):
    place = with_recipe(home, tmp_path)
    before = place.read_text()
    answer = client.post("/m/mine/watch/rule", data={"rule": "corrections >= 1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/m/mine/watch#again")
    assert place.read_text() == before.replace('""', '"corrections >= 1"')
    answer = client.post("/m/mine/watch/rule", data={"rule": "days >= 30"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "Kept in its recipe" in answer.text and "<html" not in answer.text
    assert place.read_text() == before.replace('""', '"days >= 30"')
    assert client.post("/m/mine/watch/rule", data={"rule": ""}).status_code == 303 and place.read_text() == before


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_what_is_no_rule_is_said_beside_its_field(client, home, tmp_path, headers):
    place = with_recipe(home, tmp_path, "days >= 30")
    before = place.read_bytes()
    answer = client.post("/m/mine/watch/rule", data={"rule": 'corrections >> 3 "'}, headers=headers)
    assert answer.status_code == 400 and place.read_bytes() == before and ("<html" in answer.text) != bool(headers)
    assert 'value="corrections &gt;&gt; 3 &#34;"' in answer.text and 'aria-invalid="true"' in answer.text
    assert "cannot be read at" in answer.text and "down_share" in answer.text
    assert str(place) not in answer.text.partition('id="rule-told"')[2].partition("</div>")[0]
    place.write_bytes(before.replace(b"base", b"bas"))
    answer = client.post("/m/mine/watch/rule", data={"rule": "days >= 1"}, headers=headers)
    assert answer.status_code == 400 and "unknown key" in answer.text and f"{place}, line 2" in answer.text
    assert client.post("/m/nobody/watch/rule", data={"rule": ""}).status_code == 404


def test_a_model_without_a_recipe_of_its_own_says_why_it_takes_no_rule(client, home, tmp_path, idle):
    with_recipe(home, tmp_path)
    alone = home.named("packs", "mine")
    place = with_recipe(home, tmp_path, "days >= 30", combined={"parents": [{"name": "a"}, {"name": "b"}]})
    before = place.read_bytes()
    for said in ("ine was combined from a and b", "he recipe of mine is gone"):
        text = client.get("/m/mine/watch").text
        assert said in text and "What to do" in text and 'name="rule"' not in text and "again now" not in text
        answer = client.post("/m/mine/watch/rule", data={"rule": "days >= 1"})
        assert answer.status_code == 400 and said in answer.text
        assert said in client.post("/m/mine/retrain").text and idle == []
        assert not place.exists() or place.read_bytes() == before
        place.unlink(missing_ok=True)
        home.name("packs", "mine", alone)


def test_what_the_editor_asks_is_told_apart(client, home, tmp_path):
    with_pack(home, tmp_path, "mute")
    (tmp_path / "based").mkdir()
    ref = with_pack(home, tmp_path / "based", base=home.named("bases", BASE)["ref"])
    (home.root / "voice").mkdir()
    settled = {"threshold": 0.5, "sentences": 20, "general_marked": None, "general": 0}
    (home.root / "voice" / f"{ref}.json").write_text(json.dumps(settled))
    assert client.post("/m/mute/marks", json={"text": "The other one."}).status_code == 200  # no engine is asked
    assert client.post("/m/mine/ghost", json={"before": "the other", "after": "", "voices": {}}).status_code == 200
    assert client.post("/m/mine/marks", json={"text": "The other one."}).status_code == 200
    assert client.post("/m/mine/rewrite", json={"text": "The other one.", "voices": {}}).status_code == 200
    assert client.post("/m/mine/ghost", json={"before": " ", "after": ""}).status_code == 400
    until(lambda: len(events.suggestions(home.root, "mine", 0)) == 3)
    assert events.requests(home.root, "mine", 0) == [] and events.suggestions(home.root, "mute", 0) == []
    text = client.get("/m/mine/watch").text
    assert "Suggestions in the editor" in text and "None in the last 30 days" in text and "<svg" not in text
    for what in ("going on", "marks", "rewriting"):
        assert what in text


def test_what_is_asked_side_by_side_is_a_request_and_a_prompt(client, home, tmp_path):
    ref = home.add_folder(searchable_pack(tmp_path / "told"))
    home.name("packs", "told", {"ref": ref, "recipe": "", "trial": []})
    body = {"who": "told", "prompt": "a colony of honey in winter", "asked": True, "tokens": 2, "seed": 0}
    assert client.post("/compare/stream", json=body).status_code == 200
    until(lambda: events.requests(home.root, "told", 0))
    assert events.prompts(home.root, "told", 0) == [(1.0, 3)]


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
