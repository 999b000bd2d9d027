"""Requests in figures, by day, and what is left of a day that is over."""

import contextlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke import traffic
from netsuke.chain import transaction
from netsuke.serve import book, events, usage
from netsuke.serve.record import Record
from netsuke.serve.writer import Writer, write
from netsuke.texts.ranked import quantile
from netsuke.traffic import BLOCK

NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86_400 + 43_200
DAY = 86_400.0


def record(time=NOON, seconds=1.0, **more):
    plain = {"who": "shop", "model": "tiny", "status": 200, "prompt_tokens": 3, "completion_tokens": 2, "time": time,
             "reached": True}  # fmt: skip
    return Record("POST", "/v1/completions", seconds=seconds, **{**plain, **more})


@given(st.lists(st.tuples(st.floats(0.001, 100), st.none() | st.floats(0.001, 100), st.booleans(), st.booleans()),
                max_size=40))  # fmt: skip
def test_figures_are_those_of_the_requests(some):
    rows = [events.Event(0, "k", "/", first, seconds, 2, 1, unsure, failed) for seconds, first, unsure, failed in some]
    found = traffic.numbers(rows)
    whole = [one.seconds for one in rows if not one.failed]
    assert (found.requests, found.failed) == (len(rows), sum(one.failed for one in rows))
    assert found.median == (quantile(whole, 0.5) if whole else None)
    assert found.p95 == (quantile(whole, 0.95) if whole else None)
    assert found.prompt_tokens == 2 * len(rows) and found.abstained == sum(one.abstained for one in rows)


def test_what_is_written_is_read_and_holds_no_prompt(tmp_path):
    one = record(first_seconds=0.25, answer="chatcmpl-1", abstained=True)
    one.prompts, one.familiar = ["a secret of somebody"], [(0.5, 4)]
    write(tmp_path, [one, record(status=404), record(status=501), record(model=""), record(broke=True),
                     record(reached=False)])  # fmt: skip
    first, second = events.requests(tmp_path, "tiny", 0)
    assert (first.first_seconds, first.seconds, first.abstained, first.failed) == (0.25, 1.0, True, False)
    assert second.failed and second.first_seconds is None
    assert events.prompts(tmp_path, "tiny", 0) == [(0.5, 4)] and events.prompts(tmp_path, "tiny", NOON + 1) == []
    assert events.model_of(tmp_path, "shop", "chatcmpl-1") == "tiny"
    assert events.model_of(tmp_path, "other", "chatcmpl-1") is None and events.model_of(tmp_path, "shop", "") is None
    assert b"secret" not in book.place(tmp_path).read_bytes()


def test_usage_as_a_table_has_a_row_each_and_no_formula(tmp_path):
    write(tmp_path, [record(who="=cmd()"), record(who="=cmd()"), record(who="shop", status=500)])
    day = usage.day(NOON)
    assert usage.as_csv(usage.rows(tmp_path)).splitlines() == [
        ",".join(usage.COLUMNS), f"{day},'=cmd(),tiny,2,6,4,0,0", f"{day},shop,tiny,1,3,2,0,1"
    ]  # fmt: skip


def folded(home, now, made=None):
    with contextlib.closing(book.connected(home, 1)) as database, transaction(database):
        events.fold(database, now, made or {})


def test_a_day_that_is_over_keeps_its_percentiles_when_its_requests_go(tmp_path):
    write(tmp_path, [record(NOON + n, seconds=n + 1.0, first_seconds=0.1) for n in range(20)])
    write(tmp_path, [record(NOON + 30, broke=True, seconds=99.0)])
    folded(tmp_path, NOON + 60)  # the day is not over
    assert events.days(tmp_path, "tiny", "") == {}
    expected = traffic.Numbers(21, 10.0, 19.0, 0.1, 0.1, 63, 42, 0, 1)
    folded(tmp_path, NOON + DAY)
    assert events.days(tmp_path, "tiny", "") == {usage.day(NOON): expected}
    assert len(events.requests(tmp_path, "tiny", 0)) == 21
    folded(tmp_path, NOON + (events.KEEP_DAYS + 2) * DAY)
    assert events.days(tmp_path, "tiny", "") == {usage.day(NOON): expected}
    assert events.requests(tmp_path, "tiny", 0) == []
    folded(tmp_path, NOON + (events.DAYS_KEPT + 2) * DAY)
    assert events.days(tmp_path, "tiny", "") == {}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.floats(0.1, 9)), max_size=30), st.integers(0, 6))
def test_a_folded_day_says_what_its_requests_said(some, over):
    rows = [events.Event(NOON + day * DAY, "k", "/", None, long, 1, 1, False, failed) for day, failed, long in some]
    whole = traffic.by_day(rows, {}, usage.day)
    cut = usage.day(NOON + over * DAY)
    left = [one for one in rows if usage.day(one.time) >= cut]
    assert traffic.by_day(left, {day: row for day, row in whole if day < cut}, usage.day) == whole
    assert sum(row.requests for _, row in whole) == len(rows)


