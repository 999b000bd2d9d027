"""Check: bits per byte from the files themselves, intervals, gates, and agreement with stock llama.cpp."""

import json
import math
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_gguf

from netsuke import check
from netsuke.check import quality, report, speed
from netsuke.documents import Lesson, write_rows
from netsuke.engines import gguf, hf
from netsuke.engines.llama import Engine
from netsuke.errors import EngineError
from netsuke.nouns import Compute

TEXTS = ["The other thing is in there. " * n for n in (1, 3, 9, 40)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    (folder / "model").mkdir()
    gguf.unpack(tiny_gguf(folder / "base.gguf"), folder / "model")
    (folder / "model" / "about.json").write_text('{"name": "tiny", "licence": "MIT"}')
    gguf.write(folder / "model", folder / "ours.gguf", gguf.plan_types("Q8_0"))
    write_rows(folder / "test.jsonl", [{"text": text} for text in TEXTS])
    (folder / "general").mkdir()
    (folder / "general" / "a.txt").write_text("A general text, in no domain at all.")
    return folder


def test_windows_make_every_token_a_target_once(place):
    texts = hf.open_texts(place / "model", TEXTS)
    for context in (8, 64, 1024):
        targets = {}
        for rows, ids in hf.windows(texts, context):
            for (number, _, _), row in zip(rows, ids.tolist(), strict=True):
                targets.setdefault(number, []).extend(t for t in row[1:] if t >= 0)
        assert {n: sorted(t) for n, t in targets.items()} == {
            n: sorted(t.ids[1:]) for n, t in enumerate(texts)
        }


def test_bits_are_those_of_the_plain_model(place):
    model = hf.load_model(place / "model")
    texts = hf.open_texts(place / "model", TEXTS[:2])
    for text, found in zip(texts, hf.score(model, texts), strict=True):
        import torch

        ids = torch.tensor([text.ids])
        logits = model(ids, use_cache=False).logits[0, :-1].float()
        loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
        assert found.bits == pytest.approx(loss / math.log(2), rel=1e-3)
        assert found.bytes == text.bytes


def test_documents_in_one_window_do_not_see_each_other(place):
    import torch

    model = hf.load_model(place / "model", torch.float32)
    one, two = (hf.open_texts(place / "model", [t])[0].ids for t in ("in the inner", "thing there"))
    joined = torch.tensor([one + two])
    bias = hf.document_bias(torch.tensor([[0] * len(one) + [1] * len(two)]), torch.float32)
    together = model(joined, attention_mask=bias, use_cache=False).logits[0]
    alone = model(torch.tensor([two]), use_cache=False).logits[0]
    assert torch.allclose(together[len(one) :], alone, atol=1e-4)


def test_of_a_lesson_the_answer_alone_is_scored(place):
    import torch

    said = "<|im_start|>user\nthe inner<|im_end|>\n"
    model, lesson = hf.load_model(place / "model"), Lesson(f"{said}there", len(said))
    [whole], [answer] = (hf.open_texts(place / "model", [lesson], answers=a) for a in (False, True))
    assert whole.ids == answer.ids and whole.ids[0] == 1 and answer.bytes == len("there")
    losses = hf.token_losses(model, torch.tensor([answer.ids]))[0]
    [one], [other] = hf.score(model, [whole], 8), hf.score(model, [answer], 1024)
    assert other.bits == pytest.approx(losses[answer.begin - 1 :].sum().item() / math.log(2), rel=1e-5)
    assert other.tokens == len(answer.ids) - answer.begin and one.bits > other.bits
    some = hf.score(model, [answer], 8)[0]  # in windows that cut it, the same tokens are counted
    assert some.tokens == other.tokens and some.bits < one.bits


def test_the_whole_check(place, store):
    params = check.Params(0.0, 0.1, 400_000, 0, Compute(1))
    out = place / "out"
    out.mkdir()
    work = check.check.function(params, out, place / "ours.gguf", place / "base.gguf", place / "model",
                                place / "model", place / "test.jsonl", place / "general")  # fmt: skip
    list(work)
    content = json.loads((out / "report.json").read_text())
    rows = {row["name"]: row for row in content["measures"]}
    assert rows["size"]["ours"] == (place / "ours.gguf").stat().st_size
    assert abs(rows["domain"]["change"]) < 0.1 and rows["domain"]["n_texts"] == 4
    low, high = rows["domain"]["change_interval"]
    assert low <= rows["domain"]["change"] <= high
    assert {g["name"] for g in content["gates"]} == {"domain", "general", "size"}


def test_gates_say_which_and_by_how_much():
    rows = [
        {"name": "domain", "change": 0.02},
        {"name": "general", "change": 0.05},
        {"name": "size", "ours": 5e6},
    ]
    found = {g.name: g for g in report.gates(check.Params(0.0, 0.1, 4_000_000, 0, Compute(1)), rows)}
    assert [found[n].passed for n in ("domain", "general", "size")] == [False, True, False]
    assert "+2.0%" in found["domain"].sentence and "5.00 MB" in found["size"].sentence


@settings(max_examples=30, deadline=None)
@given(bits=st.lists(st.floats(10, 1000), min_size=3, max_size=20), factor=st.floats(0.5, 1.5))
def test_an_equal_change_everywhere_has_no_width(bits, factor):
    base = [hf.Score(b, 100, 30) for b in bits]
    ours = [hf.Score(b * factor, 100, 30) for b in bits]
    low, high = quality.change_interval(quality.Pair(base, ours), 0)
    assert low == pytest.approx(factor - 1, abs=1e-9) and high == pytest.approx(factor - 1, abs=1e-9)


def test_llama_cpp_computes_what_we_compute_and_another_model_is_noticed(place, tmp_path):
    text = TEXTS[3]
    with Engine(place / "ours.gguf", threads=1) as engine:
        gap = statistics.mean(speed.agreement(engine, place / "ours.gguf", place / "model", text))
        assert gap < speed.LARGEST_GAP
        other = tiny_gguf(tmp_path / "other.gguf", seed=5)
        assert statistics.mean(speed.agreement(engine, other, place / "model", text)) > 3 * gap


def test_a_file_that_llama_cpp_reads_otherwise_does_not_pass(place, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "LARGEST_GAP", -1.0)
    with pytest.raises(EngineError, match="something else"):
        list(speed.trial(check.Trial(Compute(1), 1), place / "ours.gguf", place / "base.gguf", place / "model",
                         place / "test.jsonl"))  # fmt: skip
