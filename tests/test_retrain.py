"""Corrections become examples of an ordinary make, through ledger and gates, and a second one runs nothing."""

import json

import pytest
from material import netsuke
from tasked import SIGNS, question, table

from netsuke.consent import corrections
from netsuke.consent.ledger import Ledger
from netsuke.front import watching
from netsuke.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
NEW = [(f"the new {SIGNS[label].split()[n % 5]} of {n} ships", label) for n, label in enumerate(sorted(SIGNS) * 4)]


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A home with a model of a task, made from a folder."""
    room = tmp_path_factory.mktemp("again")
    place = table(room / "signs")
    place.write_text(place.read_text() + '[watch]\nretrain_when = "corrections >= 12"\n[gates]\ngeneral = 100\n')
    made = netsuke(room / "home", "make", str(room / "signs"), timeout=300)
    assert made.returncode == 0, made.stderr
    return room


@pytest.fixture(scope="module")
def again(room):
    """It, trained again with corrections of two owners."""
    home, store = room / "home", Store(room / "home")
    before = store.named("packs", "signs")["ref"]
    early = netsuke(home, "watch", "signs", "--retrain")
    assert early.returncode == 10 and "not due" in early.stdout
    for n, (text, label) in enumerate(NEW):
        corrections.keep(home, "signs", "shop" if n % 3 else "owner", text, label, label=True)
    done = netsuke(home, "watch", "signs", "--retrain", "--json", timeout=300)
    return room, store, before, done


def test_it_is_made_anew_with_them_and_ships(again):
    room, store, before, done = again
    assert done.returncode == 0, done.stderr
    after = store.named("packs", "signs")["ref"]
    assert after != before and "corrections >= 12" in done.stderr
    rows = [json.loads(line) for line in (store.path(after) / "ledger.jsonl").read_text().splitlines()]
    assert len(rows) == 1 + len(NEW) and {row["decision"] for row in rows} == {"in"}


def test_each_is_a_row_of_the_ledger_by_its_owner(again):
    room, store, _, _ = again
    rows = [row for row in Ledger(store.root / "ledger.db").newest() if row.path.endswith(".jsonl")]
    assert len(rows) == len(NEW) and sum(row.owner == "shop" for row in rows) == sum(n % 3 > 0 for n in range(len(NEW)))


def test_a_plan_tells_them_and_nothing_is_due_or_run_again(again):
    room, store, _, _ = again
    assert netsuke(store.root, "watch", "signs", "--retrain").returncode == 10
    plan = netsuke(store.root, "plan", "signs", "--json")
    assert all(step["cached"] for step in json.loads(plan.stdout)["steps"]), plan.stdout
    later = corrections.keep(store.root, "signs", "shop", "a later one", "boat", label=True)
    why = json.loads(netsuke(store.root, "why", "signs", "--json").stdout)
    assert [line["label"] for line in why if line["step"] == "read"] == [f"read {later.file.name}"]
    corrections.drop(store.root, id=later.id)
    assert len(watching.state("signs", store).corrections) == len(NEW)


def test_an_owner_who_says_no_is_out_of_the_next_make(again):
    room, store, _, _ = again
    assert netsuke(store.root, "consent", "out", "--owner", "shop").returncode == 0
    found = netsuke(store.root, "curate", str(room / "signs"), "--json")
    assert found.returncode == 0, found.stderr
    summary = json.loads(found.stdout)
    assert sum(one["rows"] for one in summary["examples"]["files"]) == 60 + sum(n % 3 == 0 for n in range(len(NEW)))


def test_worse_does_not_ship_and_is_not_tried_twice(again):
    room, store, _, _ = again
    ref = store.named("packs", "signs")["ref"]
    place = room / "signs" / "netsuke.toml"
    place.write_text(place.read_text().replace("general = 100", "general = 100\ndomain = -1"))
    for n in range(12):
        corrections.keep(store.root, "signs", "owner", f"{question(900 + n)[0]} once more", "bee", label=True)
    done = netsuke(store.root, "watch", "signs", "--retrain", timeout=300)
    assert done.returncode == 3, done.stderr
    assert store.named("packs", "signs")["ref"] == ref
    assert netsuke(store.root, "watch", "signs", "--retrain").returncode == 10
