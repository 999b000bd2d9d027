"""Honesty: confidence is calibrated on valid and tried on test, and where there is too little that is said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_gguf

from netsuke import check
from netsuke.check import honesty
from netsuke.engines import gguf, hf
from netsuke.nouns import Compute
from netsuke.texts.documents import write_rows

PARAMS = check.Calibrating(0.1, 0, Compute(1))
SHARES = st.floats(0, 1, width=32)
ROWS = st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=40)


def sentences(sure, right, texts=4):
    return honesty.Sentences(np.arange(len(sure)) % texts, np.array(sure, float), np.array(right, float))


def drawn(seed, n=400, shift=0.0):
    """Sentences of a model that is right less often than it is sure."""
    random = np.random.default_rng(seed)
    sure = random.uniform(0, 1, n)
    return sentences(sure, np.clip(0.8 * sure - 0.1 + shift + random.normal(0, 0.05, n), 0, 1))


def test_an_over_sure_model_is_calibrated():
    found = honesty.judged(drawn(1), drawn(2), PARAMS)
    assert found["uncalibrated_error"] > 0.1 > found["calibration_error"]["value"]
    assert found["calibration_error"]["low"] <= found["calibration_error"]["value"]
    assert (
        found["risk_at_80"]["value"]
        < found["risk_at_100"]["value"]
        == pytest.approx(1 - drawn(2).right.mean())
    )
    assert found["gates"][0]["passed"] and found["risk_coverage"][-1][1] == found["risk_at_100"]["value"]


def test_a_confidence_that_does_not_hold_on_test_fails_the_gate():
    found = honesty.judged(drawn(1), drawn(2, shift=-0.3), PARAMS)
    assert not found["gates"][0]["passed"] and "over by" in found["gates"][0]["sentence"]


@pytest.mark.parametrize("valid, test", [(400, 5), (5, 400), (0, 0)])
def test_too_few_sentences_tell_nothing(valid, test):
    found = honesty.judged(drawn(1, valid), drawn(2, test), PARAMS)
    assert found["gates"] == [] and "fewer than" in found["why"]


@given(ROWS)
def test_risk_is_a_share_and_ends_at_all_of_them(rows):
    sure, right = (np.array(column, float) for column in zip(*rows, strict=True))
    risk = honesty.risks(sure, right)
    assert ((risk >= -1e-9) & (risk <= 1 + 1e-9)).all() and risk[-1] == pytest.approx(
        1 - right.mean(), abs=1e-6
    )
    assert honesty.calibration_error(right, right) == pytest.approx(0, abs=1e-9)
    shuffled = np.random.default_rng(0).permutation(
        len(sure)
    )  # the order of equally sure ones decides nothing
    assert np.allclose(honesty.risks(sure[shuffled], right[shuffled]), risk)


@given(st.lists(st.tuples(SHARES, SHARES), min_size=20, max_size=60))
def test_the_curve_never_falls(rows):
    curve = honesty.fitted(sentences(*zip(*rows, strict=True)))
    assert all(a[0] < b[0] and a[1] <= b[1] + 1e-9 for a, b in zip(curve, curve[1:], strict=False))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honesty")
    (folder / "model").mkdir()
    gguf.unpack(tiny_gguf(folder / "base.gguf"), folder / "model")
    return folder


def test_guesses_are_those_of_the_plain_model(model):
    loaded = hf.load_model(model / "model")
    [text] = hf.open_texts(model / "model", ["The other thing is in there. " * 6])
    sure, right = hf.guesses(loaded, text)
    table = np.array(hf.log_probabilities(loaded, text.ids))[:-1]
    assert np.allclose(sure, np.exp(table.max(1)), atol=2e-2)
    agree = right == (table.argmax(1) == np.array(text.ids[1:]))
    assert len(right) == len(text.ids) - 1 and agree.mean() > 0.95
    short, _ = hf.guesses(loaded, text, context=16)
    assert len(short) == len(sure) and not np.allclose(short, sure)


def test_the_whole_step(model, tmp_path):
    for name in ("valid", "test"):
        rows = [{"text": f"{n} is in there. Another thing is near. " * 8} for n in range(4)]
        write_rows(tmp_path / f"{name}.jsonl", rows)
    args = (model / "base.gguf", model / "model", tmp_path / "valid.jsonl", tmp_path / "test.jsonl")
    list(check.calibrate.function(PARAMS, tmp_path, *args))
    found = json.loads((tmp_path / "honesty.json").read_text())
    assert found["sentences"] >= honesty.FEWEST and found["curve"]
    write_rows(tmp_path / "test.jsonl", [{"text": "a lesson", "answer": 2}])
    list(check.calibrate.function(PARAMS, tmp_path, *args))
    assert "no held-out documents" in json.loads((tmp_path / "honesty.json").read_text())["why"]


def test_short_notes_do_not_keep_the_long_documents_out(model, tmp_path):
    for name in ("valid", "test"):
        notes = [f"A note {n}. Another." for n in range(3)]
        long = ["The other thing is in there. Another thing is near.\n" * 400 + str(n) for n in range(3)]
        write_rows(tmp_path / f"{name}.jsonl", [{"text": text} for text in notes + long])
    args = (model / "base.gguf", model / "model", tmp_path / "valid.jsonl", tmp_path / "test.jsonl")
    list(check.calibrate.function(replace(PARAMS, bytes=3_000), tmp_path, *args))
    found = json.loads((tmp_path / "honesty.json").read_text())
    assert [gate["name"] for gate in found["gates"]] == ["confidence"] and found["texts"] >= honesty.FEWEST_TEXTS
