"""The frontier on the tiny base: real files, real speeds, a picture that asks for nothing from outside."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from material import netsuke, write_material

from netsuke.carve import trace
from netsuke.front import show


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """(folder, home, the rows that `carve --frontier --json` printed, the picture)."""
    room = tmp_path_factory.mktemp("frontier")
    folder, home = room / "notes", room / "home"
    write_material(folder)
    done = netsuke(home, "carve", str(folder), "--frontier", "--json", "--to", str(room / "picture.svg"))
    assert done.returncode == 0, done.stderr
    return folder, home, json.loads(done.stdout), (room / "picture.svg").read_text()


@pytest.mark.slow
def test_ours_get_smaller_and_the_presets_stand_beside(traced):
    _, _, rows, _ = traced
    ours = [row for row in rows if row["name"] == "ours"]
    assert [row["bytes"] for row in ours] == sorted((row["bytes"] for row in ours), reverse=True)
    assert {row["name"] for row in rows} == {"ours", *trace.PRESETS}
    assert sum(row["knee"] for row in rows) == 1
    assert all(row["tokens_per_second"] > 0 and row["cost"]["domain"] > 0 for row in rows)


@pytest.mark.slow
def test_the_picture_is_whole_and_asks_for_nothing(traced):
    _, _, _, picture = traced
    words = " ".join(ET.fromstring(picture).itertext())
    assert "What a size costs" in words and "Q4_K_M" in words and "knee" in words
    assert "<script" not in picture
    assert not [a for a in re.findall(r'(?:href|src)="([^"]*)"', picture) if not a.startswith("#")]


@pytest.mark.slow
def test_a_second_look_costs_nothing_and_the_table_fits_a_terminal(traced):
    folder, home, _, _ = traced
    done = netsuke(home, "carve", str(folder), "--frontier")
    assert done.returncode == 0, done.stderr
    assert "(knee)" in done.stdout and max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.slow
def test_carve_alone_writes_a_file_that_was_not_trained(traced, tmp_path):
    folder, home, _, _ = traced
    done = netsuke(home, "carve", str(folder), "--to", str(tmp_path / "model.gguf"))
    assert done.returncode == 0, done.stderr
    assert "Nothing was trained" in done.stdout
    assert (tmp_path / "model.gguf").read_bytes()[:4] == b"GGUF"


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "notes").mkdir()
    done = netsuke(tmp_path / "home", "carve", str(tmp_path / "notes"), "--to", str(tmp_path / "no" / "model.gguf"))
    assert done.returncode == 6 and "there is no such folder to write into" in done.stderr
    folder = netsuke(tmp_path / "home", "carve", str(tmp_path / "notes"), "--to", str(tmp_path))
    assert folder.returncode == 2 and "is a directory" in folder.stderr
    assert not (tmp_path / "notes" / "netsuke.lock").exists()


def test_a_file_that_is_there_stays_unless_it_is_forced(store, tmp_path, command):
    (tmp_path / "notes").mkdir()
    (tmp_path / "model.gguf").write_text("mine")
    words = ("carve", str(tmp_path / "notes"), "--to", str(tmp_path / "model.gguf"))
    done = command(store.root, *words)
    assert done.returncode == 6 and "this is there already" in done.stderr and "--force" in done.stderr
    assert not (tmp_path / "notes" / "netsuke.lock").exists()
    assert "no file to read" in command(store.root, *words, "--force").stderr
    assert (tmp_path / "model.gguf").read_text() == "mine"


def test_the_table_of_a_real_base_fits_a_terminal_too():
    row = {"name": "ours", "knee": True, "bytes": 105_300_000, "tokens": 49_152, "embedding": "IQ4_NL",
           "channels": 1536, "dropped": [1, 2], "cost": {"domain": 0.9111, "general": 1.2245}, "measured": False,
           "tokens_per_second": 123.4}  # fmt: skip
    text = show.frontier([row, row | {"name": "Q4_K_M", "knee": False, "embedding": "", "dropped": []}])
    assert max(map(len, text.splitlines())) <= 80
    assert "~0.911" in text and "-2" in text and "all" in text


def test_the_picture_keeps_what_is_expected_apart_from_what_is_measured():
    row = {"name": "ours", "knee": False, "bytes": 8e7, "cost": {"domain": 0.9, "general": 1.2}, "measured": True,
           "tokens_per_second": 100.0}  # fmt: skip
    expected = row | {"bytes": 6e7, "measured": False}
    hollow = "fill-opacity: 0; stroke: #c2410c"  # ours; one is in the legend
    assert picture_of([row, expected]).count(hollow) == picture_of([row, row]).count(hollow) + 1


def picture_of(rows):
    picture = trace.picture(rows)
    assert picture == trace.picture(rows)  # the same numbers, the same bytes
    return picture
