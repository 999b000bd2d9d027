"""The list of a pack's voices, and what scales of them come to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke import voices
from netsuke.errors import StoreError
from netsuke.voices import Voice

TWO = (Voice("Bea", "voice-1.gguf", 0.5), Voice("me", "voice-2.gguf", -0.25))
ROW = {"name": "Bea", "file": "voice-1.gguf", "weight": 0.5}


def test_what_was_written_is_read_and_a_pack_without_has_none(tmp_path):
    assert voices.read(tmp_path) == ()
    voices.written(TWO, tmp_path / voices.FILE)
    assert voices.read(tmp_path) == TWO
    assert json.loads((tmp_path / voices.FILE).read_text())[0] == ROW


DAMAGED = [
    "", "{", "{}", '"x"', "[1]", "[[]]", "[{}]", "null", "[" * 100_000, "\ud800".encode("utf-8", "surrogatepass"),
    *(json.dumps([ROW | change]) for change in (
        {"name": ""}, {"name": 1}, {"file": "../voice-1.gguf"}, {"file": "voice-0.gguf"}, {"file": "model.gguf"},
        {"file": 1}, {"file": "voice-1.gguf\n"}, {"weight": None}, {"weight": "x"}, {"weight": float("nan")},
        {"weight": float("inf")}, {"weight": []}, {"weight": 1.1e6}, {"weight": -1e300},
        {"weight": 10**400},
    )),
    json.dumps([ROW, ROW | {"name": "me"}]), json.dumps([ROW, ROW | {"file": "voice-2.gguf"}]),
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_list_is_named(tmp_path, content):
    (tmp_path / voices.FILE).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(StoreError, match="voices.json is damaged") as caught:
        voices.read(tmp_path)
    assert str(tmp_path) in str(caught.value.where)


def test_scales_are_told_as_what_they_add_to_the_sum():
    assert voices.added(TWO, {"Bea": 2.0}) == (0.5, 0.0)
    assert voices.added(TWO, {"Bea": 0.0, "me": 0.0}) == (-0.5, 0.25)
    assert voices.added(TWO, {"me": 1.5}) == (0.0, -0.125)


@given(st.lists(st.floats(-3, 3), max_size=5), st.lists(st.floats(0, 2), max_size=5))
def test_what_is_added_is_the_weight_times_what_differs_from_one(weights, scales):
    some = tuple(Voice(str(n), voices.file_of(n + 1), weight) for n, weight in enumerate(weights))
    wanted = {str(n): scale for n, scale in enumerate(scales)}
    found = voices.added(some, wanted)
    expected = [one.weight * (wanted.get(one.name, 1.0) - 1) for one in some]
    assert list(found) == (expected if any(expected) else [])
    assert voices.added(some, dict.fromkeys(wanted, 1.0)) == ()
