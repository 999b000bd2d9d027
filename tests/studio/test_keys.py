"""The pages of keys and of the audit log."""

import csv
import html
import io
import re
import sqlite3

import httpx
import pytest
from served import BODY, CHAT, until

from netsuke.serve import audit, book, keys, usage


def made(text):
    return re.search(r'id="made">(nsk-[\w-]+)<', text)[1]


def api(opened, key):
    return httpx.Client(base_url=opened.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60)


def test_a_key_is_made_with_its_limits_and_shown_once(opened, client):
    assert "Nobody else has a key" in client.get("/keys").text
    given = {"name": "shop", "rpm": "1", "tokens_per_day": "200,000", "may:mine": "on"}
    answer = client.post("/keys", data=given)
    key = made(answer.text)
    (one,) = keys.named(opened.store.root)
    assert (one.name, one.rpm, one.tokens_per_day, one.models) == ("shop", 1, 200_000, ("mine",))
    text = client.get("/keys").text
    assert key not in text and key[4:] not in text and "200,000" in text and "shop" in text
    with api(opened, key) as shop:
        assert shop.post(CHAT, json=BODY).status_code == 200
        assert shop.post(CHAT, json=BODY).status_code == 429


def test_a_key_that_is_removed_opens_nothing(opened, client):
    key = made(client.post("/keys", data={"name": "shop"}).text)
    with api(opened, key) as shop:
        assert shop.get("/v1/models").status_code == 200
        assert client.post("/keys/remove", data={"name": "shop"}).status_code == 303
        assert shop.get("/v1/models").status_code == 401
    assert client.post("/keys/remove", data={"name": "shop"}).status_code == 404


WRONG = [{"name": ""}, {"name": "Owner!"}, {"name": "owner"}, {"name": "taken"}, {"name": "x", "rpm": "0"},
         {"name": "x", "rpm": "1.5"}, {"name": "x", "rpm": "many"},
         {"name": "x", "tokens_per_day": "1e13"}]  # fmt: skip


@pytest.mark.parametrize("given", WRONG)
def test_what_is_wrong_is_said_and_what_was_typed_stays(opened, client, given):
    keys.add(opened.store.root, "taken")
    answer = client.post("/keys", data={**given, "may:mine": "on"})
    assert answer.status_code == 400 and 'role="alert"' in answer.text and "nsk-" not in answer.text
    for field, value in given.items():
        assert f'name="{field}" value="{html.escape(value)}"' in answer.text
    assert 'name="may:mine" checked' in answer.text and len(keys.named(opened.store.root)) == 1


def test_usage_is_a_table_and_a_file(opened, client):
    with api(opened, keys.add(opened.store.root, "shop")) as shop:
        assert shop.post(CHAT, json=BODY).status_code == 200
    until(lambda: usage.rows(opened.store.root))
    answer = client.get("/usage.csv")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["key"], row["model"], row["requests"]) for row in rows] == [("shop", "mine", "1")]
    assert [*rows[0]] == [*usage.COLUMNS]
    assert f"<td>{rows[0]['key']}</td><td>mine</td>" in client.get("/keys").text


def rows_of(text):
    return re.findall(r'<td class="path route">(.*?)</td>', text)


def test_the_log_is_shown_filtered_and_found_whole(opened, client):
    root = opened.store.root
    with api(opened, keys.add(root, "shop")) as shop:
        shop.post(CHAT, json=BODY)
        shop.post(CHAT, json={**BODY, "model": "nobody"})
        shop.get("/v1/<b>\u202egnp")
    until(lambda: len(audit.rows(root, 9)) == 3)
    text = client.get("/audit").text
    assert rows_of(text)[0].startswith("GET /v1/&lt;b&gt;\\u202egnp")  # the newest first
    assert len(rows_of(text)) == 3
    assert len(rows_of(client.get("/audit?key=shop&end=2").text)) == 1
    assert len(rows_of(client.get("/audit?model=mine", headers={"HX-Request": "true"}).text)) == 1
    assert rows_of(client.get("/audit?key=owner").text) == [] and "No such row" in client.get("/audit?key=owner").text
    assert client.get("/audit?end=9").status_code == 400
    until(lambda: len(audit.rows(root, 9)) == 4)  # the refusal just now is a row too
    text, (count, head) = client.get("/audit/verdict").text, audit.head(root)
    assert "whole" in text and f"{count} rows" in text and head in text


def test_a_log_that_was_changed_is_told(opened, client):
    client.post("/keys", data={"name": "shop"})
    until(lambda: audit.rows(opened.store.root, 1))
    with sqlite3.connect(book.place(opened.store.root)) as database:
        database.executescript("DROP TRIGGER audit_no_change; UPDATE audit SET who = 'nobody' WHERE number = 1;")
    database.close()
    text = client.get("/audit/verdict").text
    assert "tampered with: row 1 changed" in text and 'role="alert"' in text