def test_a_request_that_ends_after_midnight_is_in_the_row_of_its_day(tmp_path):
    midnight = NOON + DAY / 2
    write(tmp_path, [record(), record(midnight + 5)])
    folded(tmp_path, midnight + 6)
    write(tmp_path, [record(midnight - 20, seconds=40.0)])
    folded(tmp_path, midnight + events.LATE_SECONDS - 1)
    assert events.days(tmp_path, "tiny", "") == {}
    folded(tmp_path, midnight + events.LATE_SECONDS + 1)
    assert {day: row.requests for day, row in events.days(tmp_path, "tiny", "").items()} == {usage.day(NOON): 2}


def test_the_writer_leaves_a_row_when_a_day_is_long_over(tmp_path, monkeypatch):
    midnight, writer = NOON + DAY / 2, Writer(tmp_path)
    write(tmp_path, [record(midnight - 20)])
    for later, days in ((5.0, 0), (events.LATE_SECONDS + 5, 1)):
        monkeypatch.setattr("time.time", lambda later=later: midnight + later)
        writer._fold(1)
        assert len(events.days(tmp_path, "tiny", "")) == days


def test_a_day_of_failures_alone_has_no_seconds(tmp_path):
    write(tmp_path, [record(broke=True)])
    folded(tmp_path, NOON + DAY)
    (day,) = events.days(tmp_path, "tiny", "").values()
    assert (day.requests, day.failed, day.median, day.first_p95) == (1, 1, None, None)


def test_the_book_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MOST_EVENTS", 10)
    monkeypatch.setattr(events, "MOST_PROMPTS", 5)
    some = [record(NOON + n) for n in range(30)]
    for one in some:
        one.familiar = [(0.5, 1)]
    write(tmp_path, [*some, *(record(NOON + n, suggests=True) for n in range(30))])
    folded(tmp_path, NOON + 60)
    for read in (events.requests, events.suggestions):
        assert [one.time for one in read(tmp_path, "tiny", 0)] == [NOON + n for n in range(20, 30)]
    assert len(events.prompts(tmp_path, "tiny", 0)) == 5


def asked(home, model, time, *shares):
    one = record(time, model=model)
    one.familiar = [(share, 4) for share in shares]
    write(home, [one])


def shares(home, model, since=0.0):
    return [share for share, _ in events.prompts(home, model, since)]


def test_the_requests_to_a_model_take_no_prompt_from_another(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MOST_PROMPTS", 5)
    asked(tmp_path, "quiet", NOON, 0.1, 0.2, 0.3)
    asked(tmp_path, "busy", NOON + 1, *[0.5] * 20)
    folded(tmp_path, NOON + 60)
    assert shares(tmp_path, "quiet") == [0.1, 0.2, 0.3] and shares(tmp_path, "busy") == [0.5] * 5


def test_the_first_block_since_a_model_was_made_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "MOST_PROMPTS", 5)
    made = {"tiny": NOON + 10}
    asked(tmp_path, "tiny", NOON, *[0.9] * 60)  # of the model before
    for n in range(4):
        asked(tmp_path, "tiny", NOON + 20 + n, *[n / 10] * BLOCK)
        folded(tmp_path, NOON + 60, made)
    assert shares(tmp_path, "tiny") == [0.0] * BLOCK + [0.3] * 5
    later = NOON + (events.PROMPT_DAYS + 2) * DAY
    asked(tmp_path, "tiny", later, 0.7)
    folded(tmp_path, later, made)
    assert shares(tmp_path, "tiny") == [0.0] * BLOCK + [0.7]
    folded(tmp_path, later, {"tiny": later - 1})  # made anew: another block is the first
    assert shares(tmp_path, "tiny") == [0.7]
    asked(tmp_path, "gone", NOON, 0.5)
    folded(tmp_path, later, made)
    assert shares(tmp_path, "gone") == []


def test_the_last_prompts_come_in_their_order(tmp_path):
    one = record()
    one.familiar = [(n / 10, n) for n in range(9)]
    write(tmp_path, [one])
    assert [words for _, words in events.prompts(tmp_path, "tiny", 0, 3)] == [6, 7, 8]
    assert len(events.prompts(tmp_path, "tiny", 0)) == 9


def test_the_last_thumb_counts(tmp_path):
    for thumb in ("up", "down"):
        events.put_thumb(tmp_path, "shop", "chatcmpl-1", "tiny", thumb)
    events.put_thumb(tmp_path, "owner", "chatcmpl-1", "tiny", "up")
    assert sorted((one.key, one.thumb) for one in events.thumbs(tmp_path, "tiny", 0)) == [
        ("owner", "up"), ("shop", "down"),
    ]  # fmt: skip


