"""Makes as child processes: what they say, how they end, and that nothing is lost while nobody looks."""

import json
import re
import signal
import subprocess
import time
from types import SimpleNamespace

import httpx
import pytest
from material import write_material
from studied import BASE, running

from netsuke.errors import RecipeError, StoreError
from netsuke.studio import home as first_page
from netsuke.studio.makes import Makes, state_of


def ended(make, seconds=100):
    """The state of a make once its process is gone."""
    until = time.monotonic() + seconds
    while make.alive:
        assert time.monotonic() < until, (make.folder / "log").read_text()
        time.sleep(0.1)
    return state_of(make, make.events()[0])


EVENT = {"at": 1.0, "kind": "step", "step": "tune", "fraction": 0.5, "count": 9,
         "text": "loss 3.5, valid 1.25 bits per byte"}  # fmt: skip
IDLE = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
with open(sys.argv[1] + "/events.jsonl", "w") as file:
    file.write({said!r})
time.sleep(60)
"""


@pytest.fixture
def idle(monkeypatch):
    """A make's child that says one thing and half of another, and sleeps."""
    code, real = IDLE.format(said=json.dumps(EVENT) + '\n{"at'), subprocess.Popen

    def popen(command, **rest):
        return real([command[0], "-c", code, *command[4:]], **rest)

    monkeypatch.setattr("netsuke.studio.makes.subprocess.Popen", popen)


JOB = {"target": "/nowhere", "shown": "nowhere", "name": None, "mb": 80.0, "minutes": 1.0}


def test_a_make_of_nothing_fails_with_what_to_do(home, tmp_path):
    (tmp_path / "empty").mkdir()
    makes = Makes(home.root)
    state = ended(makes.start({**JOB, "target": str(tmp_path / "empty")}))
    assert state["end"]["kind"] == "failed" and state["end"]["hint"] and state["end"]["exit"] > 1
    assert not [row for row in state["steps"] if row["step"] == "tune" and row["state"] == "done"]
    gone = ended(makes.start(JOB))
    assert "no folder" in gone["end"]["what"]


def test_one_at_a_time_and_a_stop_ends_it(home, idle):
    makes = Makes(home.root)
    one = makes.start(JOB)
    assert one.alive and Makes(home.root).find(one.id).alive  # whoever looks
    with pytest.raises(RecipeError, match="nowhere is running"):
        makes.start(JOB)
    until = time.monotonic() + 20
    while not one.events()[0] and time.monotonic() < until:
        time.sleep(0.05)
    events, place = one.events()
    assert len(events) == 1 and one.events(place) == ([], place)  # half a line is no event yet
    state = state_of(one, events)
    assert state["points"] == [(9, 3.5, 1.25)] and state["step"] == "tune" and "end" not in state
    one.stop()
    state = ended(one, 20)
    assert state["end"]["kind"] == "stopped" and "goes on" in state["end"]["hint"]
    assert makes.start(JOB).id != one.id
    next(makes.every()).stop()


@pytest.mark.slow
def test_a_studio_in_the_background_of_a_shell_can_stop_a_make_too(home, tmp_path):
    write_material(tmp_path / "notes")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        one = Makes(home.root).start({**JOB, "target": str(tmp_path / "notes"), "mb": None})
    finally:
        signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 60
    while not one.events()[0] and one.alive and time.monotonic() < until:
        time.sleep(0.05)
    one.stop()
    assert ended(one)["end"]["kind"] == "stopped"


def test_closing_and_reopening_the_studio_shows_it_still(home, idle):
    with running(home) as one, httpx.Client(base_url=one.url, trust_env=False, headers={"Origin": one.url}) as client:
        client.get(one.link)
        answer = client.post("/makes", data={"target": str(home.root), "mb": "80", "minutes": "1", "name": "again"})
        assert answer.status_code == 303
        place = answer.headers["location"]
        other = client.post("/makes", data={"target": str(home.root), "name": "other"})
        assert "again is running" in other.text and 'value="other"' in other.text
    with running(home) as one, httpx.Client(base_url=one.url, trust_env=False, headers={"Origin": one.url}) as client:
        client.get(one.link)
        assert place in client.get("/").text and "again" in client.get(place).text
        assert client.post(f"{place}/stop").status_code == 303
        ended(Makes(home.root).find(place.rpartition("/")[2]), 20)
        with client.stream("GET", f"{place}/events") as events:  # ends by itself when the make has
            text = "".join(events.iter_text())
        assert '"ended": "stopped"' in text
        assert "Change the dials" in client.get(place).text