def older(home, *gone):
    """The book as an older netsuke left it, without these tables."""
    with contextlib.closing(sqlite3.connect(book.place(home))) as database:
        for table in gone:
            database.execute(f"DROP TABLE {table}")


def test_a_book_of_an_older_netsuke_gets_the_new_tables(tmp_path):
    write(tmp_path, [record()])
    older(tmp_path, "events", "days", "prompts", "thumbs", "suggestions")
    write(tmp_path, [record()])
    assert len(events.requests(tmp_path, "tiny", 0)) == 1
    assert [row["requests"] for row in usage.rows(tmp_path)] == [2]


def test_who_leaves_before_the_end_has_met_no_failure(tmp_path):
    write(tmp_path, [record(left=True, seconds=3.0), record(left=True, status=499), record(left=True, broke=True)])
    assert [one.failed for one in events.requests(tmp_path, "tiny", 0)] == [False, False, True]
    assert traffic.numbers(events.requests(tmp_path, "tiny", 0)).p95 == 3.0
    write(tmp_path, [record(left=True, suggests=True), record(suggests=True)])
    assert [one.failed for one in events.suggestions(tmp_path, "tiny", 0)] == [True, False]  # given up
    assert [(row["requests"], row["errors"]) for row in usage.rows(tmp_path)] == [(5, 1)]


def routed(path, time, **more):
    one = record(time, **more)
    one.path = path
    return one


def test_suggestions_are_no_requests(tmp_path):
    one = routed("/infill", NOON + 1, suggests=True, answer="cmpl-2")
    one.familiar = [(0.5, 4)]
    write(tmp_path, [record(), one, record(NOON + 2, suggests=True, status=400)])
    assert [row.route for row in events.requests(tmp_path, "tiny", 0)] == ["/v1/completions"]
    assert [row.route for row in events.suggestions(tmp_path, "tiny", 0)] == ["/infill"]
    assert events.prompts(tmp_path, "tiny", 0) == [] and events.model_of(tmp_path, "shop", "cmpl-2") == "tiny"
    folded(tmp_path, NOON + DAY)
    assert [day.requests for day in events.days(tmp_path, "tiny", "").values()] == [1]
    folded(tmp_path, NOON + (events.KEEP_DAYS + 2) * DAY)
    assert events.suggestions(tmp_path, "tiny", 0) == []


def test_in_a_book_of_an_older_netsuke_suggestions_are_told_apart(tmp_path):
    days = [NOON, NOON + DAY, NOON + 2 * DAY]
    paths = ("/v1/completions", "/infill", "/m/tiny/ghost", "/m/tiny/marks")
    write(tmp_path, [routed(path, day, seconds=n + 1.0) for day in days for n, path in enumerate(paths)])
    write(tmp_path, [record(day, model="other") for day in days])
    folded(tmp_path, NOON + 2 * DAY)  # the last day is not over
    assert [day.requests for day in events.days(tmp_path, "tiny", "").values()] == [4, 4]
    older(tmp_path, "suggestions")
    for _ in range(2):  # and once more changes nothing
        asked, suggested = (read(tmp_path, "tiny", 0) for read in (events.requests, events.suggestions))
        assert [one.route for one in asked] == ["/v1/completions", "/m/tiny/marks"] * 3
        assert [(one.route, one.time, one.seconds) for one in suggested] == [
            (path, day, n) for day in days for n, path in ((2.0, "/infill"), (3.0, "/m/tiny/ghost"))
        ]
        # of the first day some requests may be gone, so what was told of it stays
        assert [day.requests for day in events.days(tmp_path, "tiny", "").values()] == [4]
    folded(tmp_path, NOON + 3 * DAY)
    assert [day.requests for day in events.days(tmp_path, "tiny", "").values()] == [4, 2, 2]
    assert [day.requests for day in events.days(tmp_path, "other", "").values()] == [1, 1, 1]


@pytest.mark.parametrize("broken", ["usage", "events", "audit"])
def test_all_tables_are_written_or_none(tmp_path, monkeypatch, broken):
    from netsuke.serve import audit

    def fails(*_):
        raise sqlite3.OperationalError("disk I/O error")

    write(tmp_path, [record()])
    where, name = {"usage": (usage, "add"), "events": (events, "add"), "audit": (audit, "append")}[broken]
    monkeypatch.setattr(where, name, fails)
    with pytest.raises(sqlite3.OperationalError):
        write(tmp_path, [record()])
    assert len(events.requests(tmp_path, "tiny", 0)) == 1 and usage.rows(tmp_path)[0]["requests"] == 1