def test_the_part_that_changes_holds_no_button(home, idle):
    make = Makes(home.root).start(JOB)
    try:
        with running(home) as one, httpx.Client(base_url=one.url, trust_env=False) as client:
            client.get(one.link)
            page = client.get(f"/makes/{make.id}").text
            assert page.count("Stop it") == 1
            with client.stream("GET", f"/makes/{make.id}/events") as events:
                told = next(line for line in events.iter_lines() if line.startswith("data:"))
        html = json.loads(told.removeprefix("data:"))["html"]
        assert "<form" not in html and "<button" not in html and 'class="steps"' in html
    finally:
        make.stop()
    ended(make, 20)


def test_a_make_that_is_not_there(home):
    for wrong in ("..", "20260101000000-aaaaaa", "x", "20260101000000-aaaaaa/../x"):
        with pytest.raises(StoreError):
            Makes(home.root).find(wrong)


def test_what_is_wrong_is_said_before_anything_starts(client, home):
    answer = client.post("/makes", data={"target": "/nowhere", "mb": "80", "minutes": "5"})
    assert answer.status_code == 400 and "no folder" in answer.text and not list(Makes(home.root).every())
    assert "drop files" in client.post("/makes", data={"target": " "}).text
    given = {"target": str(home.root), "name": "a/b", "mb": "95", "minutes": "7"}
    taken = client.post("/makes", data=given)
    assert taken.status_code == 400 and "cannot be a model" in taken.text and 'role="alert"' in taken.text
    assert 'value="a/b"' in taken.text and f'value="{home.root}"' in taken.text  # the form again, as it was filled in
    assert [dial[2] for dial in shown_dials(taken.text).values()] == ["95", "7"]
    odd = client.post("/makes", data={**given, "minutes": "x"})
    assert odd.status_code == 400 and "minutes must be a number" in odd.text and 'value="a/b"' in odd.text


def shown_dials(text):
    """(least, most, value) of each dial of the first page."""
    return {name: tuple(re.search(rf'id="{name}"[^>]* {key}="([^"]*)"', text)[1] for key in ("min", "max", "value"))
            for name in ("mb", "minutes")}  # fmt: skip


@pytest.mark.parametrize(("recipe", "mb", "minutes"), [
    ("minutes = 30", ("0", "120", "0"), ("1", "30", "30")),  # without mb: at the knee
    ("mb = 72\nminutes = 0.5", ("42", "120", "72"), ("0.5", "30", "0.5")),
    ("mb = 300.25\nminutes = 90", ("40.25", "300.25", "300.25"), ("1", "90", "90")),
    (None, ("40", "120", "80"), ("1", "30", "10")),
])  # fmt: skip
def test_the_dials_stand_where_the_recipe_has_them(client, tmp_path, recipe, mb, minutes):
    (tmp_path / "kept").mkdir()
    if recipe:
        text = f'name = "kept"\nbase = "{BASE}"\n{recipe}\n[[sources]]\npath = "."\n'
        (tmp_path / "kept" / "netsuke.toml").write_text(text)
    text = client.get("/", params={"target": str(tmp_path / "kept")}).text
    assert shown_dials(text) == {"mb": mb, "minutes": minutes}
    assert (">at the knee<" in text) == (mb[2] == "0")
    usual = shown_dials(client.get("/", params={"target": "/nowhere", "mb": "nan", "minutes": "x"}).text)
    assert usual == {"mb": ("40", "120", "80"), "minutes": ("1", "30", "10")}


def test_what_a_job_asked_for_is_asked_again(client):
    address = first_page.again({"target": "/a b", "shown": "second", "name": "second", "mb": 55.0, "minutes": 5.0})
    text = client.get(address).text
    assert 'value="/a b"' in text and 'value="second"' in text and ">55 MB<" in text
    assert first_page.again({"target": "notes", "name": None, "mb": None, "minutes": None}) == "/?target=notes"


def test_the_steps_of_a_plan_are_shown_once_each():
    planned = {"read": True, "tune": False, "trial": False}
    step = {"kind": "step", "text": "", "count": 0}
    events = [
        {"at": 0.0, "kind": "plan", "seconds": 60, "steps": [{"step": n, "cached": c} for n, c in planned.items()]},
        {"at": 1.0, **step, "step": "pace", "fraction": 0.0},  # which never says its end
        {"at": 2.0, **step, "step": "tune", "fraction": 0.5},
        {"at": 3.0, **step, "step": "index", "fraction": 0.0},
    ]
    state = state_of(SimpleNamespace(alive=True), events)
    found = {row["step"]: row["state"] for row in state["steps"]}
    assert found == {"read": "there", "tune": "done", "trial": "waits", "pace": "done", "index": "runs"}
    state = state_of(None, [*events, {"at": 4.0, "kind": "done", "name": "x"}])
    found = {row["step"]: row["state"] for row in state["steps"]}
    assert found == {"read": "there", "tune": "done", "pace": "done", "index": "done"}  # it needed no trial
    assert state["foretold"] == 60 and state["end"]["kind"] == "done" and state["seconds"] == 4.0
    assert set(found) <= set(first_page.TITLES)
